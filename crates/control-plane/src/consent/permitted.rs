//! Whom a partner may count for a purpose: bitmaps of dense ids, 4,096 people a row, so that one
//! choice rewrites little.
//!
//! A row has one bitmap for each part of the data (activity, profile, topics). Bitmaps that are equal, as they are
//! unless people or laws tell the parts apart, are kept once, and those without anybody not at all. Where few of a row's
//! people are in a bitmap their places are kept instead.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::consent::DataScope;
use domain::{Fault, PartnerName, Purpose, SubjectId, SubjectSet};
use roaring::RoaringBitmap;
use sqlx::SqliteConnection;

use crate::Error;
use crate::store::{Columns, Statements, Values, json_rows};

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

const OF_PAIR: &str = "SELECT chunk, bits FROM permitted_chunk WHERE partner = ? AND purpose = ? ORDER BY chunk";

/// Everybody who may be counted with all `parts` of their data, as of what `connection` sees.
pub(crate) async fn permitted_set(connection: &mut SqliteConnection, partner: &PartnerName, purpose: Purpose, parts: &[DataScope]) -> Result<SubjectSet, Error> {
    let bind = |(partner, purpose): &(&PartnerName, Purpose), values: &mut Values<'_>| {
        values.value(partner.as_str())?;
        values.value(purpose.as_str())
    };
    let rows = connection.read(OF_PAIR, &[(partner, purpose)], bind, |row| people_of(row.number(0)?, row.bytes(1)?, parts)).await?;
    let mut all = SubjectSet::new();
    rows.iter().for_each(|row| all.union_with(row));
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

/// Rows that are kept from one group of choices to the next, at most: 3 KiB each.
const KEPT: usize = 1_024;

/// Rows at given places, also those that are not there yet.
const READ: &str = "SELECT w.partner, w.purpose, w.chunk, p.bits FROM (SELECT DISTINCT value ->> 0 AS partner, value ->> 1 AS purpose, value ->> 2 AS chunk FROM json_each(?)) w \
    LEFT JOIN permitted_chunk p ON p.partner = w.partner AND p.purpose = w.purpose AND p.chunk = w.chunk";

const WRITE: &str = "INSERT INTO permitted_chunk (partner, purpose, chunk, bits) VALUES (?, ?, ?, ?) ON CONFLICT (partner, purpose, chunk) DO UPDATE SET bits = excluded.bits";

/// Changes permitted sets within one transaction; each touched row is read and written once.
#[derive(Default)]
pub(crate) struct PermittedSets {
    rows: BTreeMap<Place, Row>,
}

/// A row as it was read and as it is now.
struct Row {
    before: Chunk,
    now: Chunk,
    touched: bool,
}

impl PermittedSets {
    /// The row in which a person is.
    pub(super) const fn place(partner: &PartnerName, purpose: Purpose, subject: SubjectId) -> (&PartnerName, Purpose, u32) {
        (partner, purpose, subject.0 / CHUNK)
    }

    /// The rows at `places`, also those that are not there yet.
    pub(crate) async fn of(store: &mut impl Statements, places: &[(&PartnerName, Purpose, u32)]) -> Result<Self, Error> {
        let mut sets = Self::default();
        sets.read(store, places).await?;
        Ok(sets)
    }

