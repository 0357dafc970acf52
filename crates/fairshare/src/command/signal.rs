//! `fairshare signal`: what a signal says, and what we make of it. Needs no deployment.

use std::process::ExitCode;

use ::signal::activitypub::SearchFlags;
use ::signal::gpp::GppString;
use ::signal::tcf::ConsentString;
use ::signal::user_intents::UserIntents;
use ::signal::{gpc, meaning};
use anyhow::Context as _;
use serde_json::{Value, json, to_value};

use crate::cli::{Signal, SignalKind};
use crate::output::{Format, object};

pub(crate) fn signal(args: Signal, format: Format) -> anyhow::Result<ExitCode> {
    let Signal::Decode { kind, text, vendor } = args;
    let (name, says, narrows) = match kind {
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
    };
    let mut document = json!({ "schema": 1, "kind": name });
    if let (Some(document), Value::Object(says)) = (document.as_object_mut(), says) {
        document.extend(says);
        document.insert("narrows".to_owned(), to_value(narrows)?);
    }
    object(format, &document)?;
    Ok(ExitCode::SUCCESS)
}

/// JSON as it was given, or the text of the file that was named instead.
fn json_of(text: String) -> anyhow::Result<String> {
    if text.trim_start().starts_with('{') { Ok(text) } else { std::fs::read_to_string(&text).with_context(|| format!("cannot read {text}")) }
}
