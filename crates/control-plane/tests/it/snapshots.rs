//! Data become visible by the clock, never because of one person's act.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;

use chrono::TimeDelta;
use domain::catalog::TableName;
use domain::lake::{LakeFile, Manifest, Snapshot, SnapshotCause, SnapshotClock};

use crate::world::{ScriptedRoom, World, ask};

/// A manifest that differs from every other by its one file.
fn manifest(name: &str) -> Manifest {
    let file = LakeFile { path: format!("activity/{name}.parquet"), rows: 1, bytes: 1, sha256: "00".into(), bucket: 0, features: 0 };
    Manifest { schema: 1, bucket_size: 1_024, tables: [(TableName::Activity, vec![file])].into() }
}

impl World {
    /// Makes a snapshot as an import or a feature pass does.
    async fn advance(&self, name: &str) -> i64 {
        let lock = self.control.lake_lock().unwrap();
        self.control.snapshot_advance(&lock, SnapshotCause::Import, &manifest(name)).await.unwrap()
    }

    async fn replace(&self, cause: SnapshotCause, each: impl Fn(&Snapshot) -> Manifest) {
        let lock = self.control.lake_lock().unwrap();
        let live = self.control.snapshot_live().await.unwrap();
        let rewritten: Vec<_> = live.into_iter().map(|s| (s.clone(), each(&s))).collect();
        self.control.snapshot_replace(&lock, cause, &rewritten).await.unwrap();
    }

    /// Ids and times of the live snapshots.
    async fn live(&self) -> Vec<(i64, String)> {
        self.control.snapshot_live().await.unwrap().iter().map(|s| (s.id, s.visible_from.format("%dT%H").to_string())).collect()
    }

    /// The snapshot that a new question looks at.
    async fn looked_at(&self, sql: &str) -> i64 {
        let room = Arc::new(ScriptedRoom::default());
        self.control.release_run(room.clone(), &ask(sql, "0.001")).await.unwrap();
        room.snapshot.load(Ordering::SeqCst)
    }

    async fn kept(&self) -> (Vec<String>, bool) {
        let lock = self.control.lake_lock().unwrap();
        let kept = self.control.snapshot_kept(&lock).await.unwrap();
        (kept.manifests.iter().flat_map(|m| m.files(TableName::Activity)).map(|f| f.path.clone()).collect(), kept.waiting)
    }
}

fn live(each: &[(i64, &str)]) -> Vec<(i64, String)> {
    each.iter().map(|(id, at)| (*id, (*at).to_owned())).collect()
}

