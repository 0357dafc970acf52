//! `fairshare signal`: what a signal says, and what we make of it.

use std::collections::BTreeSet;
use std::process::ExitCode;

use ::signal::activitypub::SearchFlags;
use ::signal::gpp::GppString;
use ::signal::tcf::ConsentString;
use ::signal::user_intents::UserIntents;
use ::signal::{gpc, meaning};
use anyhow::Context as _;
use control_plane::Limit;
use domain::consent::{Actor, LimitAct, LimitKey, LimitKind, LimitSource};
use serde_json::{Value, json, to_value};
use sha2::{Digest, Sha256};

use crate::cli::{RecordSignal, SignalKind, SignalText};
use crate::deployment::Deployment;
use crate::output::{Format, object};

pub(crate) fn decode(signal: SignalText, format: Format) -> anyhow::Result<ExitCode> {
    let (name, says, narrows) = decoded(signal)?;
    let mut document = json!({ "schema": 1, "kind": name });
    if let (Some(document), Value::Object(says)) = (document.as_object_mut(), says) {
        document.extend(says);
        document.insert("narrows".to_owned(), to_value(narrows)?);
    }
    object(format, &document)?;
    Ok(ExitCode::SUCCESS)
}

/// Closes every purpose that a signal narrows. What it says of a part of a purpose closes the whole: the parts are not
/// told apart here.
pub(crate) async fn record(args: RecordSignal, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let RecordSignal { signal, subject, at } = args;
    let subject = deployment.control.subject_find(&subject).await?.id;
    let evidence = hex::encode(Sha256::digest(&signal.text));
    let source = match signal.kind {
        SignalKind::Tcf => LimitSource::Tcf,
        SignalKind::Gpp => LimitSource::Gpp,
        SignalKind::Gpc => LimitSource::Gpc,
        SignalKind::Activitypub => LimitSource::ActivityPub,
        SignalKind::UserIntents => LimitSource::UserIntents,
    };
    let (name, _, narrows) = decoded(signal)?;
    let words: BTreeSet<&str> = narrows.iter().flat_map(|narrowing| narrowing.purposes.iter().map(|purpose| purpose.word())).collect();
    let mut limits = Vec::with_capacity(words.len());
    for word in words {
        let key = LimitKey { subject, kind: LimitKind::OptOut, purpose: Some(word.parse()?), partner: None };
        limits.push(Limit { key, act: LimitAct::Set, actor: Actor::Subject, source, two_step: false, at, evidence: Some(evidence.clone()) });
    }
    let recorded = deployment.control.limit_record(&limits).await?;
    let closed: Vec<_> = recorded.iter().filter_map(|limit| limit.event.key.purpose).collect();
    object(format, &json!({ "schema": 1, "subject": subject.0, "kind": name, "closed": closed, "narrows": narrows, "evidence": evidence }))?;
    Ok(ExitCode::SUCCESS)
}

/// The kind, what it says, and what we make of it.
fn decoded(SignalText { kind, text, vendor }: SignalText) -> anyhow::Result<(&'static str, Value, Vec<meaning::Narrowing>)> {
    Ok(match kind {
        SignalKind::Tcf => {
            let consent = ConsentString::decode(&text)?;
            ("tcf", to_value(&consent)?, meaning::of_tcf(&consent, vendor))
        }
        SignalKind::Gpp => {
            let string = GppString::decode(&text)?;
            ("gpp", to_value(&string)?, meaning::of_gpp(&string, vendor))
        }
        SignalKind::Gpc => {
            let is_signal = gpc::is_signal(Some(&text));
            ("gpc", json!({ "is_signal": is_signal }), meaning::of_gpc(is_signal))
        }
        SignalKind::Activitypub => {
            let flags = SearchFlags::decode(&json_of(text)?)?;
            ("activitypub", to_value(&flags)?, meaning::of_search_flags(&flags))
        }
        SignalKind::UserIntents => {
            let intents = UserIntents::decode(&json_of(text)?)?;
            ("user-intents", to_value(&intents)?, meaning::of_user_intents(&intents, None))
        }
    })
}

/// JSON as it was given, or the text of the file that was named instead.
fn json_of(text: String) -> anyhow::Result<String> {
    if text.trim_start().starts_with('{') { Ok(text) } else { std::fs::read_to_string(&text).with_context(|| format!("cannot read {text}")) }
}
