//! Whom a partner may count for a purpose: bitmaps of dense ids, 4,096 people a row, so that one
//! choice rewrites little.
//!
//! A row has one bitmap for each part of the data (activity, profile, topics). Where all are equal, as they are
//! unless people or laws tell the parts apart, it is kept once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use domain::consent::DataScope;
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::store::{Bound, insert_rows, json_rows};

/// People per row.
pub(super) const CHUNK: u32 = 1 << 12;

/// A bitmap: one bit for each person, the lowest id in the lowest bit of the first byte.
type Bits = [u8; CHUNK as usize / 8];

/// A row: one bitmap for each of [`DataScope::PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk([Bits; 3]);

impl Chunk {
    const EMPTY: Self = Self([[0; _]; 3]);

    fn set(&mut self, subject: SubjectId, permitted: [bool; 3]) {
        for (bits, permitted) in self.0.iter_mut().zip(permitted) {
            if let Some(byte) = bits.get_mut((subject.0 % CHUNK / 8) as usize) {
                let bit = 1 << (subject.0 % 8);
                *byte = if permitted { *byte | bit } else { *byte & !bit };
            }
        }
    }

    /// As it is kept: once where all parts are equal.
    fn bytes(&self) -> &[u8] {
        let [first, rest @ ..] = &self.0;
        if rest.iter().all(|bits| bits == first) { first } else { self.0.as_flattened() }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        if let Ok(all) = Bits::try_from(bytes) {
            return Ok(Self([all; 3]));
        }
        let (parts, rest) = bytes.as_chunks();
        match (<[Bits; 3]>::try_from(parts), rest) {
            (Ok(parts), []) => Ok(Self(parts)),
            _ => Err(Fault::broken("a permitted set in the control store is cut short")),
        }
    }
}

/// Everybody who may be counted with all `parts` of their data, as of what `connection` sees.
pub(crate) async fn permitted_set(connection: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose, parts: &[DataScope]) -> Result<SubjectSet, Error> {
    let rows = sqlx::query("SELECT chunk, bits FROM permitted_chunk WHERE partner = ? AND purpose = ? ORDER BY chunk")
        .bind(partner.as_str())
        .bind(purpose.as_str())
        .fetch_all(connection)
        .await?;
    let mut all = SubjectSet::new();
    for row in rows {
        all.union_with(&people_of(row.try_get(0)?, row.try_get(1)?, parts)?);
    }
    Ok(all)
}

/// The people of one row who may be counted with all `parts` of their data; with every part when none is named.
pub(crate) fn people_of(chunk: i64, bits: &[u8], parts: &[DataScope]) -> Result<SubjectSet, Fault> {
    let base = u32::try_from(chunk).ok().and_then(|c| c.checked_mul(CHUNK)).ok_or_else(|| Fault::broken("a permitted set of people beyond the ids"))?;
    let Chunk(of_parts) = Chunk::from_bytes(bits)?;
    let mut both: Bits = [u8::MAX; _];
    for (_, bits) in DataScope::PARTS.iter().zip(of_parts).filter(|(part, _)| parts.is_empty() || parts.iter().any(|wanted| wanted.covers(**part))) {
        both.iter_mut().zip(bits).for_each(|(all, byte)| *all &= byte);
    }
    Ok(RoaringBitmap::from_lsb0_bytes(base, &both).into())
}

/// Which row: whose set, for what, and which ids.
type Place = (PartnerName, Purpose, u32);

/// Writes rows of permitted sets.
pub(super) static WRITE: LazyLock<String> =
    LazyLock::new(|| insert_rows("permitted_chunk (partner, purpose, chunk, bits)", 4, "ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits"));

/// Changes permitted sets within one transaction; each touched row is read and written once.
pub(super) struct PermittedSets {
    /// Rows as they were read and as they are now.
    rows: BTreeMap<Place, (Chunk, Chunk)>,
}

impl PermittedSets {
    /// A query for the rows in which the people of `wanted` (partner, purpose, `subject_id`) are, also those
    /// that are not there yet.
    pub(super) fn read(wanted: &str) -> String {
        Self::select(&format!("(SELECT DISTINCT partner, purpose, subject_id / {CHUNK} AS chunk FROM {wanted})"))
    }

    fn select(places: &str) -> String {
        format!(
            "SELECT json_group_array(json_array(w.partner, w.purpose, w.chunk, iif(p.bits IS NULL, NULL, hex(p.bits)))) \
             FROM {places} w LEFT JOIN permitted_chunk p ON p.partner = w.partner AND p.purpose = w.purpose AND p.chunk = w.chunk"
        )
    }

    /// The rows at `places`, also those that are not there yet.
    pub(super) async fn of(connection: &mut SqliteConnection, places: &[(&PartnerName, Purpose, u32)]) -> Result<Self, Error> {
        static READ: LazyLock<String> =
            LazyLock::new(|| PermittedSets::select("(SELECT DISTINCT value ->> 0 AS partner, value ->> 1 AS purpose, value ->> 2 AS chunk FROM json_each(?))"));
        let row = sqlx::query(AssertSqlSafe(READ.as_str())).bind(json_rows(&places)?).fetch_one(connection).await?;
        Ok(Self::parse(row.try_get(0)?)?)
    }

