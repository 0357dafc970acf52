//! Expressions as SQL.

use std::fmt::{Display, Formatter, Result};

use super::{Expr, Function};
use crate::question::Value;

/// How tightly an operator holds its sides, as in PostgreSQL; only the order matters.
type Tightness = u8;
const OR: Tightness = 1;
const AND: Tightness = 2;
const NOT: Tightness = 3;
const COMPARISON: Tightness = 4;
const CONCAT: Tightness = 5;
const SUM: Tightness = 6;
const PRODUCT: Tightness = 7;
const SIGN: Tightness = 8;
const WHOLE: Tightness = 9;

/// As SQL: with as few parentheses as keep the meaning.
impl<L: Display> Display for Expr<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Leaf(leaf) => leaf.fmt(f),
            Self::Constant(value) => constant(value, f),
            Self::Call(function, args) => call(*function, args, f),
            Self::Case { branches, otherwise } => {
                f.write_str("CASE")?;
                for (condition, result) in branches {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if !matches!(**otherwise, Self::Constant(Value::Null)) {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
        }
    }
}

fn constant(value: &Value, f: &mut Formatter<'_>) -> Result {
    match value {
        Value::Null => f.write_str("NULL"),
        Value::Boolean(true) => f.write_str("TRUE"),
        Value::Boolean(false) => f.write_str("FALSE"),
        Value::Integer(x) => write!(f, "{x}"),
        // With a point or an exponent, which tells it from a whole number.
        Value::Float(x) => write!(f, "{x:?}"),
        Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        Value::Date(_) => write!(f, "DATE '{value}'"),
        Value::Timestamp(_) => write!(f, "TIMESTAMP '{value}'"),
    }
}

fn call<L: Display>(function: Function, args: &[Expr<L>], f: &mut Formatter<'_>) -> Result {
    let sql = function.sql();
    match (function, args) {
        (Function::And | Function::Or, [_, _, ..]) => infix(sql, args, tightness(function), f),
        (Function::Compare(_) | Function::IsSame | Function::Like, [_, _]) => infix(sql, args, COMPARISON, f),
        (Function::Concat, [_, _, ..]) => infix(sql, args, CONCAT, f),
        (Function::Add | Function::Subtract | Function::Multiply | Function::Divide | Function::Modulo, [a, b]) => {
            let own = tightness(function);
            // Operators of one tightness are read from the left.
            write!(f, "{} {sql} {}", Held(a, own), Held(b, own + 1))
        }
        (Function::Negate, [a]) => write!(f, "-{}", Held(a, WHOLE)),
        (Function::Not, [Expr::Call(Function::IsNull, of)]) if of.len() == 1 => write!(f, "{} IS NOT NULL", List(of, COMPARISON + 1)),
        (Function::Not, [Expr::Call(Function::IsSame, of)]) if of.len() == 2 => infix("IS DISTINCT FROM", of, COMPARISON, f),
        (Function::Not, [Expr::Call(Function::Like, of)]) if of.len() == 2 => infix("NOT LIKE", of, COMPARISON, f),
        (Function::Not, [Expr::Call(Function::In, of)]) if !of.is_empty() => in_list("NOT IN", of, f),
        (Function::Not, [a]) => write!(f, "NOT {}", Held(a, NOT)),
        (Function::IsNull, [a]) => write!(f, "{} IS NULL", Held(a, COMPARISON + 1)),
        (Function::In, [_, ..]) => in_list(sql, args, f),
        (Function::Truncate(part), _) => write!(f, "date_trunc('{part}', {})", List(args, 0)),
        (Function::Part(part), _) => write!(f, "extract({part} from {})", List(args, 0)),
        (Function::Cast(to), _) => write!(f, "CAST({} AS {to})", List(args, 0)),
        _ => write!(f, "{sql}({})", List(args, 0)),
    }
}

fn infix<L: Display>(sql: &str, args: &[Expr<L>], own: Tightness, f: &mut Formatter<'_>) -> Result {
    for (place, arg) in args.iter().enumerate() {
        if place > 0 {
            write!(f, " {sql} ")?;
        }
        Held(arg, own + 1).fmt(f)?;
    }
    Ok(())
}

fn in_list<L: Display>(sql: &str, args: &[Expr<L>], f: &mut Formatter<'_>) -> Result {
    let [of, list @ ..] = args else { return Ok(()) };
    write!(f, "{} {sql} ({})", Held(of, COMPARISON + 1), List(list, 0))
}

