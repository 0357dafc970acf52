//! Contracts with partners: what for, how much, until when.

use chrono::NaiveDate;
use dp::{Cost, Rho};
use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, RefusalCode};
use crate::{AgreementName, PartnerName, Purpose};

/// What was agreed. Terms never change; a change is a new agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementTerms {
    /// The agreement.
    pub name: AgreementName,
    /// With whom.
    pub partner: PartnerName,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// Privacy loss that all releases under it may cost together.
    pub lifetime: Cost,
    /// Privacy loss that the releases of one calendar month (UTC) may cost together.
    pub window: Rho,
    /// First day on which it can be used.
    pub starts: NaiveDate,
    /// Last day on which it can be used.
    pub expires: NaiveDate,
}

crate::words! {
    /// What was done with an agreement.
    pub enum AgreementAct("agreement act") {
        /// Written down.
        Add = "add",
        /// Signed off by the operator.
        Approve = "approve",
        /// Put into force.
        Activate = "activate",
        /// Stopped for good.
        End = "end",
    }
}

crate::words! {
    /// Where an agreement stands. Data is reached only in [`AgreementState::Active`].
    pub enum AgreementState("agreement state") {
        /// Written down, not signed off.
        Draft = "draft",
        /// Signed off, not in force.
        Approved = "approved",
        /// In force.
        Active = "active",
        /// Over.
        Ended = "ended",
    }
}

impl AgreementState {
    /// The state after `act`, or a refusal if the state does not allow it.
    ///
    /// # Errors
    /// [`RefusalCode::State`] with the acts that are possible.
    pub fn after(state: Option<Self>, act: AgreementAct) -> Result<Self, Refusal> {
        match (state, act) {
            (None, AgreementAct::Add) => Ok(Self::Draft),
            (Some(Self::Draft), AgreementAct::Approve) => Ok(Self::Approved),
            (Some(Self::Approved), AgreementAct::Activate) => Ok(Self::Active),
            (Some(Self::Draft | Self::Approved | Self::Active), AgreementAct::End) => Ok(Self::Ended),
            (state, act) => {
                let now = state.map_or("does not exist", Self::as_str);
                let hint = match state {
                    None => "add it first: fairshare agreement add",
                    Some(Self::Draft) => "approve it first: fairshare agreement approve",
                    Some(Self::Approved) => "activate it: fairshare agreement activate",
                    Some(Self::Active) => "an active agreement can only be ended",
                    Some(Self::Ended) => "an ended agreement stays ended; add a new one",
                };
                Err(Refusal::new(RefusalCode::State, format!("cannot {act} an agreement that is {now}")).hint(hint))
            }
        }
    }
}

crate::words! {
    /// What was done with a partner.
    pub enum PartnerAct("partner act") {
        /// Written down.
        Add = "add",
        /// Approved as a recipient.
        Approve = "approve",
        /// Stopped for now.
        Suspend = "suspend",
    }
}

crate::words! {
    /// Where a partner stands.
    pub enum PartnerState("partner state") {
        /// Written down, not approved.
        Proposed = "proposed",
        /// An approved recipient.
        Approved = "approved",
        /// Stopped for now.
        Suspended = "suspended",
    }
}

impl PartnerState {
    /// The state after `act`, or a refusal if the state does not allow it.
    ///
    /// # Errors
    /// [`RefusalCode::State`].
    pub fn after(state: Option<Self>, act: PartnerAct) -> Result<Self, Refusal> {
        match (state, act) {
            (None, PartnerAct::Add) => Ok(Self::Proposed),
            (Some(Self::Proposed | Self::Suspended), PartnerAct::Approve) => Ok(Self::Approved),
            (Some(Self::Proposed | Self::Approved), PartnerAct::Suspend) => Ok(Self::Suspended),
            (state, act) => {
                let now = state.map_or("does not exist", Self::as_str);
                Err(Refusal::new(RefusalCode::State, format!("cannot {act} a partner that is {now}")))
            }
        }
    }
}
