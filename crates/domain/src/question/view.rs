//! What is made of a released table: expressions, `HAVING`, `ORDER BY`, `LIMIT`.
//!
//! All of it is post-processing of numbers that already left, hence free and total.

use dp::{Divisor, MomentEstimate, NoisyMoments, Part};
use serde::Serialize;

use super::expr::{Expr, Range};
use super::{Grid, Value};
use crate::release::NoisedTable;

/// An expression over one released row.
pub type ViewExpr = Expr<Released>;

/// What is looked up in a released row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Released {
    /// A key, by its place in [`super::Plan::keys`].
    Key(usize),
    /// A paid number, by its place in [`NoisedTable::aggregates`].
    Number(usize),
    /// An average, a variance or a standard deviation, made of paid numbers.
    Moments(Moments),
    /// A percentile, by the place of its number; the ends of its range are the next two.
    Quantile(usize),
}

/// A statistic of values, made of their count and of the sums of what they and their squares are above the
/// middle ([`dp::NoisyMoments`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Which statistic.
    pub statistic: Statistic,
    /// The place of the count of known values, among the numbers.
    pub count: usize,
    /// The place of the sum of what values are above the middle.
    pub sum: usize,
    /// The place of the sum of what squared distances from the middle are above half of what they can be;
    /// an average has none.
    pub squares: Option<usize>,
    /// The values that count.
    pub values: Grid,
}

/// What is made of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The average.
    Average,
    /// The variance.
    Variance(Divisor),
    /// The square root of the variance.
    Deviation(Divisor),
}

/// One output column.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub expr: ViewExpr,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// What to sort by.
    pub expr: ViewExpr,
    /// Largest first.
    pub descending: bool,
    /// Where nulls go; PostgreSQL's default is last when ascending, first when descending.
    pub nulls_first: bool,
}

/// What to show of a released table.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The output columns.
    pub columns: Vec<ViewColumn>,
    /// Which rows to show.
    pub having: Option<ViewExpr>,
    /// In which order; by key where nothing is said.
    pub order_by: Vec<OrderBy>,
    /// How many rows to show.
    pub limit: Option<u64>,
    /// How many rows to leave out first.
    pub offset: u64,
}

/// One column of what is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PresentedColumn {
    /// Its name.
    pub name: String,
    /// `key`, `aggregate` or `expression`.
    pub role: &'static str,
    /// Whether its values have ranges: noise moved them.
    pub range: bool,
}

/// One shown value and, where noise moved it, the ends of its range.
pub type Shown = (Value, Option<(Value, Value)>);

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Presented {
    /// The columns.
    pub columns: Vec<PresentedColumn>,
    /// The rows: for each column its value and, where noise moved it and it can be said, the 95 % range.
    pub rows: Vec<Vec<Shown>>,
}

/// Two neighbours in a column's order of size that the noise does not tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tie {
    /// The column, by its place.
    pub column: usize,
    /// The row with the larger number.
    pub larger: usize,
    /// The row with the smaller one.
    pub smaller: usize,
}

impl Presented {
    /// Which of the noisy numbers of a column cannot be told apart: neighbours by size whose difference is
    /// within the 95 % range of the noise of a difference, or, of percentiles and clamped statistics, whose
    /// ranges overlap. Noises of different groups are independent, so
    /// that this is √(a² + b²) for numbers whose own ranges are ±a and ±b.
    #[must_use]
    pub fn ties(&self) -> Vec<Tie> {
        let ranged = self.columns.iter().enumerate().filter(|(_, column)| column.range && column.role == "aggregate");
        ranged.flat_map(|(column, _)| self.ties_of(column)).collect()
    }

    fn ties_of(&self, column: usize) -> Vec<Tie> {
        let number = |(row, cells): (usize, &Vec<Shown>)| {
            let (value, range) = cells.get(column)?;
            let (low, high) = range.as_ref()?;
            Some((value.as_f64()?, low.as_f64()?, high.as_f64()?, row))
        };
        // Ranges of percentiles and clamped statistics are no sums of a value and its noise: there, whoever
        // overlaps is not told apart.
        let even = |(value, low, high, _): &(f64, f64, f64, usize)| ((value - low) - (high - value)).abs() <= 1e-9 * (high - low).abs().max(1.0);
        let tied = |a: &(f64, f64, f64, usize), b: &(f64, f64, f64, usize)| {
            if even(a) && even(b) { a.0 - b.0 < (a.0 - a.1).hypot(b.2 - b.0) } else { a.1 <= b.2 }
        };
        let mut numbers: Vec<(f64, f64, f64, usize)> = self.rows.iter().enumerate().filter_map(number).collect();
        numbers.sort_by(|a, b| b.0.total_cmp(&a.0));
        let pairs = numbers.iter().zip(numbers.iter().skip(1));
        pairs.filter(|(a, b)| tied(a, b)).map(|(a, b)| Tie { column, larger: a.3, smaller: b.3 }).collect()
    }
}

