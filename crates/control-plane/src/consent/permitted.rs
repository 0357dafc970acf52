//! Whom a partner may count for a purpose: bitmaps of dense ids, 4,096 people a row, so that one
//! choice rewrites at most 512 bytes.

use std::collections::{BTreeMap, BTreeSet};

use domain::consent::{Facts, permitted};
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::store::{json_rows, parse_word};

/// People per row.
const CHUNK: u32 = 1 << 12;

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
pub(super) struct PermittedWriter {
    chunks: BTreeMap<(PartnerName, Purpose, u32), RoaringBitmap>,
}

impl PermittedWriter {
    /// Reads the rows of people that will be changed, all at once.
    pub(super) async fn read(&mut self, tx: &mut SqliteConnection, people: impl Iterator<Item = (&PartnerName, Purpose, SubjectId)>) -> Result<(), Error> {
        let wanted: BTreeSet<_> = people.map(|(partner, purpose, subject)| (partner, purpose, subject.0 / CHUNK)).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|(partner, purpose, chunk)| !self.chunks.contains_key(&((*partner).clone(), *purpose, *chunk))).collect();
        let rows = "SELECT p.partner, p.purpose, p.chunk, p.bits FROM json_each(?) j CROSS JOIN permitted_chunk p ON p.partner = j.value ->> 0 AND p.purpose = j.value ->> 1 AND p.chunk = j.value ->> 2";
        let rows = sqlx::query(rows).bind(json_rows(&wanted)?).fetch_all(tx).await?;
        for (partner, purpose, chunk) in wanted {
            self.chunks.insert((partner.clone(), purpose, chunk), RoaringBitmap::new());
        }
        for row in rows {
            let bits = RoaringBitmap::deserialize_from(row.try_get::<&[u8], _>(3)?).map_err(|e| unreadable("a permitted set", e))?;
            self.chunks.insert((parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?, row.try_get(2)?), bits);
        }
        Ok(())
    }

    /// Puts a person in or takes them out.
    pub(super) async fn set(&mut self, tx: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose, subject: SubjectId, permitted: bool) -> Result<(), Error> {
        let key = (partner.clone(), purpose, subject.0 / CHUNK);
        if !self.chunks.contains_key(&key) {
            self.read(tx, std::iter::once((partner, purpose, subject))).await?;
        }
        if let Some(bits) = self.chunks.get_mut(&key) {
            let low = subject.0 % CHUNK;
            if permitted {
                bits.insert(low)
            } else {
                bits.remove(low)
            };
        }
        Ok(())
    }

    /// Writes what changed. Must be called before the transaction is committed.
    pub(super) async fn finish(self, tx: &mut SqliteConnection) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.chunks.len());
        for ((partner, purpose, chunk), bits) in &self.chunks {
            let mut bytes = Vec::with_capacity(bits.serialized_size());
            bits.serialize_into(&mut bytes).map_err(|e| Fault::new("writing a permitted set", e))?;
            rows.push((partner, purpose, chunk, hex::encode(bytes)));
        }
        // `WHERE true` tells the parser that ON CONFLICT is not a join's ON.
        sqlx::query("INSERT INTO permitted_chunk (partner, purpose, chunk, bits) SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?) WHERE true ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits")
            .bind(json_rows(&rows)?)
            .execute(tx)
            .await?;
        Ok(())
    }
}
