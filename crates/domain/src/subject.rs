//! People, as far as rules need to know them, and sets of people.

use chrono::{Datelike, NaiveDate};
use roaring::RoaringBitmap;

use crate::{Fault, SubjectId};

crate::words! {
    /// How old a person is, as far as we know.
    pub enum AgeBand("age band") {
        /// Younger than 13.
        Under13 = "under_13",
        /// 13, 14 or 15.
        From13To15 = "13_15",
        /// 16 or 17.
        From16To17 = "16_17",
        /// 18 to 24.
        From18To24 = "18_24",
        /// 25 to 34.
        From25To34 = "25_34",
        /// 35 to 44.
        From35To44 = "35_44",
        /// 45 to 54.
        From45To54 = "45_54",
        /// 55 to 64.
        From55To64 = "55_64",
        /// 65 or older.
        From65 = "65_plus",
        /// Nobody told us.
        Unknown = "unknown",
    }
}

impl AgeBand {
    /// The band of somebody born on `born`, seen on `day`. A birth date in the future is unknown.
    #[must_use]
    pub fn of(born: NaiveDate, day: NaiveDate) -> Self {
        let had_birthday = (day.month(), day.day()) >= (born.month(), born.day());
        match day.year() - born.year() - i32::from(!had_birthday) {
            i32::MIN..=-1 => Self::Unknown,
            0..=12 => Self::Under13,
            13..=15 => Self::From13To15,
            16..=17 => Self::From16To17,
            18..=24 => Self::From18To24,
            25..=34 => Self::From25To34,
            35..=44 => Self::From35To44,
            45..=54 => Self::From45To54,
            55..=64 => Self::From55To64,
            65..=i32::MAX => Self::From65,
        }
    }

    /// The band that two ids of one person get: the younger, as far as one is known.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        // Bands ascend, and the unknown one is the last.
        self.min(other)
    }

    /// Whether somebody of the band can be younger than `years`; what counts of whose age is unknown.
    #[must_use]
    pub const fn may_be_below(self, years: u8, unknown: bool) -> bool {
        let youngest = match self {
            Self::Unknown => return unknown,
            Self::Under13 => 0,
            Self::From13To15 => 13,
            Self::From16To17 => 16,
            Self::From18To24 => 18,
            Self::From25To34 => 25,
            Self::From35To44 => 35,
            Self::From45To54 => 45,
            Self::From55To64 => 55,
            Self::From65 => 65,
        };
        youngest < years
    }

    /// Whether we know that the person is 18 or older. Unknown is not adult: fail closed.
    #[must_use]
    pub const fn is_known_adult(self) -> bool {
        match self {
            Self::From18To24 | Self::From25To34 | Self::From35To44 | Self::From45To54 | Self::From55To64 | Self::From65 => true,
            Self::Under13 | Self::From13To15 | Self::From16To17 | Self::Unknown => false,
        }
    }
}

crate::words! {
    /// How many followers, in bands with public limits.
    pub enum FollowersBand("followers band") {
        /// Fewer than 100.
        Under100 = "0_99",
        /// 100 to 999.
        From100 = "100_999",
        /// 1,000 to 9,999.
        From1000 = "1000_9999",
        /// 10,000 to 99,999.
        From10000 = "10000_99999",
        /// 100,000 or more.
        From100000 = "100000_plus",
        /// Not known.
        Unknown = "unknown",
    }
}

impl FollowersBand {
    /// The band of a count.
    #[must_use]
    pub const fn of(followers: Option<u64>) -> Self {
        match followers {
            None => Self::Unknown,
            Some(0..=99) => Self::Under100,
            Some(100..=999) => Self::From100,
            Some(1_000..=9_999) => Self::From1000,
            Some(10_000..=99_999) => Self::From10000,
            Some(100_000..) => Self::From100000,
        }
    }
}

crate::words! {
    /// Whether a person is still with us, in the system's sense.
    pub enum SubjectStatus("subject status") {
        /// Enrolled.
        Active = "active",
        /// Another id of somebody who is counted under the id that it was merged into.
        Merged = "merged",
        /// Erased: counts nowhere.
        Erased = "erased",
    }
}

