//! What predicates mean, in plain code: the specification that the engine is tested against.

use super::expr::{decided_by, like};
use super::{Predicate, Truth, Value};
use crate::catalog::ColumnName;

impl Predicate {
    /// The truth of the condition for one row, whose columns `get` looks up.
    ///
    /// # Guarantee
    /// Total: any row gives an answer, none gives an error.
    pub fn evaluate(&self, get: &dyn Fn(ColumnName) -> Value) -> Truth {
        match self {
            Self::Constant(truth) => *truth,
            Self::Compare { column, op, value } => get(*column).compare(value).map(|ordering| op.holds(ordering)),
            Self::In { column, values } => {
                let found = get(*column);
                if found == Value::Null {
                    return None;
                }
                Some(values.iter().any(|v| found.compare(v).is_some_and(std::cmp::Ordering::is_eq)))
            }
            Self::IsNull { column } => Some(get(*column) == Value::Null),
            Self::Like { column, pattern } => match get(*column) {
                Value::Text(text) => Some(like(&text, pattern)),
                Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Date(_) | Value::Timestamp(_) => None,
            },
            Self::And(parts) => decided_by(false, parts.iter().map(|p| p.evaluate(get))),
            Self::Or(parts) => decided_by(true, parts.iter().map(|p| p.evaluate(get))),
            Self::Not(inner) => inner.evaluate(get).map(|t| !t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Comparison;
    use super::*;
    use crate::catalog::{Table, TableName};

    #[test]
    fn null_is_neither_equal_nor_unequal() {
        let column = Table::of(TableName::Activity).named("language").unwrap();
        let equal = Predicate::Compare { column, op: Comparison::Eq, value: Value::Text("de".into()) };
        let null = |_: ColumnName| Value::Null;
        assert_eq!(equal.evaluate(&null), None);
        assert_eq!(Predicate::Not(Box::new(equal.clone())).canonical().evaluate(&null), None);
        let or_known = Predicate::Or(vec![equal, Predicate::IsNull { column }]);
        assert_eq!(or_known.evaluate(&null), Some(true));
    }
}
