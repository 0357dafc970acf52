//! Copies that are put back beside a newer log: nothing that the log knows is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use control_plane::Error;
use domain::catalog::TableName;
use domain::consent::{ConsentAction, ConsentMethod, ConsentState};
use domain::lake::{Manifest, Undo};
use domain::partner_table::{PartnerRows, PartnerTableId};
use domain::port::{FeatureExtractor, Lake, LakeImport, Progress};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, Purpose, SubjectId, SubjectSet};
use dp::Cost;
use rand::RngExt;
use testkit::{Generator, env_seed};

use crate::world::{PEOPLE, ScriptedRoom, World, ask, choice, cost, key};

const PURPOSES: [Purpose; 2] = [Purpose::AggregateStatistics, Purpose::AdMeasurement];

/// A lake whose files are all there, or not.
pub(crate) struct StillLake {
    whole: bool,
}

impl Lake for StillLake {
    fn import(&self, _: Option<&Manifest>, _: u32) -> Result<Box<dyn LakeImport>, Fault> {
        Err(Fault::broken("nothing arrives here"))
    }

    fn erase(&self, bases: &[Manifest], _: &SubjectSet) -> Result<Vec<Manifest>, Fault> {
        Ok(bases.to_vec())
    }

    fn undo(&self, base: &Manifest, _: &Undo) -> Result<Manifest, Fault> {
        Ok(base.clone())
    }

    fn merge(&self, base: &Manifest, _: SubjectId, _: SubjectId) -> Result<Manifest, Fault> {
        Ok(base.clone())
    }

    fn split(&self, base: &Manifest, _: SubjectId, _: SubjectId) -> Result<Manifest, Fault> {
        Ok(base.clone())
    }

    fn put(&self, base: Option<&Manifest>, table: PartnerTableId, _: &PartnerRows) -> Result<Manifest, Fault> {
        let mut manifest = base.cloned().ok_or_else(|| Fault::broken("nothing was imported"))?;
        manifest.tables.insert(TableName::Partner(table), Vec::new());
        Ok(manifest)
    }

    fn trace(&self, _: &Manifest, _: SubjectId, _: Option<&str>) -> Result<Vec<domain::lake::Traced>, Fault> {
        Ok(Vec::new())
    }

    fn compact(&self, bases: &[Manifest], _: &dyn Progress) -> Result<Vec<Manifest>, Fault> {
        Ok(bases.to_vec())
    }

    fn derive(&self, base: &Manifest, _: &BTreeSet<u32>, _: &dyn FeatureExtractor) -> Result<Manifest, Fault> {
        Ok(base.clone())
    }

    fn sweep(&self, _: &[Manifest]) -> Result<u64, Fault> {
        Ok(0)
    }

    fn first_damaged(&self, _: &Manifest) -> Result<Option<(TableName, String)>, Fault> {
        Ok((!self.whole).then(|| (TableName::Activity, "gone".to_owned())))
    }
}

pub(crate) const LAKE: StillLake = StillLake { whole: true };

/// Everything that must never go back.
#[derive(Debug, PartialEq)]
struct Truth {
    permitted: BTreeSet<(u32, Purpose)>,
    states: BTreeMap<(u32, Purpose), ConsentState>,
    budgets: Vec<(String, Cost)>,
    losses: BTreeMap<u32, Cost>,
    caps: BTreeMap<u32, Cost>,
    erased: BTreeSet<u32>,
    people: u32,
}

async fn truth(world: &World) -> Truth {
    let control = &world.control;
    let mut truth =
        Truth { permitted: BTreeSet::new(), states: BTreeMap::new(), budgets: Vec::new(), losses: BTreeMap::new(), caps: BTreeMap::new(), erased: BTreeSet::new(), people: 0 };
    for person in control.subject_list(10_000, None).await.unwrap() {
        let id = person.id.0;
        for purpose in PURPOSES {
            let key = key(id, purpose);
            if world.permits(id, purpose).await && person.status == SubjectStatus::Active {
                truth.permitted.insert((id, purpose));
            }
            truth.states.insert((id, purpose), control.consent_state(&key).await.unwrap());
        }
        let meter = control.subject_meter(person.id).await.unwrap();
        truth.losses.insert(id, meter.loss);
        truth.caps.insert(id, meter.cap);
        if person.status == SubjectStatus::Erased {
            truth.erased.insert(id);
        }
        truth.people = truth.people.max(id + 1);
    }
    truth.budgets = control.budget_show().await.unwrap().into_iter().map(|line| (line.scope, line.balance.spent)).collect();
    truth
}

