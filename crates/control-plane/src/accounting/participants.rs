//! The set of people whom a release charges.

use domain::{Fault, ReleaseId, SubjectSet, Timestamp};
use roaring::RoaringBitmap;
use sqlx::{Row, SqliteConnection};

use super::{Seal, year_of};
use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{from_i64, to_i64};

/// How a release was settled.
pub(crate) struct Settlement {
    /// Its place in the order of settlements.
    pub(crate) settled: u64,
    /// Commitment to the people who are charged.
    pub(crate) commitment: String,
}

/// Where a release's set is kept, for its seal.
pub(super) fn place(release: &ReleaseId) -> String {
    format!("participants/{release}")
}

/// Keeps everybody eligible as the people who pay should the release fail.
pub(crate) async fn open(tx: &mut SqliteConnection, inner: &Inner, release: &ReleaseId, at: Timestamp, eligible: &SubjectSet) -> Result<(), Error> {
    let sealed = inner.seal.seal(&*inner.entropy, &place(release), &to_bytes(eligible)?)?;
    sqlx::query("INSERT INTO participant_set (release, year, sealed) VALUES (?, ?, ?)").bind(release.as_str()).bind(year_of(at)).bind(sealed).execute(tx).await?;
    Ok(())
}

/// Charges the people who took part, or everybody eligible when the release has no answer.
///
/// # Guarantee
/// A release is settled once; who pays is a subset of who was eligible when it started.
pub(crate) async fn settle(tx: &mut SqliteConnection, inner: &Inner, release: &ReleaseId, participants: Option<&SubjectSet>) -> Result<Settlement, Error> {
    let row = sqlx::query("SELECT sealed, settled IS NOT NULL FROM participant_set WHERE release = ?").bind(release.as_str()).fetch_optional(&mut *tx).await?;
    if row.is_none() && participants.is_none() {
        // Put back from the journal, without its set: everybody is charged as it is.
        return Ok(Settlement { settled: next_settled(tx).await?, commitment: inner.seal.commit(&place(release), b"everybody") });
    }
    let row = row.filter(|row| !row.get::<bool, _>(1));
    let row = row.ok_or_else(|| Fault::broken(format!("the release {release} was settled before, or has no set of people")))?;
    let eligible = inner.seal.open(&place(release), row.try_get(0)?)?;
    let charged = match participants {
        None => eligible,
        Some(participants) => {
            let participants = participants.as_bitmap();
            if !participants.is_subset(from_bytes(&eligible)?.as_bitmap()) {
                return Err(Fault::broken("somebody took part in a release who was not eligible").into());
            }
            to_bytes(&SubjectSet::from(participants.clone()))?
        }
    };
    let settled = next_settled(tx).await?;
    let sealed = inner.seal.seal(&*inner.entropy, &place(release), &charged)?;
    sqlx::query("UPDATE participant_set SET settled = ?, sealed = ? WHERE release = ?").bind(to_i64(settled)?).bind(sealed).bind(release.as_str()).execute(tx).await?;
    Ok(Settlement { settled, commitment: inner.seal.commit(&place(release), &charged) })
}

async fn next_settled(tx: &mut SqliteConnection) -> Result<u64, Error> {
    let row = sqlx::query("UPDATE counter SET value = value + 1 WHERE name = 'settled' RETURNING value").fetch_one(tx).await?;
    Ok(from_i64(row.try_get(0)?)?)
}

/// The people of a sealed set.
pub(super) fn opened(seal: &Seal, release: &ReleaseId, sealed: &[u8]) -> Result<SubjectSet, Fault> {
    from_bytes(&seal.open(&place(release), sealed)?)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<SubjectSet, Fault> {
    RoaringBitmap::deserialize_from(bytes).map(SubjectSet::from).map_err(|e| unreadable("a set of people", e))
}

fn to_bytes(set: &SubjectSet) -> Result<Vec<u8>, Fault> {
    let bitmap = set.as_bitmap();
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).map_err(|e| Fault::new("writing a set of people", e))?;
    Ok(bytes)
}
