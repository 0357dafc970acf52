//! What functions mean: of values, without an engine.
//!
//! PostgreSQL's meaning, made total: where it raises an error, the value is null.

mod cast;
mod day;
mod number;
mod text;

use std::cmp::Ordering;

use super::Function;
use crate::question::Value;

/// SQL's three-valued truth: `None` is unknown.
type Truth = Option<bool>;

pub(in crate::question) use text::like;

/// Bytes of a text that `replace` and `||` make, at most; a longer one is null. No row can make a question
/// big.
pub const MAX_TEXT_BYTES: usize = 1024;

impl Function {
    /// Its value.
    ///
    /// # Guarantee
    /// Total: there is a value for whatever arguments, null where they are too many, too few or of the wrong
    /// type. Whole numbers saturate; a number is never NaN, infinite or −0.
    #[must_use]
    pub fn apply(self, args: &[Value]) -> Value {
        match self.value(args) {
            // Zero has one sign, as in the lake.
            Value::Float(x) => Value::float(x + 0.0),
            other => other,
        }
    }

    fn value(self, args: &[Value]) -> Value {
        match (self, args) {
            (Self::And, parts) => truth(decided_by(false, parts.iter().map(Value::truth))),
            (Self::Or, parts) => truth(decided_by(true, parts.iter().map(Value::truth))),
            (Self::IsNull, [a]) => Value::Boolean(*a == Value::Null),
            (Self::IsSame, [Value::Null, Value::Null]) => Value::Boolean(true),
            (Self::IsSame, [a, b]) => Value::Boolean(a.compare(b).is_some_and(Ordering::is_eq)),
            (Self::In, [a, list @ ..]) if *a != Value::Null => truth(decided_by(true, list.iter().map(|b| a.compare(b).map(Ordering::is_eq)))),
            (Self::Greatest, _) => farthest(args, Ordering::Greater),
            (Self::Least, _) => farthest(args, Ordering::Less),
            (Self::Coalesce, _) => args.iter().find(|a| **a != Value::Null).map_or(Value::Null, |first| mixed(first, args)),
            (Self::NullIf, [a, b]) if a.compare(b).is_some_and(Ordering::is_eq) => Value::Null,
            (Self::NullIf, [a, _]) => mixed(a, args),
            _ if args.contains(&Value::Null) => Value::Null,
            _ => self.of_known(args),
        }
    }

