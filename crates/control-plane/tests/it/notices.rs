//! Notices in several languages, what changed, who saw them, and what they answered.

use chrono::TimeDelta;
use control_plane::{Answer, Answered, Answers, Barred, ControlPlane, Error, Needs, NewNotice, Outcome, RulePackInfo, Serving};
use domain::consent::{Actor, ConsentAction, ConsentState, DataScope, Recipient};
use domain::link::{Link, LinkKind};
use domain::notice::{NoticeParticulars, NoticeRef, NoticeTerms, Sentence, ServedBy, Wording};
use domain::subject::AgeBand;
use domain::{Purpose, RefusalCode, SubjectId};

use crate::world::{World, notice};

const STATISTICS: Purpose = Purpose::AggregateStatistics;
const TRAINING: Purpose = Purpose::AiTraining;

pub(crate) fn german() -> Wording {
    Wording::new("de", "Deine Daten", "Dürfen wir?")
}

/// A law with a quiet period, parents, explicit and confirmed consent.
const STRICT: &str = r#"
schema = 1
id = "strict"
version = 1
title = "A strict law"
fallback = true
reviewed = 2026-11-24

[[age]]
id = "parents"
parental_below = 16
purposes = ["ai_training"]
grounds = { source = "GDPR Art. 8", certainty = "high" }

[[age]]
id = "twice"
opt_in_below = 18
two_step = true
purposes = ["commercial_research"]
grounds = { source = "11 CCR 7071", certainty = "high" }

[[sensitive]]
id = "special"
sensitivity = "special"
outcome = "explicit_opt_in"
grounds = { source = "GDPR Art. 9", certainty = "high" }

[[validity]]
id = "quiet"
quiet = { n = 12, unit = "month" }
grounds = { source = "Cal. Civ. Code 1798.135", certainty = "high" }
"#;

/// A world under the strict law, with a notice that asks for four purposes.
pub(crate) async fn strict() -> World {
    let world = World::new().await;
    world.control.rule_pack_propose(STRICT, "anna").await.unwrap();
    world.control.rule_pack_approve("strict", 1, "bert").await.unwrap();
    let in_force = |info: &RulePackInfo| info.pack.id == "strict" && info.in_force;
    assert!(world.control.rule_pack_list().await.unwrap().iter().any(in_force));
    world.describe_controller().await;
    let purposes = [STATISTICS, TRAINING, Purpose::CommercialResearch, Purpose::AdMeasurement];
    world.control.notice_publish(notice("town", &["acme"], &purposes)).await.unwrap();
    world
}

pub(crate) fn link(subject: u32, kind: LinkKind) -> Link {
    let notice = NoticeRef { name: "town".parse().unwrap(), version: 1 };
    let expires = "2030-01-01T00:00:00Z".parse().unwrap();
    Link { kind, subject: SubjectId(subject), notice, expires, return_to: None, mailbox: Some("parent@town.example".into()) }
}

pub(crate) fn acme() -> Recipient {
    Recipient::Partner("acme".parse().unwrap())
}

pub(crate) fn answers(answers: &[(Purpose, Answer, bool)]) -> Answers {
    let answers = answers.iter().map(|&(purpose, answer, explicit)| Answered { purpose, recipient: acme(), answer, explicit }).collect();
    Answers { notice: NoticeRef { name: "town".parse().unwrap(), version: 1 }, language: "en".into(), answers, confirmation: None }
}

async fn answer(control: &ControlPlane, link: &Link, given: &Answers) -> (Vec<(ConsentAction, ConsentState)>, Vec<(Recipient, Purpose)>) {
    match control.notice_answer(link, given).await.unwrap() {
        Outcome::Recorded { receipts, needs_parent } => (receipts.iter().map(|r| (r.event.order.action, r.state)).collect(), needs_parent),
        other => panic!("{other:?}"),
    }
}

async fn state(world: &World, subject: u32, purpose: Purpose) -> ConsentState {
    let page = world.control.notice_page(SubjectId(subject), &"town".parse().unwrap()).await.unwrap();
    page.asking(purpose, &acme()).unwrap().state
}