/// Whether `after` forgets nothing of `before`.
fn holds(before: &Truth, after: &Truth, seed: u64) {
    let new: Vec<_> = after.permitted.difference(&before.permitted).collect();
    assert!(new.is_empty(), "seed {seed}: permitted by the restore: {new:?}");
    assert_eq!(before.states, after.states, "seed {seed}");
    assert_eq!(before.budgets, after.budgets, "seed {seed}");
    assert_eq!(before.caps, after.caps, "seed {seed}");
    assert!(before.erased.is_subset(&after.erased), "seed {seed}");
    assert_eq!(before.people, after.people, "seed {seed}");
    for (id, loss) in &before.losses {
        assert!(loss.fits_in(&after.losses[id]), "seed {seed}: subject {id} lost {loss:?}, and after the restore {:?}", after.losses[id]);
    }
}

async fn random_act(world: &World, room: &Arc<ScriptedRoom>, rng: &mut impl RngExt, next: &mut u32) {
    let control = &world.control;
    let subject = SubjectId(rng.random_range(0..*next));
    // What is refused now and then changes nothing.
    match rng.random_range(0..12) {
        0..=4 => {
            let action = if rng.random_bool(0.7) { ConsentAction::Give } else { ConsentAction::Withdraw };
            let _ = control.consent_record(&[choice(subject.0, PURPOSES[rng.random_range(0..2)], action)]).await;
        }
        5 => control.subject_cap(subject, cost(&format!("0.{}", rng.random_range(1..9))), ConsentMethod::Page).await.unwrap(),
        6 | 7 => {
            *room.matching.lock().unwrap() = Some((0..*next).filter(|_| rng.random_bool(0.6)).map(SubjectId).collect());
            let _ = control.release_run(room.clone(), &ask(&format!("count {}", rng.random::<u32>()), &format!("0.0{}", rng.random_range(1..6)))).await;
        }
        8 => {
            let (from, band) = (rng.random_range(0..*next), [AgeBand::From16To17, AgeBand::From35To44][rng.random_range(0..2)]);
            let ids = world.import(from..*next + rng.random_range(0..3), |_| band).await;
            *next = (*next).max(ids.last().map_or(0, |s| s.0 + 1));
        }
        9 => {
            let _ = world.merge(subject.0, rng.random_range(0..*next), "a letter").await;
        }
        10 => {
            if let Ok(undoing) = control.undo_begin(rng.random_range(1..6)).await {
                control.undo_commit(undoing, None).await.unwrap();
            } else {
                let _ = world.split(subject.0, "a mistake").await;
            }
        }
        _ => {
            let erased = control.subject_erase(subject).await;
            assert!(matches!(erased, Ok(()) | Err(Error::Refused(_))), "{erased:?}");
        }
    }
    if rng.random_bool(0.3) {
        control.audit_checkpoint().await.unwrap();
    }
}

fn copy_at(world: &World) -> PathBuf {
    world.folder.path().join("copy.sqlite")
}