#[tokio::test]
async fn data_are_visible_from_the_tick_only() {
    let world = World::new().await;
    // The first of a deployment is visible at once.
    assert_eq!(world.live().await, live(&[(1, "24T10")]));
    assert_eq!(world.looked_at("count 1").await, 1);
    assert_eq!((world.advance("a").await, world.advance("b").await), (2, 3));
    // What imports build on is the newest; of what waits only the newest will ever be looked at.
    assert_eq!(world.control.snapshot_head().await.unwrap().unwrap().id, 3);
    assert_eq!(world.live().await, live(&[(1, "24T10"), (3, "25T00")]));
    world.clock.forward(TimeDelta::hours(14) - TimeDelta::microseconds(1));
    assert_eq!(world.looked_at("count 2").await, 1);
    world.clock.forward(TimeDelta::microseconds(1));
    assert_eq!(world.looked_at("count 3").await, 3);
    assert_eq!(world.live().await, live(&[(3, "25T00")]));
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn other_clocks_tick_otherwise() {
    let world = World::with_clock(SnapshotClock::Hourly).await;
    world.advance("a").await;
    assert_eq!(world.live().await, live(&[(1, "24T10"), (2, "24T11")]));
    let world = World::with_clock(SnapshotClock::Import).await;
    world.advance("a").await;
    assert_eq!(world.live().await, live(&[(2, "24T10")]));
    assert_eq!(world.looked_at("count").await, 2);
}

#[tokio::test]
async fn the_operator_can_publish_before_the_tick() {
    let world = World::new().await;
    let publish = async || {
        let lock = world.control.lake_lock().unwrap();
        world.control.snapshot_publish(&lock).await.unwrap()
    };
    assert_eq!(publish().await, None);
    world.advance("a").await;
    world.clock.forward(TimeDelta::hours(1));
    assert_eq!(publish().await, Some(3));
    assert_eq!(world.live().await, live(&[(3, "24T11")]));
    assert_eq!(world.looked_at("count").await, 3);
    assert_eq!(world.control.snapshot_head().await.unwrap().unwrap().cause, SnapshotCause::Publish);
    // The tick of what was published comes later, and changes nothing.
    world.tomorrow();
    assert_eq!(world.looked_at("count").await, 3);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn rewriting_changes_neither_order_nor_time() {
    let world = World::new().await;
    world.advance("a").await;
    // Nothing changes: no snapshot.
    world.replace(SnapshotCause::Compaction, |s| s.manifest.clone()).await;
    assert_eq!(world.live().await, live(&[(1, "24T10"), (2, "25T00")]));
    // Only what waits changes.
    world.replace(SnapshotCause::Compaction, |s| if s.id == 1 { s.manifest.clone() } else { manifest("a2") }).await;
    assert_eq!(world.live().await, live(&[(1, "24T10"), (3, "25T00")]));
    // Only what is visible changes: the head stays the head.
    world.replace(SnapshotCause::Erasure, |s| if s.id == 1 { manifest("v") } else { s.manifest.clone() }).await;
    assert_eq!(world.live().await, live(&[(4, "24T10"), (5, "25T00")]));
    let head = world.control.snapshot_head().await.unwrap().unwrap();
    assert_eq!((head.id, head.manifest), (5, manifest("a2")));
    assert_eq!(world.looked_at("count 1").await, 4);
    world.tomorrow();
    assert_eq!(world.looked_at("count 2").await, 5);
}

/// The tick comes between the rewriting and its row.
#[tokio::test]
async fn a_tick_during_rewriting_is_kept() {
    let world = World::new().await;
    world.advance("a").await;
    let lock = world.control.lake_lock().unwrap();
    let before = world.control.snapshot_live().await.unwrap();
    world.tomorrow();
    let rewritten: Vec<_> = before.into_iter().map(|s| (s.clone(), manifest(&format!("c{}", s.id)))).collect();
    world.control.snapshot_replace(&lock, SnapshotCause::Compaction, &rewritten).await.unwrap();
    assert_eq!(world.live().await, live(&[(4, "25T00")]));
    assert_eq!(world.looked_at("count").await, 4);
}

#[tokio::test]
async fn a_clock_that_is_set_back_brings_nothing_back() {
    let world = World::with_clock(SnapshotClock::Import).await;
    world.advance("a").await;
    world.clock.forward(TimeDelta::days(-3));
    assert_eq!(world.live().await, live(&[(2, "24T10")]));
    assert_eq!(world.looked_at("count").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_release_is_reading_is_kept() {
    let world = World::new().await;
    world.advance("a").await;
    world.tomorrow();
    let (go, waits) = channel();
    let room = Arc::new(ScriptedRoom::default());
    *room.waits.lock().unwrap() = Some(waits);
    let running = {
        let (control, room) = (world.control.clone(), room.clone());
        tokio::spawn(async move { control.release_run(room, &ask("count", "0.1")).await })
    };
    while room.calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    world.advance("b").await;
    world.tomorrow();
    assert_eq!(world.kept().await, (vec!["activity/a.parquet".to_owned(), "activity/b.parquet".to_owned()], true));
    go.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(world.kept().await, (vec!["activity/b.parquet".to_owned()], false));
    assert_eq!(room.snapshot.load(Ordering::SeqCst), 2);
}

/// A stored answer is that of its day: the next day the same question is asked of the next snapshot.
#[tokio::test]
async fn the_next_day_is_another_answer() {
    let world = World::new().await;
    assert_eq!(world.looked_at("count").await, 1);
    world.advance("a").await;
    let (room, again) = (Arc::new(ScriptedRoom::default()), ask("count", "0.001"));
    assert!(world.control.release_run(room.clone(), &again).await.unwrap().redelivered);
    world.tomorrow();
    assert!(!world.control.release_run(room.clone(), &again).await.unwrap().redelivered);
    assert_eq!(room.snapshot.load(Ordering::SeqCst), 2);
}
