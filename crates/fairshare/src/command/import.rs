//! `fairshare import`: sources → batches → ids → lake files → one visible snapshot.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::Context;
use control_plane::{ControlPlane, Error, Import};
use domain::lake::Arrival;
use domain::port::{Clock, Lake, LakeImport, Progress, Unwatched};
use domain::record::{AccountKey, Counts, NormalizedBatch, RejectedRecord, SourceEnd, SourceInfo};
use domain::{Fault, SubjectId};
use ingest::{Options, Source};
use serde_json::{Value, json};

use super::{lake, past_import};
use crate::cli::Import as ImportArgs;
use crate::deployment::{Deployment, SystemClock, private_file, threads};
use crate::output::{Format, note, rows};
use crate::progress::TerminalProgress;

/// From so many sources on, progress counts sources.
const MANY_SOURCES: usize = 8;

/// Batches that wait between the reader and the lake.
const WAITING: usize = 1;

/// Where rejected records are kept.
const REJECTS: &str = "rejects";

/// Rejected records that are kept of one import.
const REJECTED_MAX: usize = 100_000;

/// What an import led to.
pub(crate) struct Imported {
    pub(crate) sources: Vec<Imports>,
    pub(crate) snapshot: Option<i64>,
    pub(crate) rejects_file: Option<String>,
}

/// What one source of an import led to.
pub(crate) struct Imports {
    pub(crate) source: SourceInfo,
    /// How many people it names, and one of them.
    pub(crate) subjects: u64,
    pub(crate) first: Option<SubjectId>,
    pub(crate) counts: Counts,
}

pub(crate) async fn import(args: ImportArgs, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    if let Some(past) = args.past {
        return past_import::past_import(past, deployment, format).await;
    }
    let options = Options {
        platform: args.platform,
        mapping: args.mapping,
        deletions: args.deletions,
        creators: deployment.control.creator_key(),
        today: SystemClock.now().date_naive(),
        threads: threads(),
    };
    let imported = run(&args.paths, &options, args.dry_run, deployment, &TerminalProgress::default()).await?;
    print(&imported, format)?;
    if let Some(file) = &imported.rejects_file {
        note(&format!("some records could not be read; they are kept with place and reason in {file}"));
    }
    if args.dry_run {
        note("this was a dry run: nothing was changed");
    } else if imported.snapshot.is_none() {
        note("nothing was new");
    } else if let Some(head) = deployment.control.snapshot_head().await?.filter(|head| head.visible_from > SystemClock.now()) {
        note(&format!("questions see the new rows from {} on; `fairshare lake publish` shows them now", lake::moment(head.visible_from)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports sources as one step: all of them become visible, or none. With `dry_run` none does, and
/// nothing stays behind.
pub(crate) async fn run(paths: &[PathBuf], options: &Options, dry_run: bool, deployment: &Deployment, progress: &dyn Progress) -> anyhow::Result<Imported> {
    let control = &deployment.control;
    let mut import = control.import_begin().await?;
    // What a killed import left behind is named by no snapshot.
    lake::tidy(deployment, import.lock()).await?;
    let sources = ingest::sources(paths, options)?;
    let base = import.base().map(|s| s.manifest.clone());
    let mut arriving = deployment.lake.import(base.as_ref(), import.first_source())?;
    arriving.resolve(import.merged());
    let mut read = Read::default();
    let (send, receive) = sync_channel(WAITING);
    let runtime = tokio::runtime::Handle::current();
    // One thread reads and makes plain, this one sorts into the lake.
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || read_all(&sources, options, progress, &send));
            for (source, part) in receive {
                match part {
                    Part::Batch(batch) => runtime.block_on(read.append(control, &mut import, &mut *arriving, source, *batch))?,
                    Part::End(end) => read.end(&mut import, &mut *arriving, source, end)?,
                }
            }
            reader.join().map_err(|_| anyhow::anyhow!("the reader stopped"))?
        })
    })?;
    let staged = arriving.finish(progress)?;
    let Read { mut sources, rejected, departed, .. } = read;
    sources.iter_mut().zip(&staged.counts).for_each(|(source, counts)| source.counts = *counts);
    if dry_run {
        lake::tidy(deployment, import.lock()).await?;
        return Ok(Imported { sources, snapshot: None, rejects_file: None });
    }
    // First, so that a full disk cannot lose them.
    let rejects_file = write_rejects(&deployment.folder, import.id(), &rejected)?;
    let record = control.import_commit(import, &staged).await?;
    for account in &departed {
        erase_departed(account, deployment).await?;
    }
    // Whoever was erased meanwhile could not be taken out of files that were being written.
    if !control.erasure_pending().await?.is_empty() {
        lake::forget(deployment, &control.lake_lock()?).await?;
    }
    let rejects_file = rejects_file.filter(|file| Path::new(file).exists());
    Ok(Imported { sources, snapshot: record.snapshot, rejects_file })
}

