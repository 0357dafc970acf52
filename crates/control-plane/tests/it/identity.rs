//! Ids that are merged and split, against a plain model and at the edges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use control_plane::Error;
use domain::consent::{ConsentAction, ConsentMethod};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Purpose, SubjectId, SubjectSet};
use dp::{Cost, Rho};
use rand::RngExt;
use testkit::{Generator, env_seed};

use crate::accounting::{Waiting, agreeing, ask_big, eligible};
use crate::world::{PEOPLE, ScriptedRoom, World, choice, cost};

/// What must hold, in plain maps: one year, one partner, one purpose.
#[derive(Default)]
struct Model {
    given: BTreeSet<u32>,
    merged: BTreeMap<u32, u32>,
    caps: BTreeMap<u32, u64>,
    losses: BTreeMap<u32, u64>,
    releases: Vec<(BTreeSet<u32>, u64)>,
}

impl Model {
    fn keep(&self, id: u32) -> u32 {
        self.merged.get(&id).copied().unwrap_or(id)
    }

    fn permitted(&self, id: u32) -> bool {
        self.given.contains(&id) && !self.merged.contains_key(&id)
    }

    fn cap(&self, id: u32) -> u64 {
        self.caps.get(&id).copied().unwrap_or(1_000_000_000)
    }

    fn loss(&self, id: u32) -> u64 {
        self.losses.get(&id).copied().unwrap_or(0)
    }

    fn stricter(&mut self, subject: u32, measure: u32) {
        if !self.permitted(measure) {
            self.given.remove(&subject);
        }
        self.caps.insert(subject, self.cap(subject).min(self.cap(measure)));
    }

    fn merge(&mut self, keep: u32, other: u32) -> bool {
        let taken = |id| self.merged.contains_key(&id);
        if keep == other || taken(keep) || taken(other) || self.merged.values().any(|k| *k == other) {
            return false;
        }
        self.stricter(keep, other);
        self.merged.insert(other, keep);
        let ids: BTreeSet<u32> = self.merged.iter().filter(|(_, k)| **k == keep).map(|(o, _)| *o).chain([keep]).collect();
        let squared: u64 = self.releases.iter().map(|(set, cost)| (set.intersection(&ids).count() as u64).pow(2) * cost).sum();
        let loss = squared.max(self.loss(keep)).max(self.loss(other));
        self.losses.insert(keep, loss);
        true
    }

    fn split(&mut self, other: u32) -> bool {
        let Some(keep) = self.merged.get(&other).copied() else { return false };
        self.stricter(other, keep);
        self.merged.remove(&other);
        self.losses.insert(other, self.loss(other).max(self.loss(keep)));
        true
    }
}

