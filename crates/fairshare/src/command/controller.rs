//! `fairshare controller`, and who partners are.

use std::process::ExitCode;

use domain::PartnerName;
use domain::party::Party;
use serde_json::json;

use crate::cli::{Controller, Description};
use crate::deployment::Deployment;
use crate::output::{Format, object};

pub(crate) async fn controller(args: Controller, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    match args {
        Controller::Describe(description) => describe(None, description, deployment, format).await,
        Controller::Show => {
            object(format, &json!({ "schema": 1, "controller": deployment.control.party_show(None).await? }))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes down who the controller or a partner is.
pub(super) async fn describe(partner: Option<&PartnerName>, description: Description, deployment: &Deployment, format: Format) -> anyhow::Result<ExitCode> {
    let Description { legal_name, address, country, email, url, officer, authority } = description;
    let party = Party { legal_name, address, country, email, url, officer, authority };
    deployment.control.party_describe(partner, &party).await?;
    object(format, &json!({ "schema": 1, "partner": partner, "described": party }))?;
    Ok(ExitCode::SUCCESS)
}
