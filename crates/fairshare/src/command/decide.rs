//! `fairshare decide`.

use std::process::ExitCode;

use domain::consent::ConsentKey;
use serde_json::json;

use crate::cli::Decide;
use crate::deployment::Deployment;
use crate::failure::code;
use crate::output::{Format, line, object};

pub(crate) async fn decide(args: Decide, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let subject = deployment.control.subject_find(&args.subject).await?.id;
    let decided = deployment.control.decide(&ConsentKey { subject, partner: args.partner, purpose: args.purpose }).await?;
    let word = if decided.decision.permit { "permit" } else { "deny" };
    if format == Format::Table {
        line(word)?;
        for reason in &decided.decision.reasons {
            line(&format!("  {} ({}, {})", reason.text, reason.rule, reason.source))?;
        }
    } else {
        object(format, &json!({ "schema": 1, "decision": word, "reasons": decided.decision.reasons, "as_of": decided.as_of, "seq": decided.seq }))?;
    }
    Ok(if decided.decision.permit { ExitCode::SUCCESS } else { ExitCode::from(code::REFUSED) })
}
