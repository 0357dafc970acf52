//! Links open one page for one person, as long as they say, and tell nobody whom they are for.

use chrono::TimeDelta;
use control_plane::{Answer, Error, NewLink, Outcome};
use domain::link::{LinkKind, Origin};
use domain::{Purpose, RefusalCode, SubjectId};

use crate::notices::{answers, link, strict};
use crate::world::World;

fn wanted(subject: u32) -> NewLink {
    NewLink::choose(SubjectId(subject), "town".parse().unwrap(), TimeDelta::days(30))
}

#[tokio::test]
async fn a_link_opens_for_whom_it_was_made_and_until_it_ends() {
    let world = strict().await;
    let allowed: Origin = "https://platform.example".parse().unwrap();
    let back = NewLink { return_to: Some("https://platform.example/settings?tab=privacy".into()), ..wanted(7) };
    let token = world.control.consent_link(&back, &[allowed]).await.unwrap();
    let link = world.control.link_open(&token).await.unwrap().unwrap();
    assert_eq!((link.kind, link.subject, link.notice.to_string(), link.return_to.clone()), (LinkKind::Choose, SubjectId(7), "town v1".into(), back.return_to));
    assert!(token.len() < 220 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{}", token.len());
    assert_ne!(world.control.consent_link(&wanted(7), &[]).await.unwrap(), world.control.consent_link(&wanted(7), &[]).await.unwrap(), "each is another");
    world.clock.forward(TimeDelta::days(30));
    assert_eq!(world.control.link_open(&token).await.unwrap(), None);
}

#[tokio::test]
async fn a_changed_token_opens_nothing() {
    let world = strict().await;
    let token = world.control.consent_link(&wanted(7), &[]).await.unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character holds bits that mean nothing; such a token is refused or is the same one.
        if let Some(link) = world.control.link_open(&changed).await.unwrap() {
            panic!("position {at} opens {link:?}");
        }
    }
    for nothing in ["", "x", "AAAA", &"A".repeat(10_000), token.split_at(1).1, &format!("{token}A"), "ü"] {
        assert_eq!(world.control.link_open(nothing).await.unwrap(), None);
    }
    // What is sealed with the same key for another place is no link.
    let given = answers(&[(Purpose::CommercialResearch, Answer::Yes, true)]);
    let Outcome::Confirm(token) = world.control.notice_answer(&link(4, LinkKind::Choose), &given).await.unwrap() else { panic!("one step is not enough") };
    assert_eq!(world.control.link_open(&token).await.unwrap(), None);
}

#[tokio::test]
async fn links_follow_people_and_end_with_them() {
    let world = strict().await;
    let token = world.control.consent_link(&wanted(7), &[]).await.unwrap();
    world.merge(6, 7, "one person").await.unwrap();
    assert_eq!(world.control.link_open(&token).await.unwrap().unwrap().subject, SubjectId(6));
    world.control.subject_erase(SubjectId(6)).await.unwrap();
    assert_eq!(world.control.link_open(&token).await.unwrap(), None);
    assert!(matches!(world.control.consent_link(&wanted(6), &[]).await, Err(Error::Refused(r)) if r.code == RefusalCode::ConsentErased));
}

#[tokio::test]
async fn links_that_cannot_be_are_refused() {
    let world = World::new().await;
    let acme = NewLink { notice: "acme".parse().unwrap(), ..wanted(7) };
    assert!(matches!(world.control.consent_link(&acme, &[]).await, Err(Error::Refused(r)) if r.code == RefusalCode::Notice), "nobody said who asks");
    world.describe_controller().await;
    world.control.consent_link(&acme, &[]).await.unwrap();
    let allowed: Origin = "https://platform.example".parse().unwrap();
    for wrong in [
        NewLink { valid_for: TimeDelta::zero(), ..acme.clone() },
        NewLink { valid_for: TimeDelta::days(400), ..acme.clone() },
        NewLink { return_to: Some("https://platform.example.evil.example/".into()), ..acme.clone() },
        NewLink { return_to: Some("https://platform.example@evil.example/".into()), ..acme.clone() },
        NewLink { return_to: Some("javascript:alert(1)".into()), ..acme.clone() },
    ] {
        assert!(matches!(world.control.consent_link(&wrong, std::slice::from_ref(&allowed)).await, Err(Error::Refused(r)) if r.code == RefusalCode::Link), "{wrong:?}");
    }
    assert!(matches!(world.control.consent_link(&wanted(99), &[]).await, Err(Error::NotFound { .. })));
}
