//! Releases: plan (free) → reserve (durable) → run → commit the answer → send. Never refunded.

mod quote;
mod recover;
mod reserve;
mod run;

use domain::question::Question;
use domain::{AgreementName, PartnerName, Purpose, ReleaseId, Timestamp};
use dp::{Cost, Delta, Rho};
use serde::Serialize;
use sqlx::Row;

use crate::store::{from_i64, parse_time, parse_word};
use crate::{ControlPlane, Error};

/// What a partner asks.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks.
    pub partner: PartnerName,
    /// What for.
    pub purpose: Purpose,
    /// Under which agreement; the only one that covers the purpose when none is named.
    pub agreement: Option<AgreementName>,
    /// The question.
    pub question: Question,
    /// Whether to pay again for a question that was answered today.
    pub fresh: bool,
}

/// A release as the operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ReleaseInfo {
    /// Its id.
    pub id: ReleaseId,
    /// Who asked.
    pub partner: PartnerName,
    /// Under which agreement.
    pub agreement: AgreementName,
    /// What for.
    pub purpose: Purpose,
    /// What it cost.
    pub cost: Cost,
    /// When it started.
    pub at: Timestamp,
    /// `running`, `answered` or `abandoned`.
    pub state: String,
}

impl ControlPlane {
    /// Releases, oldest first, of one partner or all.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn release_list(&self, partner: Option<&PartnerName>) -> Result<Vec<ReleaseInfo>, Error> {
        let rows = sqlx::query("SELECT r.release, r.partner, r.agreement, r.purpose, r.rho, r.delta, r.at, coalesce(o.outcome, 'running') FROM release_reservation r LEFT JOIN release_outcome o USING (release) WHERE ?1 IS NULL OR r.partner = ?1 ORDER BY r.id")
            .bind(partner.map(PartnerName::as_str))
            .fetch_all(self.inner.store.reader())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ReleaseInfo {
                    id: parse_word(row.try_get(0)?)?,
                    partner: parse_word(row.try_get(1)?)?,
                    agreement: parse_word(row.try_get(2)?)?,
                    purpose: parse_word(row.try_get(3)?)?,
                    cost: Cost { rho: Rho::from_nano(from_i64(row.try_get(4)?)?), delta: Delta::from_atto(from_i64(row.try_get(5)?)?) },
                    at: parse_time(row.try_get(6)?)?,
                    state: row.try_get(7)?,
                })
            })
            .collect()
    }
}
