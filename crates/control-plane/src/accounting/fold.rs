//! Old sets become losses, and go when their retention ends.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::eligible::{Charged, unfolded};
use super::loss::{self, Losses};
use super::year_of;
use crate::Error;
use crate::plane::Inner;
use crate::store::time_text;

/// So many sets of a year are added up at every start of a release before they are folded.
const UNFOLDED_MAX: i64 = 32;

/// How long the set of a release is kept: so long can a person see that this release counted them.
const RETENTION: TimeDelta = TimeDelta::days(90);

/// Folds when enough has come together, and forgets the sets whose retention has ended.
///
/// # Guarantee
/// Folding changes nobody's loss: what leaves the sum of sets enters the sum of losses in the same
/// transaction. A set is forgotten only after it was folded.
pub(crate) async fn fold(tx: &mut SqliteConnection, inner: &Inner, now: Timestamp) -> Result<(), Error> {
    let before = time_text(now - RETENTION);
    let due =
        "SELECT p.year FROM participant_set p JOIN release_outcome o USING (release) WHERE p.folded = 0 GROUP BY p.year HAVING count(*) >= ?1 OR min(o.at) < ?2 OR p.year < ?3";
    for row in sqlx::query(due).bind(UNFOLDED_MAX).bind(&before).bind(year_of(now)).fetch_all(&mut *tx).await? {
        fold_year(tx, inner, row.try_get(0)?).await?;
    }
    sqlx::query("UPDATE participant_set SET sealed = NULL WHERE folded = 1 AND sealed IS NOT NULL AND release IN (SELECT release FROM release_outcome WHERE at < ?)")
        .bind(before)
        .execute(tx)
        .await?;
    Ok(())
}

async fn fold_year(tx: &mut SqliteConnection, inner: &Inner, year: i32) -> Result<(), Error> {
    let charged = unfolded(tx, inner, year).await?;
    let touched: BTreeSet<u32> = charged.iter().flat_map(|c| loss::chunks(&c.set)).collect();
    for chunk in touched {
        let mut losses = Losses::folded(tx, inner, year, chunk).await?;
        for Charged { set, cost, .. } in &charged {
            losses.charge(chunk, set, *cost);
        }
        losses.keep(tx, inner, year, chunk).await?;
    }
    for Charged { release, .. } in charged {
        sqlx::query("UPDATE participant_set SET folded = 1 WHERE release = ?").bind(release.as_str()).execute(&mut *tx).await?;
    }
    Ok(())
}
