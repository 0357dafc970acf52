//! Whom a partner may count for a purpose: bitmaps of dense ids, 4,096 people a row, so that one
//! choice rewrites little.
//!
//! A row has one bitmap for each part of the data (activity, profile, topics). Bitmaps that are equal, as they are
//! unless people or laws tell the parts apart, are kept once, and those without anybody not at all. Where few of a row's
//! people are in a bitmap their places are kept instead.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use domain::consent::DataScope;
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::store::{Bound, ROWS, insert_rows, json_rows};

/// People per row.
pub(super) const CHUNK: u32 = 1 << 12;

/// The ids of a row's people.
pub(super) fn ids_of(chunk: u32) -> Range<i64> {
    i64::from(chunk) * i64::from(CHUNK)..(i64::from(chunk) + 1) * i64::from(CHUNK)
}

/// A bitmap: one bit for each person, the lowest id in the lowest bit of the first byte.
pub(crate) type Bits = [u8; CHUNK as usize / 8];

/// A bitmap without anybody.
pub(crate) const NOBODY: Bits = [0; _];

/// A row: one bitmap for each of [`DataScope::PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk([Bits; 3]);

impl Chunk {
    pub(crate) const EMPTY: Self = Self([NOBODY; 3]);

    pub(super) fn set(&mut self, subject: SubjectId, permitted: [bool; 3]) {
        for (bits, permitted) in self.0.iter_mut().zip(permitted) {
            if let Some(byte) = bits.get_mut((subject.0 % CHUNK / 8) as usize) {
                let bit = 1 << (subject.0 % 8);
                *byte = if permitted { *byte | bit } else { *byte & !bit };
            }
        }
    }

    /// Whoever may be counted here with a part of their data with which they may not be `there`.
    pub(crate) fn without(&self, there: &Self) -> Bits {
        let mut more = NOBODY;
        for (here, there) in self.0.iter().zip(&there.0) {
            more.iter_mut().zip(here.iter().zip(there)).for_each(|(more, (here, there))| *more |= here & !there);
        }
        more
    }

    /// Both together.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut both = *self;
        both.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()).for_each(|(both, other)| *both |= other);
        both
    }

    /// What both have.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        both.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()).for_each(|(both, other)| *both &= other);
        both
    }

    /// As it is kept: which bitmap each part has, two bits a part, and the bitmaps, each once. Nobody has none.
    fn to_bytes(self) -> Vec<u8> {
        let (mut which, mut new, mut kept) = (0_u8, 1_u8, Vec::with_capacity(self.0.len()));
        for (part, bits) in self.0.iter().enumerate().filter(|(_, bits)| **bits != NOBODY) {
            let known = kept.iter().zip(1..).find(|(other, _)| **other == bits).map(|(_, known)| known);
            which |= known.unwrap_or(new) << (2 * part);
            if known.is_none() {
                kept.push(bits);
                new += 1;
            }
        }
        let mut bytes = vec![which];
        kept.into_iter().for_each(|bits| keep(bits, &mut bytes));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let cut_short = || Fault::broken("a permitted set in the control store is cut short");
        let (which, mut rest) = bytes.split_first().ok_or_else(cut_short)?;
        let places = [0, 1, 2].map(|part| usize::from(which >> (2 * part) & 3));
        let mut bitmaps = Vec::with_capacity(places.len());
        for _ in 0..places.into_iter().max().unwrap_or(0) {
            let (bits, after) = kept(rest).ok_or_else(cut_short)?;
            bitmaps.push(bits);
            rest = after;
        }
        if !rest.is_empty() || which >> 6 != 0 {
            return Err(cut_short());
        }
        Ok(Self(places.map(|place| place.checked_sub(1).and_then(|place| bitmaps.get(place)).copied().unwrap_or(NOBODY))))
    }
}

/// From so many people on a bitmap is kept as it is; below, their places in it take less (the array containers of
/// Roaring bitmaps; Chambi et al. 2016).
const MANY: u32 = 256;

/// What stands in the place of the number of people before a bitmap that is kept as it is.
const AS_IT_IS: u16 = u16::MAX;

/// Keeps one bitmap: the number of people and their places, or the bits.
fn keep(bits: &Bits, bytes: &mut Vec<u8>) {
    let people: u32 = bits.iter().map(|byte| byte.count_ones()).sum();
    match u16::try_from(people) {
        Ok(few) if people < MANY => {
            bytes.extend(few.to_le_bytes());
            let places = (0_u16..).zip(bits).flat_map(|(byte, bits)| (0..8).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| byte * 8 + bit));
            places.for_each(|place| bytes.extend(place.to_le_bytes()));
        }
        _ => {
            bytes.extend(AS_IT_IS.to_le_bytes());
            bytes.extend_from_slice(bits);
        }
    }
}