/// Erases the person of an account that its platform says was deleted, unless they have others.
async fn erase_departed(account: &AccountKey, deployment: &Deployment) -> anyhow::Result<()> {
    match deployment.control.subject_find(&account.to_string()).await {
        Ok(person) if person.accounts.len() == 1 => {
            deployment.control.subject_erase(person.id).await?;
            Ok(())
        }
        Ok(person) => {
            note(&format!("an account of subject {} was deleted on its platform; the person has others and stays", person.id));
            Ok(())
        }
        Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Something of a source.
enum Part {
    Batch(Box<NormalizedBatch>),
    /// After its last batch.
    End(SourceEnd),
}

/// Reads all sources in order, batch by batch.
fn read_all(sources: &[Source], options: &Options, progress: &dyn Progress, send: &SyncSender<(u32, Part)>) -> anyhow::Result<()> {
    // Many small archives are counted as archives, a few large sources by what is in each.
    let many = sources.len() >= MANY_SOURCES;
    if many {
        progress.begin("reading", "sources", Some(sources.len() as u64));
    }
    for (number, source) in (0..).zip(sources) {
        let within: &dyn Progress = if many { &Unwatched } else { progress };
        // Nobody listens any more when the lake has failed; it says why.
        let mut sink = |batch| if send.send((number, Part::Batch(Box::new(batch)))).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let Some(end) = ingest::read(source, options, within, &mut sink)? else { return Ok(()) };
        send.send((number, Part::End(end))).unwrap_or_default();
        if many {
            progress.advance(1);
        }
    }
    if many {
        progress.finish();
    }
    Ok(())
}

/// What was read so far.
#[derive(Default)]
struct Read {
    sources: Vec<Imports>,
    /// The ids of the people of the current source.
    ids: Vec<SubjectId>,
    rejected: Vec<RejectedRecord>,
    departed: Vec<AccountKey>,
}

impl Read {
    async fn append(&mut self, control: &ControlPlane, import: &mut Import, lake: &mut dyn LakeImport, source: u32, batch: NormalizedBatch) -> anyhow::Result<()> {
        if self.sources.len() <= source as usize {
            self.ids.clear();
            self.sources.push(Imports { source: batch.source.clone(), subjects: 0, first: None, counts: Counts::default() });
        }
        self.ids.extend(control.import_assign(import, source, &batch).await?);
        let room = REJECTED_MAX.saturating_sub(self.rejected.len());
        self.rejected.extend(batch.rejected.iter().take(room).cloned());
        let arrival = Arrival { ids: std::mem::take(&mut self.ids), batch };
        lake.append(source, &arrival)?;
        self.ids = arrival.ids;
        Ok(())
    }

    /// After the last batch of a source.
    fn end(&mut self, import: &mut Import, lake: &mut dyn LakeImport, source: u32, end: SourceEnd) -> anyhow::Result<()> {
        let SourceEnd { sha256, departed, withdrawn } = end;
        let id = |place: &u32| self.ids.get(*place as usize).copied().ok_or_else(|| Fault::broken("somebody is withdrawn who was not named"));
        let withdrawn = withdrawn.iter().map(id).collect::<Result<_, _>>()?;
        import.end(source, sha256, &withdrawn)?;
        lake.withdraw(source, withdrawn);
        self.departed.extend(departed);
        if let (Some(imports), Some(named)) = (self.sources.last_mut(), import.named(source)) {
            imports.subjects = named.len();
            imports.first = named.iter().next().map(|id| import.merged().get(&id).copied().unwrap_or(id));
        }
        Ok(())
    }
}

pub(crate) fn rejects_path(folder: &Path, import: i64) -> PathBuf {
    folder.join(REJECTS).join(format!("import-{import}.ndjson"))
}

/// Deletes what could not become a row, of all imports: any of it may be about an erased person, and
/// nobody can tell.
pub(crate) fn delete_rejects(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder.join(REJECTS)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).context("deleting rejected records"),
        _ => Ok(()),
    }
}

/// Keeps what could not become a row, one JSON object per line.
fn write_rejects(folder: &Path, import: i64, rejected: &[RejectedRecord]) -> anyhow::Result<Option<String>> {
    if rejected.is_empty() {
        return Ok(None);
    }
    let path = rejects_path(folder, import);
    std::fs::create_dir_all(folder.join(REJECTS)).context("making the folder for rejected records")?;
    let mut file = private_file(&path)?;
    for record in rejected {
        writeln!(file, "{}", serde_json::to_string(record)?)?;
    }
    file.sync_all()?;
    Ok(Some(path.display().to_string()))
}

/// The names of what is counted of a source.
pub(crate) const COUNTED: [&str; 10] = ["posts", "replies", "shares", "likes", "follows", "views", "other", "deleted", "duplicates", "rejected"];

/// The counts of a source in the order of [`COUNTED`].
pub(crate) fn cells(counts: &Counts) -> Vec<Value> {
    let Counts { posts, replies, shares, likes, follows, views, other, deleted, duplicates, rejected } = *counts;
    [posts, replies, shares, likes, follows, views, other, deleted, duplicates, rejected].map(Value::from).to_vec()
}

fn print(imported: &Imported, format: Format) -> anyhow::Result<()> {
    let headers = [["path", "platform", "subject"].as_slice(), &COUNTED].concat();
    let object = |names: &[&str], cells: &[Value]| -> Value { names.iter().map(|n| (*n).to_owned()).zip(cells.iter().cloned()).collect::<serde_json::Map<_, _>>().into() };
    let mut totals = Counts::default();
    let mut table = Vec::new();
    let mut sources = Vec::new();
    for Imports { source, subjects, first, counts } in &imported.sources {
        totals.add(counts);
        // An archive is one person's; a table is many people's, who are counted instead.
        let only = first.filter(|_| *subjects == 1);
        let subject = only.map_or_else(|| json!(format!("{subjects} people")), |only| json!(only.0));
        let row = [vec![json!(source.path), json!(source.platform), subject], cells(counts)].concat();
        let mut shown = object(&headers, &row);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("subject".to_owned(), json!(only.map(|s| s.0)));
            shown.insert("subjects".to_owned(), json!(subjects));
        }
        sources.push(shown);
        table.push(row);
    }
    if table.len() > 1 {
        table.push([vec![json!("all"), Value::Null, Value::Null], cells(&totals)].concat());
    }
    let totals = object(&COUNTED, &cells(&totals));
    let document = json!({ "schema": 1, "sources": sources, "totals": totals, "rejects_file": imported.rejects_file, "snapshot": imported.snapshot });
    rows(format, &headers, &table, &document)?;
    Ok(())
}
