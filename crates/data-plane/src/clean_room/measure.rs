//! What is added up: whole numbers of a grid, row by row.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type};
use domain::Fault;
use domain::question::{Aggregate, Grid, Value};

use super::computed::Computed;
use super::join::Scanned;

/// An expression, and what each of its values adds: [`Aggregate::grid_value`].
#[derive(Debug, PartialEq)]
pub(super) struct Measure {
    expr: Computed,
    aggregate: Aggregate,
}

/// What the rows of a batch add to a measure.
pub(super) struct Added {
    /// In grid units; 0 where the expression is not known.
    values: Vec<i64>,
    known: Vec<bool>,
}

impl Added {
    /// What each of the rows `rows` adds, and whether its value is known.
    pub(super) fn rows(&self, rows: &Range<usize>) -> Option<impl Iterator<Item = (&i64, &bool)>> {
        Some(self.values.get(rows.clone())?.iter().zip(self.known.get(rows.clone())?))
    }
}

impl Measure {
    /// What `aggregates` need to have added up, each thing once, and which of these each of them reads, if
    /// any. Sets are kept apart.
    pub(super) fn all(aggregates: &[Aggregate], scanned: &[Scanned]) -> Result<(Vec<Self>, Vec<Option<usize>>), Fault> {
        let mut measures: Vec<Self> = Vec::new();
        let mut places = vec![None; aggregates.len()];
        // How many values are known is counted with whatever else is added of the expression.
        for counted in [false, true] {
            for (aggregate, place) in aggregates.iter().zip(&mut places) {
                let is_count = matches!(aggregate, Aggregate::CountKnown { .. });
                let Some(of) = aggregate.of().filter(|_| is_count == counted && !aggregate.is_set()) else { continue };
                let measure = Self { expr: Computed::of(of, scanned)?, aggregate: aggregate.clone() };
                let known = measures.iter().position(|other| *other == measure || is_count && other.expr == measure.expr);
                *place = Some(known.unwrap_or(measures.len()));
                if known.is_none() {
                    measures.push(measure);
                }
            }
        }
        Ok((measures, places))
    }

    /// What the `rows` rows of a batch add.
    pub(super) fn added(&self, batch: &[ArrayRef], rows: usize) -> Result<Added, Fault> {
        let Some(array) = self.expr.column().map(|column| column.array(batch)).transpose()? else { return self.of_rows(batch, rows) };
        let mut known: Vec<bool> = array.nulls().map_or_else(|| vec![true; array.len()], |nulls| nulls.iter().collect());
        let mut values = if let Some(counts) = array.as_primitive_opt::<UInt32Type>() {
            self.of_counts(counts.values())
        } else if let Some(fractions) = array.as_primitive_opt::<Float64Type>() {
            self.of_fractions(fractions.values(), &mut known)
        } else {
            return self.of_rows(batch, rows);
        };
        if array.null_count() > 0 {
            values.iter_mut().zip(&known).for_each(|(value, known)| *value *= i64::from(*known));
        }
        Ok(Added { values, known })
    }

    /// What any expression adds, row by row.
    fn of_rows(&self, batch: &[ArrayRef], rows: usize) -> Result<Added, Fault> {
        let mut added = Added { values: Vec::with_capacity(rows), known: Vec::with_capacity(rows) };
        for row in 0..rows {
            let value = self.aggregate.grid_value(&self.expr.value(batch, row)?);
            added.known.push(value.is_some());
            added.values.push(saturated(value.unwrap_or(0)));
        }
        Ok(added)
    }

    /// What counts add. By every contract their grid is that of whole numbers, and the bounds of single
    /// values are counts as well: then what is added is below 2^34, and no step needs a check.
    fn of_counts(&self, counts: &[u32]) -> Vec<i64> {
        match &self.aggregate {
            Aggregate::CountKnown { .. } => vec![0; counts.len()],
            Aggregate::Sum { sums, values: None, .. } if sums.denominator == 1 => counts.iter().map(|x| i64::from(*x)).collect(),
            Aggregate::CenteredSum { values: Grid { low, high, denominator: 1 }, .. } if let (Ok(low), Ok(high)) = (u32::try_from(*low), u32::try_from(*high)) => {
                counts.iter().map(|x| 2 * i64::from((*x).max(low).min(high)) - (i64::from(low) + i64::from(high))).collect()
            }
            other => counts.iter().map(|x| saturated(other.grid_value(&Value::Integer(i64::from(*x))).unwrap_or(0))).collect(),
        }
    }

    /// What fractions add. What is no number is not known.
    fn of_fractions(&self, fractions: &[f64], known: &mut [bool]) -> Vec<i64> {
        let value = |(x, known): (&f64, &mut bool)| match self.aggregate.grid_value(&Value::float(*x)) {
            Some(value) => saturated(value),
            None => {
                *known = false;
                0
            }
        };
        fractions.iter().zip(known).map(value).collect()
    }
}

