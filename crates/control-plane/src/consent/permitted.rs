//! Whom a partner may count for a purpose: bitmaps of dense ids, 4,096 people a row, so that one
//! choice rewrites at most 512 bytes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use domain::consent::{Facts, permitted};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::store::{Bound, ROWS, insert_rows, json_rows, parsed};

/// People per row.
const CHUNK: u32 = 1 << 12;

/// A row: one bit for each person, the lowest id in the lowest bit of the first byte.
type Bits = [u8; CHUNK as usize / 8];

/// Everybody who may be counted, as of what `connection` sees.
pub(crate) async fn permitted_set(connection: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose) -> Result<SubjectSet, Error> {
    let rows = sqlx::query("SELECT chunk, bits FROM permitted_chunk WHERE partner = ? AND purpose = ? ORDER BY chunk")
        .bind(partner.as_str())
        .bind(purpose.as_str())
        .fetch_all(connection)
        .await?;
    let mut all = SubjectSet::new();
    for row in rows {
        all.union_with(&people_of(row.try_get(0)?, row.try_get(1)?)?);
    }
    Ok(all)
}

/// The people of one row.
pub(crate) fn people_of(chunk: i64, bits: &[u8]) -> Result<SubjectSet, Fault> {
    let base = u32::try_from(chunk).ok().and_then(|c| c.checked_mul(CHUNK)).ok_or_else(|| Fault::broken("a permitted set of people beyond the ids"))?;
    let bits: &Bits = bits.try_into().map_err(|e| unreadable("a permitted set", e))?;
    Ok(RoaringBitmap::from_lsb0_bytes(base, bits).into())
}

/// What `recompute` needs: facts and choices, and the rows of the sets that they lead to.
static STANDING: LazyLock<String> = LazyLock::new(|| {
    let chunks = PermittedSets::read("standing");
    format!(
        "WITH standing AS MATERIALIZED (SELECT c.subject_id, c.partner, c.purpose, s.status, s.age_band, c.state \
           FROM json_each(?) j CROSS JOIN consent_state c ON c.subject_id = j.value JOIN subject s ON s.subject_id = c.subject_id) \
         SELECT (SELECT json_group_array(json_array(subject_id, partner, purpose, status, age_band, state)) FROM standing), ({chunks})"
    )
});

