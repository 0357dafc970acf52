//! `fairshare subject`.

use std::path::Path;
use std::process::ExitCode;

use control_plane::{Counted, Error, IdentityChange, Meter, SubjectInfo};
use domain::SubjectId;
use domain::consent::ConsentMethod;
use domain::mail::{Contact, ContactSource};
use domain::port::{Lake as _, Progress as _};
use domain::subject::IdentityAct;
use dp::Cost;
use ingest::ContactRow;
use serde_json::{Value, json};

use super::{import, lake};
use crate::cli::Subject;
use crate::deployment::Deployment;
use crate::output::{Format, note, number, object, objects, rows};
use crate::progress::TerminalProgress;

pub(crate) async fn subject(args: Subject, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Subject::List { limit, after } => {
            let people = deployment.control.subject_list(limit, after.map(SubjectId)).await?;
            let headers = ["subject", "status", "age", "country", "accounts"];
            let table: Vec<Vec<Value>> = people.iter().map(|p| vec![json!(p.id.0), json!(p.status), json!(p.age), json!(p.country), json!(accounts(p))]).collect();
            let document = json!({ "schema": 1, "subjects": people.iter().map(document).collect::<Vec<_>>() });
            rows(format, &headers, &table, &document)?;
        }
        Subject::Show { subject } => object(format, &document(&deployment.control.subject_find(&subject).await?))?,
        Subject::Meter { subject } => {
            let person = deployment.control.subject_find(&subject).await?;
            meter(&deployment.control.subject_meter(person.id).await?, format)?;
        }
        Subject::Merge { keep, other, evidence } => {
            let (keep, other) = (deployment.control.subject_id(&keep).await?, deployment.control.subject_id(&other).await?);
            let change = deployment.control.merge_begin(keep, other).await?;
            identity(change, &evidence, deployment, format).await?;
        }
        Subject::Split { other, evidence } => {
            let other = deployment.control.subject_id(&other).await?;
            let change = deployment.control.split_begin(other).await?;
            identity(change, &evidence, deployment, format).await?;
        }
        Subject::Erase { subject } => erase(&subject, deployment, format).await?,
        Subject::Contact { subject, email, language } => {
            let person = deployment.control.subject_find(&subject).await?;
            let contact = email.map(|email| Contact { email, language });
            deployment.control.subject_contact_set(person.id, contact.as_ref(), ContactSource::Operator).await?;
            object(format, &json!({ "schema": 1, "subject": person.id.0, "reachable": contact.is_some() }))?;
        }
        Subject::Contacts { file } => contacts(&file, deployment, format).await?,
        Subject::Cap { subject, rho, delta } => {
            let person = deployment.control.subject_find(&subject).await?;
            deployment.control.subject_cap(person.id, Cost { rho, delta }, ConsentMethod::Operator).await?;
            meter(&deployment.control.subject_meter(person.id).await?, format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows that could not be taken, of which so many are named.
const NAMED: usize = 20;

/// Rows that are written down together.
const BATCH: usize = 1_000;

/// Writes down how people are reached. What was taken stays when the rest fails, and the same file again
/// changes nothing.
async fn contacts(file: &Path, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let progress = TerminalProgress::default();
    let mut report = Report::default();
    let mut batch: Vec<(u64, SubjectId, Contact)> = Vec::new();
    progress.begin("writing down addresses", "rows", None);
    for row in ingest::contacts(file)? {
        progress.advance(1);
        match row {
            Err(bad) => report.reject(bad.to_string()),
            Ok(ContactRow { line, subject, contact }) => match deployment.control.subject_id(&subject).await {
                Ok(person) => batch.push((line, person, contact)),
                Err(error @ Error::NotFound { .. }) => report.reject(format!("line {line}: {error}")),
                Err(error) => return Err(error.into()),
            },
        }
        if batch.len() >= BATCH {
            report.write(&mut batch, deployment).await?;
        }
    }
    report.write(&mut batch, deployment).await?;
    progress.finish();
    let Report { written, rejected, reasons } = report;
    object(format, &json!({ "schema": 1, "written": written, "rejected": rejected, "reasons": reasons }))?;
    Ok(())
}

/// What became of the rows of a file.
#[derive(Default)]
struct Report {
    written: u64,
    rejected: u64,
    /// Of the first ones that could not be taken.
    reasons: Vec<String>,
}

impl Report {
    fn reject(&mut self, why: String) {
        self.rejected += 1;
        if self.reasons.len() < NAMED {
            self.reasons.push(why);
        }
    }

    async fn write(&mut self, batch: &mut Vec<(u64, SubjectId, Contact)>, deployment: &Deployment) -> anyhow::Result<()> {
        let contacts: Vec<_> = batch.iter().map(|(_, person, contact)| (*person, Some(contact.clone()))).collect();
        let refused = deployment.control.subject_contacts_set(&contacts, ContactSource::Operator).await?;
        for ((line, ..), refused) in batch.drain(..).zip(refused) {
            match refused {
                None => self.written += 1,
                Some(refusal) => self.reject(format!("line {line}: {refusal}")),
            }
        }
        Ok(())
    }
}

/// Carries out a merge or split: files first, then the record that makes them visible.
async fn identity(change: IdentityChange, evidence: &str, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let (act, keep, other) = (change.act(), change.keep(), change.other());
    // What was left behind by a command that was killed.
    lake::tidy(deployment, change.lock()).await?;
    let moved = change.live().iter().map(|snapshot| match act {
        IdentityAct::Merge => deployment.lake.merge(&snapshot.manifest, keep, other),
        IdentityAct::Split => deployment.lake.split(&snapshot.manifest, keep, other),
    });
    let moved = moved.collect::<Result<Vec<_>, _>>()?;
    let changed = deployment.control.identity_commit(change, evidence, moved).await?;
    let withdrawn: Vec<Value> = changed.withdrawn.iter().map(|(partner, purpose)| json!(format!("{partner} {purpose}"))).collect();
    if !withdrawn.is_empty() {
        note(&format!("subject {} agreed to what the other id does not permit: withdrawn", changed.subject));
    }
    object(
        format,
        &json!({
            "schema": 1, "act": act, "keep": keep.0, "other": other.0, "withdrawn": withdrawn, "cap_lowered_to": changed.capped.map(|cap| number(cap.rho)),
            "subject": changed.subject.0, "loss": number(changed.loss.rho), "snapshot": changed.snapshot
        }),
    )?;
    Ok(())
}

/// Erases a person: at once from every answer, then from the files.
async fn erase(subject: &str, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let person = deployment.control.subject_find(subject).await?;
    deployment.control.subject_erase(person.id).await?;
    note(&format!("subject {} is unreachable from now on", person.id));
    for other in &person.merged {
        note(&format!("so is subject {other}, another id of theirs"));
    }
    import::delete_rejects(&deployment.folder)?;
    let files = lake::forget_if_free(deployment).await?;
    object(format, &json!({ "schema": 1, "subject": person.id.0, "reachable": false, "files": files }))?;
    Ok(())
}

/// The releases that counted a person as rows, the sums beside them.
fn meter(meter: &Meter, format: Format) -> std::io::Result<()> {
    let headers = ["release", "at", "partner", "purpose", "rho", "delta", "answered"];
    let line = |c: &Counted| vec![json!(c.release), json!(c.at), json!(c.partner), json!(c.purpose), number(c.cost.rho), json!(c.cost.delta.to_string()), json!(c.answered)];
    let table: Vec<Vec<Value>> = meter.releases.iter().map(line).collect();
    let cost = |cost: Cost| json!({ "rho": number(cost.rho), "delta": cost.delta.to_string() });
    let document = json!({
        "schema": 1, "subject": meter.subject.0, "year": meter.year, "cap": cost(meter.cap), "chosen": meter.chosen,
        "loss": cost(meter.loss), "in_flight": cost(meter.in_flight), "releases": objects(&headers, &table)
    });
    rows(format, &headers, &table, &document)?;
    if format == Format::Table {
        let whose = if meter.chosen { "chosen" } else { "standard" };
        note(&format!("{}: ρ = {} of {} lost ({whose} cap), δ = {} of {}", meter.year, meter.loss.rho, meter.cap.rho, meter.loss.delta, meter.cap.delta));
        if meter.in_flight != Cost::ZERO {
            note(&format!("being answered now, and perhaps counting this person: ρ = {}", meter.in_flight.rho));
        }
    }
    Ok(())
}

fn accounts(person: &SubjectInfo) -> Vec<String> {
    person.accounts.iter().map(|(key, handle)| handle.as_ref().map_or_else(|| key.to_string(), |h| format!("{h} ({key})"))).collect()
}

fn document(person: &SubjectInfo) -> Value {
    let merged: Vec<u32> = person.merged.iter().map(|s| s.0).collect();
    json!({
        "schema": 1, "subject": person.id.0, "status": person.status, "age": person.age, "country": person.country, "residence": person.residence, "enrolled": person.enrolled,
        "accounts": accounts(person), "merged": merged, "merged_into": person.merged_into.map(|s| s.0)
    })
}
