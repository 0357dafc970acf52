//! What a question groups by, and which groups are public.

use serde::Serialize;

use super::expr::{Expr, Function};
use super::{Comparison, Field, RowExpr, Value};

/// What rows are grouped by: a column, or an expression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Key {
    /// What of.
    pub of: RowExpr,
    /// Its values, as far as they are public.
    pub values: KeyValues,
}

/// Which values of a key make groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyValues {
    /// Whatever people have: nobody may know which values there are.
    Unknown,
    /// All values that it can have by the catalogue and the question, and null where it can be empty.
    Domain,
    /// These, which the question names; sorted, without duplicates. Rows with others are left out.
    Listed(Vec<Value>),
}

/// Which groups an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// All combinations of public values, whether or not anybody is in them.
    Public,
    /// Those groups that enough people are in, decided with noise.
    Unknown,
}

impl KeyValues {
    /// A list that a question names, in the one form that equal questions share.
    #[must_use]
    pub fn listed(mut values: Vec<Value>, of: &RowExpr) -> Self {
        values.sort_by(Value::sort_order);
        values.dedup();
        if Some(&values) == Self::of_domain(of).as_ref() { Self::Domain } else { Self::Listed(values) }
    }

    /// The values that an expression can have, sorted; none when they are not public.
    #[must_use]
    pub fn of_domain(of: &RowExpr) -> Option<Vec<Value>> {
        let mut values = of.values(&|field: &Field| field.values())?;
        values.retain(|value| *value != Value::Null);
        values.sort_by(Value::sort_order);
        values.dedup();
        values.extend(of.nullable(&|field: &Field| field.nullable()).then_some(Value::Null));
        Some(values)
    }
}

impl Key {
    /// The public values, in order; none when they are unknown.
    #[must_use]
    pub fn public_values(&self) -> Option<Vec<Value>> {
        match &self.values {
            KeyValues::Unknown => None,
            KeyValues::Domain => KeyValues::of_domain(&self.of),
            KeyValues::Listed(values) => Some(values.clone()),
        }
    }

    /// The rows that a list lets in; none where all are.
    pub(super) fn condition(&self) -> Option<RowExpr> {
        let KeyValues::Listed(values) = &self.values else { return None };
        let equal = |value: &Value| match value {
            Value::Null => Expr::call1(Function::IsNull, self.of.clone()),
            value => Expr::call2(Function::Compare(Comparison::Eq), self.of.clone(), Expr::Constant(value.clone())),
        };
        let known = values.iter().filter(|v| **v != Value::Null).cloned().map(Expr::Constant);
        let known = Expr::Call(Function::In, std::iter::once(self.of.clone()).chain(known).collect());
        Some(match values.as_slice() {
            [only] => equal(only),
            [.., Value::Null] => Expr::call2(Function::Or, known, equal(&Value::Null)),
            _ => known,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Table, TableName};

    fn column(name: &str) -> RowExpr {
        Expr::Leaf(Field::Column(Table::of(TableName::Activity).named(TableName::Activity, name).unwrap()))
    }

    #[test]
    fn lists_have_one_form() {
        let text = |t: &str| Value::Text(t.into());
        assert_eq!(KeyValues::listed(vec![Value::Null, text("de"), text("ar"), text("de")], &column("language")), KeyValues::Listed(vec![text("ar"), text("de"), Value::Null]));
        let all: Vec<Value> = (1..=7).rev().map(Value::Integer).collect();
        assert_eq!(KeyValues::listed([vec![Value::Null], all.clone()].concat(), &column("weekday")), KeyValues::Domain, "all that there can be");
        assert!(matches!(KeyValues::listed(all, &column("weekday")), KeyValues::Listed(_)), "null can be, and was not asked for");
    }

    #[test]
    fn a_list_lets_in_its_own_values_only() {
        let key = |values| Key { of: column("language"), values: KeyValues::Listed(values) };
        let admits = |key: &Key, value: &Value| key.condition().unwrap().evaluate(&|_| value.clone()) == Value::Boolean(true);
        let german = key(vec![Value::Text("de".into())]);
        assert!(admits(&german, &Value::Text("de".into())) && !admits(&german, &Value::Text("en".into())) && !admits(&german, &Value::Null));
        let empty = key(vec![Value::Null]);
        assert!(admits(&empty, &Value::Null) && !admits(&empty, &Value::Text("de".into())));
    }
}
