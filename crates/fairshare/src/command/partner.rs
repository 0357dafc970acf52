//! `fairshare partner`.

use std::process::ExitCode;

use domain::agreement::PartnerAct;
use dp::Cost;
use serde_json::{Value, json};

use crate::cli::Partner;
use crate::deployment::Deployment;
use crate::output::{Format, list, number, object};

pub(crate) async fn partner(args: Partner, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    let (name, state) = match args {
        Partner::Add { name, legal_name, class, lifetime_rho, lifetime_delta } => {
            control.partner_add(&name, &legal_name, class.as_ref(), Cost { rho: lifetime_rho, delta: lifetime_delta }).await?;
            (name, domain::agreement::PartnerState::Proposed)
        }
        Partner::Describe { name, description } => return super::controller::describe(Some(&name), description, deployment, format).await,
        Partner::Approve { name } => {
            let state = control.partner_act(&name, PartnerAct::Approve).await?;
            (name, state)
        }
        Partner::Suspend { name } => {
            let state = control.partner_act(&name, PartnerAct::Suspend).await?;
            (name, state)
        }
        Partner::List => {
            let partners = control.partner_list().await?;
            let headers = ["partner", "legal_name", "class", "state", "rho_spent", "rho_left"];
            let table: Vec<Vec<Value>> =
                partners.iter().map(|p| vec![json!(p.name), json!(p.legal_name), json!(p.class), json!(p.state), number(p.budget.spent.rho), number(p.budget.left.rho)]).collect();
            list(format, "partners", &headers, &table)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    object(format, &json!({ "schema": 1, "partner": name, "state": state }))?;
    Ok(ExitCode::SUCCESS)
}
