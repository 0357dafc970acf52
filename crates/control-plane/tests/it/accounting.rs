//! Individual accounting against a plain model, and at its edges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{Datelike, TimeDelta};
use control_plane::{Ask, Error};
use domain::consent::{ConsentAction, ConsentMethod};
use domain::port::{CleanRoom, Clock, PaidLook};
use domain::question::{Prepared, Question};
use domain::release::Answered;
use domain::{CreatorList, Fault, Purpose, Refusal, SubjectId, SubjectSet};
use dp::{Cost, Rho};
use rand::RngExt;
use testkit::{Generator, env_seed};
use tokio::sync::Notify;

use crate::world::{PEOPLE, ScriptedRoom, World, ask, cost};

pub(crate) async fn agreeing(people: impl Iterator<Item = u32>) -> World {
    let world = World::new().await;
    for subject in people {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
    }
    // A budget beyond what the people of these tests allow.
    world.partner("big", "9", &[Purpose::AggregateStatistics]).await;
    for subject in 0..PEOPLE {
        let mut choice = crate::world::choice(subject, Purpose::AggregateStatistics, ConsentAction::Give);
        choice.key.recipient = "big".parse().unwrap();
        choice.notice.name = "big".parse().unwrap();
        world.control.consent_record(&[choice]).await.unwrap();
    }
    world
}

pub(crate) fn ask_big(n: usize, rho: &str) -> Ask {
    Ask { partner: "big".parse().unwrap(), ..ask(&format!("count {n}"), rho) }
}

pub(crate) fn eligible(room: &ScriptedRoom) -> Vec<u32> {
    room.eligible.lock().unwrap().iter().map(|s| s.0).collect()
}