/// One released row as expressions see it.
struct Row<'a> {
    key: &'a [Value],
    /// The numbers in grid units.
    grid: &'a [i64],
    numbers: Vec<Value>,
    table: &'a NoisedTable,
}

impl View {
    /// Shows `table` as the question asked.
    ///
    /// # Guarantee
    /// Reads nothing but the released table, and is total: no table makes it fail.
    #[must_use]
    pub fn present(&self, table: &NoisedTable) -> Presented {
        let mut rows: Vec<Row<'_>> = table
            .rows
            .iter()
            .map(|row| Row {
                key: &row.key,
                grid: &row.values,
                numbers: row.values.iter().zip(&table.aggregates).map(|(grid, a)| from_grid(*grid, a.denominator)).collect(),
                table,
            })
            .filter(|row| self.having.as_ref().is_none_or(|h| row.evaluate(h) == Value::Boolean(true)))
            .collect();
        // A stable sort over rows that are already in the order of their keys: ties keep that order.
        rows.sort_by(|a, b| a.key.iter().zip(b.key).map(|(x, y)| x.sort_order(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal));
        for order in self.order_by.iter().rev() {
            rows.sort_by(|a, b| order.compare(&a.evaluate(&order.expr), &b.evaluate(&order.expr)));
        }
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = self.limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
        let rows = rows.into_iter().skip(offset).take(limit).map(|row| self.columns.iter().map(|c| row.show(&c.expr)).collect()).collect();
        let columns = self.columns.iter().map(|c| PresentedColumn { name: c.name.clone(), role: c.role(), range: c.is_noisy() }).collect();
        Presented { columns, rows }
    }
}

impl ViewColumn {
    const fn role(&self) -> &'static str {
        match self.expr {
            Expr::Leaf(Released::Key(_)) => "key",
            Expr::Leaf(Released::Number(_) | Released::Moments(_) | Released::Quantile(_)) => "aggregate",
            Expr::Constant(_) | Expr::Call(..) | Expr::Case { .. } => "expression",
        }
    }

    /// Whether it is a number that is made of noisy ones.
    fn is_noisy(&self) -> bool {
        let mut noisy = false;
        self.expr.leaves(&mut |leaf| noisy |= !matches!(leaf, Released::Key(_)));
        noisy && !matches!(&self.expr, Expr::Call(function, _) if function.is_condition())
    }
}

