//! `fairshare lake`: the files that rows lie in.

use std::process::ExitCode;

use control_plane::LakeLock;
use domain::Timestamp;
use domain::catalog::TableName;
use domain::lake::{Manifest, Snapshot, SnapshotCause};
use domain::port::{FeatureExtractor as _, Lake as _, Progress as _};
use ingest::TextFeatures;
use serde_json::{Value, json};

use super::import::delete_rejects;
use crate::cli::Lake;
use crate::deployment::Deployment;
use crate::output::{Format, note, object, objects, rows};
use crate::progress::TerminalProgress;

pub(crate) async fn lake(args: Lake, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Lake::Show => show(deployment, format).await?,
        Lake::Features { dry_run } => features(dry_run, deployment, format).await?,
        Lake::Publish => {
            let lock = deployment.control.lake_lock()?;
            if deployment.control.snapshot_publish(&lock).await?.is_none() {
                note("nothing was waiting");
            }
            show(deployment, format).await?;
        }
        Lake::Compact => {
            let lock = deployment.control.lake_lock()?;
            let live = deployment.control.snapshot_live().await?;
            let compacted = deployment.lake.compact(&manifests(&live), &TerminalProgress::default())?;
            deployment.control.snapshot_replace(&lock, SnapshotCause::Compaction, &live.into_iter().zip(compacted).collect::<Vec<_>>()).await?;
            forget(deployment, &lock).await?;
            show(deployment, format).await?;
        }
        Lake::Sweep => {
            let lock = deployment.control.lake_lock()?;
            let swept = forget(deployment, &lock).await?;
            object(format, &json!({ "schema": 1, "erased": swept.erased, "files_deleted": swept.files, "files_waiting": swept.waiting }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Steps in which features become part of the lake: a pass that is killed goes on after the last.
const FEATURE_STEPS: usize = 16;

/// Buckets in a step at least.
const FEATURE_BUCKETS: usize = 2;

/// Derives features where they are missing or of an older version.
async fn features(dry_run: bool, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let extractor = TextFeatures;
    let version = extractor.version();
    let lock = deployment.control.lake_lock()?;
    let Some(head) = deployment.control.snapshot_head().await? else {
        note("the lake is empty");
        return Ok(object(format, &json!({ "schema": 1, "version": version, "buckets": 0, "files": 0, "rows": 0, "snapshot": null }))?);
    };
    let stale: Vec<u32> = head.manifest.without_features(version).into_iter().collect();
    let files: Vec<_> = head.manifest.files(TableName::Activity).iter().filter(|f| f.features < version).collect();
    let (files, acts) = (files.len(), files.iter().map(|f| f.rows).sum::<u64>());
    let mut snapshot = None;
    if dry_run {
        note("this was a dry run: nothing was changed");
    } else if !stale.is_empty() {
        let progress = TerminalProgress::default();
        progress.begin("deriving features", "buckets", Some(stale.len() as u64));
        let mut manifest = head.manifest;
        for step in stale.chunks(stale.len().div_ceil(FEATURE_STEPS).max(FEATURE_BUCKETS)) {
            manifest = deployment.lake.derive(&manifest, &step.iter().copied().collect(), &extractor)?;
            snapshot = Some(deployment.control.snapshot_advance(&lock, SnapshotCause::Features, &manifest).await?);
            progress.advance(step.len() as u64);
        }
        progress.finish();
        forget(deployment, &lock).await?;
    }
    object(format, &json!({ "schema": 1, "version": version, "buckets": stale.len(), "files": files, "rows": acts, "snapshot": snapshot }))?;
    Ok(())
}

async fn show(deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let clock = deployment.control.snapshot_clock().await?;
    let live = deployment.control.snapshot_live().await?;
    let headers = ["table", "rows", "bytes", "files", "buckets"];
    let place = deployment.bucket.as_ref().map_or_else(|| deployment.folder.join("lake").display().to_string(), ToString::to_string);
    let Some(head) = live.last() else {
        note("the lake is empty");
        return Ok(rows(format, &headers, &[], &json!({ "schema": 1, "lake": place, "snapshot_clock": clock, "tables": [] }))?);
    };
    // What questions look at, when it is not the newest.
    let waits_behind = live.first().map(|visible| visible.id).filter(|visible| *visible != head.id);
    let line = |table: TableName| -> Vec<Value> {
        let files = head.manifest.files(table);
        let (count, bytes): (u64, u64) = (files.iter().map(|f| f.rows).sum(), files.iter().map(|f| f.bytes).sum());
        vec![json!(table), json!(count), json!(bytes), json!(files.len()), json!(files.chunk_by(|a, b| a.bucket == b.bucket).count())]
    };
    let table: Vec<Vec<Value>> = TableName::PRIVATE.iter().map(|t| line(*t)).collect();
    // The lowest version counts: it is what all rows have.
    let features = head.manifest.files(TableName::Activity).iter().map(|f| f.features).min().unwrap_or(0);
    let snapshot = json!({ "id": head.id, "at": head.at, "cause": head.cause, "visible_from": head.visible_from });
    let document = json!({
        "schema": 1, "lake": place, "snapshot_clock": clock, "snapshot": snapshot, "visible": waits_behind.unwrap_or(head.id), "features": features, "tables": objects(&headers, &table),
    });
    rows(format, &headers, &table, &document)?;
    if format == Format::Table {
        note(&format!("snapshot {} of {}, made by {}; snapshot clock: {clock}; features: version {features}", head.id, moment(head.at), head.cause));
        if let Some(visible) = waits_behind {
            note(&format!("questions look at snapshot {visible} until {}; `fairshare lake publish` makes the newest visible now", moment(head.visible_from)));
        }
    }
    Ok(())
}

/// An instant as people read it.
pub(crate) fn moment(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn manifests(snapshots: &[Snapshot]) -> Vec<Manifest> {
    snapshots.iter().map(|s| s.manifest.clone()).collect()
}

/// What a sweep led to.
pub(crate) struct Swept {
    /// People whose rows are gone now.
    pub(crate) erased: u64,
    /// Files that were deleted.
    pub(crate) files: u64,
    /// Whether older files stay because a release may be reading them.
    pub(crate) waiting: bool,
}

/// As [`forget`], when nobody else changes the lake; says when the files go.
pub(crate) async fn forget_if_free(deployment: &Deployment) -> anyhow::Result<&'static str> {
    match deployment.control.lake_lock() {
        Ok(lock) => {
            let swept = forget(deployment, &lock).await?;
            Ok(if swept.waiting { "when the releases that are being answered have ended: fairshare lake sweep" } else { "gone" })
        }
        Err(control_plane::Error::Conflict(_)) => Ok("when the import that is running has ended: fairshare lake sweep"),
        Err(error) => Err(error.into()),
    }
}

/// Finishes pending erasures, and deletes files that no release reads or will read.
pub(crate) async fn forget(deployment: &Deployment, lock: &LakeLock) -> anyhow::Result<Swept> {
    let (control, lake) = (&deployment.control, &deployment.lake);
    let pending = control.erasure_pending().await?;
    if !pending.is_empty() {
        // Also what still waits for its tick must not hold them.
        let live = control.snapshot_live().await?;
        let without = lake.erase(&manifests(&live), &pending)?;
        // An import that was running may have kept some since the person was erased.
        delete_rejects(&deployment.folder)?;
        control.erasure_finish(lock, &pending, &live.into_iter().zip(without).collect::<Vec<_>>()).await?;
    }
    let kept = control.snapshot_kept(lock).await?;
    Ok(Swept { erased: pending.len(), files: lake.sweep(&kept.manifests)?, waiting: kept.waiting })
}

/// Deletes files that no release reads or will read.
pub(crate) async fn tidy(deployment: &Deployment, lock: &LakeLock) -> anyhow::Result<()> {
    let kept = deployment.control.snapshot_kept(lock).await?;
    deployment.lake.sweep(&kept.manifests)?;
    Ok(())
}