    /// Its value where no argument is null.
    fn of_known(self, args: &[Value]) -> Value {
        use Value::{Boolean, Integer, Text};
        match (self, args) {
            (Self::Compare(comparison), [a, b]) => truth(a.compare(b).map(|ordering| comparison.holds(ordering))),
            (Self::Not, [Boolean(a)]) => Boolean(!a),
            (Self::Add, [Value::Date(day), Integer(days)] | [Integer(days), Value::Date(day)]) => day::moved(*day, Some(*days)),
            (Self::Subtract, [Value::Date(day), Integer(days)]) => day::moved(*day, days.checked_neg()),
            (Self::Subtract, [Value::Date(a), Value::Date(b)]) => Integer(a.signed_duration_since(*b).num_days()),
            (Self::Add, [a, b]) => number::two(a, b, |a, b| Some(a.saturating_add(b)), |a, b| a + b),
            (Self::Subtract, [a, b]) => number::two(a, b, |a, b| Some(a.saturating_sub(b)), |a, b| a - b),
            (Self::Multiply, [a, b]) => number::two(a, b, |a, b| Some(a.saturating_mul(b)), |a, b| a * b),
            (Self::Modulo, [a, b]) => number::two(a, b, |a, b| (b != 0).then(|| a.wrapping_rem(b)), |a, b| a % b),
            (Self::Divide, [a, b]) => number::floats(a, b, |a, b| a / b),
            (Self::Power, [a, b]) => number::floats(a, b, f64::powf),
            (Self::Negate, [a]) => number::one(a, i64::saturating_neg, |a| -a),
            (Self::Abs, [a]) => number::one(a, i64::saturating_abs, f64::abs),
            (Self::Sign, [a]) => number::one(a, i64::signum, |a| if a == 0.0 { 0.0 } else { a.signum() }),
            (Self::Round, [a]) => number::one(a, |a| a, f64::round),
            (Self::Floor, [a]) => number::one(a, |a| a, f64::floor),
            (Self::Ceil, [a]) => number::one(a, |a| a, f64::ceil),
            (Self::Trunc, [a]) => number::one(a, |a| a, f64::trunc),
            (Self::Sqrt, [a]) => number::float(a, f64::sqrt),
            (Self::Ln, [a]) => number::float(a, f64::ln),
            (Self::Log10, [a]) => number::float(a, f64::log10),
            (Self::Exp, [a]) => number::float(a, f64::exp),
            (Self::WidthBucket, [a, low, high, Integer(n)]) => number::width_bucket(a, low, high, *n),
            (Self::Like, [Text(a), Text(pattern)]) => Boolean(like(a, pattern)),
            (Self::Lower, [Text(a)]) => Text(a.to_lowercase()),
            (Self::Upper, [Text(a)]) => Text(a.to_uppercase()),
            (Self::Length, [Text(a)]) => Integer(text::length(a)),
            (Self::Substr, [Text(a), Integer(from)]) => text::substr(a, *from, i64::MAX),
            (Self::Substr, [Text(a), Integer(from), Integer(count)]) => text::substr(a, *from, *count),
            (Self::Left, [Text(a), Integer(n)]) => text::left(a, *n),
            (Self::Right, [Text(a), Integer(n)]) => text::right(a, *n),
            (Self::Trim, [Text(a)]) => Text(a.trim_matches(' ').to_owned()),
            (Self::Replace, [Text(a), Text(from), Text(to)]) => text::replace(a, from, to),
            (Self::Concat, parts) => text::concat(parts),
            (Self::StartsWith, [Text(a), Text(prefix)]) => Boolean(a.starts_with(prefix.as_str())),
            (Self::Strpos, [Text(a), Text(part)]) => Integer(text::strpos(a, part)),
            (Self::SplitPart, [Text(a), Text(separator), Integer(n)]) => text::split_part(a, separator, *n),
            (Self::Truncate(part), [a]) => day::truncate(part, a),
            (Self::Part(part), [a]) => day::part(part, a),
            (Self::Cast(to), [a]) => cast::cast(a, to),
            _ => Value::Null,
        }
    }
}

impl Value {
    const fn truth(&self) -> Truth {
        if let Self::Boolean(truth) = self { Some(*truth) } else { None }
    }
}

fn truth(truth: Truth) -> Value {
    truth.map_or(Value::Null, Value::Boolean)
}

/// SQL's AND (`winner` false) and OR (`winner` true): one part that is `winner` decides; else an unknown part
/// leaves it unknown; else all are the other.
pub(in crate::question) fn decided_by(winner: bool, parts: impl Iterator<Item = Truth>) -> Truth {
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

/// The known argument that is farthest towards `side`; null where there is none or they do not compare.
fn farthest(args: &[Value], side: Ordering) -> Value {
    let mut known = args.iter().filter(|a| **a != Value::Null);
    let Some(mut best) = known.next() else { return Value::Null };
    for a in known {
        match a.compare(best) {
            None => return Value::Null,
            Some(ordering) if ordering == side => best = a,
            Some(_) => {}
        }
    }
    mixed(best, args)
}

/// The value as one of the type that all arguments share: whole numbers among others are not whole.
fn mixed(value: &Value, args: &[Value]) -> Value {
    match value {
        Value::Integer(_) if args.iter().any(|a| matches!(a, Value::Float(_))) => value.as_f64().map_or(Value::Null, Value::float),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
