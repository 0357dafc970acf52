//! Individual accounting: what each release cost each person, and who has no room left.
//!
//! ```text
//! open    (with the reservation)  everybody eligible is kept, encrypted, as who pays if it fails
//! settle  (with the outcome)      the people who took part take their place
//! fold    (after it)              old sets are added to each person's loss; past their retention they go
//! ```
//!
//! A person's loss of a year is what is folded plus the sets that are not, plus what was added when two
//! ids turned out to be theirs. The filter that uses it and
//! its proof are in `dp::filter`.

mod cap;
mod eligible;
mod fold;
mod joint;
mod loss;
mod meter;
mod participants;
mod seal;
mod verify;

pub use meter::{Counted, Meter};

pub(crate) use cap::{cap_of, choose};
pub(crate) use eligible::within_caps;
pub(crate) use fold::fold;
pub(crate) use joint::{Joined, join};
pub(crate) use participants::{Settlement, open, settle};
pub(crate) use seal::Seal;
pub(crate) use verify::first_wrong;

use chrono::Datelike;
use domain::Timestamp;
use dp::{Cost, Delta, Rho};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::store::from_i64;

/// The year whose caps a release that starts at `at` counts against (UTC).
fn year_of(at: Timestamp) -> i32 {
    at.year()
}

/// The cost in two columns of a row.
pub(crate) fn cost_of(row: &SqliteRow, rho: usize) -> Result<Cost, Error> {
    Ok(Cost { rho: Rho::from_nano(from_i64(row.try_get(rho)?)?), delta: Delta::from_atto(from_i64(row.try_get(rho + 1)?)?) })
}

/// What all releases that have started and not ended cost together, whoever is in them.
async fn in_flight(connection: &mut SqliteConnection) -> Result<Cost, Error> {
    let open = "SELECT r.rho, r.delta FROM release_reservation r WHERE NOT EXISTS (SELECT 1 FROM release_outcome o WHERE o.release = r.release)";
    sum(sqlx::query(open).fetch_all(connection).await?.iter())
}

/// What each person lost in releases of `year` that left no set of people behind: as after the
/// restore of a store that is older than the log, everybody is charged.
async fn charged_to_all(connection: &mut SqliteConnection, year: i32) -> Result<Cost, Error> {
    let lost = "SELECT r.rho, r.delta FROM release_reservation r WHERE substr(r.at, 1, 4) = ? AND NOT EXISTS (SELECT 1 FROM participant_set p WHERE p.release = r.release)";
    sum(sqlx::query(lost).bind(format!("{year:04}")).fetch_all(connection).await?.iter())
}

/// The part of it that was settled among the first `settled`.
async fn settled_to_all(connection: &mut SqliteConnection, year: i32, settled: i64) -> Result<Cost, Error> {
    let lost = "SELECT r.rho, r.delta FROM release_reservation r JOIN release_outcome o USING (release) WHERE substr(r.at, 1, 4) = ? AND o.settled <= ? AND NOT EXISTS (SELECT 1 FROM participant_set p WHERE p.release = r.release)";
    sum(sqlx::query(lost).bind(format!("{year:04}")).bind(settled).fetch_all(connection).await?.iter())
}

fn sum<'a>(rows: impl Iterator<Item = &'a SqliteRow>) -> Result<Cost, Error> {
    rows.map(|row| cost_of(row, 0)).try_fold(Cost::ZERO, |sum, cost| Ok(sum.saturating_add(cost?)))
}