/// An expression, in parentheses where it is not at least so tight.
struct Held<'a, L>(&'a Expr<L>, Tightness);

impl<L: Display> Display for Held<'_, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let own = match self.0 {
            Expr::Call(function, args) if written_around(*function, args.len()) => tightness(*function),
            Expr::Constant(Value::Integer(..0)) => SIGN,
            Expr::Constant(Value::Float(x)) if *x < 0.0 => SIGN,
            _ => WHOLE,
        };
        if own < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

/// With commas.
struct List<'a, L>(&'a [Expr<L>], Tightness);

impl<L: Display> Display for List<'_, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (place, expr) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            Held(expr, self.1).fmt(f)?;
        }
        Ok(())
    }
}

/// Whether a call with so many arguments is written as an operator.
const fn written_around(function: Function, args: usize) -> bool {
    match function {
        Function::And | Function::Or | Function::Concat => args > 1,
        Function::In => args > 0,
        Function::Not | Function::IsNull | Function::Negate => args == 1,
        _ => args == 2,
    }
}

const fn tightness(function: Function) -> Tightness {
    match function {
        Function::Or => OR,
        Function::And => AND,
        Function::Not => NOT,
        Function::Compare(_) | Function::IsNull | Function::IsSame | Function::In | Function::Like => COMPARISON,
        Function::Concat => CONCAT,
        Function::Add | Function::Subtract => SUM,
        Function::Multiply | Function::Divide | Function::Modulo => PRODUCT,
        Function::Negate => SIGN,
        _ => WHOLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Comparison;
    use crate::question::expr::{CastTo, DatePart};

    fn leaf(name: &'static str) -> Expr<&'static str> {
        Expr::Leaf(name)
    }

    fn whole(x: i64) -> Expr<&'static str> {
        Expr::Constant(Value::Integer(x))
    }

    #[test]
    fn expressions_read_as_sql() {
        use Function::{Add, And, Cast, Compare, In, IsNull, Like, Lower, Multiply, Negate, Not, Or, Part, Subtract, Truncate};
        let (a, b, c) = (|| leaf("a"), || leaf("b"), || leaf("c"));
        let call1 = Expr::call1;
        let call2 = Expr::call2;
        let text = |t: &str| Expr::Constant(Value::Text(t.to_owned()));
        let less = |x, y| call2(Compare(Comparison::Lt), x, y);
        let in_list = || Expr::Call(In, vec![a(), text("it's"), Expr::Constant(Value::Null)]);
        let case = Expr::Case { branches: vec![(less(a(), b()), whole(1))], otherwise: Box::new(Expr::Constant(Value::Float(2.0))) };
        for (expr, sql) in [
            (call2(Multiply, call2(Add, a(), b()), c()), "(a + b) * c"),
            (call2(Add, a(), call2(Multiply, b(), c())), "a + b * c"),
            (call2(Subtract, call2(Subtract, a(), b()), c()), "a - b - c"),
            (call2(Subtract, a(), call2(Subtract, b(), c())), "a - (b - c)"),
            (call2(Subtract, a(), whole(-1)), "a - -1"),
            (call1(Negate, whole(-1)), "-(-1)"),
            (call1(Negate, call1(Negate, a())), "-(-a)"),
            (call2(And, call2(Or, less(a(), b()), call1(IsNull, a())), call1(Not, less(b(), c()))), "(a < b OR a IS NULL) AND NOT b < c"),
            (less(less(a(), b()), c()), "(a < b) < c"),
            (call1(Not, call1(IsNull, call2(Add, a(), b()))), "a + b IS NOT NULL"),
            (call1(IsNull, call1(Not, a())), "(NOT a) IS NULL"),
            (in_list(), "a IN ('it''s', NULL)"),
            (call1(Not, in_list()), "a NOT IN ('it''s', NULL)"),
            (call2(Like, call1(Lower, a()), text("x%")), "lower(a) LIKE 'x%'"),
            (case, "CASE WHEN a < b THEN 1 ELSE 2.0 END"),
            (call1(Cast(CastTo::Date), a()), "CAST(a AS date)"),
            (call1(Truncate(DatePart::Month), a()), "date_trunc('month', a)"),
            (call1(Part(DatePart::Weekday), a()), "extract(isodow from a)"),
            (Expr::Constant(Value::Date("2026-01-31".parse().unwrap())), "DATE '2026-01-31'"),
        ] {
            assert_eq!(expr.to_string(), sql);
        }
    }
}
