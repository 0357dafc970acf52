//! What one person lost, and which releases counted them.

use domain::{PartnerName, Purpose, ReleaseId, SubjectId, Timestamp};
use dp::Cost;
use serde::Serialize;
use sqlx::Row;

use super::cap::cap_of;
use super::joint::{counted, loss_of};
use super::{cost_of, in_flight, participants, year_of};
use crate::store::{parse_time, parse_word};
use crate::{ControlPlane, Error};

/// A release that counted the person. Never says what was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counted {
    /// The release.
    pub release: ReleaseId,
    /// When it started.
    pub at: Timestamp,
    /// Who asked.
    pub partner: PartnerName,
    /// What for.
    pub purpose: Purpose,
    /// What it cost the person: k² times its price, when it counted k ids of theirs.
    pub cost: Cost,
    /// Whether there was an answer; one without is charged to everybody who could have been counted.
    pub answered: bool,
}

/// One person's meter. For that person alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Meter {
    /// Whose.
    pub subject: SubjectId,
    /// The year it counts.
    pub year: i32,
    /// How much they may lose in it.
    pub cap: Cost,
    /// Whether they chose the cap themselves.
    pub chosen: bool,
    /// How much they lost in it.
    pub loss: Cost,
    /// What the releases cost that are being answered now; none of them may count this person.
    pub in_flight: Cost,
    /// The releases that counted them, newest first, as far back as that is kept.
    pub releases: Vec<Counted>,
}

impl ControlPlane {
    /// A person's meter of the current year, over all ids that they have.
    ///
    /// # Errors
    /// Not found; a fault of the store.
    pub async fn subject_meter(&self, subject: SubjectId) -> Result<Meter, Error> {
        let (inner, year) = (&self.inner, year_of(self.now()));
        let mut tx = inner.store.snapshot().await?;
        let subject = crate::subject::resolve(&mut tx, subject).await?;
        crate::subject::person(&mut tx, subject).await?;
        let ids = crate::subject::ids_of(&mut tx, subject).await?;
        let (cap, chosen) = cap_of(&mut tx, subject).await?;
        let loss = loss_of(&mut tx, inner, year, subject).await?;
        let in_flight = in_flight(&mut tx).await?;
        let kept = sqlx::query(
            "SELECT p.release, p.sealed, r.at, r.partner, r.purpose, r.rho, r.delta, o.outcome FROM participant_set p JOIN release_reservation r USING (release) JOIN release_outcome o USING (release) WHERE p.sealed IS NOT NULL AND p.settled IS NOT NULL ORDER BY r.id DESC",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut releases = Vec::new();
        for row in kept {
            let release: ReleaseId = parse_word(row.try_get(0)?)?;
            let set = participants::opened(&inner.seal, &release, row.try_get(1)?)?;
            let ids = ids.iter().filter(|id| set.contains(**id)).count();
            if ids > 0 {
                let outcome: String = row.try_get(7)?;
                releases.push(Counted {
                    release,
                    at: parse_time(row.try_get(2)?)?,
                    partner: parse_word(row.try_get(3)?)?,
                    purpose: parse_word(row.try_get(4)?)?,
                    cost: counted(cost_of(&row, 5)?, ids),
                    answered: outcome == "answered",
                });
            }
        }
        Ok(Meter { subject, year, cap, chosen, loss, in_flight, releases })
    }
}
