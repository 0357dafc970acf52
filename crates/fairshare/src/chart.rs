//! Bars with their range, for a terminal.

/// One bar: a label, a value and the 95 % range of its noise.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Columns of a bar.
const WIDTH: f64 = 44.0;

/// Horizontal bars from zero; `▒` covers the range in which the true value lies 19 times out of 20.
pub(crate) fn bars(bars: &[Bar]) -> String {
    let top = bars.iter().map(|b| b.high).fold(1.0, f64::max);
    let label_width = bars.iter().map(|b| b.label.chars().count()).max().unwrap_or(0);
    let place = |x: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column between 0 and WIDTH; casts of floats saturate")]
        let column = (x.max(0.0) / top * WIDTH).round() as usize;
        column
    };
    let mut out = String::new();
    for bar in bars {
        let (low, value, high) = (place(bar.low), place(bar.value), place(bar.high));
        let drawn: String = (0..high.max(1))
            .map(|c| {
                if c < low {
                    '█'
                } else if c < value {
                    '▓'
                } else {
                    '▒'
                }
            })
            .collect();
        let pad = " ".repeat(label_width - bar.label.chars().count());
        let range = format!("{} ({} – {})", grouped(bar.value), grouped(bar.low), grouped(bar.high));
        out.push_str(&format!("  {}{pad} {drawn} about {range}\n", bar.label));
    }
    out
}

/// A grid of shades from light to dark with its scale, which says how far each number may be off. Steps are not
/// finer than that.
pub(crate) fn heat(rows: &[&str], grid: &[Vec<f64>], half_width: f64) -> String {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let top = grid.iter().flatten().copied().fold(half_width.max(1.0), f64::max);
    let steps = (top / half_width.max(f64::MIN_POSITIVE)).floor().clamp(2.0, 5.0);
    // Of fewer steps than shades, the darkest are left out between.
    let shade = |step: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among five; casts of floats saturate")]
        let place = (step.min(steps - 1.0) * 4.0 / (steps - 1.0)) as usize;
        SHADES.get(place).copied().unwrap_or('█')
    };
    let mut out = String::from("      0  3  6  9  12 15 18 21\n");
    for (name, values) in rows.iter().zip(grid) {
        let drawn: String = values.iter().map(|x| shade((x.max(0.0) / top * steps).floor())).collect();
        out.push_str(&format!("  {name} {}\n", drawn.trim_end()));
    }
    let mut scale = Vec::new();
    let mut step = 1.0;
    while step < steps {
        scale.push(format!("{} from {}", shade(step), grouped(top * step / steps)));
        step += 1.0;
    }
    out.push_str(&format!("  {}  · each ±{}\n", scale.join("  "), grouped(half_width)));
    out
}

/// A number with thousands apart; small ones with two places.
pub(crate) fn grouped(x: f64) -> String {
    if x.abs() < 100.0 {
        let short = format!("{x:.2}");
        let short = short.trim_end_matches('0').trim_end_matches('.');
        return if short == "-0" { "0".to_owned() } else { short.to_owned() };
    }
    let whole = format!("{:.0}", x.abs());
    let digits: Vec<char> = whole.chars().collect();
    let mut out = String::new();
    for (i, digit) in digits.iter().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(*digit);
    }
    if x < 0.0 { format!("-{out}") } else { out }
}

/// A whole number as people write it.
pub(crate) fn count(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a printed count")]
    let n = n as f64;
    grouped(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (x, expected) in [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (-1_234_567.0, "-1,234,567"), (-0.2, "-0.2"), (-0.001, "0"), (12.345, "12.35"), (123.4, "123")] {
            assert_eq!(grouped(x), expected);
        }
    }

    #[test]
    fn a_grid_is_shaded_by_its_largest_number() {
        let drawn = heat(&["Mon", "Tue"], &[vec![-3.0, 10.0, 100.0], vec![50.0, 0.0, 79.0]], 4.0);
        assert!(drawn.contains("Mon   █\n") && drawn.contains("Tue ▒ ▓\n") && drawn.contains("░ from 20") && drawn.contains("±4"), "{drawn}");
        let coarse = heat(&["Mon"], &[vec![30.0, 60.0, 100.0]], 40.0);
        assert!(coarse.contains("Mon  ██\n") && coarse.contains("█ from 50  · each ±40"), "noise as large as two fifths leaves two steps: {coarse}");
    }

    #[test]
    fn negative_values_draw_nothing_but_their_range() {
        let drawn = bars(&[Bar { label: "a".into(), value: -5.0, low: -15.0, high: 5.0 }, Bar { label: "bb".into(), value: 100.0, low: 90.0, high: 110.0 }]);
        assert!(drawn.contains("a  ▒▒ about -5 (-15 – 5)"), "{drawn}");
    }
}
