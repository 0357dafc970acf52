//! Whom a partner may count for a purpose: bitmaps of dense ids, 65,536 people a row, so that one
//! choice rewrites at most 8 KB.

use std::collections::BTreeMap;

use domain::consent::{Facts, permitted};
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::store::{json_rows, parse_word};

/// People per row.
const CHUNK: u32 = 1 << 16;

/// Everybody who may be counted, as of what `connection` sees.
pub(crate) async fn permitted_set(connection: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose) -> Result<SubjectSet, Error> {
    let rows = sqlx::query("SELECT chunk, bits FROM permitted_chunk WHERE partner = ? AND purpose = ? ORDER BY chunk")
        .bind(partner.as_str())
        .bind(purpose.as_str())
        .fetch_all(connection)
        .await?;
    let mut all = SubjectSet::new();
    for row in rows {
        let bits: Vec<u8> = row.try_get(1)?;
        let bits = RoaringBitmap::deserialize_from(bits.as_slice()).map_err(|e| unreadable("a permitted set", e))?;
        all.union_with(&from_chunk(row.try_get(0)?, &bits)?);
    }
    Ok(all)
}

/// The people of one row.
pub(crate) fn from_chunk(chunk: i64, bits: &RoaringBitmap) -> Result<SubjectSet, Fault> {
    let base = u32::try_from(chunk).ok().and_then(|c| c.checked_mul(CHUNK)).ok_or_else(|| Fault::broken("a permitted set of people beyond the ids"))?;
    Ok(bits.iter().filter_map(|low| base.checked_add(low)).map(SubjectId).collect())
}

/// Brings every permission of `people` up to date with their status, age and choices.
pub(crate) async fn recompute(tx: &mut SqliteConnection, people: &[SubjectId]) -> Result<(), Error> {
    let rows = sqlx::query("SELECT c.subject_id, c.partner, c.purpose, s.status, s.age_band, c.state FROM json_each(?) j CROSS JOIN consent_state c ON c.subject_id = j.value JOIN subject s ON s.subject_id = c.subject_id")
        .bind(json_rows(&people)?)
        .fetch_all(&mut *tx)
        .await?;
    let mut permitted_sets = PermittedWriter::default();
    for row in rows {
        let (partner, purpose): (PartnerName, Purpose) = (parse_word(row.try_get(1)?)?, parse_word(row.try_get(2)?)?);
        let facts = Facts { status: parse_word(row.try_get(3)?)?, age: parse_word(row.try_get(4)?)?, consent: parse_word(row.try_get(5)?)? };
        permitted_sets.set(tx, &partner, purpose, SubjectId(row.try_get(0)?), permitted(facts, purpose)).await?;
    }
    permitted_sets.finish(tx).await
}

/// Changes permitted sets within one transaction; each touched row is read and written once.
#[derive(Default)]
pub(crate) struct PermittedWriter {
    chunks: BTreeMap<(PartnerName, Purpose, u32), RoaringBitmap>,
}

impl PermittedWriter {
    /// Puts a person in or takes them out.
    pub(crate) async fn set(&mut self, tx: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose, subject: SubjectId, permitted: bool) -> Result<(), Error> {
        let (chunk, low) = (subject.0 / CHUNK, subject.0 % CHUNK);
        let key = (partner.clone(), purpose, chunk);
        if !self.chunks.contains_key(&key) {
            let row = sqlx::query("SELECT bits FROM permitted_chunk WHERE partner = ? AND purpose = ? AND chunk = ?")
                .bind(partner.as_str())
                .bind(purpose.as_str())
                .bind(chunk)
                .fetch_optional(tx)
                .await?;
            let bits = match row {
                Some(row) => RoaringBitmap::deserialize_from(row.try_get::<Vec<u8>, _>(0)?.as_slice()).map_err(|e| unreadable("a permitted set", e))?,
                None => RoaringBitmap::new(),
            };
            self.chunks.insert(key.clone(), bits);
        }
        if let Some(bits) = self.chunks.get_mut(&key) {
            if permitted {
                bits.insert(low)
            } else {
                bits.remove(low)
            };
        }
        Ok(())
    }

    /// Writes what changed. Must be called before the transaction is committed.
    pub(crate) async fn finish(self, tx: &mut SqliteConnection) -> Result<(), Error> {
        for ((partner, purpose, chunk), bits) in self.chunks {
            let mut bytes = Vec::with_capacity(bits.serialized_size());
            bits.serialize_into(&mut bytes).map_err(|e| Fault::new("writing a permitted set", e))?;
            sqlx::query("INSERT INTO permitted_chunk (partner, purpose, chunk, bits) VALUES (?, ?, ?, ?) ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits")
                .bind(partner.as_str())
                .bind(purpose.as_str())
                .bind(chunk)
                .bind(bytes)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
}