/// The nearest number that can be added; a person's sum is clamped within these anyhow.
fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Float64Array, UInt32Array};
    use domain::catalog::{ColumnType, Table, TableName};
    use domain::question::expr::{Expr, Function};
    use domain::question::{Field, RowExpr};

    use super::*;

    fn column(name: &str) -> RowExpr {
        Expr::Leaf(Field::Column(Table::of(TableName::Activity).named(TableName::Activity, name).unwrap()))
    }

    fn measures(aggregates: &[Aggregate], column: &'static str) -> (Vec<Measure>, Vec<Option<usize>>) {
        Measure::all(aggregates, &[Scanned::Stored(TableName::Activity, column)]).unwrap()
    }

    /// What a measure says of `values` and of null, against the meaning of its aggregate.
    fn check(name: &'static str, aggregate: &Aggregate, array: ArrayRef, values: &[Value]) {
        let added = measures(std::slice::from_ref(aggregate), name).0[0].added(&[array], values.len()).unwrap();
        let all = 0..values.len();
        for (value, (added, known)) in values.iter().zip(added.rows(&all).unwrap()) {
            assert_eq!((known.then_some(i128::from(*added)), *added != 0 && !known), (aggregate.grid_value(value), false), "{value:?} {aggregate:?}");
        }
        assert!(added.rows(&(0..values.len() + 1)).is_none());
    }

    /// Everything that can be added up of an expression and of twice it.
    fn aggregates(of: &RowExpr, low: i64, high: i64, denominator: u32) -> Vec<Aggregate> {
        let (grid, twice) = (Grid { low, high, denominator }, Expr::call2(Function::Add, of.clone(), of.clone()));
        let kinds = |of: RowExpr| {
            [
                Aggregate::Sum { of: of.clone(), sums: grid, values: None },
                Aggregate::Sum { of: of.clone(), sums: grid, values: Some(grid) },
                Aggregate::CenteredSum { of: of.clone(), values: grid },
                Aggregate::CenteredSquares { of: of.clone(), values: grid },
                Aggregate::CountKnown { of },
            ]
        };
        kinds(of.clone()).into_iter().chain(kinds(twice)).collect()
    }

    #[test]
    fn every_value_adds_what_its_aggregate_says() {
        let counts = [Some(0), Some(7), None, Some(200), Some(u32::MAX)];
        let twice = |aggregate: &Aggregate, value: Value| match (aggregate.of(), value) {
            (Some(Expr::Leaf(_)), value) => value,
            (_, Value::Integer(x)) => Value::Integer(x + x),
            (_, Value::Float(x)) => Value::float(x + x),
            (_, other) => other,
        };
        for (low, high) in [(0, 9), (5, 150), (0, i64::from(u32::MAX)), (9, 10)] {
            for aggregate in aggregates(&column("word_count"), low, high, 1) {
                let values = counts.map(|x| twice(&aggregate, x.map_or(Value::Null, |x| Value::Integer(i64::from(x)))));
                if !matches!(aggregate, Aggregate::CenteredSquares { .. }) || high < 1_000 {
                    check("word_count", &aggregate, Arc::new(UInt32Array::from(counts.to_vec())), &values);
                }
            }
        }
        let fractions = [Some(-1e300), Some(f64::NAN), None, Some(0.3), Some(f64::INFINITY)];
        for (low, high) in [(-5, 5), (-3, 150)] {
            for aggregate in aggregates(&column("sentiment"), low, high, 1024) {
                let values = fractions.map(|x| twice(&aggregate, x.map_or(Value::Null, Value::float)));
                check("sentiment", &aggregate, Arc::new(Float64Array::from(fractions.to_vec())), &values);
            }
        }
    }

    #[test]
    fn the_parts_of_an_average_are_added_up_once() {
        let of = column("word_count");
        let grid = Grid { low: 0, high: 9, denominator: 1 };
        let count = Aggregate::CountKnown { of: of.clone() };
        let sum = Aggregate::Sum { of: of.clone(), sums: grid, values: None };
        let centered = Aggregate::CenteredSum { of, values: grid };
        let places = |aggregates: &[Aggregate]| measures(aggregates, "word_count").1;
        assert_eq!(places(&[Aggregate::CountRows, count.clone(), centered.clone()]), [None, Some(0), Some(0)]);
        assert_eq!(places(&[count.clone(), sum.clone(), centered]), [Some(0), Some(0), Some(1)]);
        assert_eq!(places(&[count]), [Some(0)]);
    }

    #[test]
    fn contracts_of_counts_are_counts() {
        for column in TableName::ALL.iter().flat_map(|name| Table::of(*name).columns) {
            if let (ColumnType::Integer, Some(sum)) = (column.ty, column.sum) {
                assert_eq!(sum.granularity.denominator(), 1, "{}", column.name);
                assert!(sum.values.0 >= 0.0 && sum.values.1 <= f64::from(u32::MAX), "{}", column.name);
            }
        }
    }
}
