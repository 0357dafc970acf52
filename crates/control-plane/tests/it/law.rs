//! The ledger, the law and time together: what is recorded, what is refused, and whom releases count.

use std::sync::Arc;

use chrono::TimeDelta;
use control_plane::{Choice, Error, Limit};
use domain::consent::{Actor, ConsentAction, ConsentKey, ConsentMethod, ConsentState, DataScope, Effect, LimitAct, LimitKey, LimitKind, LimitSource, Recipient, Strength};
use domain::notice::NoticeRef;
use domain::record::SubjectRecord;
use domain::subject::AgeBand;
use domain::{Purpose, RefusalCode, SubjectId, Timestamp};
use rand::RngExt;
use rand::seq::SliceRandom;
use testkit::{Generator, env_seed};

use crate::world::{PACK, PEOPLE, ScriptedRoom, World, ask, choice, key, notice};

const STATISTICS: Purpose = Purpose::AggregateStatistics;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> RefusalCode {
    match result {
        Err(Error::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// `choice` as an import of the past tells it.
fn past(action: ConsentAction, when: &str) -> Choice {
    Choice {
        at: Some(at(when)),
        method: ConsentMethod::Import,
        actor: Choice::now(key(1, STATISTICS), action, choice(1, STATISTICS, action).notice, ConsentMethod::Import).actor,
        ..choice(1, STATISTICS, action)
    }
}

/// A world whose notice has been shown since 2020.
async fn old_world() -> World {
    let world = World::new().await;
    let mut shown = notice("old", &["acme"], &[STATISTICS]);
    shown.shown_from = Some(at("2020-01-01T00:00:00Z"));
    world.control.notice_publish(shown).await.unwrap();
    world
}

fn on_old(mut choice: Choice) -> Choice {
    choice.notice.name = "old".parse().unwrap();
    choice
}

/// Whom a release counts.
async fn counted(world: &World) -> Vec<u32> {
    let room = Arc::new(ScriptedRoom::default());
    let sql = format!("count {}", world.control.audit_verify(None).await.unwrap().entries);
    world.control.release_run(room.clone(), &ask(&sql, "0.001")).await.unwrap();
    let set = room.eligible.lock().unwrap().clone();
    set.iter().map(|s| s.0).collect()
}

#[tokio::test]
async fn whatever_the_order_of_arrival_the_state_is_the_same() {
    let seed = env_seed(11);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let actions = [
        ConsentAction::Request,
        ConsentAction::Give,
        ConsentAction::Withdraw,
        ConsentAction::Refuse,
        ConsentAction::Renew,
        ConsentAction::Revoke,
        ConsentAction::Invalidate,
        ConsentAction::Expire,
    ];
    for _ in 0..6 {
        let events: Vec<Choice> = (0..12)
            .map(|_| {
                let when = format!("2024-0{}-01T00:00:00Z", rng.random_range(1..9));
                let mut event = on_old(past(actions[rng.random_range(0..actions.len())], &when));
                event.strength = Strength { explicit: rng.random(), ..Strength::default() };
                event
            })
            .collect();
        let mut standings = Vec::new();
        for _ in 0..2 {
            let world = old_world().await;
            let mut shuffled = events.clone();
            shuffled.shuffle(&mut rng);
            for some in shuffled.chunks(5) {
                for recorded in world.control.consent_record_each(some).await.unwrap() {
                    assert!(recorded.is_ok() || refused(recorded) == RefusalCode::ConsentDuplicate, "seed {seed}");
                }
            }
            let report = world.control.audit_verify(None).await.unwrap();
            assert!(report.verified, "seed {seed}: {:?}", report.bad);
            standings.push((world.control.consent_show(SubjectId(1)).await.unwrap(), world.permits(1, STATISTICS).await));
        }
        assert_eq!(standings[0], standings[1], "seed {seed}");
    }
}

#[tokio::test]
async fn the_past_is_taken_over_and_twice_is_once() {
    let world = old_world().await;
    let give = on_old(past(ConsentAction::Give, "2024-01-01T00:00:00Z"));
    let first = world.control.consent_record_each(std::slice::from_ref(&give)).await.unwrap();
    assert!(!first[0].as_ref().unwrap().late);
    assert_eq!(refused(world.control.consent_record(std::slice::from_ref(&give)).await), RefusalCode::ConsentDuplicate);
    world.choose(1, STATISTICS, ConsentAction::Withdraw).await;
    // Older than the withdrawal: known from now on, and changes nothing.
    let late = world.control.consent_record(&[on_old(past(ConsentAction::Give, "2025-01-01T00:00:00Z"))]).await.unwrap();
    assert!(late[0].late && late[0].state == ConsentState::Withdrawn);
    assert!(!world.permits(1, STATISTICS).await);
    // A yes of the past that nobody imports is a mistake.
    let mut mistaken = on_old(past(ConsentAction::Give, "2025-02-01T00:00:00Z"));
    mistaken.method = ConsentMethod::Operator;
    assert_eq!(refused(world.control.consent_record(&[mistaken]).await), RefusalCode::ConsentLate);
    // A no of the past counts at once where it is the newest.
    let no = on_old(past(ConsentAction::Invalidate, "2025-06-01T00:00:00Z"));
    world.control.consent_record(&[no]).await.unwrap();
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn times_that_cannot_be_are_refused() {
    let world = old_world().await;
    for when in ["2031-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        assert_eq!(refused(world.control.consent_record(&[on_old(past(ConsentAction::Withdraw, when))]).await), RefusalCode::ConsentTime, "{when}");
    }
    // Before the text was there.
    assert_eq!(refused(world.control.consent_record(&[on_old(past(ConsentAction::Give, "2019-12-31T00:00:00Z"))]).await), RefusalCode::ConsentTime);
    world.control.consent_record(&[on_old(past(ConsentAction::Withdraw, "2019-12-31T00:00:00Z"))]).await.unwrap();
    // A clock that is a little ahead is no lie.
    world.control.consent_record(&[on_old(past(ConsentAction::Withdraw, "2026-11-24T10:03:00Z"))]).await.unwrap();
}

#[tokio::test]
async fn who_may_do_what_and_when() {
    let world = World::new().await;
    let by = |actor, action| Choice { actor, ..choice(1, STATISTICS, action) };
    for (actor, action) in
        [(Actor::Agent, ConsentAction::Give), (Actor::Controller, ConsentAction::Give), (Actor::Controller, ConsentAction::Withdraw), (Actor::Subject, ConsentAction::Revoke)]
    {
        assert_eq!(refused(world.control.consent_record(&[by(actor, action)]).await), RefusalCode::ConsentActor, "{actor} {action}");
    }
    // What does not fit where the consent stands.
    for action in [ConsentAction::Renew, ConsentAction::Revoke, ConsentAction::Invalidate, ConsentAction::Expire, ConsentAction::Defer] {
        assert_eq!(refused(world.control.consent_record(&[choice(1, STATISTICS, action)]).await), RefusalCode::ConsentState, "{action}");
    }
    for (action, state) in [
        (ConsentAction::Request, ConsentState::Requested),
        (ConsentAction::Defer, ConsentState::Deferred),
        (ConsentAction::Give, ConsentState::Given),
        (ConsentAction::Renew, ConsentState::Renewed),
        (ConsentAction::Revoke, ConsentState::Revoked),
        (ConsentAction::Give, ConsentState::Given),
        (ConsentAction::Invalidate, ConsentState::Invalidated),
        (ConsentAction::Give, ConsentState::Given),
        (ConsentAction::Withdraw, ConsentState::Withdrawn),
    ] {
        world.choose(1, STATISTICS, action).await;
        assert_eq!(world.control.consent_state(&key(1, STATISTICS)).await.unwrap(), state);
        assert_eq!(world.permits(1, STATISTICS).await, state.is_valid(), "{state}");
    }
    world.control.subject_erase(SubjectId(1)).await.unwrap();
    assert_eq!(refused(world.control.consent_record(&[choice(1, STATISTICS, ConsentAction::Give)]).await), RefusalCode::ConsentErased);
    let unknown = Choice { key: ConsentKey::new(SubjectId(2), "nobody".parse().unwrap(), STATISTICS), ..choice(2, STATISTICS, ConsentAction::Withdraw) };
    assert!(matches!(world.control.consent_record(&[unknown]).await, Err(Error::NotFound { what: "recipient", .. })));
}

/// [`PACK`] with rules of its own.
fn pack(version: u32, rules: &str) -> String {
    PACK.replace("version = 1", &format!("version = {version}")) + rules
}

async fn with_law(world: &World, version: u32, rules: &str) {
    world.control.rule_pack_propose(&pack(version, rules), "ada").await.unwrap();
    world.control.rule_pack_approve("test", version, "bob").await.unwrap();
}

const TERMS: &str = r#"
[[validity]]
id = "terms"
term = { n = 6, unit = "month" }
quiet = { n = 3, unit = "month" }
grounds = { source = "a test", certainty = "high" }
"#;

#[tokio::test]
async fn a_consent_ends_and_nobody_is_asked_again_too_soon() {
    let world = World::new().await;
    with_law(&world, 2, TERMS).await;
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    world.choose(2, STATISTICS, ConsentAction::Refuse).await;
    assert_eq!(refused(world.control.consent_record(&[choice(2, STATISTICS, ConsentAction::Request)]).await), RefusalCode::ConsentQuiet);
    assert_eq!(counted(&world).await, [1]);
    // Nor by asking about a part of the same data.
    let part = Choice { key: ConsentKey { scope: DataScope::Topics, ..key(2, STATISTICS) }, ..choice(2, STATISTICS, ConsentAction::Request) };
    assert_eq!(refused(world.control.consent_record(&[part]).await), RefusalCode::ConsentQuiet);
    world.clock.forward(TimeDelta::days(100));
    world.choose(2, STATISTICS, ConsentAction::Request).await;
    world.choose(3, STATISTICS, ConsentAction::Give).await;
    assert_eq!(counted(&world).await, [1, 3]);
    // Half a year after it was given, at the next release, without anybody doing anything.
    world.clock.forward(TimeDelta::days(80));
    assert_eq!(counted(&world).await, [1, 3]);
    world.clock.forward(TimeDelta::days(2));
    assert!(!world.permits(1, STATISTICS).await);
    assert!(world.control.audit_verify(None).await.unwrap().verified, "before the next release has looked at the time");
    assert_eq!(counted(&world).await, [3]);
    assert_eq!(world.control.consent_state(&key(1, STATISTICS)).await.unwrap(), ConsentState::Expired);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn a_law_needs_two_people_and_reaches_everybody_at_once() {
    let world = World::new().await;
    for subject in 0..PEOPLE {
        world.choose(subject, STATISTICS, ConsentAction::Give).await;
    }
    let strict = "[[prohibition]]\nid = \"no-counting-minors\"\npurposes = [\"aggregate_statistics\"]\nage_below = 18\nrule = \"nobody counts minors\"\ngrounds = { source = \"a test\", certainty = \"high\" }\n";
    for (text, code) in [
        (pack(3, strict), RefusalCode::PackApproval),
        (pack(2, "[[surprise]]\nid = \"x\"\n"), RefusalCode::PackText),
        (pack(2, strict).replace("source = \"a test\"", "source = \"\""), RefusalCode::PackGrounds),
        (pack(2, "").replace("fallback = true", "fallback = true\ninherits = \"nothing\""), RefusalCode::PackInheritance),
    ] {
        let code_was = refused(world.control.rule_pack_propose(&text, "ada").await);
        assert_eq!(code_was, code, "{text}");
    }
    world.control.rule_pack_propose(&pack(2, strict), "ada").await.unwrap();
    assert_eq!(counted(&world).await.len(), PEOPLE as usize, "proposed is not in force");
    let changes = world.control.rule_pack_preview("test", 2).await.unwrap();
    // 4 of unknown age and 8 minors of 40: rounded up to tens.
    assert_eq!((changes.closed, changes.opened, changes.people), (20, 0, 40));
    assert_eq!(refused(world.control.rule_pack_approve("test", 2, "Ada").await), RefusalCode::PackApproval);
    assert_eq!(world.control.rule_pack_approve("test", 2, "bob").await.unwrap(), changes);
    assert_eq!(refused(world.control.rule_pack_approve("test", 2, "carol").await), RefusalCode::PackApproval);
    let left = counted(&world).await;
    assert!(left.len() == 28 && !left.contains(&0) && !left.contains(&4) && left.contains(&1), "{left:?}");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    // Back again, and everybody is there.
    with_law(&world, 3, "").await;
    assert_eq!(counted(&world).await.len(), PEOPLE as usize);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    let listed = world.control.rule_pack_list().await.unwrap();
    assert_eq!(listed.iter().map(|p| (p.pack.version, p.in_force)).collect::<Vec<_>>(), [(1, false), (2, false), (3, true)]);
}

#[tokio::test]
async fn a_law_begins_on_its_day_without_anybody_doing_anything() {
    let world = World::new().await;
    let later = "[[prohibition]]\nid = \"later\"\nsince = 2026-12-01\npurposes = [\"aggregate_statistics\"]\nrule = \"no more counting\"\ngrounds = { source = \"a test\", certainty = \"high\" }\n";
    with_law(&world, 2, later).await;
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    assert_eq!(counted(&world).await, [1]);
    world.clock.forward(TimeDelta::days(6));
    assert_eq!(counted(&world).await, [1], "the thirtieth");
    world.clock.forward(TimeDelta::days(1));
    // Chosen under the new law, while the sets still know the old one.
    world.choose(2, STATISTICS, ConsentAction::Give).await;
    assert!(world.control.audit_verify(None).await.unwrap().verified, "before a release has looked at the day");
    assert!(counted(&world).await.is_empty(), "the first");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn the_law_of_a_place_counts_for_whoever_lives_there() {
    let world = World::new().await;
    let mut people: Vec<SubjectRecord> = Vec::new();
    for (n, country, region) in [(100, "DE", None), (101, "US", Some("California")), (102, "Freedonia", None)] {
        let mut s = SubjectRecord::new(domain::record::AccountKey { platform: domain::Platform::Csv, native_id: format!("p{n}") });
        (s.country, s.region, s.age) = (Some(country.into()), region.map(Into::into), AgeBand::From35To44);
        people.push(s);
    }
    let ids = world.import_records(&[(domain::record::SourceKind::Table, people)]).await;
    let strict = PACK.replace("id = \"test\"", "id = \"here\"").replace("fallback = true", "regions = [\"US-CA\", \"DE\"]")
        + "[[sensitive]]\nid = \"special\"\nsensitivity = \"special\"\noutcome = \"explicit_opt_in\"\ncategories = [\"health\"]\ngrounds = { source = \"a test\", certainty = \"high\" }\n";
    world.control.rule_pack_propose(&strict, "ada").await.unwrap();
    world.control.rule_pack_approve("here", 1, "bob").await.unwrap();
    for id in &ids {
        let mut give = choice(id.0, STATISTICS, ConsentAction::Give);
        give.strength = Strength::default();
        world.control.consent_record(&[give]).await.unwrap();
    }
    let residences: Vec<String> = residences_of(&world, &ids).await;
    assert_eq!(residences, ["DE", "US-CA", "unknown"]);
    for (id, expected) in ids.iter().zip([false, false, true]) {
        assert_eq!(world.permits(id.0, STATISTICS).await, expected, "{id}");
        let case = control_plane::Case { scope: DataScope::Activity, ..control_plane::Case::new(*id, "acme".parse().unwrap(), STATISTICS) };
        assert!(world.control.decide(&case).await.unwrap().permit(), "{id}: what they did is open");
    }
    let decided = world.control.decide(&control_plane::Case::new(ids[0], "acme".parse().unwrap(), STATISTICS)).await.unwrap();
    let why = decided.reasons().into_iter().find(|r| r.rule == "here/sensitive.special").unwrap();
    assert!(why.effect == Effect::Deny && why.remedy.as_deref() == Some("an explicit yes"), "{why:?}");
}

async fn residences_of(world: &World, ids: &[SubjectId]) -> Vec<String> {
    let mut residences = Vec::new();
    for id in ids {
        residences.push(world.control.subject_find(&id.to_string()).await.unwrap().residence.to_string());
    }
    residences
}

#[tokio::test]
async fn a_notice_that_changed_is_asked_again_and_what_stayed_goes_on() {
    let world = World::new().await;
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    world.choose(1, Purpose::AdMeasurement, ConsentAction::Give).await;
    // A new partner in it changes nothing for the old one.
    world.partner("other", "1", &[STATISTICS]).await;
    let both = [STATISTICS, Purpose::AdMeasurement];
    assert!(world.control.notice_publish(notice("acme", &["acme", "other"], &both)).await.unwrap().changed.is_empty());
    assert!(world.permits(1, STATISTICS).await);
    // One purpose goes: what was agreed to it ends.
    let third = world.control.notice_publish(notice("acme", &["acme", "other"], &[STATISTICS])).await.unwrap();
    assert_eq!(third.changed.len(), 2);
    assert!(world.permits(1, STATISTICS).await && !world.permits(1, Purpose::AdMeasurement).await);
    // New words: everything is asked again.
    let mut material = notice("acme", &["acme", "other"], &[STATISTICS]);
    material.material = true;
    world.control.notice_publish(material).await.unwrap();
    assert!(!world.permits(1, STATISTICS).await && counted(&world).await.is_empty());
    // Being asked by the new words does not bring an old yes back.
    let mut asked = choice(1, STATISTICS, ConsentAction::Request);
    asked.notice.version = 4;
    world.control.consent_record(&[asked]).await.unwrap();
    assert!(!world.permits(1, STATISTICS).await && counted(&world).await.is_empty());
    assert_eq!(world.control.consent_state(&key(1, STATISTICS)).await.unwrap(), ConsentState::Requested);
    // A yes to the old words does not bring it back; one to the new words does.
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    assert!(!world.permits(1, STATISTICS).await);
    let mut new = choice(1, STATISTICS, ConsentAction::Give);
    new.notice.version = 4;
    world.control.consent_record(&[new]).await.unwrap();
    assert_eq!(counted(&world).await, [1]);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn a_class_is_not_its_members_unless_notice_and_law_say_so() {
    let world = World::new().await;
    let uni = "uni".parse().unwrap();
    world.control.partner_add(&uni, "A university", Some(&"university".parse().unwrap()), crate::world::cost("10")).await.unwrap();
    world.control.partner_act(&uni, domain::agreement::PartnerAct::Approve).await.unwrap();
    let mut open = notice("unis", &["uni"], &[STATISTICS]);
    open.terms.open_classes = vec!["university".parse().unwrap()];
    world.control.notice_publish(open).await.unwrap();
    let to = |recipient: &str, action| {
        let key = ConsentKey { recipient: recipient.parse::<Recipient>().unwrap(), ..key(1, STATISTICS) };
        Choice::now(key, action, NoticeRef { name: "unis".parse().unwrap(), version: 1 }, ConsentMethod::Page).explicit()
    };
    let state = async || {
        let decided = world.control.decide(&control_plane::Case::new(SubjectId(1), "uni".parse().unwrap(), STATISTICS)).await.unwrap();
        decided.reasons().into_iter().filter(|r| r.rule.starts_with("consent.") && r.effect == Effect::Deny).map(|r| r.rule.to_string()).collect::<Vec<_>>()
    };
    world.control.consent_record(&[to("class:university", ConsentAction::Give)]).await.unwrap();
    assert_eq!(state().await, ["consent.recipient"], "no pack opens classes");
    with_law(&world, 2, "[[validity]]\nid = \"open\"\nopen_class = true\ngrounds = { source = \"a test\", certainty = \"high\" }\n").await;
    assert!(state().await.is_empty());
    // A no to the class is a no to each.
    world.control.consent_record(&[to("uni", ConsentAction::Give)]).await.unwrap();
    assert!(state().await.is_empty());
    world.control.consent_record(&[to("class:university", ConsentAction::Withdraw)]).await.unwrap();
    assert_eq!(state().await, ["consent.given"]);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn limits_hold_at_once_and_only_the_person_lifts_them() {
    let world = World::new().await;
    for subject in [1, 2, 3] {
        world.choose(subject, STATISTICS, ConsentAction::Give).await;
    }
    let limit = |kind, act, purpose, source, two_step| Limit {
        key: LimitKey { subject: SubjectId(1), kind, purpose, partner: None },
        act,
        actor: Actor::Subject,
        source,
        two_step,
        at: None,
        evidence: None,
    };
    world.control.limit_record(&[limit(LimitKind::OptOut, LimitAct::Set, Some(STATISTICS), LimitSource::Gpc, false)]).await.unwrap();
    assert_eq!(counted(&world).await, [2, 3]);
    assert_eq!(refused(world.control.consent_record(&[choice(1, STATISTICS, ConsentAction::Request)]).await), RefusalCode::ConsentQuiet, "whoever opted out is not asked");
    // Agreeing anew does not undo an opt-out, nor does another signal or a single step.
    world.choose(1, STATISTICS, ConsentAction::Give).await;
    assert_eq!(refused(world.control.limit_record(&[limit(LimitKind::OptOut, LimitAct::Lift, Some(STATISTICS), LimitSource::Gpc, true)]).await), RefusalCode::CannotLift);
    assert_eq!(refused(world.control.limit_record(&[limit(LimitKind::OptOut, LimitAct::Lift, Some(STATISTICS), LimitSource::Person, false)]).await), RefusalCode::CannotLift);
    assert_eq!(counted(&world).await, [2, 3]);
    world.control.limit_record(&[limit(LimitKind::OptOut, LimitAct::Lift, Some(STATISTICS), LimitSource::Person, true)]).await.unwrap();
    assert_eq!(counted(&world).await, [1, 2, 3]);
    // A limit of the past that arrives late does not undo what came after it.
    let mut late = limit(LimitKind::OptOut, LimitAct::Set, Some(STATISTICS), LimitSource::Gpp, false);
    late.at = Some(at("2026-01-01T00:00:00Z"));
    world.control.limit_record(&[late]).await.unwrap();
    assert_eq!(counted(&world).await, [1, 2, 3]);
    world.limit(2, LimitKind::Restriction, LimitAct::Set).await;
    world.limit(3, LimitKind::Objection, LimitAct::Set).await;
    assert_eq!(counted(&world).await, [1]);
    // Whoever turns out to be somebody who said no said no.
    world.merge(1, 2, "a letter").await.unwrap();
    assert!(counted(&world).await.is_empty());
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}
