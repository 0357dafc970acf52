//! `fairshare consent`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use control_plane::{Choice, NewLink, Receipt};
use domain::consent::{Consent as Stands, ConsentEvent, ConsentKey, ConsentMethod, Standing, Strength};
use domain::notice::NoticeRef;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::{Consent, RecordConsent};
use crate::deployment::Deployment;
use crate::failure::{Usage, code};
use crate::input;
use crate::output::{Format, line, list, note, object};

pub(crate) async fn consent(args: Consent, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    match args {
        Consent::Record(args) => {
            let choice = choice(args, deployment).await?;
            for receipt in control.consent_record(&[choice]).await? {
                object(format, &document(&receipt))?;
            }
        }
        Consent::Import { file } => super::consent_import::import(&file, deployment, format).await?,
        Consent::Link { subject, notice, days, return_to, pages } => {
            let subject = control.subject_find(&subject).await?.id;
            let new = NewLink { return_to, ..NewLink::choose(subject, notice, chrono::TimeDelta::days(days.into())) };
            let token = control.consent_link(&new, &pages.allow_origin).await?;
            let url = super::serve::pages(pages, deployment)?.consent_url(&token);
            object(format, &json!({ "schema": 1, "subject": subject.0, "url": url }))?;
        }
        Consent::Receipt { subject, partner, purpose } => {
            let subject = control.subject_find(&subject).await?.id;
            let receipt = control.consent_receipt(subject, &partner, purpose).await?;
            if format == Format::Table {
                write!(std::io::stdout(), "{}", receipt.note)?;
            } else {
                object(format, &json!({ "schema": 1, "receipt": receipt.id, "seq": receipt.seq, "key": control.receipt_key()?, "note": receipt.note }))?;
            }
        }
        Consent::Verify { receipt, key } => return verify(&receipt, &key),
        Consent::Show { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let line = |(key, (standing, consent)): (&ConsentKey, &(Standing, Stands))| {
                vec![
                    json!(key.recipient),
                    json!(key.purpose),
                    json!(key.scope),
                    json!(consent.state),
                    json!(consent.superseded),
                    json!(standing.last.at),
                    json!(standing.valid_until),
                    json!(standing.notice.to_string()),
                ]
            };
            let standings = control.consent_show(subject).await?;
            let table: Vec<Vec<Value>> = standings.iter().map(line).collect();
            list(format, "choices", &["recipient", "purpose", "data", "state", "superseded", "since", "until", "notice"], &table)?;
        }
        Consent::History { subject } => {
            let subject = control.subject_find(&subject).await?.id;
            let history = control.consent_history(subject).await?;
            let headers = ["seq", "at", "action", "by", "recipient", "purpose", "data", "notice", "method", "recorded_at"];
            let table: Vec<Vec<Value>> = history.iter().map(cells).collect();
            list(format, "events", &headers, &table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(e: &ConsentEvent) -> Vec<Value> {
    vec![
        json!(e.seq),
        json!(e.order.at),
        json!(e.order.action),
        json!(e.actor),
        json!(e.key.recipient),
        json!(e.key.purpose),
        json!(e.key.scope),
        json!(e.notice.to_string()),
        json!(e.method),
        json!(e.recorded_at),
    ]
}

/// Checks a receipt; needs no deployment.
pub(crate) fn verify(receipt: &Path, key: &str) -> anyhow::Result<ExitCode> {
    let text = input::text(receipt, "the receipt")?;
    let key = std::fs::read_to_string(key).unwrap_or_else(|_| key.to_owned());
    match control_plane::receipt_open(&text, &key) {
        Ok(json) => {
            line(&json)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            note(&format!("NOT VERIFIED: {why}"));
            Ok(ExitCode::from(code::UNVERIFIED))
        }
    }
}

async fn choice(args: RecordConsent, deployment: &Deployment) -> anyhow::Result<Choice> {
    let subject = deployment.control.subject_find(&args.subject).await?.id;
    let notice = notice(deployment, &args.notice).await?;
    let key = ConsentKey { subject, recipient: args.recipient, purpose: args.purpose, scope: args.scope };
    let choice = Choice::now(key, args.action, notice, ConsentMethod::Operator);
    Ok(Choice {
        actor: args.by.unwrap_or(choice.actor),
        strength: Strength { explicit: args.explicit, parental: false, two_step: args.happened.two_step },
        language: args.language,
        at: args.happened.at,
        evidence: args.happened.evidence.as_deref().map(evidence).transpose()?,
        ..choice
    })
}

/// The digest of what proves a choice.
pub(crate) fn evidence(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("reading the evidence {}", path.display()))?;
    Ok(hex::encode(Sha256::digest(bytes)))
}

fn document(receipt: &Receipt) -> Value {
    let event = &receipt.event;
    json!({
        "schema": 1, "seq": event.seq, "audit_entry": receipt.entry, "subject": event.key.subject.0, "partner": event.key.recipient,
        "purpose": event.key.purpose, "scope": event.key.scope, "action": event.order.action, "notice": event.notice, "language": event.language,
        "at": event.order.at, "recorded_at": event.recorded_at, "valid_until": event.valid_until, "state": receipt.state, "late": receipt.late,
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
