//! `fairshare release`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Release;
use crate::deployment::Deployment;
use crate::output::{Format, list, number};

pub(crate) async fn release(args: Release, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Release::List { partner } = args;
    let releases = deployment.control.release_list(partner.as_ref()).await?;
    let headers = ["release", "at", "partner", "agreement", "purpose", "rho", "state"];
    let table: Vec<Vec<Value>> =
        releases.iter().map(|r| vec![json!(r.id), json!(r.at), json!(r.partner), json!(r.agreement), json!(r.purpose), number(r.cost.rho), json!(r.state)]).collect();
    list(format, "releases", &headers, &table)?;
    Ok(ExitCode::SUCCESS)
}
