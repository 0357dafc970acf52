//! `fairshare backup`: copies of a deployment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use domain::lake::LakeFile;
use serde_json::json;

use crate::cli::Backup;
use crate::deployment::Deployment;
use crate::output::{Format, note, object};

pub(crate) async fn backup(args: Backup, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Backup::Create { folder } = args;
    if folder.exists() {
        bail!("{} is there already; name a new folder", folder.display());
    }
    fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    // Nothing changes the lake while it is copied; choices and releases go on.
    let _lock = deployment.control.lake_lock()?;
    // The store first: the log that is copied after it may know more, never less.
    deployment.control.backup_store(&folder.join("control.sqlite")).await?;
    let mut bytes = fs::metadata(folder.join("control.sqlite"))?.len();
    let live = deployment.control.snapshot_live().await?;
    let files: BTreeMap<&str, &LakeFile> = live.iter().flat_map(|s| s.manifest.tables.values().flatten()).map(|f| (f.path.as_str(), f)).collect();
    for file in files.into_values() {
        bytes += deployment.lake.fetch(file, &folder.join("lake").join(&file.path))?;
    }
    if let Some(bucket) = &deployment.bucket {
        note(&format!("the lake was fetched from {bucket} into the copy, whose lake is its folder"));
    }
    for part in ["keys", "rejects"] {
        bytes += copy_all(&deployment.folder.join(part), &folder.join(part))?;
    }
    object(format, &json!({ "schema": 1, "folder": folder, "bytes": bytes, "snapshot": live.last().map(|head| head.id) }))?;
    Ok(ExitCode::SUCCESS)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<u64> {
    let doing = || format!("copying {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(doing)?;
    }
    let bytes = fs::copy(from, to).with_context(doing)?;
    fs::File::open(to).and_then(|file| file.sync_all()).with_context(doing)?;
    Ok(bytes)
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<u64> {
    if !from.is_dir() {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        bytes += copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(bytes)
}
