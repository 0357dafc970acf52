//! Privacy loss in whole units: nano-ρ and 10⁻¹⁸ of δ.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a privacy loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a plain decimal.
    #[error("`{0}` is not a decimal number like 0.05")]
    NotDecimal(String),
    /// Larger than can be counted.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

macro_rules! unit {
    ($(#[$meta:meta])* $name:ident, $digits:literal, $make:ident, $get:ident, $unit:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// No loss.
            pub const ZERO: Self = Self(0);
            /// The largest loss that can be counted.
            pub const MAX: Self = Self(u64::MAX);

            #[doc = concat!("This many ", $unit, ".")]
            #[must_use]
            pub const fn $make(units: u64) -> Self { Self(units) }

            #[doc = concat!("How many ", $unit, ".")]
            #[must_use]
            pub const fn $get(self) -> u64 { self.0 }

            /// The sum, unless it is too large to count.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) { Some(sum) => Some(Self(sum)), None => None }
            }

            /// The difference, unless it is below zero.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) { Some(rest) => Some(Self(rest)), None => None }
            }

            /// The multiple, unless it is too large to count.
            #[must_use]
            pub const fn checked_mul(self, times: u64) -> Option<Self> {
                match self.0.checked_mul(times) { Some(product) => Some(Self(product)), None => None }
            }

            /// One of `parts` equal shares, rounded down: all of them never exceed the whole.
            #[must_use]
            pub const fn split(self, parts: NonZeroU32) -> Self {
                Self(self.0 / parts.get() as u64)
            }
        }

        impl FromStr for $name {
            type Err = UnitError;
            /// Reads a plain decimal; what is finer than one unit is rounded up, against the spender.
            fn from_str(text: &str) -> Result<Self, UnitError> {
                parse_units(text, $digits).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format_units(self.0, $digits))
            }
        }
    };
}

unit!(
    /// Privacy loss ρ of zero-concentrated differential privacy, in billionths.
    Rho, 9, from_nano, nano, "billionths of ρ"
);
unit!(
    /// Probability δ that the guarantee does not hold, in units of 10⁻¹⁸.
    Delta, 18, from_atto, atto, "units of 10⁻¹⁸"
);

unit!(
    /// Privacy loss ε of a mechanism that is not Gaussian, in billionths. Ledgers count its ρ.
    Epsilon, 9, from_nano, nano, "billionths of ε"
);

impl Epsilon {
    /// The ρ of an ε-differentially private mechanism: ε²/2 (Bun & Steinke 2016, Proposition 1.4), rounded up; none
    /// when it is too large to count.
    #[must_use]
    pub fn pure_rho(self) -> Option<Rho> {
        self.squared_over(2)
    }

    /// The largest ε whose [`Epsilon::pure_rho`] does not exceed `rho`.
    #[must_use]
    pub fn for_pure_rho(rho: Rho) -> Self {
        Self::root_of(rho, 2)
    }

    /// The ρ of an ε-bounded-range mechanism, like the exponential: ε²/8 (Rogers & Steinke 2021), rounded up;
    /// none when it is too large to count.
    #[must_use]
    pub fn bounded_range_rho(self) -> Option<Rho> {
        self.squared_over(8)
    }

    /// The largest ε whose [`Epsilon::bounded_range_rho`] does not exceed `rho`.
    #[must_use]
    pub fn for_bounded_range_rho(rho: Rho) -> Self {
        Self::root_of(rho, 8)
    }

    /// ε²/`parts` in billionths, rounded up.
    fn squared_over(self, parts: u128) -> Option<Rho> {
        let square = u128::from(self.0) * u128::from(self.0);
        u64::try_from(square.div_ceil(parts * 1_000_000_000)).ok().map(Rho)
    }

    /// √(`parts`·ρ) in billionths, rounded down: its square over `parts` is at most ρ.
    fn root_of(rho: Rho, parts: u128) -> Self {
        Self(u64::try_from((parts * 1_000_000_000 * u128::from(rho.0)).isqrt()).unwrap_or(u64::MAX))
    }
}

impl Delta {
    /// What the selection of groups in one release costs: 10⁻⁹.
    pub const PER_RELEASE: Self = Self(1_000_000_000);
    /// What all releases to one recipient may cost: 10⁻⁶.
    pub const LIFETIME: Self = Self(1_000_000_000_000);

    /// The probability as a number, for display and for bounds that are computed in floating point.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits of a probability are enough to show it; users of the bound add a margin")]
        let units = self.0 as f64;
        units * 1e-18
    }
}

/// What something costs: ρ, and δ for selecting groups. Both add up over releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The ρ part.
    pub rho: Rho,
    /// The δ part.
    pub delta: Delta,
}

impl Cost {
    /// Free.
    pub const ZERO: Self = Self { rho: Rho::ZERO, delta: Delta::ZERO };

    /// The sum, unless it is too large to count.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self { rho: self.rho.checked_add(other.rho)?, delta: self.delta.checked_add(other.delta)? })
    }

    /// The difference, unless a part is below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self { rho: self.rho.checked_sub(other.rho)?, delta: self.delta.checked_sub(other.delta)? })
    }

    /// The sum; a part that is too large to count stays at the largest number.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { rho: Rho(self.rho.0.saturating_add(other.rho.0)), delta: Delta(self.delta.0.saturating_add(other.delta.0)) }
    }

    /// Whether both parts fit into `room`.
    #[must_use]
    pub fn fits_in(&self, room: &Self) -> bool {
        self.rho <= room.rho && self.delta <= room.delta
    }
}

