//! Expressions whose types are known.

use super::{CastTo, Expr, Function, Mismatch, unify};
use crate::catalog::ColumnType;
use crate::question::Value;

/// An expression and its type; none for the constant `NULL`.
pub type Typed<L> = (Expr<L>, Option<ColumnType>);

impl<L> Expr<L> {
    /// A call of a function. Where it gives back one of its arguments, whole numbers among others are cast:
    /// what it gives has one type, whichever argument is null.
    ///
    /// # Errors
    /// As [`Function::check`].
    pub fn call(function: Function, args: Vec<Typed<L>>) -> Result<Typed<L>, Mismatch> {
        let types: Vec<_> = args.iter().map(|(_, ty)| *ty).collect();
        let ty = function.check(&types)?;
        let gives_back = matches!(function, Function::Greatest | Function::Least | Function::Coalesce | Function::NullIf);
        let args = args.into_iter().map(|arg| if gives_back { Self::as_type(arg, Some(ty)) } else { arg.0 }).collect();
        Ok((Self::Call(function, args), Some(ty)))
    }

    /// `CASE WHEN … THEN … ELSE … END`. Whole numbers among other results are cast.
    ///
    /// # Errors
    /// When a condition is none, or results share no type.
    pub fn case(branches: Vec<(Typed<L>, Typed<L>)>, otherwise: Typed<L>) -> Result<Typed<L>, Mismatch> {
        let mut ty = otherwise.1;
        for ((_, condition), (_, result)) in &branches {
            if !matches!(condition, None | Some(ColumnType::Boolean)) {
                return Err(Mismatch { message: "CASE WHEN takes a condition".to_owned(), hint: "write CASE WHEN a = b THEN … END".to_owned() });
            }
            ty = unify(ty, *result)?;
        }
        let branches = branches.into_iter().map(|((condition, _), result)| (condition, Self::as_type(result, ty))).collect();
        Ok((Self::Case { branches, otherwise: Box::new(Self::as_type(otherwise, ty)) }, ty))
    }

    /// The expression where every type is checked as by [`Expr::call`] and [`Expr::case`], and its type.
    /// `leaf` tells the types of leaves.
    ///
    /// # Errors
    /// The first [`Mismatch`].
    pub fn typed(self, leaf: &impl Fn(&L) -> ColumnType) -> Result<Typed<L>, Mismatch> {
        match self {
            Self::Leaf(of) => {
                let ty = leaf(&of);
                Ok((Self::Leaf(of), Some(ty)))
            }
            Self::Constant(value) => {
                let ty = value.column_type();
                Ok((Self::Constant(value), ty))
            }
            Self::Call(function, args) => Self::call(function, args.into_iter().map(|arg| arg.typed(leaf)).collect::<Result<_, _>>()?),
            Self::Case { branches, otherwise } => {
                let branches = branches.into_iter().map(|(condition, result)| Ok((condition.typed(leaf)?, result.typed(leaf)?))).collect::<Result<_, Mismatch>>()?;
                Self::case(branches, otherwise.typed(leaf)?)
            }
        }
    }

    fn as_type((expr, is): Typed<L>, ty: Option<ColumnType>) -> Self {
        match (is, ty, expr) {
            (Some(ColumnType::Integer), Some(ColumnType::Float), Self::Constant(value)) => Self::Constant(Function::Cast(CastTo::Float).apply(&[value])),
            (Some(ColumnType::Integer), Some(ColumnType::Float), expr) => Self::call1(Function::Cast(CastTo::Float), expr),
            (_, _, expr) => expr,
        }
    }
}

impl Value {
    /// Its type; none of null.
    #[must_use]
    pub const fn column_type(&self) -> Option<ColumnType> {
        match self {
            Self::Null => None,
            Self::Boolean(_) => Some(ColumnType::Boolean),
            Self::Integer(_) => Some(ColumnType::Integer),
            Self::Float(_) => Some(ColumnType::Float),
            Self::Text(_) => Some(ColumnType::Text),
            Self::Date(_) => Some(ColumnType::Date),
            Self::Timestamp(_) => Some(ColumnType::Timestamp),
        }
    }
}