crate::words! {
    /// What was decided about two ids.
    pub enum IdentityAct("identity act") {
        /// They are one person, who is counted under the first.
        Merge = "merge",
        /// They are two people after all.
        Split = "split",
    }
}

/// A set of people as a compressed bitmap of dense ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubjectSet(RoaringBitmap);

impl SubjectSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the person is in the set.
    #[must_use]
    pub fn contains(&self, subject: SubjectId) -> bool {
        self.0.contains(subject.0)
    }

    /// Puts a person in; tells whether they were absent.
    pub fn insert(&mut self, subject: SubjectId) -> bool {
        self.0.insert(subject.0)
    }

    /// Takes a person out; tells whether they were present.
    pub fn remove(&mut self, subject: SubjectId) -> bool {
        self.0.remove(subject.0)
    }

    /// How many people. An exact number about people: never shown to a partner.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whoever has the highest id.
    #[must_use]
    pub fn last(&self) -> Option<SubjectId> {
        self.0.max().map(SubjectId)
    }

    /// Adds everybody of `other`.
    pub fn union_with(&mut self, other: &Self) {
        self.0 |= &other.0;
    }

    /// Leaves only those who are in `other` too.
    pub fn intersect_with(&mut self, other: &Self) {
        self.0 &= &other.0;
    }

    /// Everybody, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = SubjectId> + '_ {
        self.0.iter().map(SubjectId)
    }

    /// The set as bytes, in the portable layout of Roaring bitmaps.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bitmap = self.0.clone();
        bitmap.optimize();
        let mut bytes = Vec::with_capacity(bitmap.serialized_size());
        // Writing to memory cannot fail.
        let _ = bitmap.serialize_into(&mut bytes);
        bytes
    }

    /// The set that was kept as bytes.
    ///
    /// # Errors
    /// A fault when they are no set.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        RoaringBitmap::deserialize_from(bytes).map(Self).map_err(|e| Fault::new("reading a set of people", e))
    }

    /// The bitmap behind the set, to store it.
    #[must_use]
    pub const fn as_bitmap(&self) -> &RoaringBitmap {
        &self.0
    }
}

impl From<RoaringBitmap> for SubjectSet {
    fn from(bitmap: RoaringBitmap) -> Self {
        Self(bitmap)
    }
}

impl FromIterator<SubjectId> for SubjectSet {
    fn from_iter<I: IntoIterator<Item = SubjectId>>(people: I) -> Self {
        Self(people.into_iter().map(|s| s.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_eighteenth_birthday_makes_an_adult() {
        assert!(!AgeBand::of(day("2006-05-10"), day("2024-05-09")).is_known_adult());
        assert!(AgeBand::of(day("2006-05-10"), day("2024-05-10")).is_known_adult());
    }

    #[test]
    fn whoever_may_be_younger_counts_as_younger() {
        assert!(AgeBand::From13To15.may_be_below(14, false) && AgeBand::From13To15.may_be_below(16, false));
        assert!(!AgeBand::From13To15.may_be_below(13, false) && !AgeBand::From18To24.may_be_below(18, true));
        assert!(AgeBand::Under13.may_be_below(12, false));
        assert!(AgeBand::Unknown.may_be_below(13, true) && !AgeBand::Unknown.may_be_below(18, false));
    }

    #[test]
    fn of_two_ages_the_younger_known_one_counts() {
        assert_eq!(AgeBand::From25To34.stricter(AgeBand::From16To17), AgeBand::From16To17);
        assert_eq!(AgeBand::Unknown.stricter(AgeBand::From65), AgeBand::From65);
        assert_eq!(AgeBand::Unknown.stricter(AgeBand::Unknown), AgeBand::Unknown);
    }

    #[test]
    fn unknown_age_and_birth_in_the_future_are_not_adult() {
        assert!(!AgeBand::Unknown.is_known_adult());
        assert_eq!(AgeBand::of(day("2030-01-01"), day("2024-01-01")), AgeBand::Unknown);
    }
}
