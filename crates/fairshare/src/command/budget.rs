//! `fairshare budget`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Budget;
use crate::deployment::Deployment;
use crate::output::{Format, list, number};

pub(crate) async fn budget(args: Budget, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Budget::Show = args;
    let headers = ["scope", "rho_spent", "rho_left", "delta_spent", "delta_left"];
    let lines = deployment.control.budget_show().await?;
    let table: Vec<Vec<Value>> = lines
        .iter()
        .map(|l| vec![json!(l.scope), number(l.balance.spent.rho), number(l.balance.left.rho), json!(l.balance.spent.delta.to_string()), json!(l.balance.left.delta.to_string())])
        .collect();
    list(format, "budgets", &headers, &table)?;
    Ok(ExitCode::SUCCESS)
}
