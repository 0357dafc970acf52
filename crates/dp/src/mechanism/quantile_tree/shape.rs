//! How a range of values is divided into leaves, and leaves into nodes. All of it is public.

use crate::bounds::{BoundsError, ContributionBounds, L2Squared};
use crate::mechanism::discrete_gaussian::ParameterError;

/// A tree over the whole numbers `low ..= high` (values on their public grid).
///
/// Its leaves are ranges of neighbouring values whose widths differ by one at most; there are never
/// more leaves than values. Level `l` of 1 ..= height has a node for each run of branching^(height − l)
/// leaves; the root is not counted, since its number is the sum of those below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    low: i64,
    high: i64,
    branching: u32,
    height: u32,
    leaves: u32,
}

/// A node: its level (0 is the root) and its place in the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) level: u32,
    pub(super) place: u32,
}

impl Node {
    pub(super) const ROOT: Self = Self { level: 0, place: 0 };
}

impl Shape {
    /// Nodes below one node, unless said otherwise.
    pub const BRANCHING: u32 = 16;
    /// Levels at most, unless said otherwise: 16⁴ = 65,536 leaves.
    pub const HEIGHT: u32 = 4;

    /// A tree over `low ..= high` in which a node has `branching` nodes below it and there are at most
    /// `height` levels; fewer where fewer are enough for a leaf of its own for each value.
    ///
    /// # Errors
    /// When `low` is not below `high`, `branching` is not in 2 ..= 256, `height` is 0, or there would be
    /// 2³² leaves or more.
    pub fn new(low: i64, high: i64, branching: u32, height: u32) -> Result<Self, ParameterError> {
        if low >= high {
            return Err(ParameterError::OutOfRange("the range of values"));
        }
        if !(2..=256).contains(&branching) {
            return Err(ParameterError::OutOfRange("the branching"));
        }
        if height == 0 {
            return Err(ParameterError::Zero("the height"));
        }
        let values = u128::from(high.abs_diff(low)) + 1;
        let (mut leaves, mut levels) = (1_u128, 0);
        while levels < height && leaves < values {
            leaves *= u128::from(branching);
            levels += 1;
            if leaves > u128::from(u32::MAX) && leaves < values {
                return Err(ParameterError::TooLarge("the number of leaves"));
            }
        }
        let leaves = u32::try_from(leaves.min(values)).map_err(|_| ParameterError::TooLarge("the number of leaves"))?;
        Ok(Self { low, high, branching, height: levels, leaves })
    }

    /// The usual tree over `low ..= high`: 16 nodes below each, 4 levels at most.
    ///
    /// # Errors
    /// When `low` is not below `high`.
    pub fn usual(low: i64, high: i64) -> Result<Self, ParameterError> {
        Self::new(low, high, Self::BRANCHING, Self::HEIGHT)
    }

    /// The lowest value that counts; lower ones count as this one.
    #[must_use]
    pub const fn low(&self) -> i64 {
        self.low
    }

    /// The highest value that counts; higher ones count as this one.
    #[must_use]
    pub const fn high(&self) -> i64 {
        self.high
    }

    /// Levels with numbers: those below the root.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn leaves(&self) -> u32 {
        self.leaves
    }

    /// The leaf of a value, which is clamped first.
    #[must_use]
    pub fn leaf(&self, value: i64) -> u32 {
        // ⌊distance · leaves / values⌋; the product is below 2⁹⁶.
        let distance = u128::from(value.clamp(self.low, self.high).abs_diff(self.low));
        u32::try_from(distance * u128::from(self.leaves) / self.values()).unwrap_or(u32::MAX)
    }

    /// The values of a leaf, both ends included.
    #[must_use]
    pub fn values_of(&self, leaf: u32) -> (i64, i64) {
        let leaf = leaf.min(self.leaves - 1);
        (self.first(leaf), if leaf + 1 == self.leaves { self.high } else { self.first(leaf + 1).saturating_sub(1) })
    }

    /// The square of the L2 sensitivity of all numbers of the trees of all groups.
    ///
    /// # Guarantee
    /// When one person comes or goes who counts in at most c groups with at most k values in each, the
    /// vector of all numbers changes by at most √(c·height)·k in L2 norm; with a cap of m values overall, by at
    /// most √(height·(⌊m/k⌋k² + (m mod k)²)) where m < c·k. Proof: `proof.md`.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub fn sensitivity(&self, bounds: &ContributionBounds) -> Result<L2Squared, BoundsError> {
        bounds.of_rows()?.repeated(self.height)
    }

    /// The lowest value of a leaf: ⌈leaf · values / leaves⌉ above the lowest of all.
    fn first(&self, leaf: u32) -> i64 {
        let distance = (u128::from(leaf) * self.values()).div_ceil(u128::from(self.leaves));
        i64::try_from(i128::from(self.low) + i128::try_from(distance).unwrap_or(i128::MAX / 2)).unwrap_or(self.high)
    }

    fn values(&self) -> u128 {
        u128::from(self.high.abs_diff(self.low)) + 1
    }

    /// The leaves below a node: from the first to before the second.
    pub(super) fn leaves_of(&self, node: Node) -> (u32, u32) {
        let run = u64::from(self.branching).saturating_pow(self.height - node.level.min(self.height));
        let end = |place: u64| u32::try_from(place.saturating_mul(run).min(u64::from(self.leaves))).unwrap_or(self.leaves);
        (end(u64::from(node.place)), end(u64::from(node.place) + 1))
    }

    /// The nodes right below a node that have leaves, in order; none below a leaf.
    pub(super) fn children(&self, parent: Node) -> impl Iterator<Item = Node> + '_ {
        let level = parent.level + 1;
        let nodes = if level <= self.height { self.branching } else { 0 };
        (0..nodes).map(move |i| Node { level, place: parent.place.saturating_mul(self.branching).saturating_add(i) }).take_while(|node| self.leaves_of(*node).0 < self.leaves)
    }

    /// How many nodes there are at most below one node.
    pub(super) const fn branching(&self) -> u32 {
        self.branching
    }
}
