//! `fairshare consent`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use control_plane::{Choice, Error, Receipt};
use domain::consent::{ConsentEvent, ConsentKey, ConsentMethod, ConsentState};
use domain::notice::NoticeRef;
use serde_json::{Value, json};

use crate::cli::Consent;
use crate::deployment::Deployment;
use crate::failure::Usage;
use crate::output::{Format, list, note, object};

/// Choices that are recorded in one transaction when many are taken over.
const BATCH: usize = 1_000;

pub(crate) async fn consent(args: Consent, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Consent::Record { subject, partner, purpose, action, notice } => {
            let subject = control.subject_find(&subject).await?.id;
            let notice = self::notice(deployment, &notice).await?;
            let choice = Choice { key: ConsentKey { subject, partner, purpose }, action, notice, method: ConsentMethod::Operator };
            for receipt in control.consent_record(&[choice]).await? {
                object(format, &document(&receipt))?;
            }
        }
        Consent::Import { file } => {
            let (recorded, rejected) = import(&file, deployment).await?;
            object(format, &json!({ "schema": 1, "recorded": recorded, "rejected": rejected }))?;
        }
        Consent::Show { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let history = control.consent_history(subject).await?;
            let mut now: std::collections::BTreeMap<&ConsentKey, &ConsentEvent> = std::collections::BTreeMap::new();
            now.extend(history.iter().map(|event| (&event.key, event)));
            let table: Vec<Vec<Value>> = now
                .values()
                .map(|e| vec![json!(e.key.partner), json!(e.key.purpose), json!(ConsentState::Unknown.after(e.action)), json!(e.at), json!(e.notice.to_string())])
                .collect();
            list(format, "choices", &["partner", "purpose", "state", "since", "notice"], &table)?;
        }
        Consent::History { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let history = control.consent_history(subject).await?;
            let table: Vec<Vec<Value>> = history
                .iter()
                .map(|e| vec![json!(e.seq), json!(e.at), json!(e.action), json!(e.key.partner), json!(e.key.purpose), json!(e.notice.to_string()), json!(e.method)])
                .collect();
            list(format, "events", &["seq", "at", "action", "partner", "purpose", "notice", "method"], &table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document(receipt: &Receipt) -> Value {
    let event = &receipt.event;
    json!({
        "schema": 1, "seq": event.seq, "audit_entry": receipt.entry, "subject": event.key.subject.0, "partner": event.key.partner,
        "purpose": event.key.purpose, "action": event.action, "notice": event.notice, "at": event.at,
    })
}

/// `NAME` (its newest version) or `NAME@VERSION`.
async fn notice(deployment: &Deployment, text: &str) -> anyhow::Result<NoticeRef> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version.parse().map_err(|_| Usage(format!("`{version}` is not a version")))?)),
        None => (text, None),
    };
    let notice = deployment.control.notice_show(&name.parse().map_err(|e| Usage(format!("{e}")))?, version).await?;
    Ok(NoticeRef { name: notice.name, version: notice.version })
}

/// Takes over choices from a file; what cannot be recorded is named and left out.
async fn import(file: &Path, deployment: &Deployment) -> anyhow::Result<(u64, u64)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let mut lines = text.lines();
    let header = "subject,partner,purpose,action,notice";
    if lines.next().map(str::trim) != Some(header) {
        return Err(Usage(format!("{} must begin with the line {header}", file.display())).into());
    }
    let mut notices = std::collections::BTreeMap::new();
    let (mut batch, mut recorded, mut rejected) = (Vec::new(), 0, 0);
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        match choice(line, deployment, &mut notices).await {
            Ok(choice) => batch.push((number, choice)),
            Err(error) => {
                rejected += 1;
                left_out(number, &error);
            }
        }
        if batch.len() >= BATCH {
            let wrong = record(std::mem::take(&mut batch), deployment).await?;
            (recorded, rejected) = (recorded + BATCH as u64 - wrong, rejected + wrong);
        }
    }
    let last = batch.len() as u64;
    let wrong = record(batch, deployment).await?;
    Ok((recorded + last - wrong, rejected + wrong))
}

fn left_out(line: u64, error: &dyn std::fmt::Display) {
    note(&format!("line {line} was left out: {error}"));
}

/// Records choices together; when they cannot be, one by one, so that only the wrong ones are left
/// out. Tells how many those were.
async fn record(choices: Vec<(u64, Choice)>, deployment: &Deployment) -> anyhow::Result<u64> {
    let (lines, choices): (Vec<u64>, Vec<Choice>) = choices.into_iter().unzip();
    match deployment.control.consent_record(&choices).await {
        Ok(_) => return Ok(0),
        Err(error @ (Error::Failed(_) | Error::Conflict(_))) => return Err(error.into()),
        Err(Error::Refused(_) | Error::NotFound { .. }) => {}
    }
    let mut wrong = 0;
    for (line, choice) in lines.into_iter().zip(choices) {
        match deployment.control.consent_record(&[choice]).await {
            Ok(_) => {}
            Err(error @ (Error::Failed(_) | Error::Conflict(_))) => return Err(error.into()),
            Err(error @ (Error::Refused(_) | Error::NotFound { .. })) => {
                wrong += 1;
                left_out(line, &error);
            }
        }
    }
    Ok(wrong)
}

async fn choice(line: &str, deployment: &Deployment, notices: &mut std::collections::BTreeMap<String, NoticeRef>) -> anyhow::Result<Choice> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let [subject, partner, purpose, action, shown] = <[&str; 5]>::try_from(cells).map_err(|_| Usage("not five fields".to_owned()))?;
    if !notices.contains_key(shown) {
        notices.insert(shown.to_owned(), notice(deployment, shown).await?);
    }
    let notice = notices.get(shown).cloned().ok_or_else(|| Usage("no notice".to_owned()))?;
    // A number is looked up when it is recorded, with all others.
    let subject = match subject.parse() {
        Ok(subject) => subject,
        Err(_) => deployment.control.subject_find(subject).await?.id,
    };
    Ok(Choice { key: ConsentKey { subject, partner: partner.parse()?, purpose: purpose.parse()? }, action: action.parse()?, notice, method: ConsentMethod::Import })
}