/// The bitmap at the beginning of `bytes`, and what comes after it.
fn kept(bytes: &[u8]) -> Option<(Bits, &[u8])> {
    let (people, rest) = bytes.split_first_chunk()?;
    let people = u16::from_le_bytes(*people);
    if people == AS_IT_IS {
        return rest.split_first_chunk().map(|(bits, rest)| (*bits, rest));
    }
    let (places, rest) = rest.split_at_checked(usize::from(people) * 2)?;
    let mut bits = NOBODY;
    for place in places.as_chunks().0 {
        let place = u16::from_le_bytes(*place);
        *bits.get_mut(usize::from(place / 8))? |= 1 << (place % 8);
    }
    Some((bits, rest))
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
pub(crate) type Place = (PartnerName, Purpose, u32);

/// Writes rows of permitted sets.
pub(super) static WRITE: LazyLock<String> =
    LazyLock::new(|| insert_rows("permitted_chunk (partner, purpose, chunk, bits)", 4, "ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits"));

/// Reads rows at given places.
static READ: LazyLock<String> = LazyLock::new(|| PermittedSets::select("(SELECT DISTINCT value ->> 0 AS partner, value ->> 1 AS purpose, value ->> 2 AS chunk FROM json_each(?))"));

/// Changes permitted sets within one transaction; each touched row is read and written once.
pub(crate) struct PermittedSets {
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
    pub(crate) async fn of(connection: &mut SqliteConnection, places: &[(&PartnerName, Purpose, u32)]) -> Result<Self, Error> {
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

    /// Puts a whole row in the place of what is there.
    ///
    /// # Errors
    /// A fault when it was not read.
    pub(super) fn replace(&mut self, place: &Place, chunk: Chunk) -> Result<(), Fault> {
        let (_, now) = self.rows.get_mut(place).ok_or_else(|| Fault::broken("a permitted set whose row was not read"))?;
        *now = chunk;
        Ok(())
    }

    /// The row as it was read.
    pub(crate) fn get(&self, place: &Place) -> Option<&Chunk> {
        self.rows.get(place).map(|(before, _)| before)
    }

    /// Writes what changed.
    pub(super) async fn write(&self, tx: &mut SqliteConnection) -> Result<(), Error> {
        let changed = self.changed();
        for call in 0..changed.len().div_ceil(ROWS) {
            let mut values = Bound::default();
            bind(&mut values, &changed, call)?;
            sqlx::query_with(AssertSqlSafe(WRITE.as_str()), values.into_arguments()).execute(&mut *tx).await?;
        }
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
        values.value(bits.to_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVITY: &[DataScope] = &[DataScope::Activity];

    fn everybody(rows: &[(&Place, &Chunk)], parts: &[DataScope]) -> SubjectSet {
        let mut all = SubjectSet::new();
        rows.iter().for_each(|((_, _, chunk), bits)| all.union_with(&people_of(i64::from(*chunk), &bits.to_bytes(), parts).unwrap()));
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
        let kept: Vec<_> = sets.changed().into_iter().map(|((_, _, chunk), bits)| (&partner, purpose, *chunk, hex::encode(bits.to_bytes()))).collect();
        let mut sets = PermittedSets::parse(&json_rows(&kept).unwrap()).unwrap();
        sets.set(&partner, purpose, SubjectId(7), [true; 3]).unwrap();
        assert!(sets.changed().is_empty());
        sets.set(&partner, purpose, SubjectId(4_095), [false; 3]).unwrap();
        assert_eq!(everybody(&sets.changed(), ACTIVITY), [0, 7, 8, 63].map(SubjectId).into_iter().collect());
        assert!(sets.set(&partner, purpose, SubjectId(2 * CHUNK), [false; 3]).is_err(), "a row that was not read is not written");
        assert!(
            people_of(0, &[], ACTIVITY).is_err()
                && people_of(0, &[0; 2], ACTIVITY).is_err()
                && people_of(0, &[1; 512], ACTIVITY).is_err()
                && people_of(0, &[1; 1025], ACTIVITY).is_err()
                && people_of(1 << 20, &[0], ACTIVITY).is_err()
        );
    }

    #[test]
    fn whoever_opens_a_part_of_their_data_is_counted_with_that_part_alone() {
        let mut chunk = Chunk::EMPTY;
        chunk.set(SubjectId(1), [true; 3]);
        assert_eq!(chunk.to_bytes().len(), 1 + 2 + 2, "one bitmap, of one person, while all parts are equal");
        chunk.set(SubjectId(2), [true, true, false]);
        assert_eq!(chunk.to_bytes().len(), 1 + (2 + 4) + (2 + 2));
        let of = |parts: &[DataScope]| people_of(0, &chunk.to_bytes(), parts).unwrap().iter().map(|s| s.0).collect::<Vec<_>>();
        assert_eq!(of(&[DataScope::Activity, DataScope::Profile]), [1, 2]);
        assert_eq!(of(&[DataScope::Activity, DataScope::Topics]), [1]);
        assert_eq!(of(&[]), [1], "whoever names no part asks for all");
        assert_eq!(of(&[DataScope::Everything]), [1]);
    }

    #[test]
    fn every_row_is_read_as_it_was_written_and_equal_bitmaps_are_kept_once() {
        let kinds = [[false; 3], [true; 3], [true, false, false], [false, true, false], [true, true, false]];
        for first in kinds {
            for second in kinds {
                let mut chunk = Chunk::EMPTY;
                chunk.set(SubjectId(1), first);
                chunk.set(SubjectId(4_095), second);
                let distinct: std::collections::BTreeSet<_> = chunk.0.iter().filter(|bits| **bits != NOBODY).collect();
                let places: u32 = distinct.iter().flat_map(|bits| bits.iter()).map(|byte| byte.count_ones()).sum();
                assert_eq!(chunk.to_bytes().len(), 1 + 2 * distinct.len() + 2 * places as usize);
                assert_eq!(Chunk::from_bytes(&chunk.to_bytes()).unwrap(), chunk);
            }
        }
    }

    #[test]
    fn however_many_are_in_a_row_it_is_read_as_it_was_written_and_never_takes_more_than_its_bits() {
        let mut chunk = Chunk::EMPTY;
        for n in 0..CHUNK {
            // Every person once, in an order that fills no byte early.
            let subject = SubjectId(n * 2_663 % CHUNK);
            chunk.set(subject, [true, true, n % 2 == 0]);
            let bytes = chunk.to_bytes();
            assert_eq!(Chunk::from_bytes(&bytes).unwrap(), chunk, "{n}");
            assert!(bytes.len() <= 1 + 2 * (2 + 512), "{n}: {}", bytes.len());
            assert!(Chunk::from_bytes(&bytes[..bytes.len() - 1]).is_err(), "cut short: {n}");
            assert!(Chunk::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "too long: {n}");
        }
        assert_eq!(chunk.0[0], [u8::MAX; _], "everybody was in it");
    }

    /// `cargo test --release -p control-plane measures -- --ignored --nocapture`.
    #[tokio::test]
    #[ignore = "a measurement, run by hand"]
    #[expect(clippy::disallowed_methods, reason = "it measures time")]
    async fn measures_the_sets() {
        const GROUP: u32 = 16;
        let (_folder, plane) = crate::plane::tests::deployment().await;
        let (partner, purpose) = ("acme".parse::<PartnerName>().unwrap(), Purpose::AggregateStatistics);
        let mut tx = plane.inner.store.begin().await.unwrap();
        // Ten million people, of whom two thirds may be counted.
        let places: Vec<_> = (0..10_000_000 / CHUNK).map(|chunk| (&partner, purpose, chunk)).collect();
        let mut sets = PermittedSets::of(&mut tx, &places).await.unwrap();
        for id in (0..10_000_000 / CHUNK * CHUNK).filter(|id| id % 3 > 0) {
            sets.set(&partner, purpose, SubjectId(id), [true; 3]).unwrap();
        }
        sets.write(&mut tx).await.unwrap();
        let row = sqlx::query("SELECT sum(length(bits)) FROM permitted_chunk").fetch_one(&mut *tx).await.unwrap();
        eprintln!("{} bytes a pair", row.get::<i64, _>(0));
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let set = permitted_set(&mut tx, &partner, purpose, &[DataScope::Everything]).await.unwrap();
            eprintln!("read at the start of a release: {:?}, {} people", start.elapsed(), set.len());
        }
        // What a choice adds besides its row: sixteen people of sixteen rows, as they often share a commit.
        let wanted: Vec<_> = (0..GROUP).map(|n| (&partner, purpose, n * 100)).collect();
        let row = sqlx::query(AssertSqlSafe(READ.as_str())).bind(json_rows(&wanted).unwrap()).fetch_one(&mut *tx).await.unwrap();
        let text: &str = row.get(0);
        let (rounds, start) = (2_000, std::time::Instant::now());
        for round in 0..rounds {
            let mut sets = PermittedSets::parse(text).unwrap();
            for n in 0..GROUP {
                sets.set(&partner, purpose, SubjectId(n * 100 * CHUNK + round % CHUNK), [round % 2 == 0; 3]).unwrap();
            }
            let mut values = Bound::default();
            bind(&mut values, &sets.changed(), 0).unwrap();
        }
        eprintln!("bits of one choice: {:?}", start.elapsed() / rounds / GROUP);
    }
}
