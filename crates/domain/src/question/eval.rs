//! What predicates mean, in plain code: the specification that the engine is tested against.

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

/// One part that is `winner` decides; else an unknown part leaves it unknown; else all are the other.
fn decided_by(winner: bool, parts: impl Iterator<Item = Truth>) -> Truth {
    let mut all_known = true;
    for part in parts {
        match part {
            Some(truth) if truth == winner => return Some(winner),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!winner)
}

/// SQL `LIKE`: `%` is any run of characters, `_` any one.
fn like(text: &str, pattern: &str) -> bool {
    enum Part {
        Run,
        One,
        Just(char),
    }
    let parts: Vec<Part> = pattern
        .chars()
        .map(|c| match c {
            '%' => Part::Run,
            '_' => Part::One,
            other => Part::Just(other),
        })
        .collect();
    // Row by row over the table "do the first i characters match the first j parts?".
    let mut reach = vec![true];
    reach.extend(parts.iter().scan(true, |open, part| {
        *open = *open && matches!(part, Part::Run);
        Some(*open)
    }));
    for c in text.chars() {
        let mut next = vec![false];
        for (j, part) in parts.iter().enumerate() {
            let diagonal = reach.get(j).copied().unwrap_or(false);
            let above = reach.get(j + 1).copied().unwrap_or(false);
            let left = next.get(j).copied().unwrap_or(false);
            next.push(match part {
                Part::Run => above || left,
                Part::One => diagonal,
                Part::Just(want) => diagonal && *want == c,
            });
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::Comparison;
    use super::*;
    use crate::catalog::{Table, TableName};

    #[test]
    fn like_follows_sql() {
        for (text, pattern, expected) in [
            ("rust", "rust", true),
            ("rust", "r%", true),
            ("rust", "%st", true),
            ("rust", "r_s_", true),
            ("rust", "r_s", false),
            ("", "%", true),
            ("", "_", false),
            ("naïve", "na_ve", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }

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
