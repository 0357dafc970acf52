//! What rises and falls: each period against those before it.
//!
//! # Guarantee
//! With noise alone, and nothing rising or falling, one of all the words that one answer says is wrong with a
//! chance of at most 5 %: differences are called one only beyond z = √(1.96² + 2·ln n) standard deviations of
//! their noise, with n comparisons, where a Gaussian tail is at most 1/n of 5 %. (That people differ from
//! week to week by chance is no noise of ours: a word tells what the numbers do, not why.)

use domain::question::widened;

use super::share::Estimate;

/// What a number does against those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// There is none before it.
    First,
    Rising,
    Falling,
    /// Less than the noise lets one see.
    Unseen,
}

impl Movement {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Unseen => "no change that the noise lets one see",
        }
    }
}

/// Each number of a series against the mean of those before it, in standard deviations of the noise of that
/// difference, and what it does; `comparisons` are made in one answer.
pub(super) fn movements(series: &[Estimate], comparisons: usize) -> Vec<(Option<f64>, Movement)> {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred periods")]
    let float = |n: usize| n as f64;
    let beyond = 1.96 * widened(comparisons);
    let mut total = 0.0;
    let mut out = Vec::with_capacity(series.len());
    for (before, now) in series.iter().enumerate() {
        if before == 0 {
            out.push((None, Movement::First));
        } else {
            // A half-width is a whole number that can be below 1.96 deviations by less than one.
            let sd = (now.half_width() + 1.0) / 1.96 * (1.0 + 1.0 / float(before)).sqrt();
            let z = (now.value - total / float(before)) / sd;
            let movement = if z > beyond {
                Movement::Rising
            } else if z < -beyond {
                Movement::Falling
            } else {
                Movement::Unseen
            };
            out.push((Some(z).filter(|z| z.is_finite()), movement));
        }
        total += now.value;
    }
    out
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn series(values: &[f64]) -> Vec<Estimate> {
        values.iter().map(|value| Estimate { value: *value, low: value - 19.6, high: value + 19.6 }).collect()
    }

    #[test]
    fn large_differences_are_seen_and_small_ones_are_not() {
        let words: Vec<Movement> = movements(&series(&[100.0, 110.0, 95.0, 300.0, 20.0]), 4).into_iter().map(|(_, movement)| movement).collect();
        assert_eq!(words, [Movement::First, Movement::Unseen, Movement::Unseen, Movement::Rising, Movement::Falling]);
    }

    #[test]
    fn noise_alone_is_hardly_ever_called_a_change() {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(5);
        let wrong = (0..2_000)
            .filter(|_| {
                // Twelve uniform numbers are nearly a Gaussian one with deviation 1; here 10.
                let values: Vec<f64> = (0..20).map(|_| 500.0 + 10.0 * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0)).collect();
                movements(&series(&values), 19).iter().any(|(_, movement)| matches!(movement, Movement::Rising | Movement::Falling))
            })
            .count();
        assert!(wrong < 100, "{wrong} of 2,000 answers");
    }
}
