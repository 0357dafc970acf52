use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use control_plane::{ControlPlane, Error};
use domain::consent::{ConsentAction, ConsentState};
use domain::port::Clock;
use domain::subject::AgeBand;
use domain::{Purpose, RefusalCode, SubjectId, Timestamp};
use rand::RngExt;
use testkit::{Generator, SeededEntropy, env_seed};

use crate::world::{PEOPLE, ScriptedRoom, World, ask, choice, key, secrets};

#[tokio::test]
async fn replay_is_state_and_bitmaps_follow_every_choice() {
    let seed = env_seed(5);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let world = World::new().await;
    let mut model: BTreeMap<(u32, Purpose), ConsentState> = BTreeMap::new();
    for _ in 0..100 {
        let batch: Vec<_> = (0..rng.random_range(1..40))
            .map(|_| {
                let purpose = if rng.random_ratio(1, 2) { Purpose::AggregateStatistics } else { Purpose::AdMeasurement };
                let action = [ConsentAction::Give, ConsentAction::Refuse, ConsentAction::Withdraw][rng.random_range(0..3)];
                choice(rng.random_range(0..PEOPLE), purpose, action)
            })
            .collect();
        for c in &batch {
            let state = model.entry((c.key.subject.0, c.key.purpose)).or_insert(ConsentState::Unknown);
            *state = state.after(c.action);
        }
        world.control.consent_record(&batch).await.unwrap();
    }
    for (&(subject, purpose), &state) in &model {
        assert_eq!(world.control.consent_state(&key(subject, purpose)).await.unwrap(), state);
        let age = world.control.subject_find(&subject.to_string()).await.unwrap().age;
        let expected = state.is_valid() && (purpose == Purpose::AggregateStatistics || age.is_known_adult());
        assert_eq!(world.permits(subject, purpose).await, expected, "{subject} {purpose}");
    }
    // The verification replays the ledger against states and bitmaps.
    let report = world.control.audit_verify(None).await.unwrap();
    assert!(report.verified, "{:?}", report.bad);
}

#[tokio::test]
async fn an_acknowledged_withdrawal_is_in_no_release_that_starts_afterwards() {
    let mut world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    for subject in 0..PEOPLE {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
    }
    world.control.release_run(room.clone(), &ask("count a", "0.01")).await.unwrap();
    assert_eq!(room.eligible.lock().unwrap().len(), u64::from(PEOPLE));
    for subject in (0..PEOPLE).step_by(7) {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Withdraw).await;
        world.reopen().await;
        world.control.release_run(room.clone(), &ask(&format!("count {subject}"), "0.01")).await.unwrap();
        assert!(!room.eligible.lock().unwrap().contains(SubjectId(subject)));
    }
}

