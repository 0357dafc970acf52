//! What is made of a released table: expressions, `HAVING`, `ORDER BY`, `LIMIT`.
//!
//! All of it is post-processing of numbers that already left, hence free and total.

use serde::Serialize;

use super::Value;
use super::expr::{Expr, Range};
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

/// A statistic of values between `low` and `high`, made of their count and of the sums of what they and
/// their squares are above the middle.
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
    /// Lowest value that counts.
    pub low: f64,
    /// Highest value that counts.
    pub high: f64,
}

/// What is made of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The average.
    Average,
    /// The variance of a sample (divided by n − 1) or of all values (divided by n).
    Variance {
        /// Of a sample.
        sample: bool,
    },
    /// The square root of the variance.
    Deviation {
        /// Of a sample.
        sample: bool,
    },
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

/// One released row as expressions see it.
struct Row<'a> {
    key: &'a [Value],
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
            .map(|row| Row { key: &row.key, numbers: row.values.iter().zip(&table.aggregates).map(|(grid, a)| from_grid(*grid, a.denominator)).collect(), table })
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

    /// Half the width of a number's 95 % range.
    fn half_width(&self, place: usize) -> Option<f64> {
        self.table.aggregates.get(place).and_then(|a| from_grid(a.half_width, a.denominator).as_f64())
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
        let range = noisy.then(|| expr.range(&|leaf| self.range(leaf, widened(parts)))).flatten();
        (value, range.map(|Range { low, high }| (Value::float(low), Value::float(high))))
    }

    /// Where a leaf can be when its numbers are within `widened` times their half-widths.
    fn range(&self, leaf: &Released, widened: f64) -> Option<Range> {
        match leaf {
            Released::Key(_) => self.leaf(leaf).as_f64().map(|x| Range { low: x, high: x }),
            Released::Number(place) => {
                let (x, half) = (self.number(*place)?, self.half_width(*place)? * widened);
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
fn widened(parts: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of numbers")]
    let parts = parts.max(1) as f64;
    (1.0 + 2.0 * parts.ln() / (1.96 * 1.96)).sqrt()
}

impl Moments {
    /// The statistic, within what values between the ends can give; null where no value seems to be known.
    fn value(&self, row: &Row<'_>) -> Value {
        let (Some(count), Some(sum)) = (row.number(self.count), row.number(self.sum)) else { return Value::Null };
        if count <= 0.0 {
            return Value::Null;
        }
        let count = count.max(1.0);
        let squares = self.squares.and_then(|place| row.number(place));
        match (self.statistic, squares) {
            (Statistic::Average, _) => Value::float(self.average(sum / count)),
            (Statistic::Variance { sample } | Statistic::Deviation { sample }, Some(squares)) => {
                let variance = self.variance(squares / count, (sum / count) * (sum / count));
                self.shown(variance, sample, count).map_or(Value::Null, Value::float)
            }
            (Statistic::Variance { .. } | Statistic::Deviation { .. }, None) => Value::Null,
        }
    }

    /// Where the statistic can be when each part is within its own range. Where the count may be 0, nothing
    /// but what the ends of the values say is known.
    ///
    /// It is conservative. For an average, with noises Z of the parts and m = sum/count, the noisy sum − m ·
    /// the noisy count is Z − m·Z′, which is within 1.96·√(σ² + m²σ′²) 19 times out of 20 (Fieller 1954), and
    /// that is at most the half-width of the sum + |m| · that of the count. The quotients for which this holds
    /// are those of the box of both ranges. For a variance all three ranges are widened ([`widened`]).
    fn range(&self, row: &Row<'_>, widened: f64) -> Option<Range> {
        let part = |place: usize| Some((row.number(place)?, row.half_width(place)? * widened));
        let ((sum, of_sum), (count, of_count)) = (part(self.sum)?, part(self.count)?);
        let (fewest, most) = (count - of_count, count + of_count);
        let quotient = |x: f64, half: f64| {
            let (below, above) = (x - half, x + half);
            ((below / fewest).min(below / most), (above / fewest).max(above / most))
        };
        let (low, high) = quotient(sum, of_sum);
        match self.statistic {
            Statistic::Average if fewest < 1.0 => Some(Range { low: self.low, high: self.high }),
            Statistic::Average => Some(Range { low: self.average(low), high: self.average(high) }),
            Statistic::Variance { sample } | Statistic::Deviation { sample } => {
                let (squares, of_squares) = part(self.squares?)?;
                if fewest < 2.0 {
                    return Some(Range { low: 0.0, high: self.shown(self.variance_max(), sample, 2.0)? });
                }
                let (least, largest) = quotient(squares, of_squares);
                let nearest = if low <= 0.0 && high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
                let farthest = low.abs().max(high.abs());
                let below = self.shown(self.variance(least, farthest * farthest), sample, most)?;
                Some(Range { low: below, high: self.shown(self.variance(largest, nearest * nearest), sample, fewest)? })
            }
        }
    }

    /// The average of values that are `above` the middle on average.
    fn average(&self, above: f64) -> f64 {
        (f64::midpoint(self.low, self.high) + above).max(self.low).min(self.high)
    }

    /// The largest variance that values between the ends can have.
    fn variance_max(&self) -> f64 {
        (self.high - self.low) * (self.high - self.low) / 4.0
    }

    /// The variance of all values, by the mean of what squared distances from the middle are above half of
    /// what they can be, and by the squared mean distance.
    fn variance(&self, squares: f64, squared: f64) -> f64 {
        (self.variance_max() / 2.0 + squares - squared).max(0.0).min(self.variance_max())
    }

    /// A variance of all `count` values as the statistic that is shown; none where a sample is too small.
    fn shown(&self, variance: f64, sample: bool, count: f64) -> Option<f64> {
        let variance = match (sample, count > 1.0) {
            (false, _) => variance,
            (true, true) => variance * count / (count - 1.0),
            (true, false) => return None,
        };
        Some(if matches!(self.statistic, Statistic::Deviation { .. }) { variance.sqrt() } else { variance })
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
    use crate::release::{NoisedAggregate, NoisedRow};

    /// One row with a sum in halves and a count, and the average of values in 0..200 that is shown.
    fn shown(sum: i64, count: i64, half_widths: (i64, i64)) -> Shown {
        let aggregate = |denominator, half_width| NoisedAggregate { aggregate: String::new(), denominator, half_width };
        let aggregates = vec![aggregate(2, half_widths.0), aggregate(1, half_widths.1)];
        let table = NoisedTable { schema: 1, keys: Vec::new(), aggregates, rows: vec![NoisedRow { key: Vec::new(), values: vec![sum, count] }] };
        let average = Expr::Leaf(Released::Moments(Moments { statistic: Statistic::Average, sum: 0, count: 1, squares: None, low: 0.0, high: 200.0 }));
        let view = View { columns: vec![ViewColumn { name: "avg".into(), expr: average }], having: None, order_by: Vec::new(), limit: None, offset: 0 };
        view.present(&table).rows.remove(0).remove(0)
    }

    #[test]
    fn an_average_is_made_of_its_parts() {
        let float = Value::Float;
        assert_eq!(shown(-1_600, 10, (0, 0)), (float(20.0), Some((float(20.0), float(20.0)))));
        assert_eq!(shown(-1_600, 10, (40, 2)), (float(20.0), Some((float(0.0), float(100.0 - 780.0 / 12.0)))));
        assert_eq!(shown(1_000_000, 10, (0, 0)).0, float(200.0), "no average is outside the values' range");
        assert_eq!(shown(-7, 0, (4, 3)), (Value::Null, None));
        assert_eq!(shown(-7, -5, (4, 3)), (Value::Null, None));
        assert_eq!(shown(0, 3, (4, 3)), (float(100.0), Some((float(0.0), float(200.0)))), "the count may be 0");
    }
}