#[tokio::test]
async fn a_version_has_its_words_in_several_languages_and_they_never_change() {
    let world = World::new().await;
    let name = "town".parse().unwrap();
    let mut new = NewNotice {
        particulars: NoticeParticulars { storage: vec!["DE".into()], rights_url: Some("https://town.example/rights".into()), ..NoticeParticulars::default() },
        ..notice("town", &["acme"], &[STATISTICS])
    };
    new.wording.sentences.insert(STATISTICS, Sentence { ask: "Count me.".into(), explicit: Some("Also by topic.".into()) });
    let published = world.control.notice_publish(new.clone()).await.unwrap();
    let mut words = german();
    let refused = world.control.notice_translate(&name, None, words.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(r) if r.code == RefusalCode::Notice), "a translation asks what the notice asks");
    words.sentences.insert(STATISTICS, Sentence { ask: "Zählt mich.".into(), explicit: Some("Auch nach Themen.".into()) });
    world.control.notice_translate(&name, None, words.clone()).await.unwrap();
    for again in ["de", "DE", "en"] {
        let words = Wording { language: again.into(), ..words.clone() };
        assert!(world.control.notice_translate(&name, None, words).await.is_err(), "{again}");
    }
    let shown = world.control.notice_show(&name, Some(1)).await.unwrap();
    assert_eq!((&shown.own, shown.translations.len(), shown.particulars.clone()), (&published.own, 1, new.particulars.clone()));
    assert_eq!(shown.text_for("fr, de-AT;q=0.5, en;q=0.1").wording, words);
    assert_eq!(shown.text_for("fr").wording.language, "en");
    assert_ne!(shown.own.sha256, shown.translations[0].sha256);
    // Nothing that cannot be read, asked or linked to.
    let purpose = Sentence { ask: "Train.".into(), explicit: None };
    let wrong: [&dyn Fn(&mut NewNotice); 6] = [
        &|n| n.wording.language = "<en>".into(),
        &|n| n.wording.title = " ".into(),
        &|n| n.wording.text = "x".repeat(100_001),
        &|n| drop(n.wording.sentences.insert(TRAINING, purpose.clone())),
        &|n| n.particulars.rights_url = Some("javascript:alert(1)".into()),
        &|n| n.particulars.storage = vec!["Germany".into()],
    ];
    for change in wrong {
        let mut wrong = new.clone();
        change(&mut wrong);
        assert!(matches!(world.control.notice_publish(wrong).await, Err(Error::Refused(r)) if r.code == RefusalCode::Notice));
    }
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn differences_over_several_versions_say_what_is_asked_again() {
    let world = World::new().await;
    let name = "town".parse().unwrap();
    world.control.notice_publish(notice("town", &["acme"], &[STATISTICS, TRAINING])).await.unwrap();
    let mut second = notice("town", &["acme"], &[STATISTICS]);
    second.wording.text = "May we, please?".into();
    world.control.notice_publish(second).await.unwrap();
    world.partner("other", "1", &[STATISTICS]).await;
    world.control.notice_publish(notice("town", &["acme", "other"], &[STATISTICS])).await.unwrap();
    let diff = world.control.notice_diff(&name, Some(1), None).await.unwrap();
    assert_eq!((diff.from, diff.to, diff.purposes.removed.clone(), diff.recipients.added.len()), (1, 3, vec![TRAINING], 1));
    assert_eq!(diff.asked_again, [(acme(), TRAINING)].into());
    assert_eq!(diff.text, "", "the third has the words of the first");
    let last = world.control.notice_diff(&name, None, None).await.unwrap();
    assert_eq!((last.from, last.to, last.asked_again.len()), (2, 3, 0));
    assert!(last.text.contains("-May we, please?\n+May we?\n"), "{}", last.text);
    assert!(world.control.notice_diff(&"acme".parse().unwrap(), None, None).await.is_err(), "there is one version only");
}

