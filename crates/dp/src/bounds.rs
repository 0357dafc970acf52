//! How far one person can count, and the sensitivity that follows.

use serde::{Deserialize, Serialize};

/// Bounds that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// A bound of zero.
    #[error("a bound must be at least 1")]
    Zero,
    /// A sensitivity that cannot be counted.
    #[error("the sensitivity is too large")]
    TooLarge,
}

/// How far one person can count in one release. All of it is public and fixed before data is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct ContributionBounds {
    groups: u32,
    rows_per_group: u32,
    rows_overall: Option<u32>,
    rows_at_scan: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    groups: u32,
    rows_per_group: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows_overall: Option<u32>,
    rows_at_scan: u32,
}

impl TryFrom<Unchecked> for ContributionBounds {
    type Error = BoundsError;
    fn try_from(b: Unchecked) -> Result<Self, BoundsError> {
        let bounds = Self::new(b.groups, b.rows_per_group, b.rows_at_scan)?;
        b.rows_overall.map_or(Ok(bounds), |rows| bounds.with_rows_overall(rows))
    }
}

impl From<ContributionBounds> for Unchecked {
    fn from(b: ContributionBounds) -> Self {
        Self { groups: b.groups, rows_per_group: b.rows_per_group, rows_overall: b.rows_overall, rows_at_scan: b.rows_at_scan }
    }
}

impl ContributionBounds {
    /// Bounds on groups per person, rows per person and group, and rows per person looked at.
    ///
    /// # Errors
    /// When one of them is zero.
    pub const fn new(groups: u32, rows_per_group: u32, rows_at_scan: u32) -> Result<Self, BoundsError> {
        if groups == 0 || rows_per_group == 0 || rows_at_scan == 0 {
            return Err(BoundsError::Zero);
        }
        Ok(Self { groups, rows_per_group, rows_overall: None, rows_at_scan })
    }

    /// The same where at most `rows` rows of one person count in all groups together.
    ///
    /// # Errors
    /// When it is zero.
    pub const fn with_rows_overall(self, rows: u32) -> Result<Self, BoundsError> {
        if rows == 0 { Err(BoundsError::Zero) } else { Ok(Self { rows_overall: Some(rows), ..self }) }
    }

    /// Groups that one person counts in, at most (L0).
    #[must_use]
    pub const fn groups(&self) -> u32 {
        self.groups
    }

    /// Rows of one person that count in one group, at most (L∞ in rows).
    #[must_use]
    pub const fn rows_per_group(&self) -> u32 {
        self.rows_per_group
    }

    /// Rows of one person that count in all groups together, at most (L1 in rows); where nothing is said,
    /// groups × rows per group.
    #[must_use]
    pub const fn rows_overall(&self) -> Option<u32> {
        self.rows_overall
    }

    /// Rows of one person that count in one group, at most, by both bounds on rows.
    #[must_use]
    pub const fn rows_in_a_group(&self) -> u32 {
        match self.rows_overall {
            Some(overall) if overall < self.rows_per_group => overall,
            _ => self.rows_per_group,
        }
    }

    /// The squared L2 sensitivity of the number of rows in each group, when one person comes or goes.
    ///
    /// # Errors
    /// As [`L2Squared::of_rows`].
    pub const fn of_rows(&self) -> Result<L2Squared, BoundsError> {
        let overall = match self.rows_overall {
            Some(rows) => rows as u64,
            None => u64::MAX,
        };
        L2Squared::of_rows(self.groups, self.rows_per_group, overall)
    }

    /// Rows of one person that are looked at, at most. Limits work, not sensitivity.
    #[must_use]
    pub const fn rows_at_scan(&self) -> u32 {
        self.rows_at_scan
    }
}

/// The square of an L2 sensitivity, in squared grid units: a whole number, so that nothing rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct L2Squared(u128);

