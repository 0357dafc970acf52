//! A person's page: what it shows, every choice through its form, and taking a yes back.

use chrono::TimeDelta;
use domain::consent::{Actor, ConsentAction, ConsentMethod};
use domain::{Purpose, SubjectId};

use crate::http::{select, text_of};
use crate::world::{ADULT, CALIFORNIAN, CHILD, OTHER, World, YOUNG_CALIFORNIAN};

const STATISTICS: &str = "choice.aggregate_statistics.acme";
const STATISTICS_EXPLICIT: &str = "explicit.aggregate_statistics.acme";
const SALE: &str = "choice.sale_or_sharing.acme";
const SALE_EXPLICIT: &str = "explicit.sale_or_sharing.acme";

fn actions(events: &[domain::consent::ConsentEvent], purpose: Purpose) -> Vec<ConsentAction> {
    events.iter().filter(|e| e.key.purpose == purpose).map(|e| e.order.action).collect()
}

#[tokio::test]
async fn the_page_says_who_asks_for_what_and_ticks_nothing() {
    let world = World::new().await;
    let page = world.get(&world.path(ADULT).await, &[]).await;
    assert_eq!((page.status, page.text("h1")), (200, "Your data".to_owned()));
    assert_eq!(page.texts("article p"), ["May we?", "We would count."]);
    assert_eq!(page.texts("legend").first().unwrap(), "Count me in statistics.");
    for told in ["Town & Sons", "1 Main Street", "Acme Research <GmbH>", "officer@town.example", "The Authority", "DE", "Version"] {
        assert!(page.text("main").contains(told), "{told}");
    }
    let html = page.page();
    assert_eq!(html.select(&select("[checked]")).count(), 0);
    assert_eq!(html.select(&select("script, img, iframe, [style], [onclick]")).count(), 0);
    // A question per purpose and recipient, and within it a separate one for what is specially protected.
    assert_eq!(html.select(&select("form > fieldset")).count(), 2);
    assert_eq!(html.select(&select("form > fieldset > fieldset")).count(), 2);
    world.verified().await;
}

#[tokio::test]
async fn a_yes_and_a_no_are_the_same_to_click() {
    let world = World::new().await;
    let page = world.get(&world.path(ADULT).await, &[]).await.page();
    for fieldset in page.select(&select("fieldset")) {
        let labels: Vec<_> = fieldset.child_elements().filter(|e| e.value().name() == "label").collect();
        let shape = |value: &str| {
            let label = labels.iter().find(|l| l.select(&select("input")).next().unwrap().attr("value") == Some(value)).unwrap();
            let input = label.select(&select("input")).next().unwrap();
            let attrs = |e: &scraper::ElementRef<'_>| e.value().attrs().filter(|(name, _)| *name != "value").map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>();
            (attrs(label), attrs(&input), label.child_elements().count())
        };
        assert_eq!(shape("yes"), shape("no"));
        assert!(labels.len() >= 2);
    }
    assert_eq!(page.select(&select("button")).count(), 1, "one button saves a yes and a no alike");
}

#[tokio::test]
async fn every_choice_is_recorded_as_it_was_made() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    let done = world.fill_in(&path, &[(STATISTICS, "yes"), (STATISTICS_EXPLICIT, "yes"), (SALE, "no")]).await;
    assert_eq!((done.status, done.text("h1")), (200, "Your choices are recorded".to_owned()), "{}", done.body);
    assert!(world.permits(ADULT, Purpose::AggregateStatistics).await && !world.permits(ADULT, Purpose::SaleOrSharing).await);
    let events = world.history(ADULT).await;
    assert_eq!(actions(&events, Purpose::AggregateStatistics), [ConsentAction::Request, ConsentAction::Give]);
    assert_eq!(actions(&events, Purpose::SaleOrSharing), [ConsentAction::Request, ConsentAction::Refuse]);
    let yes = events.iter().find(|e| e.order.action == ConsentAction::Give).unwrap();
    assert!(yes.strength.explicit && yes.actor == Actor::Subject && yes.method == ConsentMethod::Page && yes.language == "en");
    // The receipt's numbers are those of the ledger and the log.
    assert!(done.text("main li").contains(&format!("Receipt {} / ", yes.seq)), "{}", done.text("main"));
    // An ordinary yes without the explicit one counts for ordinary data only.
    world.fill_in(&path, &[(STATISTICS, "yes"), (STATISTICS_EXPLICIT, "no")]).await;
    assert!(!world.permits(ADULT, Purpose::AggregateStatistics).await);
    world.verified().await;
}

