//! What is made of a released table: expressions, `HAVING`, `ORDER BY`, `LIMIT`.
//!
//! All of it is post-processing of numbers that already left, hence free and total.

use serde::{Deserialize, Serialize};

use super::Value;
use crate::release::NoisedTable;

/// An operator with one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unary {
    /// `-x`
    Minus,
    /// `not x`
    Not,
    /// `x is null`
    IsNull,
}

/// An operator with two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binary {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; by zero gives null.
    Divide,
    /// A comparison.
    Compare(super::Comparison),
    /// `and`
    And,
    /// `or`
    Or,
}

/// An expression over one released row.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A grouped column, by its place in [`super::Plan::keys`].
    Key(usize),
    /// A paid aggregate, by its place in [`super::Plan::aggregates`].
    Aggregate(usize),
    /// An average, made of two paid aggregates.
    Average(Average),
    /// A constant.
    Constant(Value),
    /// One-sided.
    Unary(Unary, Box<Self>),
    /// Two-sided.
    Binary(Binary, Box<Self>, Box<Self>),
}

/// The middle of a range of values + what they are above it on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Average {
    /// The place of the sum of what values are above the middle, in [`super::Plan::aggregates`].
    pub sum: usize,
    /// The place of the count of known values.
    pub count: usize,
    /// Lowest value that counts.
    pub low: f64,
    /// Highest value that counts.
    pub high: f64,
}

/// One output column.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub expr: Expr,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderBy {
    /// What to sort by.
    pub expr: Expr,
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
    pub having: Option<Expr>,
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
}

/// One shown value and, for an aggregate, the ends of its range.
pub type Shown = (Value, Option<(Value, Value)>);

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Presented {
    /// The columns.
    pub columns: Vec<PresentedColumn>,
    /// The rows: for each column its value and, for an aggregate, the 95 % range of its noise.
    pub rows: Vec<Vec<Shown>>,
}

/// One released row as expressions see it.
struct Row<'a> {
    key: &'a [Value],
    values: Vec<Value>,
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
            .map(|row| Row { key: &row.key, values: row.values.iter().zip(&table.aggregates).map(|(grid, a)| from_grid(*grid, a.denominator)).collect() })
            .filter(|row| self.having.as_ref().is_none_or(|h| h.evaluate(row) == Value::Boolean(true)))
            .collect();
        // A stable sort over rows that are already in the order of their keys: ties keep that order.
        rows.sort_by(|a, b| a.key.iter().zip(b.key).map(|(x, y)| x.sort_order(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal));
        for order in self.order_by.iter().rev() {
            rows.sort_by(|a, b| order.compare(&order.expr.evaluate(a), &order.expr.evaluate(b)));
        }
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = self.limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
        let rows = rows.into_iter().skip(offset).take(limit).map(|row| self.columns.iter().map(|c| c.show(&row, table)).collect()).collect();
        let columns = self.columns.iter().map(|c| PresentedColumn { name: c.name.clone(), role: c.role() }).collect();
        Presented { columns, rows }
    }
}

impl ViewColumn {
    const fn role(&self) -> &'static str {
        match self.expr {
            Expr::Key(_) => "key",
            Expr::Aggregate(_) | Expr::Average(_) => "aggregate",
            Expr::Constant(_) | Expr::Unary(..) | Expr::Binary(..) => "expression",
        }
    }

    fn show(&self, row: &Row<'_>, table: &NoisedTable) -> Shown {
        let value = self.expr.evaluate(row);
        let range = match (&self.expr, value.as_f64()) {
            (Expr::Aggregate(i), Some(_)) => table.aggregates.get(*i).map(|a| {
                let half = from_grid(a.half_width, a.denominator);
                (arithmetic(Binary::Subtract, &value, &half), arithmetic(Binary::Add, &value, &half))
            }),
            (Expr::Average(average), Some(_)) => average.range(row, table),
            _ => None,
        };
        (value, range)
    }
}

impl Average {
    /// The average, within the range of values; null where no value seems to be known.
    fn value(&self, row: &Row<'_>) -> Value {
        match self.parts(row) {
            Some((sum, count)) if count > 0.0 => Value::float(self.of(sum, count.max(1.0))),
            _ => Value::Null,
        }
    }

