//! `fairshare budget`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::Budget;
use crate::deployment::Deployment;
use crate::output::{Format, number, rows};

pub(crate) async fn budget(args: Budget, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Budget::Show = args;
    let headers = ["scope", "rho_spent", "rho_left", "delta_spent", "delta_left"];
    let lines = deployment.control.budget_show().await?;
    let table: Vec<Vec<Value>> = lines
        .iter()
        .map(|l| vec![json!(l.scope), number(l.balance.spent.rho), number(l.balance.left.rho), json!(l.balance.spent.delta.to_string()), json!(l.balance.left.delta.to_string())])
        .collect();
    let objects: Vec<Value> = table.iter().map(|row| headers.iter().map(|h| (*h).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()).collect();
    rows(format, &headers, &table, &json!({ "schema": 1, "budgets": objects }))?;
    Ok(ExitCode::SUCCESS)
}
