//! `fairshare backup`: copies of a deployment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use domain::lake::LakeFile;
use serde_json::json;

use super::lake::forget_if_free;
use crate::cli::Backup;
use crate::deployment::Deployment;
use crate::output::{Format, note, object};

pub(crate) async fn backup(args: Backup, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Backup::Create { folder } => create(&folder, deployment, format).await,
        Backup::Reconcile => reconcile(deployment, format).await,
    }
}

async fn reconcile(deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Some(done) = deployment.control.reconcile(&deployment.lake).await? else {
        note("the store is not behind its log; nothing was changed");
        object(format, &json!({ "schema": 1, "reconciled": false }))?;
        return Ok(ExitCode::SUCCESS);
    };
    // Whoever was erased since the copy was made is still in its files.
    let files = forget_if_free(deployment).await?;
    deployment.control.audit_checkpoint().await.context("the store is up to its log, but its signed checkpoint could not be published; try `fairshare audit checkpoint`")?;
    let (first, count) = done.entries;
    note(&format!("{count} entries from {first} on were put back: {} choices, {} releases, each of which charges everybody", done.choices, done.releases));
    if done.lost_people > 0 {
        note(&format!("{} people who came after the copy are known by number only, and were erased; import their sources again and ask them again", done.lost_people));
    }
    if let Some(snapshot) = done.snapshot {
        note(&format!("files of the newest snapshots are not there; snapshot {snapshot} has what is"));
    }
    if !done.imports.is_empty() {
        let imports = done.imports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        note(&format!("import again what these imports brought (fairshare import show N): {imports}"));
    }
    object(
        format,
        &json!({
            "schema": 1, "reconciled": true, "first_entry": first, "entries": count, "choices": done.choices, "releases": done.releases,
            "lost_people": done.lost_people, "import_again": done.imports, "snapshot": done.snapshot, "erased_rows": files,
        }),
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn create(folder: &Path, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    if folder.exists() {
        bail!("{} is there already; name a new folder", folder.display());
    }
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    // Nothing changes the lake while it is copied; choices and releases go on.
    let _lock = deployment.control.lake_lock()?;
    // The journal first: the store that is copied after it may know more, never less.
    let mut bytes = copy_all(&deployment.folder.join("journal"), &folder.join("journal"))?;
    deployment.control.backup_store(&folder.join("control.sqlite")).await?;
    bytes += fs::metadata(folder.join("control.sqlite"))?.len();
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
