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
    /// A constant.
    Constant(Value),
    /// One-sided.
    Unary(Unary, Box<Self>),
    /// Two-sided.
    Binary(Binary, Box<Self>, Box<Self>),
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
            Expr::Aggregate(_) => "aggregate",
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
            _ => None,
        };
        (value, range)
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