    /// Reads those rows at `places` that are not known.
    pub(super) async fn read(&mut self, store: &mut impl Statements, places: &[(&PartnerName, Purpose, u32)]) -> Result<(), Error> {
        let missing: Vec<_> = places.iter().filter(|(partner, purpose, chunk)| !self.rows.contains_key(&((*partner).clone(), *purpose, *chunk))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let row = |row: &dyn Columns| Ok(((row.word(0)?, row.word(1)?, row.number(2)?), row.maybe_bytes(3)?.map_or(Ok(Chunk::EMPTY), Chunk::from_bytes)?));
        for (place, bits) in store.read(READ, &[json_rows(&missing)?], |places, values| values.value(places.as_str()), row).await? {
            self.add(place, bits);
        }
        Ok(())
    }

    fn add(&mut self, place: Place, bits: Chunk) {
        self.rows.insert(place, Row { before: bits, now: bits, touched: false });
    }

    /// Puts a person in or takes them out, for each part of their data.
    ///
    /// # Errors
    /// A fault when the person was not among those wanted: their row was not read, and writing it anew would
    /// change what others chose, or leave in whoever is to go.
    pub(super) fn set(&mut self, partner: &PartnerName, purpose: Purpose, subject: SubjectId, permitted: [bool; 3]) -> Result<(), Fault> {
        let row = self.rows.get_mut(&(partner.clone(), purpose, subject.0 / CHUNK));
        let row = row.ok_or_else(|| Fault::broken("a permission of somebody whose row was not read"))?;
        row.now.set(subject, permitted);
        row.touched = true;
        Ok(())
    }

    /// Puts a whole row in the place of what is there.
    ///
    /// # Errors
    /// A fault when it was not read.
    pub(super) fn replace(&mut self, place: &Place, chunk: Chunk) -> Result<(), Fault> {
        let row = self.rows.get_mut(place).ok_or_else(|| Fault::broken("a permitted set whose row was not read"))?;
        (row.now, row.touched) = (chunk, true);
        Ok(())
    }

    /// The row as it was read.
    pub(crate) fn get(&self, place: &Place) -> Option<&Chunk> {
        self.rows.get(place).map(|row| &row.before)
    }

    /// Writes what changed. Must be called before the transaction is committed.
    pub(super) async fn write(&self, store: &mut impl Statements) -> Result<(), Error> {
        let bind = |((partner, purpose, chunk), bits): &(&Place, &Chunk), values: &mut Values<'_>| {
            values.value(partner.as_str())?;
            values.value(purpose.as_str())?;
            values.value(*chunk)?;
            values.value(bits.to_bytes().as_slice())
        };
        store.write(WRITE, &self.changed(), bind).await
    }

    fn changed(&self) -> Vec<(&Place, &Chunk)> {
        self.rows.iter().filter(|(_, row)| row.touched && row.before != row.now).map(|(place, row)| (place, &row.now)).collect()
    }

    /// The rows as they are once what changed is committed, or none when they have become too many to keep.
    pub(super) fn committed(mut self) -> Self {
        if self.rows.len() > KEPT {
            return Self::default();
        }
        for row in self.rows.values_mut().filter(|row| row.touched) {
            (row.before, row.touched) = (row.now, false);
        }
        self
    }
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
        let mut sets = PermittedSets::default();
        people.iter().for_each(|person| sets.add((partner.clone(), purpose, person.0 / CHUNK), Chunk::EMPTY));
        people.iter().for_each(|person| sets.set(&partner, purpose, person, [true; 3]).unwrap());
        assert_eq!(everybody(&sets.changed(), ACTIVITY), people);
        let mut sets = sets.committed();
        assert!(sets.changed().is_empty(), "they are written");
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
        let mut sets = PermittedSets::of(&mut *tx, &places).await.unwrap();
        for id in (0..10_000_000 / CHUNK * CHUNK).filter(|id| id % 3 > 0) {
            sets.set(&partner, purpose, SubjectId(id), [true; 3]).unwrap();
        }
        sets.write(&mut *tx).await.unwrap();
        let bytes: i64 = sqlx::query_scalar("SELECT sum(length(bits)) FROM permitted_chunk").fetch_one(&mut *tx).await.unwrap();
        eprintln!("{bytes} bytes a pair");
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let set = permitted_set(&mut tx, &partner, purpose, &[DataScope::Everything]).await.unwrap();
            eprintln!("read at the start of a release: {:?}, {} people", start.elapsed(), set.len());
        }
        // What a choice adds besides its row: sixteen people of sixteen rows, as they often share a commit.
        let wanted: Vec<_> = (0..GROUP).map(|n| (&partner, purpose, n * 100)).collect();
        let mut sets = PermittedSets::of(&mut *tx, &wanted).await.unwrap();
        let (rounds, start) = (2_000, std::time::Instant::now());
        for round in 0..rounds {
            for n in 0..GROUP {
                sets.set(&partner, purpose, SubjectId(n * 100 * CHUNK + round % CHUNK), [round % 2 == 0; 3]).unwrap();
            }
            let bytes: usize = sets.changed().iter().map(|(_, bits)| bits.to_bytes().len()).sum();
            assert!(bytes > 0);
            sets = sets.committed();
        }
        eprintln!("bits of one choice: {:?}", start.elapsed() / rounds / GROUP);
    }
}
