//! Expressions: of one row before anything is counted, and of one released row afterwards.
//!
//! # Guarantee
//! Total: every expression has a value for every row, whatever is in it ([`Function::apply`]). No row can make a
//! question fail, be slow or be left out by an error. What can be written is [`Function::ALL`] and nothing
//! else, and a function's meaning is here, not in an engine: a new version of an engine changes nothing.

mod apply;
mod canonical;
mod check;
mod display;
mod function;
mod list;
mod range;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod typed;
mod values;

use serde::Serialize;

use super::Value;

pub use apply::MAX_TEXT_BYTES;
pub use check::{Mismatch, unify};
pub use function::{CastTo, DatePart, Function};
pub use list::List;
pub use range::Range;
pub use typed::Typed;
pub use values::MAX_VALUES;

/// An expression over leaves `L`: columns of a row, or numbers of a released one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr<L> {
    /// What is looked up.
    Leaf(L),
    /// The same for every row.
    Constant(Value),
    /// A function of other expressions.
    Call(Function, Vec<Self>),
    /// `CASE WHEN … THEN … ELSE … END`: the first branch whose condition is true.
    Case {
        /// Conditions and results.
        branches: Vec<(Self, Self)>,
        /// Where none is true.
        otherwise: Box<Self>,
    },
}

impl<L> Expr<L> {
    /// A function of one expression.
    #[must_use]
    pub fn call1(function: Function, of: Self) -> Self {
        Self::Call(function, vec![of])
    }

    /// A function of two expressions.
    #[must_use]
    pub fn call2(function: Function, a: Self, b: Self) -> Self {
        Self::Call(function, vec![a, b])
    }

    /// Its value where `get` looks up leaves.
    ///
    /// # Guarantee
    /// Total: any row gives a value, none gives an error.
    pub fn evaluate(&self, get: &impl Fn(&L) -> Value) -> Value {
        match self {
            Self::Leaf(leaf) => get(leaf),
            Self::Constant(value) => value.clone(),
            Self::Call(function, args) => {
                let args: Vec<Value> = args.iter().map(|arg| arg.evaluate(get)).collect();
                function.apply(&args)
            }
            Self::Case { branches, otherwise } => {
                let holds = |(condition, _): &&(Self, Self)| condition.evaluate(get) == Value::Boolean(true);
                branches.iter().find(holds).map_or(&**otherwise, |(_, result)| result).evaluate(get)
            }
        }
    }

    /// Calls `visit` with every leaf, in the order of the expression.
    pub fn leaves<'a>(&'a self, visit: &mut impl FnMut(&'a L)) {
        match self {
            Self::Leaf(leaf) => visit(leaf),
            Self::Constant(_) => {}
            Self::Call(_, args) => args.iter().for_each(|arg| arg.leaves(visit)),
            Self::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    condition.leaves(visit);
                    result.leaves(visit);
                }
                otherwise.leaves(visit);
            }
        }
    }

    /// The same expression over other leaves.
    pub fn map<M>(self, to: &mut impl FnMut(L) -> Expr<M>) -> Expr<M> {
        match self {
            Self::Leaf(leaf) => to(leaf),
            Self::Constant(value) => Expr::Constant(value),
            Self::Call(function, args) => Expr::Call(function, args.into_iter().map(|arg| arg.map(to)).collect()),
            Self::Case { branches, otherwise } => {
                Expr::Case { branches: branches.into_iter().map(|(condition, result)| (condition.map(to), result.map(to))).collect(), otherwise: Box::new(otherwise.map(to)) }
            }
        }
    }

    /// How many nodes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Leaf(_) | Self::Constant(_) => 1,
            Self::Call(_, args) => 1 + args.iter().map(Self::size).sum::<usize>(),
            Self::Case { branches, otherwise } => 1 + otherwise.size() + branches.iter().map(|(condition, result)| condition.size() + result.size()).sum::<usize>(),
        }
    }
}
