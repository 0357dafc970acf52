//! `fairshare audit`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::Audit;
use crate::deployment::Deployment;
use crate::failure::code;
use crate::output::{Format, line, note, object};

pub(crate) async fn audit(args: Audit, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Audit::Verify => {
            let report = deployment.control.audit_verify(Some(&deployment.lake)).await?;
            object(
                format,
                &json!({ "schema": 1, "entries": report.entries, "root": report.root, "checkpoint": report.checkpoint, "verified": report.verified, "bad": report.bad }),
            )?;
            if let Some(bad) = &report.bad {
                let entry = bad.entry.map_or_else(String::new, |e| format!(" at entry {e}"));
                note(&format!("NOT VERIFIED{entry}: {}", bad.what));
                return Ok(ExitCode::from(code::UNVERIFIED));
            }
        }
        Audit::Checkpoint => {
            let note = deployment.control.audit_checkpoint().await?;
            if format == Format::Json {
                object(format, &json!({ "schema": 1, "key": deployment.control.verifier_key(), "checkpoint": note }))?;
            } else {
                line(note.trim_end())?;
            }
        }
        Audit::Prove { entry } => {
            let proof = deployment.control.audit_prove(entry).await?;
            // A proof is for programs, whatever the format.
            object(Format::Json, &json!({ "schema": 1, "key": deployment.control.verifier_key(), "proof": proof }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