#[tokio::test]
async fn minors_are_out_of_advertising_until_their_age_is_known() {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    for subject in 0..PEOPLE {
        world.choose(subject, Purpose::AdMeasurement, ConsentAction::Give).await;
    }
    let ads = |sql: &str| control_plane::Ask { purpose: Purpose::AdMeasurement, ..ask(sql, "0.01") };
    world.control.release_run(room.clone(), &ads("count 1")).await.unwrap();
    let eligible = room.eligible.lock().unwrap().clone();
    assert!(!eligible.contains(SubjectId(0)) && !eligible.contains(SubjectId(4)) && eligible.contains(SubjectId(1)));
    // Person 10 turns out to be an adult; person 0 says nothing new.
    let ids = world.import(10..11, |_| AgeBand::From45To54).await;
    assert_eq!(ids, [SubjectId(10)]);
    world.control.release_run(room.clone(), &ads("count 2")).await.unwrap();
    assert!(room.eligible.lock().unwrap().contains(SubjectId(10)));
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn a_yes_needs_a_notice_that_asked() {
    let world = World::new().await;
    let unasked = choice(1, Purpose::AiTraining, ConsentAction::Give);
    let Err(Error::Refused(refusal)) = world.control.consent_record(&[unasked]).await else { panic!("accepted") };
    assert_eq!(refusal.code, RefusalCode::Consent);
    // A no always counts.
    world.choose(1, Purpose::AiTraining, ConsentAction::Withdraw).await;
    let nobody = choice(9_999, Purpose::AggregateStatistics, ConsentAction::Give);
    assert!(matches!(world.control.consent_record(&[nobody]).await, Err(Error::NotFound { what: "subject", .. })));
    // All or none: the failed batches left nothing.
    assert_eq!(world.control.consent_history(SubjectId(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn imports_exclude_each_other_and_leave_nothing_when_dropped() {
    let world = World::new().await;
    let first = world.control.import_begin().await.unwrap();
    assert!(matches!(world.control.import_begin().await, Err(Error::Conflict(_))));
    drop(first);
    let again = world.import(38..45, |_| AgeBand::From25To34).await;
    // Known accounts keep their ids, new ones follow without a gap.
    assert_eq!(again, (38..45).map(SubjectId).collect::<Vec<_>>());
}

#[tokio::test]
async fn there_is_one_deployment_per_folder() {
    let world = World::new().await;
    let settings = control_plane::Settings {
        origin: "other.example/log".into(),
        lifetime: crate::world::cost("1"),
        subject_cap: crate::world::cost("1"),
        snapshot_clock: domain::lake::SnapshotClock::Daily,
        rule_packs: Vec::new(),
    };
    let again = ControlPlane::create(world.folder.path(), settings, secrets(), world.clock.clone(), Arc::new(SeededEntropy::new(3))).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    let empty = tempfile::tempdir().unwrap();
    let none = ControlPlane::open(empty.path(), secrets(), world.clock.clone(), Arc::new(SeededEntropy::new(3))).await;
    assert!(matches!(none, Err(Error::NotFound { what: "deployment", .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn choices_at_one_time_share_a_commit_and_a_refused_one_spoils_none() {
    let world = World::new().await;
    let people: Vec<u32> = (0..PEOPLE).collect();
    let tasks: Vec<_> = people
        .iter()
        .map(|&person| {
            let control = world.control.clone();
            // Every fifth names a notice that is not there.
            let mut wanted = choice(person, Purpose::AggregateStatistics, ConsentAction::Give);
            wanted.notice.version = if person % 5 == 0 { 9 } else { 1 };
            tokio::spawn(async move { control.consent_record(&[wanted]).await })
        })
        .collect();
    let mut seqs = Vec::new();
    for (person, task) in people.iter().zip(tasks) {
        match task.await.unwrap() {
            Ok(receipts) if person % 5 != 0 => seqs.push((receipts[0].event.seq, receipts[0].entry, receipts[0].event.key.subject.0, *person)),
            Err(Error::NotFound { what: "notice", .. }) if person % 5 == 0 => {}
            other => panic!("{person}: {other:?}"),
        }
    }
    seqs.sort_unstable();
    assert!(seqs.iter().all(|(_, _, said, person)| said == person), "a receipt for somebody else");
    assert_eq!(seqs.iter().map(|s| s.0).collect::<Vec<_>>(), (1..=PEOPLE as u64 * 4 / 5).collect::<Vec<_>>(), "sequence numbers without gaps");
    assert!(seqs.windows(2).all(|w| w[0].1 + 1 == w[1].1), "one entry each, in order");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// A clock that never tells the same time twice: a group's choices have one time, and another group's another.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_micros(1_795_514_400_000_000 + self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_come_again_at_once_share_a_commit() {
    const WRITERS: u32 = 16;
    const EACH: u32 = 20;
    let world = World::new().await;
    world.control.close().await;
    let control = ControlPlane::open(world.folder.path(), secrets(), Arc::new(Ticking(AtomicI64::new(0))), Arc::new(SeededEntropy::new(3))).await.unwrap();
    // A machine that is busy with something else may part them now and then, but not every time.
    let mut groups = usize::MAX;
    for _ in 0..5 {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let control = control.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    for _ in 0..EACH {
                        let receipts = control.consent_record(&[choice(writer, Purpose::AggregateStatistics, ConsentAction::Give)]).await.unwrap();
                        times.push(receipts[0].event.recorded_at);
                    }
                    times
                })
            })
            .collect();
        let mut times = BTreeSet::new();
        for writer in writers {
            times.extend(writer.await.unwrap());
        }
        groups = groups.min(times.len());
    }
    // Two halves that take turns would be nearly forty.
    assert!(groups < 28, "{groups} commits for {WRITERS} writers of {EACH} choices each");
    assert!(control.audit_verify(None).await.unwrap().verified);
}
