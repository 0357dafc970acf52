//! All values that an expression can have, where they are few and public.

use super::range::of_part;
use super::{Expr, Function};
use crate::question::Value;

/// Values in a list, and combinations that are tried to make one, at most.
pub const MAX_VALUES: usize = 10_000;

/// Steps that are taken to make a list, at most: nodes of the expression times combinations.
const MAX_STEPS: usize = 1_000_000;

/// Bytes of text in a list, at most.
const MAX_BYTES: usize = 1_000_000;

impl<L: PartialEq> Expr<L> {
    /// All values that it can have besides null, in order and without duplicates; none where they are not
    /// known, more than [`MAX_VALUES`], or too much work to list. `leaf` lists those of leaves.
    ///
    /// Whether null is among them is for [`Expr::nullable`] to say. Leaves are taken to be null now and then:
    /// `coalesce(a, 'x')` lists `x`.
    ///
    /// # Guarantee
    /// Every value that is not null is in the list, for an expression that [`Expr::typed`] accepts.
    pub fn values(&self, leaf: &impl Fn(&L) -> Option<Vec<Value>>) -> Option<Vec<Value>> {
        let values = match self {
            Self::Leaf(of) => leaf(of)?,
            Self::Constant(value) => vec![value.clone()],
            Self::Call(..) | Self::Case { .. } => match self.tried(leaf) {
                Some(values) => values,
                None => self.made(leaf)?,
            },
        };
        listed(values)
    }

    /// What all rows together give, where all leaves are listed.
    fn tried(&self, leaf: &impl Fn(&L) -> Option<Vec<Value>>) -> Option<Vec<Value>> {
        let mut leaves: Vec<&L> = Vec::new();
        self.leaves(&mut |of| {
            if !leaves.contains(&of) {
                leaves.push(of);
            }
        });
        let lists = leaves.iter().map(|of| leaf(of).and_then(listed)).collect::<Option<Vec<_>>>()?;
        combined(&lists, self.size(), |row| self.evaluate(&|of| leaves.iter().zip(row).find(|(other, _)| **other == of).map_or(Value::Null, |(_, value)| value.clone())))
    }

    /// What follows from its parts.
    fn made(&self, leaf: &impl Fn(&L) -> Option<Vec<Value>>) -> Option<Vec<Value>> {
        let one_of = |results: &mut dyn Iterator<Item = &Self>| -> Option<Vec<Value>> {
            let mut all = Vec::new();
            for result in results {
                all.extend(result.values(leaf)?);
            }
            Some(all)
        };
        match self {
            Self::Case { branches, otherwise } => one_of(&mut branches.iter().map(|(_, result)| result).chain([&**otherwise])),
            Self::Call(function, args) => match (function, args.as_slice()) {
                (function, _) if function.is_condition() => Some(vec![Value::Boolean(false), Value::Boolean(true)]),
                (Function::Part(part), _) => of_part(*part).map(|(low, high)| (low..=high).map(|x| Value::Integer(x.into())).collect()),
                (Function::WidthBucket, [_, _, _, Self::Constant(Value::Integer(parts))]) => whole_numbers(0, parts.checked_add(1)?),
                (Function::NullIf, [a, _]) => a.values(leaf),
                (Function::Coalesce, args) => one_of(&mut args.iter()),
                (function, args) => {
                    let lists = args.iter().map(|arg| arg.values(leaf)).collect::<Option<Vec<_>>>()?;
                    combined(&lists, 1, |args| function.apply(args))
                }
            },
            Self::Leaf(_) | Self::Constant(_) => None,
        }
    }
}

fn whole_numbers(low: i64, high: i64) -> Option<Vec<Value>> {
    let many = usize::try_from(high.checked_sub(low)?).ok()? >= MAX_VALUES;
    (!many).then(|| (low..=high).map(Value::Integer).collect())
}

/// What `of`, which takes so many steps, gives for every combination of one value of each list, or null.
fn combined(lists: &[Vec<Value>], steps: usize, of: impl Fn(&[Value]) -> Value) -> Option<Vec<Value>> {
    let count = lists.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len() + 1))?;
    if count > MAX_VALUES || count.saturating_mul(steps) > MAX_STEPS {
        return None;
    }
    let combination = |number: usize| -> Vec<Value> {
        let mut rest = number;
        let mut pick = |list: &Vec<Value>| {
            let place = rest % (list.len() + 1);
            rest /= list.len() + 1;
            list.get(place).cloned().unwrap_or(Value::Null)
        };
        lists.iter().map(&mut pick).collect()
    };
    let mut bytes = 0_usize;
    let made = (0..count).map(|number| {
        let value = of(&combination(number));
        bytes = bytes.saturating_add(if let Value::Text(text) = &value { text.len() } else { 0 });
        (bytes <= MAX_BYTES).then_some(value)
    });
    made.collect()
}

/// In order, without duplicates and null.
fn listed(mut values: Vec<Value>) -> Option<Vec<Value>> {
    values.retain(|value| *value != Value::Null);
    values.sort_by(Value::sort_order);
    values.dedup();
    (values.len() <= MAX_VALUES).then_some(values)
}