impl L2Squared {
    /// The sensitivity of a vector in which one person changes at most `groups` entries by at most
    /// `per_group_max` each: groups × max².
    ///
    /// # Errors
    /// When it is zero or cannot be counted.
    pub const fn of_vector(groups: u32, per_group_max: u64) -> Result<Self, BoundsError> {
        // An aggregate that nobody can change needs no noise; one unit keeps the mechanism total.
        let max = if per_group_max == 0 { 1 } else { per_group_max as u128 };
        match max.checked_mul(max) {
            Some(square) => match square.checked_mul(groups as u128) {
                Some(0) => Err(BoundsError::Zero),
                Some(product) => Ok(Self(product)),
                None => Err(BoundsError::TooLarge),
            },
            None => Err(BoundsError::TooLarge),
        }
    }

    /// The sensitivity of numbers of rows per group, of which one person changes at most `groups` by at
    /// most `per_group` rows each, and by at most `overall` rows in all of them together.
    ///
    /// With n = min(`overall`, `groups` × `per_group`) rows to give, Σrᵍ² is largest when as many groups as
    /// possible are full, since moving a row to a group that has no fewer never makes the sum smaller:
    /// ⌊n/k⌋·k² + (n mod k)² for k = `per_group`. Without a tighter cap it is `groups` × k².
    ///
    /// # Errors
    /// When a bound is zero or the sensitivity cannot be counted.
    pub const fn of_rows(groups: u32, per_group: u32, overall: u64) -> Result<Self, BoundsError> {
        if groups == 0 || per_group == 0 || overall == 0 {
            return Err(BoundsError::Zero);
        }
        let (k, uncapped) = (per_group as u128, groups as u128 * per_group as u128);
        let rows = if (overall as u128) < uncapped { overall as u128 } else { uncapped };
        let rest = rows % k;
        match (rows / k).checked_mul(k * k) {
            Some(full) => match full.checked_add(rest * rest) {
                Some(square) => Ok(Self(square)),
                None => Err(BoundsError::TooLarge),
            },
            None => Err(BoundsError::TooLarge),
        }
    }

    /// The sensitivity of `times` such vectors put side by side.
    ///
    /// # Errors
    /// When it is zero or cannot be counted.
    pub const fn repeated(self, times: u32) -> Result<Self, BoundsError> {
        match self.0.checked_mul(times as u128) {
            Some(0) => Err(BoundsError::Zero),
            Some(product) => Ok(Self(product)),
            None => Err(BoundsError::TooLarge),
        }
    }

    /// The sensitivity of the vector whose every entry is `by` times as large.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub const fn scaled(self, by: u64) -> Result<Self, BoundsError> {
        let by = if by == 0 { 1 } else { by as u128 };
        match by.checked_mul(by) {
            Some(square) => match self.0.checked_mul(square) {
                Some(product) => Ok(Self(product)),
                None => Err(BoundsError::TooLarge),
            },
            None => Err(BoundsError::TooLarge),
        }
    }

    /// The square.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest Σr² over all ways to give rows to groups, tried one by one.
    fn largest(groups: u32, per_group: u32, overall: u64) -> u128 {
        if groups == 0 {
            return 0;
        }
        let most = overall.min(u64::from(per_group));
        (0..=most).map(|rows| u128::from(rows * rows) + largest(groups - 1, per_group, overall - rows)).max().unwrap()
    }

    #[test]
    fn capped_rows_have_the_largest_square_that_can_be_reached() {
        for groups in 1..=4 {
            for per_group in 1..=5 {
                for overall in 1..=22 {
                    let found = L2Squared::of_rows(groups, per_group, overall).unwrap().get();
                    assert_eq!(found, largest(groups, per_group, overall), "c = {groups}, k = {per_group}, m = {overall}");
                }
            }
        }
        assert_eq!(L2Squared::of_rows(8, 10, u64::MAX), L2Squared::of_vector(8, 10));
        assert_eq!(L2Squared::of_rows(0, 1, 1), Err(BoundsError::Zero));
        assert_eq!(L2Squared::of_rows(u32::MAX, u32::MAX, u64::MAX).unwrap().get(), u128::from(u32::MAX).pow(3));
        assert_eq!(L2Squared::of_vector(3, 4).unwrap().repeated(4), L2Squared::of_vector(12, 4));
        assert!(L2Squared::of_vector(1, u64::MAX).unwrap().repeated(3).is_err());
    }
}
