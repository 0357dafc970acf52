//! Links that are not good, forms from elsewhere, and what every page answers with.

use chrono::TimeDelta;
use domain::{Purpose, SubjectId};

use crate::world::{ADULT, OTHER, PLATFORM, World};

fn form() -> Vec<(String, String)> {
    [("version", "1"), ("language", "en"), ("choice.aggregate_statistics.acme", "yes"), ("explicit.aggregate_statistics.acme", "yes"), ("choice.sale_or_sharing.acme", "no")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .to_vec()
}

#[tokio::test]
async fn a_link_that_is_forged_ended_or_of_somebody_gone_is_one_and_the_same_page() {
    let world = World::new().await;
    let good = world.path(ADULT).await;
    let forged = format!("{}{}", good.split_at(good.len() - 3).0, if good.ends_with("AAA") { "BBB" } else { "AAA" });
    let gone = world.path(OTHER).await;
    world.control.subject_erase(SubjectId(OTHER)).await.unwrap();
    let mut bodies = std::collections::BTreeSet::new();
    for path in [&forged, &gone, "/consent/x", "/consent/%00", "/consent/%C3%BC"] {
        for answer in [world.get(path, &[]).await, world.post(path, &[], &form()).await] {
            assert_eq!(answer.status, 404, "{path}");
            bodies.insert(answer.body);
        }
    }
    world.clock.forward(TimeDelta::days(31));
    bodies.insert(world.get(&good, &[]).await.body);
    assert_eq!(bodies.len(), 1, "nobody is told which");
    assert!(bodies.first().unwrap().contains("This link does not work"));
    assert!(world.history(ADULT).await.is_empty() && world.history(OTHER).await.is_empty());
}

#[tokio::test]
async fn a_link_chooses_for_one_person_alone() {
    let world = World::new().await;
    assert_eq!(world.post(&world.path(ADULT).await, &[], &form()).await.status, 200);
    assert!(world.permits(ADULT, Purpose::AggregateStatistics).await);
    assert!(world.history(OTHER).await.is_empty());
    // Who it is for stands neither in the address nor on the page.
    let path = world.path(OTHER).await;
    assert!(!world.get(&path, &[]).await.body.contains("Person 4"));
}

#[tokio::test]
async fn forms_from_elsewhere_are_refused_and_a_platform_s_are_not() {
    let world = World::new().await;
    let path = world.path_with(ADULT, Some("https://platform.example/done?x=1")).await;
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://platform.example.evil.example")],
    ] {
        let refused = world.post(&path, headers, &form()).await;
        assert_eq!((refused.status, refused.text("h1")), (403, "This form came from another site".to_owned()), "{headers:?}");
    }
    assert!(world.history(ADULT).await.is_empty());
    let done = world.post(&path, &[("Origin", PLATFORM), ("Sec-Fetch-Site", "cross-site")], &form()).await;
    assert_eq!((done.status, done.headers["location"].as_str()), (303, "https://platform.example/done?x=1"), "{}", done.body);
    // Whose page showed the text is known.
    let seen = world.control.notice_seen(None, Some(SubjectId(ADULT))).await.unwrap();
    assert_eq!(seen.iter().map(|s| s.by.as_str()).collect::<Vec<_>>(), ["platform"]);
    assert!(world.permits(ADULT, Purpose::AggregateStatistics).await);
    // Mistakes are shown here, for want of another place.
    let again = world.post(&path, &[("Origin", PLATFORM), ("Sec-Fetch-Site", "cross-site")], &[]).await;
    assert_eq!(again.status, 422);
    world.verified().await;
}

#[tokio::test]
async fn every_page_is_sealed() {
    let world = World::new().await;
    let (path, back) = (world.path(ADULT).await, world.path_with(ADULT, Some("https://platform.example/done")).await);
    let policy = |to: &str| format!("default-src 'none'; style-src 'self'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'");
    let answers = [
        (world.get(&path, &[]).await, ""),
        (world.get("/consent/nothing", &[]).await, ""),
        (world.post(&path, &[], &[]).await, ""),
        (world.post(&path, &[("Origin", "https://evil.example")], &form()).await, ""),
        (world.post(&path, &[], &form()).await, ""),
        (world.get(&back, &[]).await, " https://platform.example"),
        (world.post(&back, &[], &form()).await, " https://platform.example"),
    ];
    for (answer, to) in answers {
        let headers = &answer.headers;
        assert_eq!(headers["content-security-policy"], policy(to), "{}", answer.status);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(headers[name], value, "{name} of {}", answer.status);
        }
        assert!(!headers.contains_key("set-cookie"));
        assert!(!answer.body.contains("http://") || !answer.body.contains("src="), "nothing is loaded from elsewhere");
    }
    let css = world.get("/assets/page.css", &[]).await;
    assert!(css.status == 200 && css.headers["content-type"].starts_with("text/css") && css.body.contains("color-scheme"));
}