#[tokio::test]
async fn a_yes_is_taken_back_with_one_form_and_nothing_but_the_link() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    world.fill_in(&path, &[(STATISTICS, "yes"), (STATISTICS_EXPLICIT, "yes"), (SALE, "later")]).await;
    let page = world.get(&path, &[]).await;
    assert!(page.text("#q0s").starts_with("You said yes. (2026-11-25)"), "{}", page.text("#q0s"));
    assert!(page.text("#q1s").starts_with("You put the answer off"), "{}", page.text("#q1s"));
    let asked: Vec<_> = page.page().select(&select("#q0 > label")).map(text_of).collect();
    assert_eq!(asked, ["Yes", "No"], "what stands can stay as it is, or change");
    // What is put off may stay unanswered? No: it was never answered.
    let done = world.fill_in(&path, &[(STATISTICS, "no"), (SALE, "later")]).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(!world.permits(ADULT, Purpose::AggregateStatistics).await);
    assert_eq!(world.history(ADULT).await.last().unwrap().order.action, ConsentAction::Withdraw);
    assert!(world.get(&path, &[]).await.text("#q0s").starts_with("You said no."));
}

#[tokio::test]
async fn mistakes_are_shown_at_their_place_with_the_form_as_it_was() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    let again = world.fill_in(&path, &[(STATISTICS, "yes")]).await;
    assert_eq!(again.status, 422);
    let page = again.page();
    assert_eq!(page.select(&select("input[checked]")).map(|i| (i.attr("name").unwrap(), i.attr("value").unwrap())).collect::<Vec<_>>(), [(STATISTICS, "yes")]);
    assert_eq!(again.text("#q1 > .error"), "Choose yes, no or decide later.");
    assert_eq!(again.text("#q0e > .error"), "You said yes above. Choose yes or no here too.");
    for link in page.select(&select("[role=alert] a")) {
        assert!(page.select(&select(link.attr("href").unwrap())).next().is_some());
    }
    assert_eq!(page.select(&select("[role=alert] a")).count(), 2);
    for (fields, field) in [
        (&[(STATISTICS, "maybe"), (SALE, "no")][..], STATISTICS),
        (&[(STATISTICS, "yes"), (STATISTICS, "no"), (SALE, "no")], STATISTICS),
        (&[(STATISTICS, "no"), (SALE, "no"), ("choice.ai_training.acme", "yes")], ""),
        (&[(STATISTICS, "no"), (SALE, "no"), ("choice.<script>", "yes")], ""),
        (&[(STATISTICS, "no"), (SALE, "yes"), (SALE_EXPLICIT, "perhaps")], SALE_EXPLICIT),
        (&[(STATISTICS, "no"), (SALE, "no"), ("version", "7000000000")], ""),
        (&[(STATISTICS, "no"), (SALE, "no"), ("language", "xx")], ""),
    ] {
        let again = world.fill_in(&path, fields).await;
        assert_eq!(again.status, 422, "{fields:?} {field}");
        assert!(!again.texts("[role=alert] li").is_empty());
    }
    assert!(world.history(ADULT).await.iter().all(|e| e.order.action == ConsentAction::Request), "nothing was recorded");
    // A form that is none.
    let nothing = world.post(&path, &[], &[]).await;
    assert_eq!(nothing.status, 422);
    world.verified().await;
}

#[tokio::test]
async fn the_reader_s_language_is_spoken() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    let german = world.get(&path, &[("Accept-Language", "de-AT, en;q=0.5")]).await;
    assert_eq!((german.text("h1"), german.text("button")), ("Ihre Daten".into(), "Meine Entscheidungen speichern".into()));
    assert_eq!(german.page().root_element().attr("lang"), Some("de"));
    // Words of ours that are not there in a language are English, and say so; the text has its own.
    let arabic = world.get(&format!("{path}?lang=ar"), &[("Accept-Language", "de")]).await;
    assert_eq!(arabic.text("h1"), "بياناتك");
    assert_eq!(arabic.page().select(&select("article")).next().unwrap().attr("lang"), Some("ar"));
    assert_eq!(arabic.page().root_element().attr("lang"), Some("de"));
    let polish = world.get(&path, &[("Accept-Language", "pl")]).await;
    assert_eq!((polish.text("h1"), polish.page().root_element().attr("lang").map(str::to_owned)), ("Your data".into(), Some("en".into())));
    let seen = world.control.notice_seen(None, Some(SubjectId(ADULT))).await.unwrap();
    assert_eq!(seen.iter().map(|s| s.language.as_str()).collect::<Vec<_>>(), ["de", "ar", "en"]);
    let links: Vec<_> = german.page().select(&select("nav a")).map(|a| a.attr("href").unwrap().to_owned()).collect();
    assert_eq!(links, ["?lang=en", "?lang=ar"]);
    // The language of the text is recorded with the choice.
    let form = [("version", "1"), ("language", "de"), (STATISTICS, "no"), (SALE, "no")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(world.post(&format!("{path}?lang=de"), &[], &form).await.status, 200);
    assert_eq!(world.history(ADULT).await.last().unwrap().language, "de");
}

