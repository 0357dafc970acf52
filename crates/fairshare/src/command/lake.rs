//! `fairshare lake`: the files that rows lie in.

use std::process::ExitCode;

use control_plane::LakeLock;
use domain::catalog::TableName;
use domain::port::Lake as _;
use serde_json::{Value, json};

use crate::cli::Lake;
use crate::deployment::Deployment;
use crate::output::{Format, list, note, object, objects, rows};
use crate::progress::TerminalProgress;

/// Snapshots whose files are kept: the newest, and the one that a release may still be reading.
const SNAPSHOTS_KEPT: u32 = 2;

pub(crate) async fn lake(args: Lake, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Lake::Show => show(deployment, format).await?,
        Lake::Compact => {
            let lock = deployment.control.lake_lock()?;
            let Some(head) = deployment.control.snapshot_head().await? else { return Ok(ExitCode::SUCCESS) };
            let compacted = deployment.lake.compact(&head.manifest, &TerminalProgress::default())?;
            if compacted != head.manifest {
                deployment.control.snapshot_compacted(&lock, &compacted).await?;
            }
            tidy(deployment, &lock).await?;
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

async fn show(deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let Some(head) = deployment.control.snapshot_head().await? else {
        note("the lake is empty");
        return Ok(list(format, "tables", &["table", "rows", "bytes", "files", "buckets"], &[])?);
    };
    let line = |table: TableName| -> Vec<Value> {
        let files = head.manifest.files(table);
        let (count, bytes): (u64, u64) = (files.iter().map(|f| f.rows).sum(), files.iter().map(|f| f.bytes).sum());
        vec![json!(table), json!(count), json!(bytes), json!(files.len()), json!(files.chunk_by(|a, b| a.bucket == b.bucket).count())]
    };
    let table: Vec<Vec<Value>> = TableName::ALL.iter().map(|t| line(*t)).collect();
    let headers = ["table", "rows", "bytes", "files", "buckets"];
    let place = deployment.bucket.as_ref().map_or_else(|| deployment.folder.join("lake").display().to_string(), ToString::to_string);
    rows(format, &headers, &table, &json!({ "schema": 1, "lake": place, "tables": objects(&headers, &table) }))?;
    if format == Format::Table {
        note(&format!("snapshot {} of {}, made by {}", head.id, head.at.format("%Y-%m-%d %H:%M:%S UTC"), head.cause));
    }
    Ok(())
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

/// Finishes pending erasures, and deletes what the newest snapshot does not need.
pub(crate) async fn forget(deployment: &Deployment, lock: &LakeLock) -> anyhow::Result<Swept> {
    let (control, lake) = (&deployment.control, &deployment.lake);
    let pending = control.erasure_pending().await?;
    if !pending.is_empty() {
        let head = control.snapshot_head().await?;
        let without = head.as_ref().map(|head| lake.erase(&head.manifest, &pending)).transpose()?;
        let changed = without.filter(|m| head.is_none_or(|h| h.manifest != *m));
        control.erasure_finish(lock, &pending, changed.as_ref()).await?;
    }
    // A release that is being answered may read the snapshot before; its files go with the next sweep.
    let waiting = control.release_running().await?;
    let kept = if waiting { SNAPSHOTS_KEPT } else { 1 };
    let live: Vec<_> = control.snapshot_list(kept).await?.into_iter().map(|s| s.manifest).collect();
    Ok(Swept { erased: pending.len(), files: lake.sweep(&live)?, waiting })
}

/// Deletes what neither the newest snapshot nor the one before needs.
pub(crate) async fn tidy(deployment: &Deployment, _lock: &LakeLock) -> anyhow::Result<()> {
    let live: Vec<_> = deployment.control.snapshot_list(SNAPSHOTS_KEPT).await?.into_iter().map(|s| s.manifest).collect();
    deployment.lake.sweep(&live)?;
    Ok(())
}
