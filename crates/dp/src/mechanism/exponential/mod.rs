//! The exponential mechanism: one of several public candidates, better ones with higher probability. Proof:
//! `proof.md`.

use super::discrete_gaussian::ParameterError;
use crate::sampler::{BitSource, NoiseError, sample_below, sample_exp_minus};
use crate::unit::Epsilon;

/// One candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// How often it is drawn against others of its score. Public.
    pub weight: u64,
    /// How good it is. From data.
    pub score: i64,
}

/// How far one person can move a score, and what a choice costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exponential {
    sensitivity: u64,
    epsilon: Epsilon,
}

impl Exponential {
    /// A choice that costs ε, between candidates whose scores one person moves by `sensitivity` at most. In ρ it
    /// costs [`Epsilon::bounded_range_rho`].
    ///
    /// # Errors
    /// When either is zero.
    pub const fn new(sensitivity: u64, epsilon: Epsilon) -> Result<Self, ParameterError> {
        if sensitivity == 0 {
            return Err(ParameterError::Zero("the sensitivity"));
        }
        if epsilon.nano() == 0 {
            return Err(ParameterError::Zero("the price"));
        }
        Ok(Self { sensitivity, epsilon })
    }

    /// The place of the chosen candidate; none when no candidate has a weight.
    ///
    /// Draws candidates by weight until one is kept. That takes (sum of weights) / (weight of the best) draws at
    /// most, on average; fewer when others are nearly as good.
    ///
    /// # Guarantee
    /// When number and weights of the candidates are public and one person moves each score by the sensitivity
    /// at most, the choice is ε-differentially private and ε-bounded range, hence ε²/8-zCDP. Each candidate's
    /// probability is exactly proportional to weight·exp(ε·score / 2·sensitivity). Proof: `proof.md`.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn choose(&self, candidates: &[Candidate], bits: &mut dyn BitSource) -> Result<Option<usize>, NoiseError> {
        let mut total = 0_u128;
        let ends: Vec<u128> = candidates
            .iter()
            .map(|candidate| {
                total = total.saturating_add(candidate.weight.into());
                total
            })
            .collect();
        let Some(best) = candidates.iter().filter(|candidate| candidate.weight > 0).map(|candidate| candidate.score).max() else { return Ok(None) };
        loop {
            let drawn = sample_below(bits, total)?;
            let place = ends.partition_point(|end| *end <= drawn);
            let Some(candidate) = candidates.get(place) else { return Ok(None) };
            if self.keeps(best.abs_diff(candidate.score), bits)? {
                return Ok(Some(place));
            }
        }
    }

    /// True with probability exp(−ε·behind / 2·sensitivity).
    fn keeps(&self, behind: u64, bits: &mut dyn BitSource) -> Result<bool, NoiseError> {
        // Both fit: 2⁶⁴·2⁶⁴, and 2·2⁶⁴·2³⁰.
        let numer = u128::from(self.epsilon.nano()).saturating_mul(behind.into());
        sample_exp_minus(bits, numer, 2 * u128::from(self.sensitivity) * 1_000_000_000)
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod test;
