//! Constants, read as the type of the column they are compared with.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use datafusion::sql::sqlparser::ast::{DataType, Expr, TypedString, UnaryOperator, Value as SqlValue, ValueWithSpan};
use domain::catalog::ColumnType;
use domain::question::Value;
use domain::{Refusal, RefusalCode};

use super::refuse::refuse;

/// A constant as it is written: a number, text, a truth value or null.
pub(super) fn plain(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            SqlValue::Number(digits, false) => number(digits),
            SqlValue::SingleQuotedString(text) => Some(Value::Text(text.clone())),
            SqlValue::Boolean(b) => Some(Value::Boolean(*b)),
            SqlValue::Null => Some(Value::Null),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match plain(expr)? {
            Value::Integer(x) => x.checked_neg().map(Value::Integer),
            Value::Float(x) => Some(Value::float(-x)),
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => None,
        },
        // DATE '2026-01-31' and TIMESTAMP '…': the type is checked against the column's.
        Expr::TypedString(TypedString { data_type: DataType::Date | DataType::Timestamp(None, _), value, uses_odbc_syntax: false }) => match &value.value {
            SqlValue::SingleQuotedString(text) => Some(Value::Text(text.clone())),
            _ => None,
        },
        Expr::Nested(inner) => plain(inner),
        _ => None,
    }
}

fn number(digits: &str) -> Option<Value> {
    if let Ok(whole) = digits.parse() {
        return Some(Value::Integer(whole));
    }
    match Value::float(digits.parse().ok()?) {
        Value::Float(x) => Some(Value::Float(x)),
        _ => None,
    }
}

/// A constant with its type; none for NULL. `DATE '…'` and `TIMESTAMP '…'` are read as what they say.
pub(super) fn typed(expr: &Expr, value: Value) -> Result<(Value, Option<ColumnType>), Refusal> {
    let said = match expr {
        Expr::TypedString(TypedString { data_type: DataType::Date, .. }) => Some(ColumnType::Date),
        Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), .. }) => Some(ColumnType::Timestamp),
        Expr::Nested(inner) => return typed(inner, value),
        _ => None,
    };
    if let Some(ty) = said {
        let value = coerce(value, ty).map_err(|hint| refuse(RefusalCode::Type, expr, format!("`{expr}` is none")).hint(hint))?;
        return Ok((value, Some(ty)));
    }
    let ty = match &value {
        Value::Null => None,
        Value::Boolean(_) => Some(ColumnType::Boolean),
        Value::Integer(_) => Some(ColumnType::Integer),
        Value::Float(_) => Some(ColumnType::Float),
        Value::Text(_) => Some(ColumnType::Text),
        Value::Date(_) => Some(ColumnType::Date),
        Value::Timestamp(_) => Some(ColumnType::Timestamp),
    };
    Ok((value, ty))
}

/// A constant of type `ty`, to be compared with what is called `name`; [`Value::Null`] for NULL.
pub(super) fn of_type(expr: &Expr, name: &str, ty: ColumnType) -> Result<Value, Refusal> {
    let Some(value) = plain(expr) else {
        return Err(refuse(RefusalCode::Expression, expr, format!("`{expr}` is not a constant")).hint("write a number, a text in single quotes or a date"));
    };
    coerce(value, ty).map_err(|expected| {
        let message = format!("`{name}` is {} and cannot be compared with `{expr}`", article(ty));
        refuse(RefusalCode::Type, expr, message).hint(expected)
    })
}

/// The value as one of type `ty`, or what is expected instead.
pub(super) fn coerce(value: Value, ty: ColumnType) -> Result<Value, &'static str> {
    match (ty, value) {
        (_, Value::Null) => Ok(Value::Null),
        (ColumnType::Text, Value::Text(text)) => Ok(Value::Text(text)),
        (ColumnType::Integer, Value::Integer(x)) => Ok(Value::Integer(x)),
        (ColumnType::Float, Value::Integer(x)) => Value::Integer(x).as_f64().map(Value::float).ok_or("write a number"),
        // Zero has one sign here, as in the lake.
        (ColumnType::Float, Value::Float(x)) => Ok(Value::float(x + 0.0)),
        (ColumnType::Date, Value::Text(text)) => text.parse::<NaiveDate>().map(Value::Date).map_err(|_| "write a day like '2026-01-31'"),
        (ColumnType::Date, Value::Date(day)) => Ok(Value::Date(day)),
        (ColumnType::Timestamp, Value::Timestamp(at)) => Ok(Value::Timestamp(at)),
        (ColumnType::Timestamp, Value::Text(text)) => timestamp(&text).map(Value::Timestamp).ok_or("write an instant like '2026-01-31T18:00:00Z'"),
        (ColumnType::Boolean, Value::Boolean(truth)) => Ok(Value::Boolean(truth)),
        (ColumnType::Boolean, _) => Err("write TRUE or FALSE"),
        (ColumnType::Text, _) => Err("write a text in single quotes"),
        (ColumnType::Integer, _) => Err("write a whole number"),
        (ColumnType::Float, _) => Err("write a number"),
        (ColumnType::Date, _) => Err("write a day like '2026-01-31'"),
        (ColumnType::Timestamp, _) => Err("write an instant like '2026-01-31T18:00:00Z'"),
        (ColumnType::Id, _) => Err("identifiers cannot be compared"),
    }
}

/// RFC 3339, or without a zone (then UTC), or a day (then its beginning).
fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    let naive = text.parse::<NaiveDateTime>().ok().or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok());
    naive.or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)).map(|n| n.and_utc())
}

pub(super) const fn article(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Boolean => "true or false",
        ColumnType::Id => "an identifier",
        ColumnType::Text => "text",
        ColumnType::Integer => "a whole number",
        ColumnType::Float => "a number",
        ColumnType::Date => "a day",
        ColumnType::Timestamp => "an instant",
    }
}
