//! Whether the accounts of people are what releases and choices lead to.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ReleaseId, SubjectSet};
use dp::Cost;
use sqlx::{Row, SqliteConnection};

use super::loss::{self, Losses};
use super::{cost_of, joint, participants};
use crate::Error;
use crate::plane::Inner;
use crate::reconcile::Lost;
use crate::store::parse_word;

/// The kept sets of folded releases with their costs, by year.
type Folded = BTreeMap<i32, Vec<(SubjectSet, Cost)>>;

/// Recomputes commitments, folded losses and caps; tells the first thing that differs.
///
/// Losses can be recomputed as far as the sets of people are kept; where some are gone, nobody's loss
/// may be lower than what the kept ones add up to.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection, inner: &Inner, lost: &Lost) -> Result<Option<String>, Error> {
    let rows = sqlx::query(
        "SELECT r.release, r.rho, r.delta, o.participants, o.settled, p.sealed, p.folded, p.year, p.settled, r.id, o.id FROM release_reservation r LEFT JOIN release_outcome o USING (release) LEFT JOIN participant_set p USING (release) ORDER BY r.id",
    )
    .fetch_all(&mut *tx)
    .await?;
    let (mut folded, mut incomplete): (Folded, BTreeSet<i32>) = (Folded::new(), BTreeSet::new());
    let mut order = BTreeSet::new();
    for row in &rows {
        let release: ReleaseId = parse_word(row.try_get(0)?)?;
        let Some(commitment) = row.try_get::<Option<String>, _>(3)? else { continue };
        let settled: i64 = row.try_get(4)?;
        order.insert(settled);
        // A release that was put back has no set, and charges everybody; one whose outcome was put back
        // charges everybody who was eligible.
        let (without_set, everybody) = (lost.contains("release_reservation", row.try_get(9)?), lost.contains("release_outcome", row.try_get(10)?));
        if without_set && row.try_get::<Option<i32>, _>(7)?.is_none() {
            continue;
        }
        if row.try_get::<Option<i64>, _>(8)? != Some(settled) {
            return Ok(Some(format!("the people whom release {release} charges are missing")));
        }
        let (sealed, is_folded, year): (Option<Vec<u8>>, bool, i32) = (row.try_get(5)?, row.try_get(6)?, row.try_get(7)?);
        match sealed {
            None if is_folded => {
                incomplete.insert(year);
            }
            None => return Ok(Some(format!("the people whom release {release} charges are missing"))),
            Some(sealed) => {
                let Ok(bytes) = inner.seal.open(&participants::place(&release), &sealed) else {
                    return Ok(Some(format!("the people whom release {release} charges cannot be read")));
                };
                if !everybody && inner.seal.commit(&participants::place(&release), &bytes) != commitment {
                    return Ok(Some(format!("the people whom release {release} charges are not those it was settled with")));
                }
                if is_folded {
                    folded.entry(year).or_default().push((participants::from_bytes(&bytes)?, cost_of(row, 1)?));
                }
            }
        }
    }
    let counter: i64 = sqlx::query("SELECT value FROM counter WHERE name = 'settled'").fetch_one(&mut *tx).await?.try_get(0)?;
    if !order.iter().copied().eq(1..=counter) {
        return Ok(Some("the order of settlements has a gap".to_owned()));
    }
    if let bad @ Some(_) = losses(tx, inner, &folded, &incomplete).await? {
        return Ok(bad);
    }
    if let bad @ Some(_) = joint::first_wrong(tx, inner, lost).await? {
        return Ok(bad);
    }
    let differing = "SELECT count(*) FROM (SELECT subject_id, rho_cap, delta_cap FROM cap_choice WHERE id IN (SELECT max(id) FROM cap_choice GROUP BY subject_id)) n FULL JOIN subject_cap c USING (subject_id) WHERE n.rho_cap IS NOT c.rho_cap OR n.delta_cap IS NOT c.delta_cap";
    let differing: i64 = sqlx::query(differing).fetch_one(tx).await?.try_get(0)?;
    Ok((differing > 0).then(|| "the caps of people are not what they chose".to_owned()))
}

async fn losses(tx: &mut SqliteConnection, inner: &Inner, folded: &Folded, incomplete: &BTreeSet<i32>) -> Result<Option<String>, Error> {
    let mut chunks: BTreeSet<(i32, u32)> =
        folded.iter().flat_map(|(&year, sets)| sets.iter().flat_map(move |(set, _)| loss::chunks(set).into_iter().map(move |c| (year, c)))).collect();
    for row in sqlx::query("SELECT year, chunk FROM loss_chunk").fetch_all(&mut *tx).await? {
        chunks.insert((row.try_get(0)?, row.try_get(1)?));
    }
    for (year, chunk) in chunks {
        let mut expected = Losses::default();
        for (set, cost) in folded.get(&year).into_iter().flatten() {
            expected.charge(chunk, set, *cost);
        }
        let Ok(kept) = Losses::folded(tx, inner, year, chunk).await else { return Ok(Some(format!("the losses of {year} cannot be read"))) };
        let right = kept.covers(&expected) && (incomplete.contains(&year) || expected.covers(&kept));
        if !right {
            return Ok(Some(format!("the losses of {year} are not what its releases add up to")));
        }
    }
    Ok(None)
}
