//! Who of the permitted has room left under their own cap.

use domain::{ReleaseId, SubjectSet, Timestamp};
use dp::{Cost, filter};
use sqlx::{Row, SqliteConnection};

use super::cap::Caps;
use super::joint::Additions;
use super::loss::{self, Losses};
use super::{charged_to_all, cost_of, in_flight, participants, sum, year_of};
use crate::Error;
use crate::plane::Inner;
use crate::store::parse_word;

/// The permitted people for whom settled loss + everything in flight + `cost` is within their cap of
/// the year. Must be called before the reservation of the release itself is written.
///
/// # Guarantee
/// Whether somebody is in it depends on their own loss and cap and on sums over whole releases, never
/// on another person (`dp::filter`, proof).
pub(crate) async fn within_caps(tx: &mut SqliteConnection, inner: &Inner, permitted: SubjectSet, cost: Cost, at: Timestamp) -> Result<SubjectSet, Error> {
    let year = year_of(at);
    let (caps, in_flight) = (Caps::read(tx).await?, in_flight(tx).await?);
    let additions = Additions::read(tx, inner, year).await?;
    // Nobody lost more than all releases of the year together, and what was added.
    if filter::fits(spent_in(tx, year).await?.saturating_add(additions.total()), in_flight, cost, caps.lowest()) {
        return Ok(permitted);
    }
    let to_all = charged_to_all(tx, year).await?;
    let unfolded = unfolded(tx, inner, year).await?;
    let mut within = SubjectSet::new();
    for chunk in loss::chunks(&permitted) {
        let mut losses = Losses::folded(tx, inner, year, chunk).await?;
        for Charged { set, cost, .. } in &unfolded {
            losses.charge(chunk, set, *cost);
        }
        let first = chunk * loss::CHUNK;
        for id in permitted.as_bitmap().range(first..=first + (loss::CHUNK - 1)) {
            let subject = domain::SubjectId(id);
            if filter::fits(losses.of(subject).saturating_add(to_all).saturating_add(additions.of(subject)), in_flight, cost, caps.of(subject)) {
                within.insert(subject);
            }
        }
    }
    Ok(within)
}

/// What the settled releases of a year cost together, whoever was in them.
async fn spent_in(tx: &mut SqliteConnection, year: i32) -> Result<Cost, Error> {
    let settled = "SELECT r.rho, r.delta FROM release_reservation r JOIN release_outcome o USING (release) WHERE substr(r.at, 1, 4) = ?";
    sum(sqlx::query(settled).bind(format!("{year:04}")).fetch_all(tx).await?.iter())
}

/// A settled release whose charge is not in anybody's folded loss yet.
pub(super) struct Charged {
    pub(super) release: ReleaseId,
    pub(super) set: SubjectSet,
    pub(super) cost: Cost,
}

/// The releases of `year` that are settled and not folded, in the order of their settlement.
pub(super) async fn unfolded(tx: &mut SqliteConnection, inner: &Inner, year: i32) -> Result<Vec<Charged>, Error> {
    let rows = sqlx::query(
        "SELECT p.release, p.sealed, r.rho, r.delta FROM participant_set p JOIN release_reservation r USING (release) WHERE p.year = ? AND p.folded = 0 AND p.settled IS NOT NULL ORDER BY p.settled",
    )
    .bind(year)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let release: ReleaseId = parse_word(row.try_get(0)?)?;
            let set = participants::opened(&inner.seal, &release, row.try_get(1)?)?;
            Ok(Charged { release, set, cost: cost_of(row, 2)? })
        })
        .collect()
}
