//! One person's privacy filter: does one more release fit under their cap?

use crate::unit::Cost;

/// Whether a person who has lost `settled`, and may be losing `in_flight`, may take part in a release
/// that costs `cost` without exceeding `cap`.
///
/// # Guarantee
/// If a person takes part only where this says yes, and every release whose cost is not in `settled`
/// is in `in_flight`, their loss over any adaptively chosen sequence of releases is `cap` at most
/// (`proof.md`). Sums too large to count do not fit.
#[must_use]
pub fn fits(settled: Cost, in_flight: Cost, cost: Cost, cap: Cost) -> bool {
    settled.checked_add(in_flight).and_then(|loss| loss.checked_add(cost)).is_some_and(|loss| loss.fits_in(&cap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Delta, Rho};

    fn cost(nano: u64, atto: u64) -> Cost {
        Cost { rho: Rho::from_nano(nano), delta: Delta::from_atto(atto) }
    }

    #[test]
    fn both_parts_must_fit_and_the_cap_itself_does() {
        assert!(fits(cost(5, 0), cost(3, 1), cost(2, 1), cost(10, 2)));
        assert!(!fits(cost(5, 0), cost(3, 1), cost(3, 1), cost(10, 2)));
        assert!(!fits(cost(5, 0), cost(3, 2), cost(2, 1), cost(10, 2)));
    }

    #[test]
    fn what_cannot_be_counted_does_not_fit() {
        assert!(!fits(cost(u64::MAX, 0), cost(1, 0), Cost::ZERO, cost(u64::MAX, u64::MAX)));
    }

    #[test]
    fn a_cap_of_nothing_admits_free_releases_only() {
        assert!(fits(Cost::ZERO, Cost::ZERO, Cost::ZERO, Cost::ZERO));
        assert!(!fits(Cost::ZERO, Cost::ZERO, cost(1, 0), Cost::ZERO));
    }
}