#[tokio::test]
async fn looking_ahead_is_not_seeing() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    assert_eq!(world.get(&path, &[("Sec-Purpose", "prefetch;prerender")]).await.status, 200);
    assert_eq!(crate::http::ask(world.address, "HEAD", &path, &[], "").await.status, 200);
    assert!(world.control.notice_seen(None, None).await.unwrap().is_empty() && world.history(ADULT).await.is_empty());
}

#[tokio::test]
async fn after_a_no_nobody_is_asked_and_the_page_still_works() {
    let world = World::new().await;
    let path = world.path(CALIFORNIAN).await;
    world.fill_in(&path, &[(STATISTICS, "no"), (SALE, "no")]).await;
    world.clock.forward(TimeDelta::days(20));
    let before = world.history(CALIFORNIAN).await.len();
    let page = world.get(&path, &[]).await;
    assert_eq!((page.status, world.history(CALIFORNIAN).await.len()), (200, before), "a quiet period runs");
    let explicit = page.page().select(&select("#q0e")).count() > 0;
    let mut fields = vec![(STATISTICS, "yes")];
    if explicit {
        fields.push((STATISTICS_EXPLICIT, "yes"));
    }
    assert_eq!(world.fill_in(&path, &fields).await.status, 200);
    assert!(world.permits(CALIFORNIAN, Purpose::AggregateStatistics).await);
    assert_eq!(world.history(CALIFORNIAN).await.len(), before + 1);
}

/// A law that closes sale in Germany, whatever anybody says.
const CLOSED: &str = r#"
schema = 1
id = "closed"
version = 1
title = "A law without sale"
regions = ["DE"]
reviewed = 2026-11-24

[[prohibition]]
id = "no_sale"
purposes = ["sale_or_sharing"]
rule = "nobody sells data about people"
grounds = { source = "Town Act s. 1", certainty = "high" }
"#;

async fn close_sale(world: &World) {
    world.control.rule_pack_propose(CLOSED, "anna").await.unwrap();
    world.control.rule_pack_approve("closed", 1, "bert").await.unwrap();
}

#[tokio::test]
async fn a_yes_that_a_law_closed_is_shown_and_can_only_be_taken_back() {
    let world = World::new().await;
    let path = world.path(ADULT).await;
    world.fill_in(&path, &[(STATISTICS, "no"), (SALE, "yes"), (SALE_EXPLICIT, "yes")]).await;
    close_sale(&world).await;
    assert!(!world.permits(ADULT, Purpose::SaleOrSharing).await);
    let page = world.get(&path, &[]).await;
    assert_eq!(page.text("#q1s"), "You said yes to this, but the law that applies to you does not allow it. Your yes has no effect; you can take it back here.");
    assert_eq!(page.texts("#q1 li"), ["nobody sells data about people (Town Act s. 1)"]);
    let offered: Vec<_> = page.page().select(&select("#q1 input")).map(|i| (i.attr("name").unwrap().to_owned(), i.attr("value").unwrap().to_owned())).collect();
    assert_eq!(offered, [(SALE.to_owned(), "no".to_owned())], "no yes is offered, nor a second sentence");
    // Neither a yes nor putting it off is taken, and nothing of the form is recorded.
    let before = world.history(ADULT).await.len();
    for answer in ["yes", "later"] {
        let refused = world.fill_in(&path, &[(STATISTICS, "no"), (SALE, answer)]).await;
        assert_eq!((refused.status, refused.text("#q1 > .error")), (422, "The law does not allow this. The only answer here is no.".to_owned()), "{answer}");
    }
    assert_eq!(world.fill_in(&path, &[(SALE, "no"), (SALE_EXPLICIT, "yes")]).await.status, 422, "the page has no such field");
    assert_eq!(world.history(ADULT).await.len(), before);
    // Left out it stays; a no takes it back, and then there is nothing to ask.
    assert_eq!(world.fill_in(&path, &[]).await.text("h1"), "Nothing has changed");
    let done = world.fill_in(&path, &[(SALE, "no")]).await;
    assert_eq!((done.status, done.text("h1")), (200, "Your choices are recorded".to_owned()), "{}", done.body);
    assert_eq!(actions(&world.history(ADULT).await, Purpose::SaleOrSharing).last(), Some(&ConsentAction::Withdraw));
    let page = world.get(&path, &[]).await;
    assert_eq!(page.page().select(&select("form > fieldset")).count(), 1);
    assert!(page.text("main").contains("You are not asked for this"));
    world.verified().await;
}