/// Random acts, a copy somewhere among them, and the copy put back beside the log of them all.
#[tokio::test]
async fn nothing_that_the_log_knows_is_forgotten() {
    let first = env_seed(23);
    for seed in first..first + 12 {
        let mut rng = Generator::new(seed).0;
        let world = World::new().await;
        let room = Arc::new(ScriptedRoom::default());
        let mut next = PEOPLE;
        for _ in 0..rng.random_range(0..25) {
            random_act(&world, &room, &mut rng, &mut next).await;
        }
        let copy = copy_at(&world);
        world.control.backup_store(&copy).await.unwrap();
        for _ in 0..rng.random_range(1..30) {
            random_act(&world, &room, &mut rng, &mut next).await;
        }
        world.control.audit_checkpoint().await.unwrap();
        let before = truth(&world).await;
        let entries = world.control.audit_verify(None).await.unwrap().entries;
        let mut restored = world.restored(&copy).await;
        let Some(done) = restored.control.reconcile(&LAKE).await.unwrap_or_else(|e| panic!("seed {seed}: {e}")) else {
            // Nothing of what came after the copy was allowed.
            assert_eq!(restored.control.audit_verify(None).await.unwrap().entries, entries);
            continue;
        };
        assert_eq!(done.entries.0 + done.entries.1, entries, "seed {seed}");
        holds(&before, &truth(&restored).await, seed);
        assert_eq!(restored.control.reconcile(&LAKE).await.unwrap(), None, "seed {seed}: twice");
        restored.reopen().await;
        assert_eq!(restored.control.audit_verify(None).await.unwrap().bad, None, "seed {seed}");
        // Life goes on, and numbers are new; a person who was lost is somebody new.
        let ids = restored.import(1_000..1_003, |_| AgeBand::From25To34).await;
        assert!(ids.iter().all(|id| id.0 >= before.people), "seed {seed}: {ids:?}");
        for _ in 0..15 {
            random_act(&restored, &room, &mut rng, &mut { ids[2].0 + 1 }).await;
        }
        restored.control.audit_checkpoint().await.unwrap();
        assert_eq!(restored.control.audit_verify(None).await.unwrap().bad, None, "seed {seed}");
        // The same copy once more, now behind two lives.
        let before = truth(&restored).await;
        let again = restored.restored(&copy).await;
        again.control.reconcile(&LAKE).await.unwrap_or_else(|e| panic!("seed {seed}: {e}")).unwrap();
        holds(&before, &truth(&again).await, seed);
    }
}

/// A world that went on after its copy was made, in three segments.
async fn gone_on() -> (World, PathBuf) {
    let world = World::new().await;
    let room = Arc::new(ScriptedRoom::default());
    for subject in 1..10 {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
        world.choose(subject, Purpose::AdMeasurement, ConsentAction::Give).await;
    }
    world.control.audit_checkpoint().await.unwrap();
    let copy = copy_at(&world);
    world.control.backup_store(&copy).await.unwrap();
    world.choose(3, Purpose::AggregateStatistics, ConsentAction::Withdraw).await;
    world.control.audit_checkpoint().await.unwrap();
    world.control.release_run(room.clone(), &ask("count a", "0.1")).await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    // 5 is a minor after all, and two are new.
    world.import(5..6, |_| AgeBand::From16To17).await;
    world.import(50..52, |_| AgeBand::From35To44).await;
    world.choose(40, Purpose::AggregateStatistics, ConsentAction::Give).await;
    world.merge(7, 9, "a letter from both").await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    (world, copy)
}

#[tokio::test]
async fn what_was_lost_is_closed_and_said() {
    let (world, copy) = gone_on().await;
    let before = truth(&world).await;
    let restored = world.restored(&copy).await;
    assert!(matches!(restored.control.consent_record(&[]).await, Err(Error::Conflict(_))), "it is locked");
    assert!(restored.control.lake_lock().is_err());
    let done = restored.control.reconcile(&StillLake { whole: false }).await.unwrap().unwrap();
    assert_eq!((done.choices, done.releases, done.lost_people), (2, 1, 2), "{done:?}");
    assert_eq!(done.imports, [1, 2, 3], "no file is there");
    let after = truth(&restored).await;
    holds(&before, &after, 0);
    assert!(!after.permitted.contains(&(5, Purpose::AdMeasurement)) && !after.permitted.contains(&(40, Purpose::AggregateStatistics)));
    assert!(after.permitted.contains(&(6, Purpose::AggregateStatistics)), "who is not concerned stays");
    let head = restored.control.snapshot_head().await.unwrap().unwrap();
    assert_eq!((Some(head.id), head.cause), (done.snapshot, domain::lake::SnapshotCause::Restore));
    assert_eq!(restored.control.snapshot_live().await.unwrap().len(), 1);
    assert!(restored.control.erasure_pending().await.unwrap().contains(SubjectId(40)));
    // The release charges everybody, also those who come later.
    let new = restored.import(50..52, |_| AgeBand::From35To44).await;
    assert!(new.iter().all(|id| id.0 >= 42), "{new:?}");
    assert!(restored.loss(new[0].0).await >= 100_000_000);
    assert!(restored.loss(20).await >= 100_000_000, "somebody who was in no release");
    assert_eq!(restored.control.audit_verify(None).await.unwrap().bad, None);
}

