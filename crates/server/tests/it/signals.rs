//! Global Privacy Control: honoured, shown, and recorded once.

use control_plane::RecordedLimit;
use domain::consent::{LimitKind, LimitSource};
use domain::{Purpose, SubjectId};

use crate::world::{CALIFORNIAN, World};

async fn opted_out(world: &World) -> Vec<RecordedLimit> {
    world.control.limit_history(SubjectId(CALIFORNIAN)).await.unwrap()
}

#[tokio::test]
async fn the_signal_opts_out_once_and_the_page_says_so() {
    let world = World::new().await;
    let path = world.path(CALIFORNIAN).await;
    for header in [&[][..], &[("Sec-GPC", "0")], &[("Sec-GPC", "true")], &[("Sec-GPC", "1"), ("Sec-GPC", "1")]] {
        let page = world.get(&path, header).await;
        assert!(page.status == 200 && !page.body.contains("Opt-out request honoured"), "{header:?}");
    }
    assert!(opted_out(&world).await.is_empty());
    let page = world.get(&path, &[("Sec-GPC", "1")]).await;
    assert!(page.text("[role=status]").starts_with("Opt-out request honoured"));
    let limits = opted_out(&world).await;
    assert!(limits.iter().all(|l| l.event.key.kind == LimitKind::OptOut && l.event.source == LimitSource::Gpc && l.event.key.partner.is_none()));
    assert!(limits.iter().any(|l| l.event.key.purpose == Some(Purpose::SaleOrSharing)));
    assert!(page.text("#q1s").contains("opted out"), "{}", page.text("#q1s"));
    assert!(!page.text("#q0s").contains("opted out"), "statistics are not sale");
    // Again, and with the form: it stands.
    world.get(&path, &[("Sec-GPC", "1")]).await;
    let form = [("version", "1"), ("language", "en"), ("choice.aggregate_statistics.acme", "no"), ("choice.sale_or_sharing.acme", "no")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert!(world.post(&path, &[("Sec-GPC", "1")], &form).await.text("[role=status]").starts_with("Opt-out request honoured"));
    assert_eq!(opted_out(&world).await.len(), limits.len());
    // Its absence undoes nothing.
    world.get(&path, &[]).await;
    assert_eq!(world.control.limit_show(SubjectId(CALIFORNIAN)).await.unwrap().len(), limits.len());
    world.verified().await;
}

#[tokio::test]
async fn it_is_said_that_the_signal_is_honoured() {
    let world = World::new().await;
    let said = world.get("/.well-known/gpc.json", &[]).await;
    assert!(said.status == 200 && said.headers["content-type"].starts_with("application/json"));
    assert_eq!(said.body, r#"{"gpc":true,"lastUpdate":"2026-11-25"}"#);
}