#[tokio::test]
async fn who_saw_which_is_known_and_seeing_it_is_being_asked() {
    let world = strict().await;
    assert_eq!(state(&world, 1, STATISTICS).await, ConsentState::Unknown);
    assert!(world.served(1, "town", 1, "en").await);
    assert_eq!(state(&world, 1, STATISTICS).await, ConsentState::Requested);
    let events = world.control.consent_history(SubjectId(1)).await.unwrap();
    assert!(events.iter().all(|e| e.order.action == ConsentAction::Request && e.actor == Actor::Controller && e.language == "en"));
    assert_eq!(events.len(), 4, "an adult is asked everything");
    // The same page again is nothing new; another language is.
    assert!(!world.served(1, "town", 1, "en").await);
    world.clock.forward(TimeDelta::hours(2));
    assert!(world.served(1, "town", 1, "en").await);
    assert_eq!(world.control.consent_history(SubjectId(1)).await.unwrap().len(), 4, "who was asked is not asked again by looking");
    assert!(world.control.notice_served(&[Serving { subject: SubjectId(1), notice: link(1, LinkKind::Choose).notice, language: "de".into(), by: ServedBy::Page }]).await.is_err());
    let seen = world.control.notice_seen(Some(&"town".parse().unwrap()), None).await.unwrap();
    assert_eq!(seen.iter().map(|s| (s.subject.0, s.notice.version, s.language.as_str())).collect::<Vec<_>>(), [(1, 1, "en"), (1, 1, "en")]);
    assert_eq!(world.control.notice_seen(None, Some(SubjectId(2))).await.unwrap(), []);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn many_servings_are_one_transaction() {
    let world = strict().await;
    let serving = |n| Serving { subject: SubjectId(n), notice: link(1, LinkKind::Choose).notice, language: "en".into(), by: ServedBy::Platform };
    let before = world.control.audit_verify(None).await.unwrap().entries;
    assert_eq!(world.control.notice_served(&(0..20).map(serving).collect::<Vec<_>>()).await.unwrap(), [true; 20]);
    let unknown: Vec<_> = [21, 99].map(serving).into();
    assert!(world.control.notice_served(&unknown).await.is_err());
    assert_eq!(world.control.notice_seen(None, Some(SubjectId(21))).await.unwrap(), [], "all or none");
    let report = world.control.audit_verify(None).await.unwrap();
    let requests: usize = {
        let mut all = 0;
        for n in 0..20 {
            all += world.control.consent_history(SubjectId(n)).await.unwrap().len();
        }
        all
    };
    assert_eq!(report.entries - before, 20 + requests as u64);
    assert!(report.verified);
}

#[tokio::test]
async fn within_a_quiet_period_nobody_is_asked_and_whoever_comes_can_choose() {
    let world = strict().await;
    let me = link(1, LinkKind::Choose);
    world.served(1, "town", 1, "en").await;
    let no = answer(&world.control, &me, &answers(&[(STATISTICS, Answer::No, false)])).await;
    assert_eq!(no.0, [(ConsentAction::Refuse, ConsentState::Refused)]);
    world.clock.forward(TimeDelta::days(30));
    world.served(1, "town", 1, "en").await;
    assert_eq!(state(&world, 1, STATISTICS).await, ConsentState::Refused, "not asked again");
    let page = world.control.notice_page(SubjectId(1), &"town".parse().unwrap()).await.unwrap();
    assert!(page.asking(STATISTICS, &acme()).unwrap().quiet_until.is_some());
    // Of their own accord.
    let yes = answer(&world.control, &me, &answers(&[(STATISTICS, Answer::Yes, true)])).await;
    assert_eq!(yes.0, [(ConsentAction::Give, ConsentState::Given)]);
    assert!(world.permits(1, STATISTICS).await);
    // Asking again after the period is over.
    answer(&world.control, &me, &answers(&[(TRAINING, Answer::No, false)])).await;
    world.clock.forward(TimeDelta::days(366));
    world.served(1, "town", 1, "en").await;
    assert_eq!(state(&world, 1, TRAINING).await, ConsentState::Requested);
}

#[tokio::test]
async fn every_answer_is_the_choice_that_fits() {
    let world = strict().await;
    let me = link(1, LinkKind::Choose);
    world.served(1, "town", 1, "en").await;
    let one = async |given, explicit| answer(&world.control, &me, &answers(&[(STATISTICS, given, explicit)])).await.0;
    use ConsentAction::{Defer, Give, Refuse, Renew, Withdraw};
    assert_eq!(one(Answer::Later, false).await, [(Defer, ConsentState::Deferred)]);
    assert_eq!(one(Answer::Later, false).await, [], "put off twice is nothing new");
    assert_eq!(one(Answer::Yes, false).await, [(Give, ConsentState::Given)]);
    assert!(!world.permits(1, STATISTICS).await, "topics need an explicit yes");
    assert_eq!(one(Answer::Yes, true).await, [(Renew, ConsentState::Renewed)]);
    assert!(world.permits(1, STATISTICS).await);
    assert_eq!(one(Answer::Later, false).await, [], "putting off ends no yes");
    assert_eq!(one(Answer::No, false).await, [(Withdraw, ConsentState::Withdrawn)]);
    assert_eq!(one(Answer::No, false).await, [(Refuse, ConsentState::Refused)]);
    assert!(!world.permits(1, STATISTICS).await);
    // What was not asked.
    let other = Answers { answers: vec![Answered { purpose: Purpose::SaleOrSharing, recipient: acme(), answer: Answer::Yes, explicit: true }], ..answers(&[]) };
    assert!(matches!(world.control.notice_answer(&me, &other).await, Err(Error::Refused(r)) if r.code == RefusalCode::Consent));
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn what_the_law_forbids_is_not_asked_and_can_still_be_refused() {
    let world = strict().await;
    // Person 4 is 16 or 17: advertising is closed, and commercial research needs a second step.
    let page = world.control.notice_page(SubjectId(4), &"town".parse().unwrap()).await.unwrap();
    assert_eq!(page.asking(Purpose::AdMeasurement, &acme()).unwrap().barred, Some(Barred::Law));
    assert_eq!(page.asking(Purpose::CommercialResearch, &acme()).unwrap().needs, Needs { explicit: true, parental: false, two_step: true });
    let me = link(4, LinkKind::Choose);
    world.served(4, "town", 1, "en").await;
    assert_eq!(world.control.consent_history(SubjectId(4)).await.unwrap().len(), 3);
    assert!(world.control.notice_answer(&me, &answers(&[(Purpose::AdMeasurement, Answer::Yes, true)])).await.is_err());
    answer(&world.control, &me, &answers(&[(Purpose::AdMeasurement, Answer::No, false)])).await;
}

#[tokio::test]
async fn a_second_step_confirms_exactly_what_was_said_in_the_first() {
    let world = strict().await;
    let me = link(4, LinkKind::Choose);
    let given = answers(&[(Purpose::CommercialResearch, Answer::Yes, true), (STATISTICS, Answer::No, false)]);
    let Outcome::Confirm(token) = world.control.notice_answer(&me, &given).await.unwrap() else { panic!("one step is not enough") };
    assert_eq!(world.control.consent_history(SubjectId(4)).await.unwrap().len(), 0, "nothing is recorded by the first");
    for other in [
        Answers { confirmation: Some(format!("{token}x")), ..given.clone() },
        Answers { confirmation: Some(token.clone()), ..answers(&[(Purpose::CommercialResearch, Answer::Yes, false)]) },
    ] {
        assert!(matches!(world.control.notice_answer(&me, &other).await.unwrap(), Outcome::Confirm(_)));
    }
    let somebody_else = Answers { confirmation: Some(token.clone()), ..given.clone() };
    assert!(matches!(world.control.notice_answer(&link(8, LinkKind::Choose), &somebody_else).await.unwrap(), Outcome::Confirm(_)));
    answer(&world.control, &me, &somebody_else).await;
    assert!(world.permits(4, Purpose::CommercialResearch).await || state(&world, 4, Purpose::CommercialResearch).await == ConsentState::Given);
    let event = world.control.consent_history(SubjectId(4)).await.unwrap().into_iter().find(|e| e.key.purpose == Purpose::CommercialResearch).unwrap();
    assert!(event.strength.two_step && event.strength.explicit);
}

#[tokio::test]
async fn a_child_s_yes_is_put_off_until_a_parent_s() {
    let world = strict().await;
    world.import(1..2, |_| AgeBand::From13To15).await;
    let (child, parent) = (link(1, LinkKind::Choose), link(1, LinkKind::Parent));
    world.served(1, "town", 1, "en").await;
    let (recorded, needs) = answer(&world.control, &child, &answers(&[(TRAINING, Answer::Yes, true)])).await;
    assert_eq!((recorded, needs), (vec![(ConsentAction::Defer, ConsentState::Deferred)], vec![(acme(), TRAINING)]));
    // A parent's page asks what needs them, and nothing else.
    assert!(world.control.notice_answer(&parent, &answers(&[(STATISTICS, Answer::Yes, true)])).await.is_err());
    let (recorded, _) = answer(&world.control, &parent, &answers(&[(TRAINING, Answer::Yes, true)])).await;
    assert_eq!(recorded, [(ConsentAction::Give, ConsentState::Given)]);
    let event = world.control.consent_history(SubjectId(1)).await.unwrap().pop().unwrap();
    assert!(event.actor == Actor::Parent && event.strength.parental);
    // The child ends it alone.
    let (recorded, _) = answer(&world.control, &child, &answers(&[(TRAINING, Answer::No, false)])).await;
    assert_eq!(recorded, [(ConsentAction::Withdraw, ConsentState::Withdrawn)]);
}

#[tokio::test]
async fn a_newer_version_is_not_agreed_to_by_the_older_one_s_page() {
    let world = strict().await;
    let me = link(1, LinkKind::Choose);
    answer(&world.control, &me, &answers(&[(STATISTICS, Answer::Yes, true)])).await;
    let terms = NoticeTerms { scopes: vec![DataScope::Activity], ..notice("town", &["acme"], &[STATISTICS]).terms };
    world.control.notice_publish(NewNotice { material: true, ..NewNotice::new("town".parse().unwrap(), terms, Wording::new("en", "New", "May we now?")) }).await.unwrap();
    assert!(matches!(world.control.notice_answer(&me, &answers(&[(STATISTICS, Answer::Yes, true)])).await.unwrap(), Outcome::Changed));
    let page = world.control.notice_page(SubjectId(1), &"town".parse().unwrap()).await.unwrap();
    let asking = page.asking(STATISTICS, &acme()).unwrap();
    assert!(asking.changed && asking.state == ConsentState::Requested && !asking.needs.explicit, "{asking:?}");
    // Seeing the new text is being asked; saying yes to it counts again.
    world.served(1, "town", 2, "en").await;
    let given = Answers { notice: NoticeRef { name: "town".parse().unwrap(), version: 2 }, ..answers(&[(STATISTICS, Answer::Yes, false)]) };
    answer(&world.control, &me, &given).await;
    assert_eq!(state(&world, 1, STATISTICS).await, ConsentState::Given);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}
