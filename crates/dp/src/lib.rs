//! Differential privacy: units, bounds, mechanisms, accounting. Pure; knows no people, SQL or files.
//!
//! The privacy unit is one person with all their rows; accounting is zero-concentrated differential
//! privacy (ρ; Bun & Steinke 2016) with an additive δ for the selection of groups. Budgets are
//! integers, rounded against whoever spends them. Noise is the discrete Gaussian, and for pure ε the
//! discrete Laplace, on exact integers (Canonne, Kamath & Steinke 2020), drawn from the operating
//! system's randomness.
//!
//! Each mechanism has its folder with code, tests and `proof.md`. Floating point appears only where
//! a number is shown or a tail is bounded, and says there why its rounding is safe.

mod accountant;
mod bounds;
mod fixed_point;
mod keyed_hash;
mod mechanism;
mod sampler;
#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "statistics of small numbers")]
mod testing;
mod unit;

pub use accountant::{epsilon, filter, rho_for_epsilon};
pub use bounds::{BoundsError, ContributionBounds, L2Squared};
pub use fixed_point::Granularity;
pub use keyed_hash::{BoundingKey, GroupTag};
pub use mechanism::discrete_gaussian::{ParameterError, Variance, discrete_gaussian};
pub use mechanism::discrete_laplace::{LaplaceScale, discrete_laplace};
pub use mechanism::exponential::{Candidate, Exponential};
pub use mechanism::key_selection::{KeyThreshold, key_threshold, key_threshold_laplace};
pub use mechanism::moments::{Centered, Divisor, MomentEstimate, NoisyMoments, Part};
pub use mechanism::quantile_tree::{LeafCounts, Quantile, QuantileEstimate, QuantileTree, Shape, thin};
pub use sampler::{BitSource, Noise, NoiseError, OsBits, OsNoise, sample_discrete_gaussian, sample_discrete_laplace};
pub use unit::{Cost, Delta, Epsilon, Rho, UnitError};