/// Reads `text` in units of 10^-digits, rounding up. Accepts `0.05`, `2`, `.5` and `1e-9`.
fn parse_units(text: &str, digits: u32) -> Result<u64, UnitError> {
    let not_decimal = || UnitError::NotDecimal(text.to_owned());
    let too_large = || UnitError::TooLarge(text.to_owned());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| not_decimal())?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit());
    if !all_digits || (whole.is_empty() && fraction.is_empty()) || whole.len() + fraction.len() > 60 || exponent.unsigned_abs() > 60 {
        return Err(not_decimal());
    }
    // The digits of the mantissa as one number, and how far its last digit is from one unit.
    let places = i64::from(digits) + i64::from(exponent) - i64::try_from(fraction.len()).map_err(|_| not_decimal())?;
    let mut units: u128 = 0;
    let mut dropped = false;
    let all: Vec<char> = whole.chars().chain(fraction.chars()).collect();
    let kept = i64::try_from(all.len()).map_err(|_| not_decimal())? + places.min(0);
    for (place, c) in (0_i64..).zip(&all) {
        let digit = u128::from(c.to_digit(10).ok_or_else(not_decimal)?);
        if place < kept {
            units = units.checked_mul(10).and_then(|u| u.checked_add(digit)).ok_or_else(too_large)?;
        } else {
            dropped |= digit != 0;
        }
    }
    for _ in 0..places.max(0) {
        if units == 0 {
            break;
        }
        units = units.checked_mul(10).ok_or_else(too_large)?;
    }
    u64::try_from(units + u128::from(dropped)).map_err(|_| too_large())
}

fn format_units(units: u64, digits: u32) -> String {
    let one = 10_u64.pow(digits);
    let (whole, rest) = (units / one, units % one);
    if rest == 0 {
        return whole.to_string();
    }
    if whole == 0 && digits > 9 {
        // Small probabilities read better as 1e-9.
        let zeros = rest.to_string().len();
        let exponent = i64::try_from(zeros).unwrap_or(0) - 1 - i64::from(digits);
        let mantissa = rest.to_string();
        let (first, more) = mantissa.split_at(1);
        let more = more.trim_end_matches('0');
        return if more.is_empty() { format!("{first}e{exponent}") } else { format!("{first}.{more}e{exponent}") };
    }
    let fraction = format!("{rest:0width$}", width = usize::try_from(digits).unwrap_or(0));
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_finer_parts_round_up() {
        for (text, nano) in
            [("0.05", 50_000_000), ("1", 1_000_000_000), (".5", 500_000_000), ("0.0000000001", 1), ("1.0000000011", 1_000_000_002), ("0", 0), ("5e-2", 50_000_000), ("1e-12", 1)]
        {
            assert_eq!(text.parse::<Rho>().unwrap().nano(), nano, "{text}");
        }
        assert_eq!("1e-9".parse::<Delta>().unwrap(), Delta::PER_RELEASE);
        assert_eq!("0.000001".parse::<Delta>().unwrap(), Delta::LIFETIME);
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-1", "NaN", "inf", "1,5", "0x1", ".", "1e", "99999999999", "1e40", "+1", " 1"] {
            assert!(text.parse::<Rho>().is_err(), "{text}");
        }
    }

    #[test]
    fn printing_and_reading_agree() {
        for nano in [0, 1, 50_000_000, 1_000_000_000, 1_234_567_891, u64::MAX] {
            let rho = Rho::from_nano(nano);
            assert_eq!(rho.to_string().parse::<Rho>().unwrap(), rho);
            let delta = Delta::from_atto(nano);
            assert_eq!(delta.to_string().parse::<Delta>().unwrap(), delta, "{delta}");
        }
        assert_eq!(Delta::PER_RELEASE.to_string(), "1e-9");
    }

    #[test]
    fn epsilon_and_its_rho_round_against_the_spender() {
        let one: Epsilon = "1".parse().unwrap();
        assert_eq!((one.pure_rho(), one.bounded_range_rho()), (Some("0.5".parse().unwrap()), Some("0.125".parse().unwrap())));
        assert_eq!(Epsilon::from_nano(1).pure_rho(), Some(Rho::from_nano(1)));
        assert_eq!(Epsilon::MAX.pure_rho(), None);
        for nano in [0, 1, 7, 50_000_000, 1_000_000_007, u64::MAX] {
            let rho = Rho::from_nano(nano);
            let (pure, ranged) = (Epsilon::for_pure_rho(rho), Epsilon::for_bounded_range_rho(rho));
            assert!(pure.pure_rho().unwrap() <= rho && ranged.bounded_range_rho().unwrap() <= rho);
            let next = |e: Epsilon| Epsilon::from_nano(e.nano() + 1);
            assert!(next(pure).pure_rho().is_none_or(|more| more > rho) && next(ranged).bounded_range_rho().is_none_or(|more| more > rho), "{rho}");
        }
    }

    #[test]
    fn shares_never_exceed_the_whole() {
        for nano in [1, 7, 1_000_000_007, u64::MAX] {
            for parts in [1, 2, 3, 7, 16] {
                let parts = NonZeroU32::new(parts).unwrap();
                let share = Rho::from_nano(nano).split(parts);
                assert!(share.checked_mul(u64::from(parts.get())).unwrap() <= Rho::from_nano(nano));
            }
        }
    }
}