/// A release that was running when the log was published: charged, abandoned, and not in the way.
#[tokio::test]
async fn a_release_without_outcome_is_abandoned_and_charged() {
    let world = World::new().await;
    world.choose(1, Purpose::AggregateStatistics, ConsentAction::Give).await;
    let copy = copy_at(&world);
    world.control.backup_store(&copy).await.unwrap();
    let room = Arc::new(ScriptedRoom::default());
    let (word, waits) = std::sync::mpsc::channel();
    *room.waits.lock().unwrap() = Some(waits);
    let (control, running) = (world.control.clone(), room.clone());
    let asking = tokio::spawn(async move { control.release_run(running, &ask("count a", "0.1")).await });
    while room.calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    world.control.audit_checkpoint().await.unwrap();
    let restored = world.restored(&copy).await;
    word.send(()).unwrap();
    asking.await.unwrap().unwrap();
    world.clock.forward(TimeDelta::minutes(11));
    restored.control.reconcile(&LAKE).await.unwrap().unwrap();
    assert_eq!(restored.control.release_list(None).await.unwrap()[0].state, "abandoned");
    assert!(restored.loss(1).await >= 100_000_000);
    assert_eq!(restored.control.audit_verify(None).await.unwrap().bad, None);
    // Without a set there is nothing in flight and nothing to settle twice.
    assert_eq!(restored.control.recover().await.unwrap(), 0);
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder.join("journal")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort_by_key(|p| p.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap().parse::<u64>().unwrap());
    all
}