impl Row<'_> {
    fn evaluate(&self, expr: &ViewExpr) -> Value {
        expr.evaluate(&|leaf| self.leaf(leaf))
    }

    fn leaf(&self, leaf: &Released) -> Value {
        match leaf {
            Released::Key(place) => self.key.get(*place).cloned().unwrap_or(Value::Null),
            Released::Number(place) | Released::Quantile(place) => self.numbers.get(*place).cloned().unwrap_or(Value::Null),
            Released::Moments(moments) => moments.value(self),
        }
    }

    fn number(&self, place: usize) -> Option<f64> {
        self.numbers.get(place)?.as_f64()
    }

    /// Half the width of a number's 95 % range, widened where it is one of several.
    fn half_width(&self, place: usize, widened: f64) -> Option<f64> {
        let aggregate = self.table.aggregates.get(place)?;
        let beyond = beyond(aggregate.half_width);
        let half_width = if widened > 1.0 { beyond * widened } else { beyond - STEP };
        Some(half_width / f64::from(aggregate.denominator.max(1)))
    }

    /// A value with its range: where it can be when each number that it is made of is within its own range,
    /// widened so that all of them are at once ([`widened`]).
    fn show(&self, expr: &ViewExpr) -> Shown {
        let value = self.evaluate(expr);
        if value.as_f64().is_none() {
            return (value, None);
        }
        if let Expr::Leaf(Released::Number(place)) = expr
            && let (Value::Integer(x), Some(a)) = (&value, self.table.aggregates.get(*place))
        {
            let ends = (Value::Integer(x.saturating_sub(a.half_width)), Value::Integer(x.saturating_add(a.half_width)));
            return (value, Some(ends));
        }
        let (mut numbers, mut noisy) = (Vec::new(), false);
        expr.leaves(&mut |leaf| {
            noisy |= !matches!(leaf, Released::Key(_));
            numbers.extend(leaf.numbers());
        });
        numbers.sort_unstable();
        numbers.dedup();
        // A single average has an argument of its own, by which its two parts need no widening.
        let parts = if matches!(expr, Expr::Leaf(Released::Moments(Moments { statistic: Statistic::Average, .. }))) { 1 } else { numbers.len() };
        // The range of a percentile cannot be widened: beside other numbers nothing is said.
        let mut percentile = false;
        expr.leaves(&mut |leaf| percentile |= matches!(leaf, Released::Quantile(_)));
        noisy &= !percentile || numbers.len() == 1;
        let range = noisy.then(|| expr.range(&|leaf| self.range(leaf, widened(parts)))).flatten();
        (value, range.map(|Range { low, high }| (Value::float(low), Value::float(high))))
    }

    /// Where a leaf can be when its numbers are within `widened` times their half-widths.
    fn range(&self, leaf: &Released, widened: f64) -> Option<Range> {
        match leaf {
            Released::Key(_) => self.leaf(leaf).as_f64().map(|x| Range { low: x, high: x }),
            Released::Number(place) => {
                let (x, half) = (self.number(*place)?, self.half_width(*place, widened)?);
                Some(Range { low: x - half, high: x + half })
            }
            Released::Quantile(place) => Some(Range { low: self.number(place + 1)?, high: self.number(place + 2)? }),
            Released::Moments(moments) => moments.range(self, widened),
        }
    }
}

impl Released {
    /// The numbers that it is made of, by their places.
    fn numbers(&self) -> Vec<usize> {
        match self {
            Self::Key(_) => Vec::new(),
            Self::Number(place) | Self::Quantile(place) => vec![*place],
            Self::Moments(moments) => [moments.count, moments.sum].into_iter().chain(moments.squares).collect(),
        }
    }
}

/// By how much half-widths grow so that `parts` numbers are all within theirs 19 times out of 20.
///
/// For a Gaussian tail Q, Q(√(a² + b)) ≤ Q(a)·exp(−b/2). With a = 1.96 and b = 2·ln n each of n numbers is
/// outside with at most 1/n of 5 %, and one of them with at most 5 %.
#[must_use]
pub fn widened(parts: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of numbers")]
    let parts = parts.max(1) as f64;
    (1.0 + 2.0 * parts.ln() / (1.96 * 1.96)).sqrt()
}

/// What is added to the half-width of a number, in grid units, where something is made of it.
pub(super) const STEP: f64 = 1.0;

/// At least 1.96 σ in grid units: a table's half-width is the smallest whole number beyond which the noise is in
/// at most 5 % of cases, which can be less by less than one. What is made of several numbers begins here.
fn beyond(half_width: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a range that is shown")]
    let half_width = half_width.max(0) as f64;
    half_width + STEP
}

impl Moments {
    /// The statistic; null where too few values seem to be known.
    fn value(&self, row: &Row<'_>) -> Value {
        self.estimate(row, 1.0).and_then(|estimate| estimate.value).map_or(Value::Null, Value::float)
    }

    /// Where the statistic can be when each part is within `widened` times its half-width.
    ///
    /// A single average needs no widening: with noises Z of its parts and m = sum/count, the noisy sum − m ·
    /// the noisy count is Z − m·Z′, which is within 1.96·√(σ² + m²σ′²) 19 times out of 20 (Fieller 1954), and
    /// that is at most the half-width of the sum + |m| · that of the count. The quotients for which this holds
    /// are those of the box of both ranges.
    fn range(&self, row: &Row<'_>, widened: f64) -> Option<Range> {
        self.estimate(row, widened).map(|MomentEstimate { low, high, .. }| Range { low, high })
    }