    /// The 95 % range: where sum/count can be when each part is within its own range.
    ///
    /// It is conservative. With noises Z of the parts and m = sum/count, the noisy sum − m · the noisy
    /// count is Z − m·Z′, which is within 1.96·√(σ² + m²σ′²) 19 times out of 20 (Fieller 1954), and that
    /// is at most the half-width of the sum + |m| · that of the count. The quotients for which this holds
    /// are those of the box of both ranges. Where the count may be 0, nothing but the values' range is
    /// known.
    fn range(&self, row: &Row<'_>, table: &NoisedTable) -> Option<(Value, Value)> {
        let (sum, count) = self.parts(row)?;
        let half = |place: usize| table.aggregates.get(place).and_then(|a| from_grid(a.half_width, a.denominator).as_f64());
        let (of_sum, of_count) = (half(self.sum)?, half(self.count)?);
        let (fewest, most) = (count - of_count, count + of_count);
        if fewest < 1.0 {
            return Some((Value::float(self.low), Value::float(self.high)));
        }
        let below = self.of(sum - of_sum, fewest).min(self.of(sum - of_sum, most));
        let above = self.of(sum + of_sum, fewest).max(self.of(sum + of_sum, most));
        Some((Value::float(below), Value::float(above)))
    }

    fn of(&self, sum: f64, count: f64) -> f64 {
        (f64::midpoint(self.low, self.high) + sum / count).max(self.low).min(self.high)
    }

    fn parts(&self, row: &Row<'_>) -> Option<(f64, f64)> {
        row.values.get(self.sum)?.as_f64().zip(row.values.get(self.count)?.as_f64())
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

impl Expr {
    fn evaluate(&self, row: &Row<'_>) -> Value {
        match self {
            Self::Key(i) => row.key.get(*i).cloned().unwrap_or(Value::Null),
            Self::Aggregate(i) => row.values.get(*i).cloned().unwrap_or(Value::Null),
            Self::Average(average) => average.value(row),
            Self::Constant(value) => value.clone(),
            Self::Unary(Unary::Minus, x) => match x.evaluate(row) {
                Value::Integer(x) => Value::Integer(x.saturating_neg()),
                other => other.as_f64().map_or(Value::Null, |x| Value::float(-x)),
            },
            Self::Unary(Unary::Not, x) => truth(&x.evaluate(row)).map_or(Value::Null, |t| Value::Boolean(!t)),
            Self::Unary(Unary::IsNull, x) => Value::Boolean(x.evaluate(row) == Value::Null),
            Self::Binary(Binary::And, a, b) => match (truth(&a.evaluate(row)), truth(&b.evaluate(row))) {
                (Some(false), _) | (_, Some(false)) => Value::Boolean(false),
                (Some(true), Some(true)) => Value::Boolean(true),
                (None, _) | (_, None) => Value::Null,
            },
            Self::Binary(Binary::Or, a, b) => match (truth(&a.evaluate(row)), truth(&b.evaluate(row))) {
                (Some(true), _) | (_, Some(true)) => Value::Boolean(true),
                (Some(false), Some(false)) => Value::Boolean(false),
                (None, _) | (_, None) => Value::Null,
            },
            Self::Binary(Binary::Compare(op), a, b) => a.evaluate(row).compare(&b.evaluate(row)).map_or(Value::Null, |o| Value::Boolean(op.holds(o))),
            Self::Binary(op @ (Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide), a, b) => arithmetic(*op, &a.evaluate(row), &b.evaluate(row)),
        }
    }
}

const fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(b) => Some(*b),
        Value::Null | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => None,
    }
}

/// Whole numbers stay whole and saturate; a quotient is always a fraction; what is not a finite
/// number is null.
fn arithmetic(op: Binary, a: &Value, b: &Value) -> Value {
    if let (Value::Integer(x), Value::Integer(y)) = (a, b) {
        match op {
            Binary::Add => return Value::Integer(x.saturating_add(*y)),
            Binary::Subtract => return Value::Integer(x.saturating_sub(*y)),
            Binary::Multiply => return Value::Integer(x.saturating_mul(*y)),
            Binary::Divide | Binary::Compare(_) | Binary::And | Binary::Or => {}
        }
    }
    let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else { return Value::Null };
    Value::float(match op {
        Binary::Add => x + y,
        Binary::Subtract => x - y,
        Binary::Multiply => x * y,
        Binary::Divide if y == 0.0 => return Value::Null,
        Binary::Divide => x / y,
        Binary::Compare(_) | Binary::And | Binary::Or => return Value::Null,
    })
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
        let average = Expr::Average(Average { sum: 0, count: 1, low: 0.0, high: 200.0 });
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