/// A journal or log that is not the one is refused, and nothing changes.
#[tokio::test]
async fn damaged_missing_and_swapped_segments_are_refused() {
    let (world, copy) = gone_on().await;
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("a byte", |folder| {
            let path = segments(folder).pop().unwrap();
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
        ("cut", |folder| {
            let path = segments(folder).pop().unwrap();
            std::fs::write(&path, &std::fs::read(&path).unwrap()[..100]).unwrap();
        }),
        ("the last is missing", |folder| std::fs::remove_file(segments(folder).pop().unwrap()).unwrap()),
        ("one in the middle is missing", |folder| std::fs::remove_file(&segments(folder)[1]).unwrap()),
        ("all are missing", |folder| std::fs::remove_dir_all(folder.join("journal")).unwrap()),
        ("two are swapped", |folder| {
            let [.., a, b] = segments(folder).try_into().map(|all: [PathBuf; 4]| all).unwrap();
            let (in_a, in_b) = (std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
            std::fs::write(a, in_b).unwrap();
            std::fs::write(b, in_a).unwrap();
        }),
        ("renamed", |folder| {
            let path = segments(folder).pop().unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (first, end) = name.split_once('-').unwrap();
            std::fs::rename(&path, path.with_file_name(format!("{first}-{}.sealed", end.parse::<u64>().unwrap() + 1))).unwrap();
        }),
        ("no checkpoint", |folder| std::fs::remove_file(folder.join("log/checkpoint")).unwrap()),
        ("a checkpoint of somebody else", |folder| {
            let path = folder.join("log/checkpoint");
            std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("test.example", "else.example")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let mut restored = world.restored(&copy).await;
        damage(restored.folder.path());
        let before = truth(&restored).await;
        match restored.control.reconcile(&LAKE).await {
            Err(Error::Conflict(why)) => assert!(why.contains("Nothing was changed"), "{what}: {why}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(before, truth(&restored).await, "{what}");
        restored.reopen().await;
        assert!(restored.control.audit_checkpoint().await.is_err(), "{what}: unlocked");
        // With the right files it goes on.
        for part in ["log", "journal"] {
            let _ = std::fs::remove_dir_all(restored.folder.path().join(part));
            crate::world::copy_folder(&world.folder.path().join(part), &restored.folder.path().join(part));
        }
        restored.reopen().await;
        assert!(restored.control.reconcile(&LAKE).await.unwrap().is_some(), "{what}");
    }
}

/// Rows that a reconciliation put back are as safe from tampering as all others.
#[tokio::test]
async fn only_what_was_lost_is_excused() {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
    let (world, copy) = gone_on().await;
    for sql in [
        "UPDATE reconciliation SET end_entry = end_entry + 1",
        "DELETE FROM reconciliation",
        "INSERT INTO reconciliation SELECT id + 1, 0, end_entry, at FROM reconciliation",
        "DELETE FROM lost_word WHERE subject_id = 5",
        "INSERT INTO lost_word (import_id, subject_id) VALUES (1, 6)",
        "INSERT INTO subject_fact (import_id, subject_id, age_band) VALUES (2, 5, '35_44')",
        "DELETE FROM account WHERE subject_id = 5",
        "DELETE FROM identity_loss",
        "UPDATE consent_state SET state = 'given' WHERE state = 'withdrawn'",
        "UPDATE subject SET age_band = '35_44' WHERE subject_id = 5",
        "UPDATE subject SET status = 'active' WHERE subject_id = 40",
        "UPDATE budget_counter SET rho_spent = 0",
        "UPDATE counter SET value = 0 WHERE name = 'settled'",
    ] {
        let mut restored = world.restored(&copy).await;
        restored.control.reconcile(&LAKE).await.unwrap().unwrap();
        restored.control.close().await;
        let mut raw = SqliteConnection::connect(&format!("sqlite://{}", restored.folder.path().join("control.sqlite").display())).await.unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut raw).await.unwrap();
        for row in sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetch_all(&mut raw).await.unwrap() {
            sqlx::query(AssertSqlSafe(format!("DROP TRIGGER {}", row.get::<String, _>(0)))).execute(&mut raw).await.unwrap();
        }
        assert!(sqlx::query(sql).execute(&mut raw).await.unwrap().rows_affected() > 0, "nothing changed by {sql}");
        raw.close().await.unwrap();
        restored.reopen().await;
        assert!(!restored.control.audit_verify(None).await.unwrap().verified, "not found: {sql}");
    }
}

/// A journal that is gone while the store is there is written again, whole.
#[tokio::test]
async fn a_lost_journal_is_written_again() {
    let (world, copy) = gone_on().await;
    std::fs::remove_dir_all(world.folder.path().join("journal")).unwrap();
    world.control.audit_checkpoint().await.unwrap();
    assert_eq!(segments(world.folder.path()).len(), 1);
    let restored = world.restored(&copy).await;
    assert!(restored.control.reconcile(&LAKE).await.unwrap().is_some());
    holds(&truth(&world).await, &truth(&restored).await, 0);
}

/// Without the key a segment tells nothing.
#[tokio::test]
async fn the_journal_is_sealed() {
    let (world, _) = gone_on().await;
    for segment in segments(world.folder.path()) {
        let bytes = std::fs::read(segment).unwrap();
        for needle in ["consent", "acme", "Person"] {
            assert!(!bytes.windows(needle.len()).any(|w| w == needle.as_bytes()), "{needle}");
        }
    }
}

/// Somebody who was merged with an id that came after the copy can still be erased, whichever of them counts.
#[tokio::test]
async fn merges_with_people_who_are_lost() {
    let world = World::new().await;
    for subject in [1, 2] {
        world.choose(subject, Purpose::AggregateStatistics, ConsentAction::Give).await;
    }
    let copy = copy_at(&world);
    world.control.backup_store(&copy).await.unwrap();
    world.import(50..52, |_| AgeBand::From35To44).await;
    // 40 counts as 1, and 2 as 41.
    world.merge(1, 40, "a letter").await.unwrap();
    world.merge(41, 2, "a letter").await.unwrap();
    world.control.audit_checkpoint().await.unwrap();
    let restored = world.restored(&copy).await;
    let done = restored.control.reconcile(&LAKE).await.unwrap().unwrap();
    assert_eq!(done.lost_people, 3, "40, 41, and with it 2");
    let after = truth(&restored).await;
    assert_eq!(after.erased, [2, 40, 41].into());
    restored.control.subject_erase(SubjectId(1)).await.unwrap();
    assert_eq!(restored.control.audit_verify(None).await.unwrap().bad, None);
}
