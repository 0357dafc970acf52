//! Constants in which a value is looked up.

use std::cmp::Ordering;

use crate::question::Value;

/// The constants of `a IN (…)`, in order: one of many is found in a few steps.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Of one type, without null.
    sorted: Vec<Value>,
    /// Whether null is in the list, which leaves open what is not found.
    open: bool,
}

impl List {
    /// The list; none where nothing in it is known, or types are mixed.
    #[must_use]
    pub fn of(mut values: Vec<Value>) -> Option<Self> {
        let all = values.len();
        values.retain(|value| *value != Value::Null);
        let first = values.first()?;
        if values.iter().any(|value| value.compare(first).is_none()) {
            return None;
        }
        let open = values.len() < all;
        values.sort_by(Value::sort_order);
        Some(Self { sorted: values, open })
    }

    /// Whether a value is in the list.
    ///
    /// # Guarantee
    /// What [`Function::In`](super::Function::In) gives for the value and the constants.
    #[must_use]
    pub fn has(&self, value: &Value) -> Value {
        // One that compares with none is not found for sure.
        let unknown = self.sorted.first().is_none_or(|first| value.compare(first).is_none());
        let found = self.sorted.binary_search_by(|other| other.compare(value).unwrap_or(Ordering::Less)).is_ok();
        match (unknown, found) {
            (false, true) => Value::Boolean(true),
            (false, false) if !self.open => Value::Boolean(false),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::expr::Function;

    #[test]
    fn a_lookup_is_what_in_means() {
        use Value::{Boolean, Float, Integer, Null, Text};
        let text = |text: &str| Text(text.to_owned());
        let lists = [vec![Integer(3), Integer(1), Integer(3)], vec![Integer(7), Null, Float(1.5)], vec![text("b"), text("a"), Null], vec![Boolean(false)]];
        for list in lists {
            let looked_up = List::of(list.clone()).unwrap();
            for value in [Integer(1), Integer(2), Integer(7), Float(1.5), Float(3.0), text("a"), text("c"), Boolean(false), Boolean(true), Null] {
                let args = [vec![value.clone()], list.clone()].concat();
                assert_eq!(looked_up.has(&value), Function::In.apply(&args), "{value:?} in {list:?}");
            }
        }
        assert!(List::of(vec![Null]).is_none() && List::of(vec![Integer(1), text("a")]).is_none());
    }
}