#[tokio::test]
async fn merges_and_splits_agree_with_a_plain_model() {
    let seed = env_seed(61);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    let mut model = Model { given: (0..PEOPLE).collect(), ..Model::default() };
    let (mut acts, mut refused, mut dropped) = (0, 0, 0);
    let mut seen: BTreeMap<u32, u64> = BTreeMap::new();
    for n in 0..220 {
        // Few people, so that the same ones meet again.
        let (a, b) = (rng.random_range(0..8), rng.random_range(0..8));
        match rng.random_range(0..10) {
            0 => {
                let (give, keep) = (rng.random_bool(0.7), model.keep(a));
                let mut choice = choice(a, Purpose::AggregateStatistics, if give { ConsentAction::Give } else { ConsentAction::Withdraw });
                (choice.key.recipient, choice.notice.name) = ("big".parse().unwrap(), "big".parse().unwrap());
                world.control.consent_record(&[choice]).await.unwrap();
                if give {
                    model.given.insert(keep)
                } else {
                    model.given.remove(&keep)
                };
            }
            1 => {
                let nano = rng.random_range(100_000_000..900_000_000);
                world.control.subject_cap(SubjectId(a), Cost { rho: Rho::from_nano(nano), ..cost("0") }, ConsentMethod::Page).await.unwrap();
                model.caps.insert(model.keep(a), nano);
            }
            2 | 3 => {
                let ok = world.merge(a, b, "they said so").await.is_ok();
                assert_eq!(ok, model.merge(a, b), "merge {n}: {a} {b}");
                if ok {
                    acts += 1
                } else {
                    refused += 1
                };
            }
            4 => {
                let ok = world.split(a, "they said so").await.is_ok();
                assert_eq!(ok, model.split(a), "split {n}: {a}");
                if ok {
                    acts += 1
                } else {
                    refused += 1
                };
            }
            _ => {
                let nano: u64 = rng.random_range(1..9_000_000);
                let matching: SubjectSet = (0..PEOPLE).filter(|_| rng.random_bool(0.7)).map(SubjectId).collect();
                *room.matching.lock().unwrap() = Some(matching.clone());
                world.control.release_run(room.clone(), &ask_big(n, &Rho::from_nano(nano).to_string())).await.unwrap();
                let expected: Vec<u32> = (0..PEOPLE).filter(|s| model.permitted(*s) && model.loss(*s) + nano <= model.cap(*s)).collect();
                assert_eq!(eligible(&room), expected, "release {n}");
                dropped += (0..8).filter(|s| model.permitted(*s) && !expected.contains(s)).count();
                let set: BTreeSet<u32> = expected.into_iter().filter(|s| matching.contains(SubjectId(*s))).collect();
                set.iter().for_each(|s| *model.losses.entry(*s).or_default() += nano);
                model.releases.push((set, nano));
            }
        }
        for id in (0..8).filter(|id| !model.merged.contains_key(id)) {
            let loss = world.loss(id).await;
            assert_eq!(loss, model.loss(id), "step {n}: loss of {id}");
            let before = seen.insert(id, loss).unwrap_or(0);
            assert!(loss >= before, "step {n}: the loss of {id} fell");
        }
    }
    assert!(acts > 10 && refused > 5 && dropped > 5, "{acts} acts, {refused} refused, {dropped} dropped out");
    let report = world.control.audit_verify(None).await.unwrap();
    assert!(report.verified, "{:?}", report.bad);
}