/// Brings every permission of `people` up to date with their status, age and choices.
pub(crate) async fn recompute(tx: &mut SqliteConnection, people: &[SubjectId]) -> Result<(), Error> {
    let row = sqlx::query(AssertSqlSafe(STANDING.as_str())).bind(json_rows(&people)?).fetch_one(&mut *tx).await?;
    let standing: Vec<(SubjectId, PartnerName, Purpose, SubjectStatus, AgeBand, _)> = parsed(&row, 0)?;
    let mut sets = PermittedSets::parse(row.try_get(1)?)?;
    for (subject, partner, purpose, status, age, consent) in standing {
        sets.set(&partner, purpose, subject, permitted(Facts { status, age, consent }, purpose))?;
    }
    let changed = sets.changed();
    for call in 0..changed.len().div_ceil(ROWS) {
        let mut values = Bound::default();
        bind(&mut values, &changed, call)?;
        sqlx::query_with(AssertSqlSafe(WRITE.as_str()), values.into_arguments()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Which row: whose set, for what, and which ids.
type Place = (PartnerName, Purpose, u32);

/// Writes rows of permitted sets.
pub(super) static WRITE: LazyLock<String> =
    LazyLock::new(|| insert_rows("permitted_chunk (partner, purpose, chunk, bits)", 4, "ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits"));

/// Changes permitted sets within one transaction; each touched row is read and written once.
pub(super) struct PermittedSets {
    /// Rows as they were read and as they are now.
    rows: BTreeMap<Place, (Bits, Bits)>,
}

impl PermittedSets {
    /// A query for the rows in which the people of `wanted` (partner, purpose, `subject_id`) are, also those
    /// that are not there yet.
    pub(super) fn read(wanted: &str) -> String {
        format!(
            "SELECT json_group_array(json_array(w.partner, w.purpose, w.chunk, iif(p.bits IS NULL, NULL, hex(p.bits)))) \
             FROM (SELECT DISTINCT partner, purpose, subject_id / {CHUNK} AS chunk FROM {wanted}) w \
             LEFT JOIN permitted_chunk p ON p.partner = w.partner AND p.purpose = w.purpose AND p.chunk = w.chunk"
        )
    }

    /// What it gave.
    pub(super) fn parse(rows: &str) -> Result<Self, Fault> {
        let read: Vec<(PartnerName, Purpose, u32, Option<&str>)> = serde_json::from_str(rows).map_err(|e| unreadable("a permitted set", e))?;
        let mut rows = BTreeMap::new();
        for (partner, purpose, chunk, digits) in read {
            let mut bits: Bits = [0; _];
            if let Some(digits) = digits {
                hex::decode_to_slice(digits, &mut bits).map_err(|e| unreadable("a permitted set", e))?;
            }
            rows.insert((partner, purpose, chunk), (bits, bits));
        }
        Ok(Self { rows })
    }

    /// Puts a person in or takes them out.
    ///
    /// # Errors
    /// A fault when the person was not among those wanted: their row was not read, and writing it anew would
    /// change what others chose, or leave in whoever is to go.
    pub(super) fn set(&mut self, partner: &PartnerName, purpose: Purpose, subject: SubjectId, permitted: bool) -> Result<(), Fault> {
        let row = self.rows.get_mut(&(partner.clone(), purpose, subject.0 / CHUNK));
        let (_, bits) = row.ok_or_else(|| Fault::broken("a permission of somebody whose row was not read"))?;
        if let Some(byte) = bits.get_mut((subject.0 % CHUNK / 8) as usize) {
            let bit = 1 << (subject.0 % 8);
            *byte = if permitted { *byte | bit } else { *byte & !bit };
        }
        Ok(())
    }

    /// Whether the person was among those wanted.
    pub(super) fn has_read(&self, partner: &PartnerName, purpose: Purpose, subject: SubjectId) -> bool {
        self.rows.contains_key(&(partner.clone(), purpose, subject.0 / CHUNK))
    }

    /// What changed, to be written with [`WRITE`] before the transaction is committed.
    pub(super) fn changed(&self) -> Vec<(&Place, &Bits)> {
        self.rows.iter().filter(|(_, (before, now))| before != now).map(|(place, (_, now))| (place, now)).collect()
    }
}

/// The arguments of one of the calls that write such rows.
pub(super) fn bind(values: &mut Bound, rows: &[(&Place, &Bits)], call: usize) -> Result<(), Fault> {
    values.rows(rows, call, 4, |values, ((partner, purpose, chunk), bits)| {
        values.value(partner.as_str())?;
        values.value(purpose.as_str())?;
        values.value(*chunk)?;
        values.value(bits.as_slice())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_whom_they_were_told_and_only_those_that_changed_are_written() {
        let (partner, purpose) = ("acme".parse::<PartnerName>().unwrap(), Purpose::AggregateStatistics);
        let people: SubjectSet = [0, 7, 8, 63, 4_095, 4_096, 12_345, u32::MAX - 1, u32::MAX].map(SubjectId).into_iter().collect();
        let everybody = |rows: &[(&Place, &Bits)]| {
            let mut all = SubjectSet::new();
            rows.iter().for_each(|((_, _, chunk), bits)| all.union_with(&people_of(i64::from(*chunk), bits.as_slice()).unwrap()));
            all
        };
        let wanted: Vec<_> = people.iter().map(|person| (&partner, purpose, person.0 / CHUNK, None::<String>)).collect();
        let mut sets = PermittedSets::parse(&json_rows(&wanted).unwrap()).unwrap();
        people.iter().for_each(|person| sets.set(&partner, purpose, person, true).unwrap());
        assert_eq!(everybody(&sets.changed()), people);
        let kept: Vec<_> = sets.changed().into_iter().map(|((_, _, chunk), bits)| (&partner, purpose, *chunk, hex::encode(bits))).collect();
        let mut sets = PermittedSets::parse(&json_rows(&kept).unwrap()).unwrap();
        sets.set(&partner, purpose, SubjectId(7), true).unwrap();
        assert!(sets.changed().is_empty());
        sets.set(&partner, purpose, SubjectId(4_095), false).unwrap();
        assert_eq!(everybody(&sets.changed()), [0, 7, 8, 63].map(SubjectId).into_iter().collect());
        assert!(sets.set(&partner, purpose, SubjectId(2 * CHUNK), false).is_err(), "a row that was not read is not written");
        assert!(people_of(0, &[0; 511]).is_err() && people_of(1 << 20, &[0; 512]).is_err());
    }
}
