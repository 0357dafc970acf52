//! Columns that are added up: whole numbers of a grid, row by row.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{Float64Type, UInt32Type};
use domain::Fault;
use domain::question::{Aggregate, Value};

use super::column::Column;
use super::join::StoredColumn;

/// A column, and what each of its values adds: [`Aggregate::grid_value`].
#[derive(Debug, PartialEq)]
pub(super) struct Measure {
    column: Column,
    aggregate: Aggregate,
}

/// What the rows of a batch add to a measure.
pub(super) struct Added {
    /// In grid units; 0 where the column is not known.
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
    /// any.
    pub(super) fn all(aggregates: &[Aggregate], scanned: &[StoredColumn]) -> Result<(Vec<Self>, Vec<Option<usize>>), Fault> {
        let mut measures: Vec<Self> = Vec::new();
        let mut places = vec![None; aggregates.len()];
        // How many values are known is counted with whatever else is added of the column.
        for counted in [false, true] {
            for (aggregate, place) in aggregates.iter().zip(&mut places) {
                let is_count = matches!(aggregate, Aggregate::CountKnown { .. });
                let Some(column) = aggregate.column().filter(|_| is_count == counted) else { continue };
                let measure = Self { column: Column::find(column, scanned)?, aggregate: aggregate.clone() };
                let known = measures.iter().position(|other| *other == measure || is_count && other.column == measure.column);
                *place = Some(known.unwrap_or(measures.len()));
                if known.is_none() {
                    measures.push(measure);
                }
            }
        }
        Ok((measures, places))
    }

    /// What the rows of a batch add.
    pub(super) fn added(&self, batch: &[ArrayRef]) -> Result<Added, Fault> {
        let array = self.column.array(batch)?;
        let mut known: Vec<bool> = array.nulls().map_or_else(|| vec![true; array.len()], |nulls| nulls.iter().collect());
        let mut values = if let Some(counts) = array.as_primitive_opt::<UInt32Type>() {
            self.of_counts(counts.values())?
        } else if let Some(fractions) = array.as_primitive_opt::<Float64Type>() {
            self.of_fractions(fractions.values(), &mut known)?
        } else {
            return Err(broken());
        };
        if array.null_count() > 0 {
            values.iter_mut().zip(&known).for_each(|(value, known)| *value *= i64::from(*known));
        }
        Ok(Added { values, known })
    }

    /// What counts add. By every contract their grid is that of whole numbers, and the bounds of single
    /// values are counts as well: what is added is below 2^34, and no step needs a check.
    fn of_counts(&self, counts: &[u32]) -> Result<Vec<i64>, Fault> {
        Ok(match self.aggregate {
            Aggregate::CountSubjects | Aggregate::CountRows | Aggregate::CountKnown { .. } => vec![0; counts.len()],
            Aggregate::Sum { denominator: 1, .. } => counts.iter().map(|x| i64::from(*x)).collect(),
            Aggregate::CenteredSum { low, high, denominator: 1, .. } => {
                let (low, high) = u32::try_from(low).ok().zip(u32::try_from(high.max(low)).ok()).ok_or_else(broken)?;
                counts.iter().map(|x| 2 * i64::from((*x).max(low).min(high)) - (i64::from(low) + i64::from(high))).collect()
            }
            Aggregate::Sum { .. } | Aggregate::CenteredSum { .. } => return Err(broken()),
        })
    }

    /// What fractions add. What is no number is not known.
    fn of_fractions(&self, fractions: &[f64], known: &mut [bool]) -> Result<Vec<i64>, Fault> {
        let value = |(x, known): (&f64, &mut bool)| match self.aggregate.grid_value(&Value::Float(*x)) {
            Some(value) => i64::try_from(value).map_err(|_| broken()),
            None => {
                *known = false;
                Ok(0)
            }
        };
        fractions.iter().zip(known).map(value).collect()
    }
}

fn broken() -> Fault {
    Fault::broken("a sum of values that its grid does not hold")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Float64Array, UInt32Array};
    use domain::catalog::{ColumnType, Table, TableName};

    use super::*;

    fn measures(aggregates: &[Aggregate], column: &'static str) -> (Vec<Measure>, Vec<Option<usize>>) {
        Measure::all(aggregates, &[(TableName::Activity, column)]).unwrap()
    }

    /// What a measure says of `values` and of null, against the meaning of its aggregate.
    fn check(name: &'static str, aggregate: Aggregate, array: ArrayRef, values: &[Value]) {
        let added = measures(std::slice::from_ref(&aggregate), name).0[0].added(&[array]).unwrap();
        let all = 0..values.len();
        for (value, (added, known)) in values.iter().zip(added.rows(&all).unwrap()) {
            assert_eq!((known.then_some(i128::from(*added)), *added != 0 && !known), (aggregate.grid_value(value), false), "{value:?} {aggregate:?}");
        }
        assert!(added.rows(&(0..values.len() + 1)).is_none());
    }

    #[test]
    fn every_value_adds_what_its_aggregate_says() {
        let column = Table::of(TableName::Activity).named("word_count").unwrap();
        let counts = [Some(0), Some(7), None, Some(200), Some(u32::MAX)];
        for (low, high) in [(0, 9), (5, 150), (0, i64::from(u32::MAX)), (9, 0)] {
            for aggregate in [Aggregate::Sum { column, low, high, denominator: 1 }, Aggregate::CenteredSum { column, low, high, denominator: 1 }] {
                let values = counts.map(|x| x.map_or(Value::Null, |x| Value::Integer(i64::from(x))));
                check("word_count", aggregate, Arc::new(UInt32Array::from(counts.to_vec())), &values);
            }
        }
        let column = Table::of(TableName::Activity).named("sentiment").unwrap();
        let fractions = [Some(-1e300), Some(f64::NAN), None, Some(0.3), Some(f64::INFINITY)];
        for aggregate in [Aggregate::Sum { column, low: -5, high: 5, denominator: 1024 }, Aggregate::CenteredSum { column, low: -3, high: 150, denominator: 1024 }] {
            let values = fractions.map(|x| x.map_or(Value::Null, Value::Float));
            check("sentiment", aggregate, Arc::new(Float64Array::from(fractions.to_vec())), &values);
        }
    }

    #[test]
    fn the_parts_of_an_average_are_added_up_once() {
        let column = Table::of(TableName::Activity).named("word_count").unwrap();
        let count = Aggregate::CountKnown { column };
        let sum = Aggregate::Sum { column, low: 0, high: 9, denominator: 1 };
        let centered = Aggregate::CenteredSum { column, low: 0, high: 9, denominator: 1 };
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

    #[test]
    fn bounds_of_counts_that_are_no_counts_are_a_fault() {
        let column = Table::of(TableName::Activity).named("word_count").unwrap();
        for wrong in [Aggregate::Sum { column, low: 0, high: 9, denominator: 2 }, Aggregate::CenteredSum { column, low: -1, high: 9, denominator: 1 }] {
            let array: ArrayRef = Arc::new(UInt32Array::from(vec![1]));
            assert!(measures(&[wrong], "word_count").0[0].added(&[array]).is_err());
        }
    }
}