#[tokio::test]
async fn a_release_that_counted_both_costs_four_times_its_price() {
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    for (n, (matching, rho)) in [([3, 4], "0.05"), ([3, 9], "0.01"), ([4, 9], "0.02")].into_iter().enumerate() {
        *room.matching.lock().unwrap() = Some(matching.into_iter().map(SubjectId).collect());
        world.control.release_run(room.clone(), &ask_big(n, rho)).await.unwrap();
    }
    let changed = world.merge(3, 4, "the same passport").await.unwrap();
    assert_eq!(changed.loss.rho.to_string(), "0.23");
    let meter = world.control.subject_meter(SubjectId(4)).await.unwrap();
    let costs: Vec<String> = meter.releases.iter().map(|r| r.cost.rho.to_string()).collect();
    assert_eq!((meter.subject, costs), (SubjectId(3), vec!["0.02".into(), "0.01".into(), "0.2".into()]));
    world.split(4, "two passports").await.unwrap();
    assert_eq!((world.loss(3).await, world.loss(4).await), (230_000_000, 230_000_000));
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// The sets of old releases are gone: what they may have cost a person twice over is bounded.
#[tokio::test]
async fn where_sets_are_gone_the_bound_is_charged() {
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    world.clock.forward(TimeDelta::days(45));
    for (n, (matching, rho)) in [([3, 4], "0.05"), ([4, 9], "0.02")].into_iter().enumerate() {
        *room.matching.lock().unwrap() = Some(matching.into_iter().map(SubjectId).collect());
        world.control.release_run(room.clone(), &ask_big(n, rho)).await.unwrap();
    }
    // The next release folds the old ones, and forgets whom they counted.
    world.clock.forward(TimeDelta::days(100));
    *room.matching.lock().unwrap() = Some([3, 4].map(SubjectId).into_iter().collect());
    world.control.release_run(room.clone(), &ask_big(7, "0.01")).await.unwrap();
    // 4 · 0.01 is known; 0.05 and 0.07 may have been the same releases.
    assert_eq!(world.merge(3, 4, "the same passport").await.unwrap().loss.rho.to_string(), "0.26");
    let report = world.control.audit_verify(None).await.unwrap();
    assert!(report.verified, "{:?}", report.bad);
}

#[tokio::test]
async fn a_merged_person_keeps_only_what_both_permitted() {
    let world = World::new().await;
    // 1 and 2 are of age, 4 is a minor, 10 of unknown age.
    for subject in [1, 2, 4] {
        world.choose(subject, Purpose::AdMeasurement, ConsentAction::Give).await;
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
    }
    let permit = async |subject: u32, purpose| world.permits(subject, purpose).await;
    assert!(world.merge(1, 2, "letter").await.unwrap().withdrawn.is_empty());
    assert!(permit(2, Purpose::AdMeasurement).await, "2 is 1");
    let changed = world.merge(1, 4, "letter").await.unwrap();
    assert_eq!(changed.withdrawn, [("acme".parse().unwrap(), Purpose::AdMeasurement)]);
    assert_eq!((permit(1, Purpose::AdMeasurement).await, permit(1, Purpose::AggregateStatistics).await), (false, true));
    // A new yes does not make a minor of age.
    world.choose(1, Purpose::AdMeasurement, ConsentAction::Give).await;
    assert!(!permit(1, Purpose::AdMeasurement).await);
    assert_eq!(world.control.subject_find("1").await.unwrap().age, AgeBand::From16To17);
    // Split again, 4 may be used for nothing that 1 does not permit now.
    world.choose(4, Purpose::AggregateStatistics, ConsentAction::Withdraw).await;
    assert!(!permit(1, Purpose::AggregateStatistics).await, "a withdrawal under the other id is the person's");
    world.split(4, "not the same after all").await.unwrap();
    assert_eq!(world.control.subject_find("1").await.unwrap().age, AgeBand::From25To34);
    assert!(!permit(4, Purpose::AggregateStatistics).await);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn what_cannot_be_merged_is_refused_with_a_hint() {
    let world = World::new().await;
    let refused = |result: Result<control_plane::IdentityChanged, Error>, words: &str| match result {
        Err(Error::Refused(refusal)) => assert!(format!("{refusal:?}").contains(words), "{refusal:?}"),
        other => panic!("{words}: {other:?}"),
    };
    world.merge(1, 2, "letter").await.unwrap();
    refused(world.merge(1, 1, "letter").await, "the same id");
    refused(world.merge(3, 2, "letter").await, "subject split 2");
    refused(world.merge(2, 3, "letter").await, "subject merge 1 3");
    refused(world.merge(3, 1, "letter").await, "subject merge 1 3");
    refused(world.split(1, "letter").await, "not merged");
    refused(world.merge(5, 6, "  ").await, "evidence");
    world.control.subject_erase(SubjectId(7)).await.unwrap();
    refused(world.merge(5, 7, "letter").await, "erased");
    assert!(matches!(world.merge(5, 999, "letter").await, Err(Error::NotFound { .. })));
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_merged_while_a_release_is_running() {
    let world = agreeing(0..0).await;
    let waiting = Arc::new(Waiting::new());
    let (control, slow) = (world.control.clone(), waiting.clone());
    let running = tokio::spawn(async move { control.release_run(slow, &ask_big(1, "0.1")).await });
    waiting.begun.notified().await;
    assert!(matches!(world.merge(1, 2, "letter").await, Err(Error::Conflict(_))));
    waiting.go.send(()).unwrap();
    running.await.unwrap().unwrap();
    world.merge(1, 2, "letter").await.unwrap();
}

#[tokio::test]
async fn erasing_one_id_erases_the_person() {
    for named in [1, 2] {
        let world = World::new().await;
        world.choose(1, Purpose::AggregateStatistics, ConsentAction::Give).await;
        world.choose(2, Purpose::AggregateStatistics, ConsentAction::Give).await;
        world.merge(1, 2, "evidence that names Maria").await.unwrap();
        assert!(!world.store_files_with("names Maria").is_empty());
        world.control.subject_erase(SubjectId(named)).await.unwrap();
        let pending = world.control.erasure_pending().await.unwrap();
        assert_eq!(pending, [1, 2].map(SubjectId).into_iter().collect());
        world.control.erasure_finish(&world.control.lake_lock().unwrap(), &pending, &[]).await.unwrap();
        assert_eq!(world.store_files_with("names Maria"), Vec::<String>::new());
        assert_eq!(world.store_files_with("Person 2\u{0}"), Vec::<String>::new());
        for id in ["1", "2"] {
            assert_eq!(world.control.subject_find(id).await.unwrap().status, SubjectStatus::Erased);
        }
        assert!(matches!(world.control.subject_erase(SubjectId(2)).await, Err(Error::Refused(_))));
        assert!(matches!(world.split(2, "letter").await, Err(Error::Refused(_))));
        let report = world.control.audit_verify(None).await.unwrap();
        assert!(report.verified, "{:?}", report.bad);
    }
}
