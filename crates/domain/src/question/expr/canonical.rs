//! The one form that equal expressions share.

use serde::Serialize;

use super::{Expr, Function};
use crate::question::{Comparison, Value};

impl<L: Clone + PartialEq + Serialize> Expr<L> {
    /// The same expression in the one form that equal ones share: constants worked out, conditions flat and
    /// without double negation, what may change places in order, without duplicates.
    ///
    /// # Guarantee
    /// It has the same value for every row, for an expression that [`Expr::typed`] accepts. Sums and products
    /// keep their order of steps: numbers with fractions and whole numbers at their ends depend on it.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::Leaf(_) => self,
            // Zero has one sign.
            Self::Constant(Value::Float(x)) => Self::Constant(Value::float(x + 0.0)),
            Self::Constant(_) => self,
            Self::Call(function, args) => Self::canonical_call(function, args.into_iter().map(Self::canonical).collect()),
            Self::Case { branches, otherwise } => {
                let branches = branches.into_iter().map(|(condition, result)| (condition.canonical(), result.canonical())).collect();
                Self::canonical_case(branches, otherwise.canonical())
            }
        }
    }

    /// Of arguments that are canonical.
    fn canonical_call(function: Function, args: Vec<Self>) -> Self {
        if let Some(values) = constants(&args) {
            return Self::Constant(function.apply(&values));
        }
        if function.is_strict() && args.iter().any(|arg| arg.is_constant(&Value::Null)) {
            return Self::Constant(Value::Null);
        }
        match (function, args.as_slice()) {
            (Function::And, _) => Self::decided_by(false, function, args),
            (Function::Or, _) => Self::decided_by(true, function, args),
            (Function::Not, [a]) => a.negated().unwrap_or(Self::Call(function, args)),
            (Function::Compare(comparison), [a, b]) if a.order() > b.order() => Self::call2(Function::Compare(comparison.flip()), b.clone(), a.clone()),
            (Function::Compare(comparison), [a, b]) if a == b => Self::Call(Function::Compare(comparison.min(comparison.flip())), args),
            (Function::Add | Function::Multiply, [_, _]) => Self::Call(function, sorted(args)),
            (Function::IsSame, [_, _]) => match sorted(args).as_slice() {
                [a, b] if b.is_constant(&Value::Null) => Self::call1(Function::IsNull, a.clone()),
                sorted => Self::Call(function, sorted.to_vec()),
            },
            (Function::In, [a, list @ ..]) => match constants(list) {
                Some(list) if !list.is_empty() => Self::in_list(a.clone(), list),
                _ => Self::Call(function, args),
            },
            (Function::Greatest | Function::Least, _) => Self::farthest(function, args),
            (Function::Coalesce, _) => Self::coalesced(args),
            (Function::NullIf, [a, b]) if b.is_constant(&Value::Null) => a.clone(),
            _ => Self::Call(function, args),
        }
    }

    fn canonical_case(branches: Vec<(Self, Self)>, otherwise: Self) -> Self {
        let (mut kept, mut otherwise) = (Vec::new(), otherwise);
        for (condition, result) in branches {
            match condition {
                Self::Constant(Value::Boolean(true)) => {
                    otherwise = result;
                    break;
                }
                // False or null: never.
                Self::Constant(_) => {}
                _ if kept.iter().any(|(earlier, _)| *earlier == condition) => {}
                _ => kept.push((condition, result)),
            }
        }
        while kept.pop_if(|(_, result)| *result == otherwise).is_some() {}
        if kept.is_empty() { otherwise } else { Self::Case { branches: kept, otherwise: Box::new(otherwise) } }
    }

    /// AND (`winner` false) or OR (`winner` true).
    fn decided_by(winner: bool, function: Function, parts: Vec<Self>) -> Self {
        let mut flat = flattened(function, parts);
        if flat.iter().any(|part| part.is_constant(&Value::Boolean(winner))) {
            return Self::Constant(Value::Boolean(winner));
        }
        flat.retain(|part| !part.is_constant(&Value::Boolean(!winner)));
        let mut flat = sorted(flat);
        flat.dedup();
        match <[Self; 1]>::try_from(flat) {
            Ok([only]) => only,
            Err(none) if none.is_empty() => Self::Constant(Value::Boolean(!winner)),
            Err(parts) => Self::Call(function, parts),
        }
    }

    /// Not this, where it has a plainer form than that.
    fn negated(&self) -> Option<Self> {
        let each = |args: &[Self]| args.iter().map(|arg| Self::canonical_call(Function::Not, vec![arg.clone()])).collect();
        match self {
            Self::Call(Function::Not, args) => args.first().cloned(),
            Self::Call(Function::Compare(comparison), args) => Some(Self::canonical_call(Function::Compare(comparison.negate()), args.clone())),
            Self::Call(Function::And, args) => Some(Self::canonical_call(Function::Or, each(args))),
            Self::Call(Function::Or, args) => Some(Self::canonical_call(Function::And, each(args))),
            _ => None,
        }
    }

    /// `a` in a list of constants; nulls leave open what is not found.
    fn in_list(a: Self, mut list: Vec<Value>) -> Self {
        let all = list.len();
        list.retain(|value| *value != Value::Null);
        let open = list.len() < all;
        // Of 1 and 1.0, the whole one.
        list.sort_by(|a, b| a.sort_order(b).then_with(|| matches!(a, Value::Float(_)).cmp(&matches!(b, Value::Float(_)))));
        list.dedup_by(|a, b| a.sort_order(b).is_eq());
        let found = match <[Value; 1]>::try_from(list) {
            Ok([only]) => Self::canonical_call(Function::Compare(Comparison::Eq), vec![a, Self::Constant(only)]),
            Err(none) if none.is_empty() => return Self::Constant(Value::Null),
            Err(list) => Self::Call(Function::In, std::iter::once(a).chain(list.into_iter().map(Self::Constant)).collect()),
        };
        if open { Self::canonical_call(Function::Or, vec![found, Self::Constant(Value::Null)]) } else { found }
    }

    /// The greatest or least: nulls play no part, and constants are one.
    fn farthest(function: Function, args: Vec<Self>) -> Self {
        let (constant, mut args): (Vec<Self>, Vec<Self>) = flattened(function, args).into_iter().partition(|arg| matches!(arg, Self::Constant(_)));
        let constant = constants(&constant).map_or(Value::Null, |values| function.apply(&values));
        if constant != Value::Null {
            args.push(Self::Constant(constant));
        }
        let mut args = sorted(args);
        args.dedup();
        Self::only_or_call(function, args)
    }

    fn coalesced(args: Vec<Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for arg in flattened(Function::Coalesce, args) {
            if arg.is_constant(&Value::Null) || kept.contains(&arg) {
                continue;
            }
            let last = matches!(arg, Self::Constant(_));
            kept.push(arg);
            if last {
                break;
            }
        }
        Self::only_or_call(Function::Coalesce, kept)
    }

    fn only_or_call(function: Function, args: Vec<Self>) -> Self {
        match <[Self; 1]>::try_from(args) {
            Ok([only]) => only,
            Err(args) => Self::Call(function, args),
        }
    }

    fn is_constant(&self, of: &Value) -> bool {
        matches!(self, Self::Constant(value) if value == of)
    }

    /// Where it stands among what may change places: constants last.
    fn order(&self) -> (bool, String) {
        (matches!(self, Self::Constant(_)), serde_json::to_string(self).unwrap_or_default())
    }
}

/// The values, where all are constants.
fn constants<L>(args: &[Expr<L>]) -> Option<Vec<Value>> {
    args.iter().map(|arg| if let Expr::Constant(value) = arg { Some(value.clone()) } else { None }).collect()
}

/// The arguments, with those of the same function in its place.
fn flattened<L>(function: Function, args: Vec<Expr<L>>) -> Vec<Expr<L>> {
    let mut flat = Vec::with_capacity(args.len());
    for arg in args {
        match arg {
            Expr::Call(inner, args) if inner == function => flat.extend(args),
            other => flat.push(other),
        }
    }
    flat
}

fn sorted<L: Clone + PartialEq + Serialize>(mut args: Vec<Expr<L>>) -> Vec<Expr<L>> {
    args.sort_by_cached_key(Expr::order);
    args
}
