//! Exact sampling: every coin compares uniformly drawn integers with integers. Proof: `proof.md`.
//!
//! The only source of randomness that touches answers.

mod bernoulli;
mod gaussian;
mod uniform;

use crate::mechanism::discrete_gaussian::Variance;

pub(crate) use bernoulli::exp_minus as sample_exp_minus;
pub(crate) use uniform::below as sample_below;

pub use gaussian::{sample_discrete_gaussian, sample_discrete_laplace};

/// The system has no randomness to give. Nothing about data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoiseError;

/// Uniformly random bytes.
pub trait BitSource {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When there is no randomness.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoiseError>;
}

/// Where noise comes from. The product has [`OsNoise`] and nothing else: no setting chooses another.
pub trait Noise: Send + Sync {
    /// One draw of the discrete Gaussian of that variance.
    ///
    /// # Errors
    /// When there is no randomness.
    fn discrete_gaussian(&self, variance: &Variance) -> Result<i128, NoiseError>;
}

/// Noise from the operating system's cryptographic randomness. It has no seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsNoise;

impl Noise for OsNoise {
    fn discrete_gaussian(&self, variance: &Variance) -> Result<i128, NoiseError> {
        sample_discrete_gaussian(&mut OsBits::default(), variance)
    }
}

/// Randomness of the operating system, fetched a little at a time: for mechanisms that are not Gaussian.
pub struct OsBits {
    buffer: [u8; 256],
    used: usize,
}

impl Default for OsBits {
    fn default() -> Self {
        Self { buffer: [0; 256], used: 256 }
    }
}

impl BitSource for OsBits {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoiseError> {
        for byte in bytes {
            if self.used >= self.buffer.len() {
                getrandom::fill(&mut self.buffer).map_err(|_| NoiseError)?;
                self.used = 0;
            }
            *byte = self.buffer.get(self.used).copied().ok_or(NoiseError)?;
            self.used += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "statistics of small numbers")]
mod test;
