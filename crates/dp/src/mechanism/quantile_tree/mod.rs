//! Quantiles from a tree of noisy numbers: any of them for one price. Proof: `proof.md`.

mod counts;
mod estimate;
mod shape;
mod tree;

pub use counts::{LeafCounts, thin};
pub use shape::Shape;

use super::discrete_gaussian::{ParameterError, Variance};
use crate::bounds::{BoundsError, ContributionBounds};
use crate::sampler::{Noise, NoiseError};
use crate::unit::Rho;

/// Which quantile, in millionths: 500 000 is the median.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u32);

impl Quantile {
    /// The middle.
    pub const MEDIAN: Self = Self(500_000);
    /// A whole, in millionths.
    const WHOLE: u32 = 1_000_000;

    /// This many millionths.
    ///
    /// # Errors
    /// Above one million.
    pub const fn from_millionths(millionths: u32) -> Result<Self, ParameterError> {
        if millionths > Self::WHOLE { Err(ParameterError::OutOfRange("the quantile")) } else { Ok(Self(millionths)) }
    }

    /// How many millionths.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// A noisy quantile, in grid units. Post-processing of noisy numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantileEstimate {
    /// The quantile. Of one release, that of a higher quantile is never lower.
    pub value: i64,
    /// The quantile of the bounded, clamped values is at least this and at most `high`, 19 times out of
    /// 20 or more often.
    pub low: i64,
    /// See `low`.
    pub high: i64,
}

/// A tree and the noise of each of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantileTree {
    shape: Shape,
    variance: Variance,
}

impl QuantileTree {
    /// The tree whose release in all groups costs `rho` (an equal share per level).
    ///
    /// # Errors
    /// When a bound or ρ is zero, or the noise cannot be counted.
    pub fn for_cost(shape: Shape, bounds: &ContributionBounds, rho: Rho) -> Result<Self, ParameterError> {
        let sensitivity = shape.sensitivity(bounds).map_err(|e| match e {
            BoundsError::Zero => ParameterError::Zero("a bound"),
            BoundsError::TooLarge => ParameterError::TooLarge("the sensitivity"),
        })?;
        let variance = Variance::for_cost(sensitivity, rho)?;
        Ok(Self { shape, variance })
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The variance of the noise on each number of values in a node.
    #[must_use]
    pub const fn variance(&self) -> &Variance {
        &self.variance
    }

    /// The quantiles of one group, in the order asked.
    ///
    /// They go down the tree: in each node to where the noisy numbers reach the quantile, and within a leaf,
    /// or a node below which nobody seems to be, in a straight line between its ends. When nobody seems to
    /// be anywhere, the middle of the range is given.
    ///
    /// # Guarantee
    /// When each group of a release is given once, with counts in which one person has at most as many
    /// values as the bounds of [`QuantileTree::for_cost`] say, all answers together are ρ-zCDP for one
    /// person, however many quantiles are asked for. Noise of nodes that nobody looks at is not drawn, which
    /// changes nothing in the answer's distribution. The error depends on the system's randomness only.
    /// Proof: `proof.md`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn release(&self, counts: &LeafCounts, quantiles: &[Quantile], noise: &dyn Noise) -> Result<Vec<QuantileEstimate>, NoiseError> {
        let mut tree = tree::NoisyTree::new(&self.shape, counts, &self.variance, noise);
        quantiles.iter().map(|quantile| estimate::estimate(&mut tree, *quantile, &self.variance)).collect()
    }

    /// How far, in numbers of values, the rank of the end of a quantile's range is from the quantile's own
    /// rank, at most, 19 times out of 20 or more often. A function of public parameters.
    #[must_use]
    pub fn rank_half_width_95(&self, quantile: Quantile) -> f64 {
        estimate::rank_half_width(&self.shape, quantile, &self.variance)
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
mod test;
