//! Sets of ids, a bit for each: how consent strings hold vendors and purposes, and the fastest way to read them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::SignalError;
use crate::bits::{BitReader, BitWriter};
use crate::ranges::Span;

/// A set of ids from 0 to 65535: vendors, purposes, special features. At most 8 KiB.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct IdSet {
    /// 64 ids each, the smallest in the highest bit; the last one is not 0.
    words: Vec<u64>,
}

impl IdSet {
    /// Whether `id` is in the set.
    #[must_use]
    pub fn contains(&self, id: u16) -> bool {
        let (word, bit) = place(id);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds `id`.
    pub fn insert(&mut self, id: u16) {
        self.insert_span((id, id));
    }

    /// Takes `id` out.
    pub fn remove(&mut self, id: u16) {
        let (word, bit) = place(id);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
        self.trim();
    }

    /// Whether there is no id in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many ids are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The ids, rising.
    #[must_use]
    pub fn iter(&self) -> Ids<'_> {
        Ids { words: self.words.iter(), word: 0, base: 0, next_base: 0 }
    }

    /// The largest id.
    #[must_use]
    pub fn last(&self) -> Option<u16> {
        let word = self.words.last()?;
        let base = (self.words.len() - 1) * 64;
        u16::try_from(base + 63 - word.trailing_zeros() as usize).ok()
    }

    /// Adds the ids of a span.
    pub(crate) fn insert_span(&mut self, (first, last): Span) {
        let ((start, _), (end, _)) = (place(first), place(last));
        if first > last {
            return;
        }
        if self.words.len() <= end {
            self.words.resize(end + 1, 0);
        }
        for (at, word) in self.words.iter_mut().enumerate().skip(start).take(end + 1 - start) {
            let mut bits = u64::MAX;
            if at == start {
                bits &= u64::MAX >> (first % 64);
            }
            if at == end {
                bits &= u64::MAX << (63 - last % 64);
            }
            *word |= bits;
        }
    }

    /// Adds the ids of another set.
    pub(crate) fn unite(&mut self, other: &Self) {
        self.words.resize(self.words.len().max(other.words.len()), 0);
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Reads `count` bits, for the ids from 1.
    pub(crate) fn read(bits: &mut BitReader, count: u16, name: &str) -> Result<Self, SignalError> {
        let mut left = usize::from(count);
        // The first word has a bit for id 0, which no string has.
        let mut room = 63;
        let mut words = Vec::with_capacity(if bits.left() < left { 0 } else { left / 64 + 1 });
        while left > 0 {
            let width = left.min(room);
            words.push(bits.number(width, name)? << (room - width));
            left -= width;
            room = 64;
        }
        let mut set = Self { words };
        set.trim();
        Ok(set)
    }

    /// Writes `count` bits, for the ids from 1.
    pub(crate) fn write(&self, bits: &mut BitWriter, count: u16) {
        (1..=count).for_each(|id| bits.flag(self.contains(id)));
    }

    fn trim(&mut self) {
        let used = self.words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.words.truncate(used);
    }
}

/// The word of an id, and its bit in it.
const fn place(id: u16) -> (usize, u64) {
    ((id / 64) as usize, 1 << (63 - id % 64))
}

/// The ids of a set, rising.
#[derive(Debug, Clone)]
pub struct Ids<'a> {
    words: std::slice::Iter<'a, u64>,
    /// What is left of the word that is looked at, and its smallest id.
    word: u64,
    base: u32,
    next_base: u32,
}

impl Iterator for Ids<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        while self.word == 0 {
            self.word = *self.words.next()?;
            self.base = self.next_base;
            self.next_base += 64;
        }
        let bit = self.word.leading_zeros();
        self.word &= !(1 << (63 - bit));
        u16::try_from(self.base + bit).ok()
    }
}

impl<'a> IntoIterator for &'a IdSet {
    type Item = u16;
    type IntoIter = Ids<'a>;

    fn into_iter(self) -> Ids<'a> {
        self.iter()
    }
}

impl Extend<u16> for IdSet {
    fn extend<I: IntoIterator<Item = u16>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.insert(id));
    }
}

impl FromIterator<u16> for IdSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

impl<const N: usize> From<[u16; N]> for IdSet {
    fn from(ids: [u16; N]) -> Self {
        ids.into_iter().collect()
    }
}

impl fmt::Debug for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl Serialize for IdSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::RngExt;
    use testkit::{Generator, env_seed};

    use super::*;

    /// The same as a set of numbers.
    fn assert_same(set: &IdSet, plain: &BTreeSet<u16>) {
        assert_eq!(set.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
        assert_eq!((set.len(), set.is_empty(), set.last()), (plain.len(), plain.is_empty(), plain.last().copied()));
        // Equal sets are equal however they came to be.
        assert_eq!(*set, plain.iter().copied().collect());
        assert_eq!((format!("{set:?}"), serde_json::json!(set)), (format!("{plain:?}"), serde_json::json!(plain)));
    }

    #[test]
    fn a_set_is_a_set_of_numbers() {
        let seed = env_seed(20_307);
        eprintln!("FAIRSHARE_SEED={seed}");
        let mut random = Generator::new(seed);
        for _ in 0..200 {
            let (mut set, mut plain) = (IdSet::default(), BTreeSet::new());
            for _ in 0..random.0.random_range(0..30) {
                let most = if random.0.random_ratio(1, 10) { u16::MAX } else { 200 };
                let (first, last) = (random.0.random_range(0..=most), random.0.random_range(0..=most));
                match random.0.random_range(0..4) {
                    0 => {
                        set.remove(first);
                        plain.remove(&first);
                    }
                    1 if most == 200 => {
                        set.insert_span((first, last));
                        plain.extend(first..=last);
                    }
                    _ => {
                        set.insert(first);
                        plain.insert(first);
                    }
                }
                assert!(set.contains(first) == plain.contains(&first) && set.contains(last) == plain.contains(&last));
            }
            assert_same(&set, &plain);
        }
        assert_same(&[0, 63, 64, u16::MAX].into(), &[0, 63, 64, u16::MAX].into());
        let mut all = IdSet::default();
        all.insert_span((0, u16::MAX));
        assert_eq!((all.len(), all.last()), (65_536, Some(u16::MAX)));
    }

    #[test]
    fn bits_are_the_ids_from_one() {
        for count in [0, 1, 12, 24, 63, 64, 65, 127, 128, 1_300, u16::MAX] {
            let set: IdSet = (1..=count).filter(|id| id % 3 != 1 || *id == count).collect();
            let mut writer = BitWriter::default();
            writer.number(5, 3);
            set.write(&mut writer, count);
            let mut reader = BitReader::of(&writer.into_text(8)).unwrap();
            assert_eq!((reader.number(3, "x"), IdSet::read(&mut reader, count, "x")), (Ok(5), Ok(set)));
            assert_eq!(IdSet::read(&mut reader, 40, "x").map_err(|error| error.code), Err(702));
        }
    }
}