    /// What [`PermittedSets::read`] gave.
    pub(super) fn parse(rows: &str) -> Result<Self, Fault> {
        let read: Vec<(PartnerName, Purpose, u32, Option<&str>)> = serde_json::from_str(rows).map_err(|e| unreadable("a permitted set", e))?;
        let mut rows = BTreeMap::new();
        for (partner, purpose, chunk, digits) in read {
            let bytes = digits.map(hex::decode).transpose().map_err(|e| unreadable("a permitted set", e))?;
            let bits = bytes.as_deref().map_or(Ok(Chunk::EMPTY), Chunk::from_bytes)?;
            rows.insert((partner, purpose, chunk), (bits, bits));
        }
        Ok(Self { rows })
    }

    /// Puts a person in or takes them out, for each part of their data.
    ///
    /// # Errors
    /// A fault when the person was not among those wanted: their row was not read, and writing it anew would
    /// change what others chose, or leave in whoever is to go.
    pub(super) fn set(&mut self, partner: &PartnerName, purpose: Purpose, subject: SubjectId, permitted: [bool; 3]) -> Result<(), Fault> {
        let row = self.rows.get_mut(&(partner.clone(), purpose, subject.0 / CHUNK));
        let (_, now) = row.ok_or_else(|| Fault::broken("a permission of somebody whose row was not read"))?;
        now.set(subject, permitted);
        Ok(())
    }

    /// What changed, to be written with [`WRITE`] before the transaction is committed.
    pub(super) fn changed(&self) -> Vec<(&Place, &Chunk)> {
        self.rows.iter().filter(|(_, (before, now))| before != now).map(|(place, (_, now))| (place, now)).collect()
    }
}

/// The arguments of one of the calls that write such rows.
pub(super) fn bind(values: &mut Bound, rows: &[(&Place, &Chunk)], call: usize) -> Result<(), Fault> {
    values.rows(rows, call, 4, |values, ((partner, purpose, chunk), bits)| {
        values.value(partner.as_str())?;
        values.value(purpose.as_str())?;
        values.value(*chunk)?;
        values.value(bits.bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVITY: &[DataScope] = &[DataScope::Activity];

    fn everybody(rows: &[(&Place, &Chunk)], parts: &[DataScope]) -> SubjectSet {
        let mut all = SubjectSet::new();
        rows.iter().for_each(|((_, _, chunk), bits)| all.union_with(&people_of(i64::from(*chunk), bits.bytes(), parts).unwrap()));
        all
    }

    #[test]
    fn rows_hold_whom_they_were_told_and_only_those_that_changed_are_written() {
        let (partner, purpose) = ("acme".parse::<PartnerName>().unwrap(), Purpose::AggregateStatistics);
        let people: SubjectSet = [0, 7, 8, 63, 4_095, 4_096, 12_345, u32::MAX - 1, u32::MAX].map(SubjectId).into_iter().collect();
        let wanted: Vec<_> = people.iter().map(|person| (&partner, purpose, person.0 / CHUNK, None::<String>)).collect();
        let mut sets = PermittedSets::parse(&json_rows(&wanted).unwrap()).unwrap();
        people.iter().for_each(|person| sets.set(&partner, purpose, person, [true; 3]).unwrap());
        assert_eq!(everybody(&sets.changed(), ACTIVITY), people);
        let kept: Vec<_> = sets.changed().into_iter().map(|((_, _, chunk), bits)| (&partner, purpose, *chunk, hex::encode(bits.bytes()))).collect();
        let mut sets = PermittedSets::parse(&json_rows(&kept).unwrap()).unwrap();
        sets.set(&partner, purpose, SubjectId(7), [true; 3]).unwrap();
        assert!(sets.changed().is_empty());
        sets.set(&partner, purpose, SubjectId(4_095), [false; 3]).unwrap();
        assert_eq!(everybody(&sets.changed(), ACTIVITY), [0, 7, 8, 63].map(SubjectId).into_iter().collect());
        assert!(sets.set(&partner, purpose, SubjectId(2 * CHUNK), [false; 3]).is_err(), "a row that was not read is not written");
        assert!(people_of(0, &[0; 511], ACTIVITY).is_err() && people_of(0, &[0; 1024], ACTIVITY).is_err() && people_of(1 << 20, &[0; 512], ACTIVITY).is_err());
    }

    #[test]
    fn whoever_opens_a_part_of_their_data_is_counted_with_that_part_alone() {
        let mut chunk = Chunk::EMPTY;
        chunk.set(SubjectId(1), [true; 3]);
        assert_eq!(chunk.bytes().len(), 512, "one bitmap while all parts are equal");
        chunk.set(SubjectId(2), [true, true, false]);
        assert_eq!(chunk.bytes().len(), 1536);
        assert_eq!(Chunk::from_bytes(chunk.bytes()).unwrap(), chunk);
        let of = |parts: &[DataScope]| people_of(0, chunk.bytes(), parts).unwrap().iter().map(|s| s.0).collect::<Vec<_>>();
        assert_eq!(of(&[DataScope::Activity, DataScope::Profile]), [1, 2]);
        assert_eq!(of(&[DataScope::Activity, DataScope::Topics]), [1]);
        assert_eq!(of(&[]), [1], "whoever names no part asks for all");
        assert_eq!(of(&[DataScope::Everything]), [1]);
    }
}
