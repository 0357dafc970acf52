//! Values in questions and answers.

use std::cmp::Ordering;

use chrono::{NaiveDate, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing known.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction; never NaN or infinite.
    Float(f64),
    /// Text.
    Text(String),
    /// A calendar day.
    Date(NaiveDate),
    /// An instant.
    Timestamp(Timestamp),
}

impl Value {
    /// The finite number, or [`Value::Null`] where arithmetic left the numbers.
    #[must_use]
    pub const fn float(x: f64) -> Self {
        if x.is_finite() { Self::Float(x) } else { Self::Null }
    }

    /// The value as a number.
    #[must_use]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "released integers beyond 2^53 may round in expressions; the value itself stays exact")]
            Self::Integer(x) => Some(*x as f64),
            Self::Float(x) => Some(*x),
            Self::Null | Self::Boolean(_) | Self::Text(_) | Self::Date(_) | Self::Timestamp(_) => None,
        }
    }

    /// SQL comparison: `None` when either side is null or the types do not compare. Whole numbers and others
    /// compare exactly, so that comparing is an order.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Float(b)) => whole_with_float(*a, *b),
            (Self::Float(a), Self::Integer(b)) => whole_with_float(*b, *a).map(Ordering::reverse),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// A total order for sorting rows: nulls last, then by type, then by value.
    #[must_use]
    pub fn sort_order(&self, other: &Self) -> Ordering {
        self.compare(other).unwrap_or_else(|| self.rank().cmp(&other.rank()))
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) | Self::Float(_) => 1,
            Self::Date(_) => 2,
            Self::Timestamp(_) => 3,
            Self::Text(_) => 4,
            Self::Null => 5,
        }
    }

    /// The value as plain JSON, without a type tag.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Boolean(b) => (*b).into(),
            Self::Integer(x) => (*x).into(),
            Self::Float(x) => (*x).into(),
            Self::Text(_) | Self::Date(_) | Self::Timestamp(_) => self.to_string().into(),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str(""),
            Self::Boolean(b) => write!(f, "{b}"),
            Self::Integer(x) => write!(f, "{x}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Text(t) => f.write_str(t),
            Self::Date(d) => write!(f, "{d}"),
            Self::Timestamp(t) => f.write_str(&t.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

/// 2⁶³: one more than the largest whole number.
const BEYOND_WHOLE: f64 = 9_223_372_036_854_775_808.0;

/// How a whole number compares with another, without rounding either.
fn whole_with_float(a: i64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        None
    } else if b >= BEYOND_WHOLE {
        Some(Ordering::Less)
    } else if b < -BEYOND_WHOLE {
        Some(Ordering::Greater)
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within the bounds that were just looked at")]
        let whole = b.trunc() as i64;
        a.cmp(&whole).then(0.0_f64.partial_cmp(&b.fract())?).into()
    }
}

/// A group's key as bytes: one injective encoding, so that every engine ranks groups alike.
#[must_use]
pub fn encode_key(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 12);
    for value in values {
        let (tag, bytes): (u8, Vec<u8>) = match value {
            Value::Null => (0, Vec::new()),
            Value::Boolean(b) => (1, vec![u8::from(*b)]),
            Value::Integer(x) => (2, x.to_le_bytes().to_vec()),
            Value::Float(x) => (3, x.to_bits().to_le_bytes().to_vec()),
            Value::Text(t) => (4, t.as_bytes().to_vec()),
            Value::Date(d) => (5, d.to_string().into_bytes()),
            Value::Timestamp(t) => (6, t.timestamp_micros().to_le_bytes().to_vec()),
        };
        out.push(tag);
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_exactly() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            (1, 1.0, Equal),
            (1, 1.5, Less),
            (-1, -1.5, Greater),
            (-1, -0.5, Less),
            ((1 << 53) + 1, 9_007_199_254_740_992.0, Greater),
            (i64::MAX, BEYOND_WHOLE, Less),
            (i64::MIN, -BEYOND_WHOLE, Equal),
            (i64::MIN, -1e300, Greater),
        ] {
            assert_eq!(Value::Integer(a).compare(&Value::Float(b)), Some(expected), "{a} and {b}");
            assert_eq!(Value::Float(b).compare(&Value::Integer(a)), Some(expected.reverse()), "{b} and {a}");
        }
    }
}
