//! `fairshare agreement`.

use std::process::ExitCode;

use chrono::Months;
use control_plane::AgreementInfo;
use domain::agreement::{AgreementAct, AgreementTerms};
use domain::port::Clock;
use dp::{Cost, Delta};
use serde_json::{Value, json};

use crate::cli::Agreement;
use crate::deployment::{Deployment, SystemClock};
use crate::output::{Format, number, object, rows};

pub(crate) async fn agreement(args: Agreement, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let control = &deployment.control;
    let name = match args {
        Agreement::Add { name, partner, purpose, rho, delta, window, starts, expires } => {
            let starts = starts.unwrap_or_else(|| SystemClock.now().date_naive());
            let expires = expires.or_else(|| starts.checked_add_months(Months::new(12))).unwrap_or(starts);
            let terms = AgreementTerms { name: name.clone(), partner, purposes: purpose, lifetime: Cost { rho, delta }, window: window.unwrap_or(rho), starts, expires };
            control.agreement_add(&terms).await?;
            name
        }
        Agreement::Approve { name } => {
            control.agreement_act(&name, AgreementAct::Approve).await?;
            name
        }
        Agreement::Activate { name } => {
            control.agreement_act(&name, AgreementAct::Activate).await?;
            name
        }
        Agreement::End { name } => {
            control.agreement_act(&name, AgreementAct::End).await?;
            name
        }
        Agreement::Show { name } => name,
        Agreement::List => {
            let agreements = control.agreement_list().await?;
            let headers = ["agreement", "partner", "state", "purposes", "starts", "expires", "rho_spent", "rho_left", "window_rho_left"];
            let cells = |a: &AgreementInfo| {
                vec![
                    json!(a.terms.name),
                    json!(a.terms.partner),
                    json!(a.state),
                    json!(a.terms.purposes),
                    json!(a.terms.starts),
                    json!(a.terms.expires),
                    number(a.lifetime.spent.rho),
                    number(a.lifetime.left.rho),
                    number(a.window.left.rho),
                ]
            };
            let table: Vec<Vec<Value>> = agreements.iter().map(cells).collect();
            rows(format, &headers, &table, &json!({ "schema": 1, "agreements": agreements.iter().map(document).collect::<Vec<_>>() }))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    object(format, &document(&control.agreement_show(&name).await?))?;
    Ok(ExitCode::SUCCESS)
}

/// An agreement; its budget also as the (ε, δ) that it amounts to.
fn document(agreement: &AgreementInfo) -> Value {
    let AgreementInfo { terms, state, lifetime, window } = agreement;
    let at = terms.lifetime.delta.checked_add(Delta::LIFETIME).unwrap_or(Delta::LIFETIME);
    json!({
        "schema": 1, "agreement": terms.name, "partner": terms.partner, "state": state, "purposes": terms.purposes,
        "starts": terms.starts, "expires": terms.expires,
        "rho": number(terms.lifetime.rho), "delta": number(terms.lifetime.delta),
        "epsilon": dp::epsilon(terms.lifetime, at), "epsilon_at_delta": number(at),
        "rho_spent": number(lifetime.spent.rho), "rho_left": number(lifetime.left.rho), "window_rho_left": number(window.left.rho),
    })
}
