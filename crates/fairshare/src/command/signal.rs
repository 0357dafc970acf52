//! `fairshare signal`: what a signal says. Needs no deployment.

use std::process::ExitCode;

use ::signal::{gpc, gpp::GppString, tcf::ConsentString};
use serde_json::{Value, json};

use crate::cli::{Signal, SignalKind};
use crate::output::{Format, object};

pub(crate) fn signal(args: Signal, format: Format) -> anyhow::Result<ExitCode> {
    let Signal::Decode { kind, text } = args;
    let (name, says): (&str, Value) = match kind {
        SignalKind::Tcf => ("tcf", serde_json::to_value(ConsentString::decode(&text)?)?),
        SignalKind::Gpp => ("gpp", serde_json::to_value(GppString::decode(&text)?)?),
        SignalKind::Gpc => ("gpc", json!({ "is_signal": gpc::is_signal(Some(&text)) })),
    };
    let mut document = json!({ "schema": 1, "kind": name });
    if let (Some(document), Value::Object(says)) = (document.as_object_mut(), says) {
        document.extend(says);
    }
    object(format, &document)?;
    Ok(ExitCode::SUCCESS)
}
