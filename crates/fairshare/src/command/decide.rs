//! `fairshare decide`.

use std::process::ExitCode;

use control_plane::Case;
use domain::consent::Effect;
use serde_json::json;

use crate::cli::Decide;
use crate::deployment::Deployment;
use crate::failure::code;
use crate::output::{Format, line, object};

pub(crate) async fn decide(args: Decide, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let person = deployment.control.subject_find(&args.subject).await?;
    let case = Case { subject: person.id, partner: args.partner, purpose: args.purpose, scope: args.scope };
    let decided = deployment.control.decide(&case).await?;
    let word = |permit: bool| if permit { "permit" } else { "deny" };
    let permit = decided.permit();
    if format == Format::Table {
        line(word(permit))?;
        for reason in decided.reasons() {
            let sign = match reason.effect {
                Effect::Deny => "✗",
                Effect::Met => "✓",
                Effect::Permit => "→",
            };
            line(&format!("  {sign} {} ({}, {})", reason.text, reason.rule, reason.source))?;
            if let Some(remedy) = &reason.remedy {
                line(&format!("      what would change it: {remedy}"))?;
            }
        }
        let parts: Vec<String> = decided.parts.iter().map(|(part, decision)| format!("{part} {}", word(decision.permit))).collect();
        line(&format!("  data: {}; law of: {}", parts.join(", "), person.residence))?;
    } else {
        let data: serde_json::Map<_, _> = decided.parts.iter().map(|(part, decision)| (part.to_string(), json!(word(decision.permit)))).collect();
        let document = json!({
            "schema": 1, "decision": word(permit), "reasons": decided.reasons(), "data": data, "residence": person.residence,
            "as_of": decided.as_of, "seq": decided.seq
        });
        object(format, &document)?;
    }
    Ok(if permit { ExitCode::SUCCESS } else { ExitCode::from(code::REFUSED) })
}
