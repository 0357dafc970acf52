//! `fairshare consent import`: choices that people made elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use control_plane::{Choice, Error};
use domain::NoticeName;
use domain::consent::{ConsentKey, ConsentMethod};
use domain::notice::NoticeRef;
use domain::refusal::RefusalCode;
use ingest::{ChoiceRow, choices};
use serde_json::json;

use crate::deployment::{Deployment, private_file};
use crate::output::{Format, note, object};

/// Choices that are recorded in one transaction.
const BATCH: usize = 1_000;

/// Choices that were not taken over, by line and reason.
const REJECTS: &str = "consent-rejects.ndjson";

/// Lines that are said on the terminal; the file has all.
const SAID: u64 = 10;

/// Takes over choices from a file; what cannot be recorded is named and left out.
///
/// A second import of the same file finds every choice that says when it was made, and changes nothing.
pub(super) async fn import(file: &Path, deployment: &Deployment, format: Format) -> anyhow::Result<()> {
    let mut report = Report::new(deployment)?;
    let mut notices = BTreeMap::new();
    let mut batch = Vec::with_capacity(BATCH);
    for row in choices(file)? {
        match row {
            Ok(row) => match choice(&row, deployment, &mut notices).await {
                Ok(choice) => batch.push((row, choice)),
                Err(error) => report.reject(row.line, "C412", &error.to_string())?,
            },
            Err(bad) => report.reject(bad.line, "C412", &bad.why)?,
        }
        if batch.len() >= BATCH {
            record(&mut batch, deployment, &mut report).await?;
        }
    }
    record(&mut batch, deployment, &mut report).await?;
    report.finish(format)
}

async fn record(batch: &mut Vec<(ChoiceRow, Choice)>, deployment: &Deployment, report: &mut Report) -> anyhow::Result<()> {
    let (rows, choices): (Vec<ChoiceRow>, Vec<Choice>) = std::mem::take(batch).into_iter().unzip();
    for (row, recorded) in rows.iter().zip(deployment.control.consent_record_each(&choices).await?) {
        match recorded {
            Ok(receipt) => {
                report.recorded += 1;
                report.late += u64::from(receipt.late);
                row.missing.iter().for_each(|name| *report.missing.entry(name).or_default() += 1);
            }
            Err(Error::Refused(refusal)) if refusal.code == RefusalCode::ConsentDuplicate => report.duplicates += 1,
            Err(Error::Refused(refusal)) => report.reject(row.line, refusal.code.as_str(), &refusal.message)?,
            Err(error @ Error::NotFound { .. }) => report.reject(row.line, "C412", &error.to_string())?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn choice(row: &ChoiceRow, deployment: &Deployment, notices: &mut BTreeMap<(NoticeName, Option<u32>), NoticeRef>) -> Result<Choice, Error> {
    let notice = match notices.get(&row.notice) {
        Some(notice) => notice.clone(),
        None => {
            let found = deployment.control.notice_show(&row.notice.0, row.notice.1).await?;
            let notice = NoticeRef { name: found.name, version: found.version };
            notices.insert(row.notice.clone(), notice.clone());
            notice
        }
    };
    // A number is looked up when it is recorded, with all others.
    let subject = match row.subject.parse() {
        Ok(subject) => subject,
        Err(_) => deployment.control.subject_find(&row.subject).await?.id,
    };
    let key = ConsentKey { subject, recipient: row.recipient.clone(), purpose: row.purpose, scope: row.scope };
    let choice = Choice::now(key, row.action, notice, ConsentMethod::Import);
    Ok(Choice {
        actor: row.actor.unwrap_or(choice.actor),
        strength: row.strength,
        language: row.language.clone(),
        at: row.at,
        sequence: row.sequence,
        evidence: row.evidence.clone(),
        ..choice
    })
}

/// What became of the rows.
struct Report {
    recorded: u64,
    late: u64,
    duplicates: u64,
    rejected: u64,
    /// Rows that lack what a record of consent should have, by its name.
    missing: BTreeMap<&'static str, u64>,
    path: std::path::PathBuf,
    file: BufWriter<File>,
}

impl Report {
    fn new(deployment: &Deployment) -> anyhow::Result<Self> {
        let path = deployment.folder.join(REJECTS);
        let file = BufWriter::new(private_file(&path)?);
        Ok(Self { recorded: 0, late: 0, duplicates: 0, rejected: 0, missing: BTreeMap::new(), path, file })
    }

    fn reject(&mut self, line: u64, code: &str, why: &str) -> anyhow::Result<()> {
        self.rejected += 1;
        if self.rejected <= SAID {
            note(&format!("line {line} was left out: {code}: {why}"));
        }
        writeln!(self.file, "{}", json!({ "line": line, "code": code, "why": why })).with_context(|| format!("writing {}", self.path.display()))
    }

    fn finish(mut self, format: Format) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("writing {}", self.path.display()))?;
        if self.rejected == 0 {
            std::fs::remove_file(&self.path).with_context(|| format!("removing {}", self.path.display()))?;
        } else if self.rejected > SAID {
            note(&format!("{} more were left out; {} has all", self.rejected - SAID, self.path.display()));
        }
        for (name, rows) in &self.missing {
            note(&format!("{rows} yeses say no `{name}`: a record of consent should (GDPR Art. 7(1))"));
        }
        let rejects_file = (self.rejected > 0).then_some(&self.path);
        object(
            format,
            &json!({
                "schema": 1, "recorded": self.recorded, "late": self.late, "duplicates": self.duplicates, "rejected": self.rejected,
                "missing": self.missing, "rejects_file": rejects_file
            }),
        )?;
        Ok(())
    }
}