#[tokio::test]
async fn whoever_reaches_their_cap_drops_out_and_nobody_else_does() {
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    world.control.subject_cap(SubjectId(3), cost("0.25"), ConsentMethod::Page).await.unwrap();
    let everybody: Vec<u32> = (0..PEOPLE).collect();
    let without_3: Vec<u32> = (0..PEOPLE).filter(|s| *s != 3).collect();
    for (n, expected) in [&everybody, &everybody, &without_3].into_iter().enumerate() {
        world.control.release_run(room.clone(), &ask_big(n, "0.1")).await.unwrap();
        assert_eq!(&eligible(&room), expected, "release {n}");
    }
    // A smaller question still fits under what they left themselves.
    world.control.release_run(room.clone(), &ask_big(9, "0.05")).await.unwrap();
    assert_eq!(eligible(&room), everybody);
    let meter = world.control.subject_meter(SubjectId(3)).await.unwrap();
    assert_eq!((meter.loss.rho.to_string(), meter.cap.rho.to_string(), meter.chosen, meter.releases.len()), ("0.25".into(), "0.25".into(), true, 3));
    // Raising it is theirs alone, and counts at once.
    world.control.subject_cap(SubjectId(3), cost("0.4"), ConsentMethod::Page).await.unwrap();
    world.control.release_run(room.clone(), &ask_big(10, "0.1")).await.unwrap();
    assert_eq!(eligible(&room), everybody);
    // The next year is another year.
    world.clock.forward(TimeDelta::days(40));
    world.control.release_run(room.clone(), &ask_big(11, "0.3")).await.unwrap();
    assert_eq!(eligible(&room), everybody);
    assert_eq!(world.control.subject_meter(SubjectId(3)).await.unwrap().loss.rho.to_string(), "0.3");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn only_who_matched_pays_and_a_failure_charges_everybody_eligible() {
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    *room.matching.lock().unwrap() = Some([SubjectId(5), SubjectId(6)].into_iter().collect());
    world.control.release_run(room.clone(), &ask_big(1, "0.2")).await.unwrap();
    let loss = async |s: u32| world.control.subject_meter(SubjectId(s)).await.unwrap().loss.rho.to_string();
    assert_eq!((loss(5).await, loss(7).await), ("0.2".into(), "0".into()));
    room.breaks.store(true, Ordering::SeqCst);
    assert!(world.control.release_run(room.clone(), &ask_big(2, "0.3")).await.is_err());
    assert_eq!((loss(5).await, loss(7).await), ("0.5".into(), "0.3".into()));
    let meter = world.control.subject_meter(SubjectId(7)).await.unwrap();
    assert!(!meter.releases[0].answered);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// A room that waits until it may answer.
pub(crate) struct Waiting {
    room: ScriptedRoom,
    pub(crate) begun: Notify,
    pub(crate) go: std::sync::mpsc::SyncSender<()>,
    gate: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        let (go, gate) = std::sync::mpsc::sync_channel(1);
        Self { room: ScriptedRoom::default(), begun: Notify::new(), go, gate: std::sync::Mutex::new(gate) }
    }
}

impl CleanRoom for Waiting {
    fn prepare(&self, question: &Question, tables: &[domain::partner_table::PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal> {
        self.room.prepare(question, tables, creators)
    }

    fn answer(&self, look: &PaidLook<'_>) -> Result<Answered, Fault> {
        self.begun.notify_one();
        self.gate.lock().unwrap().recv().unwrap();
        self.room.answer(look)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_counts_for_everybody() {
    let world = agreeing(0..0).await;
    let waiting = Arc::new(Waiting::new());
    // Nobody matches, so that nobody will have paid in the end.
    *waiting.room.matching.lock().unwrap() = Some(SubjectSet::new());
    let (control, slow) = (world.control.clone(), waiting.clone());
    let running = tokio::spawn(async move { control.release_run(slow, &ask_big(1, "0.6")).await });
    waiting.begun.notified().await;
    let room = Arc::new(ScriptedRoom::default());
    world.control.release_run(room.clone(), &ask_big(2, "0.5")).await.unwrap();
    assert!(eligible(&room).is_empty(), "0.6 in flight and 0.5 exceed a cap of 1");
    assert_eq!(world.control.subject_meter(SubjectId(1)).await.unwrap().in_flight.rho.to_string(), "0.6");
    waiting.go.send(()).unwrap();
    running.await.unwrap().unwrap();
    world.control.release_run(room.clone(), &ask_big(3, "0.5")).await.unwrap();
    assert_eq!(eligible(&room).len(), PEOPLE as usize);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// Sixteen at once, and room for ten of them under everybody's cap.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_on_the_caps_never_exceeds_one() {
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (control, room) = (world.control.clone(), room.clone());
            tokio::spawn(async move { control.release_run(room, &ask_big(n, "0.1")).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for subject in 0..PEOPLE {
        let meter = world.control.subject_meter(SubjectId(subject)).await.unwrap();
        assert!(meter.loss.fits_in(&meter.cap), "{meter:?}");
        assert_eq!(meter.loss.rho.nano(), meter.releases.iter().map(|r| r.cost.rho.nano()).sum::<u64>());
    }
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// Everything that can happen, against sums in a map: over folds, retention, failures and the turn of
/// years. Each release is eligible for exactly whom the model says, person by person.
#[tokio::test]
async fn releases_agree_with_a_plain_model() {
    let seed = env_seed(41);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    let (mut caps, mut losses): (BTreeMap<u32, u64>, BTreeMap<(i32, u32), u64>) = (BTreeMap::new(), BTreeMap::new());
    let mut dropped = 0;
    for n in 0..150 {
        match rng.random_range(0..10) {
            0 => {
                let (subject, nano) = (rng.random_range(0..PEOPLE), rng.random_range(0..400_000_000));
                let cap = Cost { rho: Rho::from_nano(nano), ..cost("0") };
                world.control.subject_cap(SubjectId(subject), cap, ConsentMethod::Page).await.unwrap();
                caps.insert(subject, nano);
            }
            1 => world.clock.forward(TimeDelta::days(rng.random_range(0..12))),
            _ => {
                let nano: u64 = rng.random_range(1..60_000_000);
                let matching: SubjectSet = (0..PEOPLE).filter(|_| rng.random_bool(0.5)).map(SubjectId).collect();
                let fails = rng.random_ratio(1, 10);
                let year = world.clock.now().year();
                let mut expected = Vec::new();
                for subject in 0..PEOPLE {
                    let loss = losses.get(&(year, subject)).copied().unwrap_or(0);
                    if loss + nano <= caps.get(&subject).copied().unwrap_or(1_000_000_000) {
                        expected.push(subject);
                    }
                }
                *room.matching.lock().unwrap() = Some(matching.clone());
                room.breaks.store(fails, Ordering::SeqCst);
                match world.control.release_run(room.clone(), &ask_big(n, &Rho::from_nano(nano).to_string())).await {
                    Ok(_) => assert!(!fails),
                    Err(Error::Failed(_)) => assert!(fails),
                    Err(other) => panic!("{other}"),
                }
                assert_eq!(eligible(&room), expected, "release {n}");
                dropped += PEOPLE as usize - expected.len();
                for subject in expected.into_iter().filter(|s| fails || matching.contains(SubjectId(*s))) {
                    *losses.entry((year, subject)).or_default() += nano;
                }
            }
        }
    }
    assert!(dropped > 100, "nobody ever reached a cap: {dropped}");
    let year = world.clock.now().year();
    for subject in 0..PEOPLE {
        let meter = world.control.subject_meter(SubjectId(subject)).await.unwrap();
        assert_eq!(meter.loss.rho.nano(), losses.get(&(year, subject)).copied().unwrap_or(0), "subject {subject}");
    }
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

/// A restored store can lack the sets of releases that the log knows: everybody is charged then.
#[tokio::test]
async fn a_release_without_its_people_charges_everybody() {
    let mut world = agreeing(0..0).await;
    let room = Arc::new(ScriptedRoom::default());
    *room.matching.lock().unwrap() = Some(SubjectSet::new());
    world.control.release_run(room.clone(), &ask_big(1, "0.7")).await.unwrap();
    world.control.close().await;
    {
        use sqlx::Connection;
        let mut raw = sqlx::SqliteConnection::connect(&format!("sqlite://{}", world.folder.path().join("control.sqlite").display())).await.unwrap();
        sqlx::query("DROP TRIGGER participant_set_never_goes").execute(&mut raw).await.unwrap();
        sqlx::query("DELETE FROM participant_set").execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
    }
    world.reopen().await;
    assert_eq!(world.control.subject_meter(SubjectId(2)).await.unwrap().loss.rho.to_string(), "0.7");
    world.control.release_run(room.clone(), &ask_big(2, "0.4")).await.unwrap();
    assert!(eligible(&room).is_empty());
    assert!(!world.control.audit_verify(None).await.unwrap().verified);
}
