//! Numbers.

use crate::question::Value;

/// A function of one number that leaves whole numbers whole.
pub(super) fn one(a: &Value, whole: impl Fn(i64) -> i64, float: impl Fn(f64) -> f64) -> Value {
    match a {
        Value::Integer(a) => Value::Integer(whole(*a)),
        other => self::float(other, float),
    }
}

/// A function of one number that gives a fraction.
pub(super) fn float(a: &Value, float: impl Fn(f64) -> f64) -> Value {
    a.as_f64().map_or(Value::Null, |a| Value::float(float(a)))
}

/// A function of two numbers that leaves whole numbers whole.
pub(super) fn two(a: &Value, b: &Value, whole: impl Fn(i64, i64) -> Option<i64>, float: impl Fn(f64, f64) -> f64) -> Value {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => whole(*a, *b).map_or(Value::Null, Value::Integer),
        _ => floats(a, b, float),
    }
}

/// A function of two numbers that gives a fraction.
pub(super) fn floats(a: &Value, b: &Value, float: impl Fn(f64, f64) -> f64) -> Value {
    a.as_f64().zip(b.as_f64()).map_or(Value::Null, |(a, b)| Value::float(float(a, b)))
}

/// The nearest whole number, halves to the even one as PostgreSQL casts; none where it is out of range.
pub(super) fn to_integer(x: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let whole = x.round_ties_even();
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the bounds that are looked at")]
    (-BEYOND..BEYOND).contains(&whole).then_some(whole as i64)
}

/// Which of `n` equal parts `a` is in: PostgreSQL's `width_bucket`, whose parts are counted downwards where
/// low is above high. Null where there are no parts.
pub(super) fn width_bucket(a: &Value, low: &Value, high: &Value, n: i64) -> Value {
    let (Some(a), Some(low), Some(high)) = (a.as_f64(), low.as_f64(), high.as_f64()) else { return Value::Null };
    let Ok(parts) = i32::try_from(n) else { return Value::Null };
    if parts < 1 || low == high {
        return Value::Null;
    }
    let (a, low, high) = if low < high { (a, low, high) } else { (-a, -low, -high) };
    if a < low {
        return Value::Integer(0);
    }
    if a >= high {
        return Value::Integer(n + 1);
    }
    // Halves of what is too wide, so that its width is a number, too; of the narrowest they would be nothing.
    let half = if (high - low).is_finite() { 1.0 } else { 0.5 };
    let place = (a * half - low * half) / (high * half - low * half) * f64::from(parts);
    // A quotient that rounds up to 1 is still below high.
    to_integer(place.floor()).map_or(Value::Null, |place| Value::Integer(place.clamp(0, n - 1) + 1))
}
