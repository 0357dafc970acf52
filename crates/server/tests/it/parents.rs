//! A child's yes, a letter to a parent, the parent's page, and the letter that confirms it.

use chrono::TimeDelta;
use domain::Purpose;
use domain::consent::{Actor, ConsentAction, ConsentState};
use server::{Delivered, deliver};

use crate::http::select;
use crate::letters::{Server, path_in};
use crate::world::{ADULT, CHILD, World};

const STATISTICS: &str = "choice.aggregate_statistics.acme";
const EXPLICIT: &str = "explicit.aggregate_statistics.acme";

/// Everything that the page asks, answered with yes.
async fn yes_to_all(world: &World, path: &str) -> Vec<(String, String)> {
    let page = world.get(path, &[]).await.page();
    let names: std::collections::BTreeSet<_> = page.select(&select("input[type=radio]")).map(|i| i.attr("name").unwrap().to_owned()).collect();
    names.into_iter().map(|name| (name, "yes".to_owned())).collect()
}

async fn fill_in(world: &World, path: &str, fields: &[(String, String)]) -> crate::http::Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    world.fill_in(path, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_child_s_yes_to_a_parent_s_and_its_confirmation() {
    let Some(mail) = Server::start() else { return };
    let world = World::new().await;
    let path = world.path(CHILD).await;
    let fields = yes_to_all(&world, &path).await;
    let asked = fill_in(&world, &path, &fields).await;
    assert_eq!((asked.status, asked.text("h2")), (200, "Ask a parent".to_owned()), "{}", asked.body);
    assert_eq!(world.history(CHILD).await.last().unwrap().order.action, ConsentAction::Defer);
    assert!(!world.permits(CHILD, Purpose::AggregateStatistics).await);
    // An address that cannot be one is not shown back.
    let mail_to = |address: &str| vec![("parent_email".to_owned(), address.to_owned())];
    let wrong = world.post(&path, &[], &mail_to("no<b>address")).await;
    assert!(wrong.status == 422 && !wrong.body.contains("no<b>") && !wrong.body.contains("no&lt;b"), "{}", wrong.body);
    assert_eq!(world.post(&path, &[], &mail_to("parent@town.example")).await.text("[role=status]"), "We write to your parent. Until they answer, nothing is used.");
    assert_eq!(deliver(&world.control, &world.pages, &mail.mailer()).await.unwrap(), Delivered { sent: 1, ..Delivered::default() });
    let (head, text) = mail.letter();
    assert!(head.contains("To: parent@town.example") && !text.contains("Person 2"), "{text}");
    // The parent's page asks what needs them, and that they are one.
    let parent = path_in(&text);
    let page = world.get(&parent, &[]).await;
    assert!(page.text("main").contains("A young person named you"));
    let fields = yes_to_all(&world, &parent).await;
    let undeclared = fill_in(&world, &parent, &fields).await;
    assert_eq!((undeclared.status, undeclared.text("[role=alert] a")), (422, "To say yes, confirm that you hold parental responsibility.".to_owned()));
    let declared: Vec<_> = fields.into_iter().chain([("declaration".to_owned(), "yes".to_owned())]).collect();
    let done = fill_in(&world, &parent, &declared).await;
    assert_eq!((done.status, done.text("h1")), (200, "Your choices are recorded".to_owned()), "{}", done.body);
    let event = world.history(CHILD).await.into_iter().rfind(|e| e.key.purpose == Purpose::AggregateStatistics).unwrap();
    assert!(event.actor == Actor::Parent && event.strength.parental && event.strength.explicit && event.order.action == ConsentAction::Give);
    assert!(world.permits(CHILD, Purpose::AggregateStatistics).await);
    // A day later it is confirmed, with a link by which it is taken back.
    assert_eq!(deliver(&world.control, &world.pages, &mail.mailer()).await.unwrap(), Delivered::default());
    world.clock.forward(TimeDelta::days(1));
    assert_eq!(deliver(&world.control, &world.pages, &mail.mailer()).await.unwrap(), Delivered { sent: 1, ..Delivered::default() });
    let (head, text) = mail.letter();
    assert!(head.contains("You said yes for a young person"), "{head}");
    let done = world.fill_in(&path_in(&text), &[(STATISTICS, "no")]).await;
    assert_eq!(done.status, 200, "a no needs no declaration: {}", done.body);
    assert!(!world.permits(CHILD, Purpose::AggregateStatistics).await);
    world.verified().await;
}

#[tokio::test]
async fn a_parent_s_page_is_no_child_s_page_and_the_other_way() {
    let world = World::new().await;
    // Whom no law asks a parent for has no parent's page.
    let page = world.get(&world.parent_path(ADULT).await, &[]).await;
    assert!(page.status == 200 && page.text("main").contains("There is nothing here that needs a parent.") && page.page().select(&select("form")).count() == 0);
    let mail = [("parent_email".to_owned(), "parent@town.example".to_owned())];
    assert_eq!(world.post(&world.path(ADULT).await, &[], &mail).await.status, 422);
    assert_eq!(world.post(&world.parent_path(CHILD).await, &[], &mail).await.status, 422);
    assert!(world.control.mail_list().await.unwrap().is_empty());
    // A parent's no is a parent's.
    let done = fill_in(&world, &world.parent_path(CHILD).await, &[(STATISTICS.to_owned(), "no".to_owned()), ("choice.sale_or_sharing.acme".to_owned(), "no".to_owned())]).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let last = world.history(CHILD).await.pop().unwrap();
    assert_eq!((last.actor, last.order.action), (Actor::Parent, ConsentAction::Refuse));
    assert!(world.control.mail_list().await.unwrap().is_empty(), "a no needs no confirmation");
    // A child's own no needs nobody.
    let done = world.fill_in(&world.path(CHILD).await, &[(STATISTICS, "no"), (EXPLICIT, "no")]).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(
        world.control.consent_state(&domain::consent::ConsentKey::new(domain::SubjectId(CHILD), "acme".parse().unwrap(), Purpose::AggregateStatistics)).await.unwrap(),
        ConsentState::Refused
    );
}
