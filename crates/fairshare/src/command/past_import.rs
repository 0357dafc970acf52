//! `fairshare import list`, `show`, `undo` and `trace`: imports that were made.

use std::process::ExitCode;

use anyhow::Context;
use control_plane::{ImportInfo, ImportedSource, PartnerTableInfo};
use domain::catalog::TableName;
use domain::lake::Traced;
use domain::port::Lake as _;
use domain::record::Counts;
use domain::subject::SubjectStatus;
use domain::{Refusal, RefusalCode};
use serde_json::{Value, json};

use super::import::{COUNTED, cells, rejects_path};
use super::lake;
use crate::cli::PastImport;
use crate::deployment::Deployment;
use crate::output::{Format, list, note, object, objects, rows};

pub(super) async fn past_import(args: PastImport, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        PastImport::List => {
            let imports = deployment.control.import_list().await?;
            list(format, "imports", &IMPORT, &imports.iter().map(line).collect::<Vec<_>>())?;
        }
        PastImport::Show { import } => show(&deployment.control.import_show(import).await?, deployment, format)?,
        PastImport::Undo { import } => undo(import, deployment, format).await?,
        PastImport::Trace { subject, key } => trace(&subject, key.as_deref(), deployment, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The columns of a list of imports.
const IMPORT: [&str; 7] = ["import", "at", "sources", "rows", "people", "snapshot", "state"];

fn line(import: &ImportInfo) -> Vec<Value> {
    let rows: u64 = import.sources.iter().map(|s| s.counts.activities()).sum();
    let state = if import.undone.is_some() { "undone" } else { "committed" };
    vec![json!(import.id), json!(import.at), json!(import.sources.len()), json!(rows), json!(import.named.len()), json!(import.snapshot), json!(state)]
}

fn show(import: &ImportInfo, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let headers = [["source", "path", "kind", "platform", "sha256", "parser", "people"].as_slice(), &COUNTED].concat();
    let line = |s: &ImportedSource| {
        [vec![json!(s.number), json!(s.path), json!(s.kind), json!(s.platform), json!(s.sha256), json!(s.parser), json!(s.subjects)], cells(&s.counts)].concat()
    };
    let table: Vec<Vec<Value>> = import.sources.iter().map(line).collect();
    let rejects = rejects_path(&deployment.folder, import.id);
    let rejects = rejects.exists().then(|| rejects.display().to_string());
    let document = json!({
        "schema": 1, "import": import.id, "at": import.at, "snapshot": import.snapshot, "people": import.named.len(), "undone": import.undone,
        "rejects_file": rejects, "sources": objects(&headers, &table)
    });
    rows(format, &headers, &table, &document)?;
    if let Some(at) = import.undone {
        note(&format!("taken back at {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    if let Some(file) = rejects {
        note(&format!("records that could not be read are in {file}"));
    }
    Ok(())
}

/// Takes an import back: files first, then the record that makes them visible.
async fn undo(import: i64, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let control = &deployment.control;
    let undoing = control.undo_begin(import).await?;
    // What was left behind by a command that was killed.
    lake::tidy(deployment, undoing.lock()).await?;
    let without = undoing.base().map(|base| deployment.lake.undo(&base.manifest, undoing.undo())).transpose()?;
    let alone = undoing.undo().alone.len();
    let mut counts = Counts::default();
    undoing.import().sources.iter().for_each(|s| counts.add(&s.counts));
    let rejects = rejects_path(&deployment.folder, import);
    let snapshot = control.undo_commit(undoing, without.as_ref()).await?;
    match std::fs::remove_file(rejects) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).context("deleting rejected records"),
        _ => {}
    }
    // Rows that should not have come are not to stay in files that nothing looks at any more.
    let files = lake::forget_if_free(deployment).await?;
    object(
        format,
        &json!({ "schema": 1, "import": import, "state": "undone", "rows_imported": counts.activities(), "people_without_rows": alone, "snapshot": snapshot, "files": files }),
    )?;
    if alone > 0 {
        note(&format!("{alone} people came by this import alone: what described them is gone, their ids and choices stay"));
    }
    if counts.deleted > 0 {
        note(&format!("this import applied deletions or left deleted records out ({}); rows that it deleted do not come back", counts.deleted));
    }
    note("rows of later imports that were duplicates of these are gone too: import those sources again to have them back");
    Ok(())
}

/// Where a person's rows come from.
async fn trace(subject: &str, key: Option<&str>, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let person = deployment.control.subject_find(subject).await?;
    if person.status == SubjectStatus::Erased {
        return Err(Refusal::new(RefusalCode::State, format!("subject {} was erased: there is nothing to trace", person.id)).into());
    }
    // Recorded before anything is looked at.
    let provenance = deployment.control.staff_read(person.id, if key.is_some() { "trace of an act" } else { "trace" }).await?;
    let partners = deployment.control.partner_table_list(None).await?;
    let mut traced = Vec::new();
    if let Some(head) = deployment.control.snapshot_head().await? {
        for id in std::iter::once(&person.id).chain(&person.merged) {
            traced.extend(deployment.lake.trace(&head.manifest, *id, key)?.into_iter().map(|t| (*id, t)));
        }
    }
    let headers = ["table", "subject", "rows", "arrived_as", "import", "source", "kind", "path", "sha256", "parser"];
    let mut table = Vec::new();
    for (id, Traced { table: name, source, arrived_as, rows }) in traced {
        let about = [json!(name), json!(id.0), json!(rows), json!(arrived_as.map(|s| s.0))];
        let origins: Vec<[Value; 6]> = match source {
            None if let TableName::Partner(uploaded) = name => partners.iter().filter(|info| info.table.id() == uploaded).map(of_partner).collect(),
            Some(number) => vec![provenance.source(number).map_or([Value::Null, json!(number), Value::Null, Value::Null, Value::Null, Value::Null], |(i, s)| origin(i, s))],
            // Several imports may have told the same: each that names the person.
            None => provenance.naming(id).map(|i| [json!(i.id), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null]).collect(),
        };
        table.extend(origins.into_iter().map(|origin| [about.as_slice(), &origin].concat()));
    }
    list(format, "rows", &headers, &table)?;
    if table.is_empty() {
        note("no such rows");
    }
    note("this look was recorded");
    Ok(())
}

/// A partner's file, where others have an import's.
fn of_partner(info: &PartnerTableInfo) -> [Value; 6] {
    [Value::Null, Value::Null, json!("partner_table"), json!(format!("partner.{} of {}", info.table.name(), info.partner)), json!(info.file.sha256), Value::Null]
}

fn origin(import: &ImportInfo, source: &ImportedSource) -> [Value; 6] {
    [json!(import.id), json!(source.number), json!(source.kind), json!(source.path), json!(source.sha256), json!(source.parser)]
}
