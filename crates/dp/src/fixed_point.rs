//! Numbers with a fraction as whole multiples of a public step.
//!
//! Sums of fixed-point integers are exact and do not depend on order, so that the attacks on floating
//! sums (Casacuberta et al. 2022) and on floating noise (Mironov 2012) have nothing to work on.

/// A step of 1/denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Granularity {
    denominator: u32,
}

impl Granularity {
    /// Whole numbers.
    pub const ONE: Self = Self { denominator: 1 };
    /// Steps of 1/1024.
    pub const PER_1024: Self = Self { denominator: 1_024 };

    /// Steps of 1/denominator.
    ///
    /// # Errors
    /// When the denominator is zero.
    pub const fn new(denominator: u32) -> Result<Self, crate::BoundsError> {
        if denominator == 0 { Err(crate::BoundsError::Zero) } else { Ok(Self { denominator }) }
    }

    /// Steps per 1.
    #[must_use]
    pub const fn denominator(self) -> u32 {
        self.denominator
    }

    /// `x`, clamped to `[low, high]`, in steps, halves rounded to even. Total: NaN is nothing.
    ///
    /// The product of a double and a 32-bit whole number is rounded once to 53 bits before it is
    /// rounded to a whole number: a function of this one value alone, which is all that bounding
    /// needs.
    #[must_use]
    pub fn to_grid(self, x: f64, low: f64, high: f64) -> Option<i64> {
        if x.is_nan() || low.is_nan() || high.is_nan() {
            return None;
        }
        let clamped = x.max(low).min(high);
        let steps = (clamped * f64::from(self.denominator)).round_ties_even();
        #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates at the ends of i64, and NaN was excluded")]
        let steps = steps as i64;
        Some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even_and_nasty_values_are_harmless() {
        let quarter = Granularity::new(4).unwrap();
        let grid = |x: f64| quarter.to_grid(x, -1e9, 1e9);
        assert_eq!(grid(0.125), Some(0));
        assert_eq!(grid(0.375), Some(2));
        assert_eq!(grid(-0.125), Some(0));
        assert_eq!(grid(-0.0), Some(0));
        assert_eq!(grid(f64::NAN), None);
        assert_eq!(grid(f64::INFINITY), Some(4_000_000_000));
        assert_eq!(grid(f64::NEG_INFINITY), Some(-4_000_000_000));
        assert_eq!(grid(f64::MIN_POSITIVE), Some(0));
        assert_eq!(Granularity::ONE.to_grid(f64::MAX, f64::MIN, f64::MAX), Some(i64::MAX));
    }
}
