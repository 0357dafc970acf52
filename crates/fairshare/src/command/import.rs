//! `fairshare import`: sources → batches → ids → lake files → one visible snapshot.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use domain::lake::{Arrival, Staged};
use domain::port::{Clock, Lake, Progress, Unwatched};
use domain::record::Counts;
use ingest::Options;
use serde_json::{Value, json};

use crate::cli::Import;
use crate::deployment::{Deployment, SystemClock, private_file};
use crate::output::{Format, note, rows};
use crate::progress::TerminalProgress;

/// Snapshots whose files are kept: the newest, and the one that a release may still be reading.
const SNAPSHOTS_KEPT: u32 = 2;

/// From so many sources on, progress counts sources.
const MANY_SOURCES: usize = 8;

/// What an import led to.
pub(crate) struct Imported {
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) staged: Staged,
    pub(crate) snapshot: Option<i64>,
    pub(crate) rejects_file: Option<String>,
}

pub(crate) async fn import(args: Import, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let options = Options { platform: args.platform, mapping: args.mapping, deletions: args.deletions, today: SystemClock.now().date_naive() };
    let imported = run(&args.paths, &options, deployment, &TerminalProgress::default()).await?;
    print(&imported, format)?;
    if let Some(file) = &imported.rejects_file {
        note(&format!("some records could not be read; they are kept with place and reason in {file}"));
    }
    if imported.snapshot.is_none() {
        note("nothing was new");
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports sources as one step: all of them become visible, or none.
pub(crate) async fn run(paths: &[std::path::PathBuf], options: &Options, deployment: &Deployment, progress: &dyn Progress) -> anyhow::Result<Imported> {
    let control = &deployment.control;
    let mut import = control.import_begin().await?;
    // What a killed import left behind is named by no snapshot.
    let live: Vec<_> = control.snapshot_list(SNAPSHOTS_KEPT).await?.into_iter().map(|s| s.manifest).collect();
    deployment.lake.sweep(&live)?;
    let mut arrivals = Vec::new();
    let sources = ingest::sources(paths, options)?;
    // Many small archives are counted as archives, a few large sources by what is in each.
    let counts_sources = sources.len() >= MANY_SOURCES;
    if counts_sources {
        progress.begin("reading", "sources", Some(sources.len() as u64));
    }
    for source in sources {
        let batch = if counts_sources { ingest::read(&source, options, &Unwatched)? } else { ingest::read(&source, options, progress)? };
        if counts_sources {
            progress.advance(1);
        }
        let ids = control.import_assign(&mut import, &batch).await?;
        arrivals.push(Arrival { batch, ids });
    }
    if counts_sources {
        progress.finish();
    }
    let base = import.base().map(|s| s.manifest.clone());
    let staged = deployment.lake.stage(base.as_ref(), &arrivals, progress)?;
    let record = control.import_commit(import, &staged, &arrivals).await?;
    let rejects_file = write_rejects(&deployment.folder, record.id, &arrivals)?;
    Ok(Imported { arrivals, staged, snapshot: record.snapshot, rejects_file })
}

/// Keeps what could not become a row, one JSON object per line.
fn write_rejects(folder: &Path, import: i64, arrivals: &[Arrival]) -> anyhow::Result<Option<String>> {
    let rejected: Vec<_> = arrivals.iter().flat_map(|a| &a.batch.rejected).collect();
    if rejected.is_empty() {
        return Ok(None);
    }
    let path = folder.join("rejects").join(format!("import-{import}.ndjson"));
    std::fs::create_dir_all(folder.join("rejects")).context("making the folder for rejected records")?;
    let mut file = private_file(&path)?;
    for record in rejected {
        writeln!(file, "{}", serde_json::to_string(record)?)?;
    }
    file.sync_all()?;
    Ok(Some(path.display().to_string()))
}

fn print(imported: &Imported, format: Format) -> anyhow::Result<()> {
    let headers = ["path", "platform", "subject", "posts", "replies", "shares", "likes", "follows", "views", "other", "deleted", "duplicates", "rejected"];
    let cells = |counts: &Counts| -> Vec<Value> {
        [counts.posts, counts.replies, counts.shares, counts.likes, counts.follows, counts.views, counts.other, counts.deleted, counts.duplicates, counts.rejected]
            .map(Value::from)
            .to_vec()
    };
    let object = |names: &[&str], cells: &[Value]| -> Value { names.iter().map(|n| (*n).to_owned()).zip(cells.iter().cloned()).collect::<serde_json::Map<_, _>>().into() };
    let mut totals = Counts::default();
    let mut table = Vec::new();
    let mut sources = Vec::new();
    for (arrival, counts) in imported.arrivals.iter().zip(&imported.staged.counts) {
        totals.add(counts);
        let source = &arrival.batch.source;
        // An archive is one person's; a table is many people's, who are counted instead.
        let subject = match arrival.ids.as_slice() {
            [only] => json!(only.0),
            many => json!(format!("{} people", many.len())),
        };
        let row = [vec![json!(source.path), json!(source.platform), subject], cells(counts)].concat();
        let mut shown = object(&headers, &row);
        if let [_] = arrival.ids.as_slice() {
        } else if let Some(field) = shown.get_mut("subject") {
            *field = Value::Null;
        }
        shown.as_object_mut().map(|o| o.insert("subjects".to_owned(), json!(arrival.ids.len())));
        sources.push(shown);
        table.push(row);
    }
    if table.len() > 1 {
        table.push([vec![json!("all"), Value::Null, Value::Null], cells(&totals)].concat());
    }
    let totals = object(headers.get(3..).unwrap_or_default(), &cells(&totals));
    let document = json!({ "schema": 1, "sources": sources, "totals": totals, "rejects_file": imported.rejects_file, "snapshot": imported.snapshot });
    rows(format, &headers, &table, &document)?;
    Ok(())
}
