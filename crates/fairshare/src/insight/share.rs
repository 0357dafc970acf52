//! Parts of a whole, of noisy numbers.

use domain::question::widened;

/// A noisy number with its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Estimate {
    pub(super) const fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// Each number's part of their sum, with the range in which it is when all numbers are within theirs at once:
/// each range is [`widened`].
pub(super) fn shares(numbers: &[Estimate]) -> Vec<Option<Estimate>> {
    let widened = widened(numbers.len());
    // A half-width is a whole number that can be below 1.96 deviations by less than one. No number of people
    // is below nothing.
    let half = |n: &Estimate| widened * (n.half_width() + 1.0);
    let ends = |n: &Estimate| ((n.value - half(n)).max(0.0), (n.value + half(n)).max(0.0));
    let (value, low, high) = numbers.iter().fold((0.0, 0.0, 0.0), |(value, low, high), n| (value + n.value.max(0.0), low + ends(n).0, high + ends(n).1));
    let part = |part: f64, rest: f64| if part + rest > 0.0 { part / (part + rest) } else { 0.0 };
    let share = |n: &Estimate| {
        let (least, most) = ends(n);
        let shown = (value > 0.0).then(|| n.value.max(0.0) / value)?;
        Some(Estimate { value: shown, low: part(least, high - most), high: if most > 0.0 { part(most, low - least) } else { 0.0 } })
    };
    numbers.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parts_of_one() {
        let numbers = [(300.0, 10.0), (100.0, 10.0), (-5.0, 10.0)].map(|(value, half)| Estimate { value, low: value - half, high: value + half });
        let shares: Vec<Estimate> = shares(&numbers).into_iter().flatten().collect();
        assert!((shares.iter().map(|s| s.value).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(shares.iter().all(|s| s.low <= s.value && s.value <= s.high && (0.0..=1.0).contains(&s.low) && s.high <= 1.0), "{shares:?}");
        assert!((shares[0].value - 0.75).abs() < 1e-9 && shares[2].low.abs() < 1e-9);
        assert_eq!(super::shares(&[Estimate { value: -1.0, low: -2.0, high: 0.0 }]), [None]);
    }
}
