//! From one type to another.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::super::CastTo;
use super::{day, number};
use crate::Timestamp;
use crate::question::Value;

/// The value as one of another type; null where it is none.
pub(super) fn cast(value: &Value, to: CastTo) -> Value {
    match (to, value) {
        (CastTo::Boolean, Value::Boolean(_)) | (CastTo::Integer, Value::Integer(_)) | (CastTo::Date, Value::Date(_)) | (CastTo::Timestamp, Value::Timestamp(_)) => value.clone(),
        (CastTo::Boolean, Value::Integer(x)) => Value::Boolean(*x != 0),
        (CastTo::Integer, Value::Boolean(b)) => Value::Integer((*b).into()),
        (CastTo::Integer, Value::Float(x)) => number::to_integer(*x).map_or(Value::Null, Value::Integer),
        (CastTo::Float, Value::Integer(_) | Value::Float(_)) => value.as_f64().map_or(Value::Null, Value::float),
        (CastTo::Date, Value::Timestamp(at)) => Value::Date(at.date_naive()),
        (CastTo::Timestamp, Value::Date(day)) => Value::Timestamp(day::midnight(*day)),
        // Zero has one sign.
        (CastTo::Text, Value::Float(x)) => Value::Text((x + 0.0).to_string()),
        (CastTo::Text, known) => Value::Text(known.to_string()),
        (_, Value::Text(text)) => read(text.trim_matches(|c: char| c.is_ascii_whitespace()), to).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn read(text: &str, to: CastTo) -> Option<Value> {
    match to {
        CastTo::Boolean => boolean(text).map(Value::Boolean),
        CastTo::Integer => text.parse().ok().map(Value::Integer),
        CastTo::Float => text.parse().ok().map(Value::float),
        CastTo::Text => None,
        CastTo::Date => text.parse().ok().map(Value::Date),
        CastTo::Timestamp => instant(text).map(Value::Timestamp),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// RFC 3339, or without a zone (then UTC), or a day (then its beginning); to the microsecond, as in the lake.
fn instant(text: &str) -> Option<Timestamp> {
    let at = if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        at.to_utc()
    } else {
        let local = text.parse::<NaiveDateTime>().ok().or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok());
        local.map(|local| local.and_utc()).or_else(|| text.parse::<NaiveDate>().ok().map(day::midnight))?
    };
    DateTime::from_timestamp_micros(at.timestamp_micros())
}