#[tokio::test]
async fn what_a_law_closed_is_not_asked_of_whoever_has_not_said_yes() {
    let world = World::new().await;
    close_sale(&world).await;
    for (subject, said_no) in [(ADULT, false), (OTHER, true)] {
        let path = world.path(subject).await;
        if said_no {
            assert_eq!(world.fill_in(&path, &[(STATISTICS, "no")]).await.status, 200);
        }
        let page = world.get(&path, &[]).await;
        assert_eq!(page.page().select(&select("form > fieldset")).count(), 1);
        assert!(page.text("main").contains("You are not asked for this") && !page.text("main").contains("nobody sells"));
        assert_eq!(world.fill_in(&path, &[(STATISTICS, "no"), (SALE, "yes"), (SALE_EXPLICIT, "yes")]).await.status, 422);
        assert_eq!(actions(&world.history(subject).await, Purpose::SaleOrSharing), []);
    }
}

#[tokio::test]
async fn a_parent_s_yes_that_a_law_closed_is_taken_back_by_the_parent_or_the_child() {
    for by_parent in [true, false] {
        let world = World::new().await;
        let (path, parent) = (world.path(CHILD).await, world.parent_path(CHILD).await);
        world.fill_in(&parent, &[(STATISTICS, "no"), (SALE, "yes"), (SALE_EXPLICIT, "yes"), ("declaration", "yes")]).await;
        assert!(world.permits(CHILD, Purpose::SaleOrSharing).await);
        close_sale(&world).await;
        let with = if by_parent { &parent } else { &path };
        let done = world.fill_in(with, &[(SALE, "no")]).await;
        assert_eq!((done.status, done.text("h1")), (200, "Your choices are recorded".to_owned()), "{}", done.body);
        let last = world.history(CHILD).await.pop().unwrap();
        assert_eq!((last.order.action, last.actor), (ConsentAction::Withdraw, if by_parent { Actor::Parent } else { Actor::Subject }));
        let left = world.get(&parent, &[]).await;
        assert_eq!(left.page().select(&select("form > fieldset")).count(), 1, "the parent is asked about what needs one");
    }
}

#[tokio::test]
async fn a_yes_that_must_be_confirmed_takes_two_forms() {
    let world = World::new().await;
    let path = world.path(YOUNG_CALIFORNIAN).await;
    let page = world.get(&path, &[]).await;
    let html = page.page();
    let mut fields = Vec::new();
    let names: std::collections::BTreeSet<_> = html.select(&select("input[type=radio]")).map(|i| i.attr("name").unwrap().to_owned()).collect();
    for name in &names {
        fields.push((name.as_str(), "yes"));
    }
    let confirm = world.fill_in(&path, &fields).await;
    assert_eq!((confirm.status, confirm.text("h1")), (200, "Please confirm".to_owned()), "{}", confirm.body);
    assert!(world.history(YOUNG_CALIFORNIAN).await.iter().all(|e| e.order.action == ConsentAction::Request));
    let done = world.post(&path, &[], &confirm.form()).await;
    assert_eq!((done.status, done.text("h1")), (200, "Your choices are recorded".to_owned()), "{}", done.body);
    assert!(world.history(YOUNG_CALIFORNIAN).await.iter().any(|e| e.order.action == ConsentAction::Give && e.strength.two_step && e.key.purpose == Purpose::SaleOrSharing));
}

#[tokio::test]
async fn a_text_that_changed_while_it_was_read_is_shown_anew() {
    let world = World::new().await;
    let path = world.path(OTHER).await;
    let mut form = world.get(&path, &[]).await.form();
    form.extend([(STATISTICS, "yes"), (STATISTICS_EXPLICIT, "yes"), (SALE, "no")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    world.publish(&[Purpose::AggregateStatistics], true).await;
    let again = world.post(&path, &[], &form).await;
    assert_eq!(again.status, 422, "a purpose that is not asked any more is no field of the page");
    let form: Vec<_> = form.into_iter().filter(|(name, _)| name != SALE).collect();
    let again = world.post(&path, &[], &form).await;
    assert_eq!(again.status, 409);
    assert!(again.text("[role=status]").starts_with("The text has changed"));
    assert_eq!(again.form().iter().find(|(name, _)| name == "version").unwrap().1, "2");
    assert!(!world.permits(OTHER, Purpose::AggregateStatistics).await);
}