    fn estimate(&self, row: &Row<'_>, widened: f64) -> Option<MomentEstimate> {
        let part = |place: usize| {
            let (value, half) = (row.grid.get(place)?, row.table.aggregates.get(place)?.half_width);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a half-width is not negative, and rounding it up widens a range")]
            let half_width = (beyond(half) * widened).ceil() as u128;
            Some(Part { value: i128::from(*value), half_width })
        };
        let centered = self.values.centered()?;
        let (count, first) = (part(self.count)?, part(self.sum)?);
        let second = self.squares.map_or(Some(first), part)?;
        let moments = NoisyMoments { centered: &centered, count, first, second };
        let MomentEstimate { value, low, high } = match self.statistic {
            Statistic::Average => moments.mean(),
            Statistic::Variance(divisor) => moments.variance(divisor),
            Statistic::Deviation(divisor) => moments.standard_deviation(divisor),
        };
        let grid = f64::from(self.values.denominator.max(1));
        let unit = if matches!(self.statistic, Statistic::Variance(_)) { grid * grid } else { grid };
        Some(MomentEstimate { value: value.map(|value| value / unit), low: low / unit, high: high / unit })
    }
}

impl OrderBy {
    fn compare(&self, a: &Value, b: &Value) -> std::cmp::Ordering {
        let null_order = |a_null: bool| if a_null == self.nulls_first { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
        match (*a == Value::Null, *b == Value::Null) {
            (true, true) => std::cmp::Ordering::Equal,
            (true, false) => null_order(true),
            (false, true) => null_order(false),
            (false, false) if self.descending => b.sort_order(a),
            (false, false) => a.sort_order(b),
        }
    }
}

/// A value on the grid as a number.
fn from_grid(grid: i64, denominator: u32) -> Value {
    if denominator == 1 {
        return Value::Integer(grid);
    }
    Value::Integer(grid).as_f64().map_or(Value::Null, |x| Value::float(x / f64::from(denominator)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Comparison;
    use crate::question::expr::Function;
    use crate::release::{NoisedAggregate, NoisedRow};

    /// One row with a sum in halves and a count, and the average of values in 0..200 that is shown.
    fn shown(sum: i64, count: i64, half_widths: (i64, i64)) -> Shown {
        let aggregate = |denominator, half_width| NoisedAggregate { aggregate: String::new(), denominator, half_width };
        let aggregates = vec![aggregate(2, half_widths.0), aggregate(1, half_widths.1)];
        let table = NoisedTable { schema: 1, keys: Vec::new(), aggregates, rows: vec![NoisedRow { key: Vec::new(), values: vec![sum, count] }] };
        let average = Expr::Leaf(Released::Moments(Moments { statistic: Statistic::Average, sum: 0, count: 1, squares: None, values: Grid { low: 0, high: 200, denominator: 1 } }));
        let view = View { columns: vec![ViewColumn { name: "avg".into(), expr: average }], having: None, order_by: Vec::new(), limit: None, offset: 0 };
        view.present(&table).rows.remove(0).remove(0)
    }

    /// Whether a shown number has that value and range, but for rounding.
    fn is(shown: &Shown, value: f64, low: f64, high: f64) -> bool {
        let near = |shown: &Value, x: f64| shown.as_f64().is_some_and(|shown| (shown - x).abs() < 1e-6);
        near(&shown.0, value) && shown.1.as_ref().is_some_and(|ends| near(&ends.0, low) && near(&ends.1, high))
    }

    #[test]
    fn an_average_is_made_of_its_parts() {
        // Each part may be off by one more than its half-width: in halves, −1 600 ± 41 by 10 ± 3.
        assert!(is(&shown(-1_600, 10, (40, 2)), 20.0, 0.0, 100.0 - 1_559.0 / 13.0 / 2.0));
        assert!(is(&shown(-1_600, 1_000, (0, 0)), 99.2, 100.0 - 1_601.0 / 999.0 / 2.0, 100.0 - 1_599.0 / 1_001.0 / 2.0));
        assert_eq!(shown(1_000_000, 10, (0, 0)).0, Value::Float(200.0), "no average is outside the values' range");
        assert_eq!(shown(-7, 0, (4, 3)), (Value::Null, None));
        assert_eq!(shown(-7, -5, (4, 3)), (Value::Null, None));
        assert!(is(&shown(0, 3, (4, 3)), 100.0, 0.0, 200.0), "the count may be 0");
    }

    /// One row with the numbers `values`, each of which may be off by `half_widths`, seen through `expr`.
    fn through(expr: ViewExpr, numbers: &[(i64, u32, i64)]) -> Shown {
        let aggregates = numbers.iter().map(|(_, denominator, half_width)| NoisedAggregate { aggregate: String::new(), denominator: *denominator, half_width: *half_width });
        let rows = vec![NoisedRow { key: Vec::new(), values: numbers.iter().map(|(value, ..)| *value).collect() }];
        let table = NoisedTable { schema: 1, keys: Vec::new(), aggregates: aggregates.collect(), rows };
        let view = View { columns: vec![ViewColumn { name: "x".into(), expr }], having: None, order_by: Vec::new(), limit: None, offset: 0 };
        view.present(&table).rows.remove(0).remove(0)
    }

    #[test]
    fn a_variance_is_made_of_its_parts() {
        // Values 0, 0, 200, 200 of 0..200: y = ±200, Σ(2y² − 200²) = 4 · 40 000.
        let statistic = |statistic| Expr::Leaf(Released::Moments(Moments { statistic, count: 0, sum: 1, squares: Some(2), values: Grid { low: 0, high: 200, denominator: 1 } }));
        let numbers = [(4, 1, 0), (0, 2, 0), (160_000, 8, 0)];
        let value = |of: Statistic| through(statistic(of), &numbers).0.as_f64().unwrap();
        assert!((value(Statistic::Variance(Divisor::Population)) - 10_000.0).abs() < 1e-6);
        assert!((value(Statistic::Deviation(Divisor::Population)) - 100.0).abs() < 1e-6);
        assert!((value(Statistic::Variance(Divisor::Sample)) - 40_000.0 / 3.0).abs() < 1e-6);
        let noisy = through(statistic(Statistic::Deviation(Divisor::Population)), &[(4_000, 1, 10), (0, 2, 500), (0, 8, 900)]);
        let (low, high) = noisy.1.unwrap();
        assert!(low.as_f64() < noisy.0.as_f64() && noisy.0.as_f64() < high.as_f64());
    }

    #[test]
    fn what_noise_does_not_tell_apart_is_said() {
        let aggregates = vec![NoisedAggregate { aggregate: String::new(), denominator: 1, half_width: 10 }];
        let rows = [100, 250, 112, 240].map(|n| NoisedRow { key: vec![Value::Integer(n)], values: vec![n] }).to_vec();
        let table = NoisedTable { schema: 1, keys: vec!["k".into()], aggregates, rows };
        let columns = [("k", Released::Key(0)), ("n", Released::Number(0))].map(|(name, leaf)| ViewColumn { name: name.into(), expr: Expr::Leaf(leaf) });
        let view = View { columns: columns.to_vec(), having: None, order_by: Vec::new(), limit: None, offset: 0 };
        // By key: 100, 112, 240, 250. A difference is sure to 14.1.
        assert_eq!(view.present(&table).ties(), [Tie { column: 1, larger: 3, smaller: 2 }, Tie { column: 1, larger: 1, smaller: 0 }]);
    }

    #[test]
    fn expressions_have_ranges_that_hold_for_all_their_parts_at_once() {
        let number = |place| Expr::Leaf(Released::Number(place));
        let sum = through(Expr::call2(Function::Add, number(0), number(1)), &[(100, 1, 10), (50, 1, 10)]);
        let (low, high) = sum.1.unwrap();
        // Each may be off by more than 10 so that both are within: (10 + 1)·√(1 + 2·ln 2 / 1.96²) = 12.83.
        assert!((low.as_f64().unwrap() - (150.0 - 2.0 * 12.832)).abs() < 0.01 && (high.as_f64().unwrap() - (150.0 + 2.0 * 12.832)).abs() < 0.01);
        let none = through(Expr::call2(Function::Add, number(0), number(1)), &[(100, 1, 0), (50, 1, 0)]).1.unwrap();
        assert!(none.0.as_f64().unwrap() < 149.0, "where noise is in fewer than 5 % of cases, two are in more");
        assert!(is(&through(Expr::call2(Function::Multiply, number(0), Expr::Constant(Value::Float(0.5))), &[(100, 1, 10)]), 50.0, 45.0, 55.0));
        assert_eq!(through(Expr::call2(Function::Compare(Comparison::Gt), number(0), Expr::Constant(Value::Integer(5))), &[(100, 1, 10)]), (Value::Boolean(true), None));
        assert_eq!(through(Expr::Leaf(Released::Quantile(0)), &[(7, 1, 0), (5, 1, 0), (12, 1, 0)]), (Value::Integer(7), Some((Value::Float(5.0), Value::Float(12.0)))));
    }
}
