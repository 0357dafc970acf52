//! Signals that are JSON: objects with a few fields that say something, and any others.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::SignalError;

/// The fields of `T` of an object. A field that is there twice is refused: which one holds?
pub(crate) fn object<T: DeserializeOwned>(text: &str) -> Result<T, SignalError> {
    // Without this, a list would be taken for the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(SignalError::new(706, "the signal is no JSON object"));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => SignalError::new(705, error.to_string()),
        // The words of the parser hold nothing of the text but its place.
        Category::Io | Category::Syntax | Category::Eof => SignalError::new(706, format!("the signal is not JSON: {error}")),
    })
}

/// A field that is true, false, or not there; null is not there.
pub(crate) fn flag(value: Option<Value>, name: &str) -> Result<Option<bool>, SignalError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(other) => Err(wrong(name, &other, "true or false")),
    }
}

/// A field that is a time with its zone (RFC 3339), or not there.
pub(crate) fn time(value: Option<Value>, name: &str) -> Result<Option<DateTime<Utc>>, SignalError> {
    let asked = "a time of RFC 3339";
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(time)) => {
            DateTime::parse_from_rfc3339(&time).map(|time| Some(time.to_utc())).map_err(|_| SignalError::new(703, format!("{name} is another text than {asked}")))
        }
        Some(other) => Err(wrong(name, &other, asked)),
    }
}

/// A field that is of another kind than is asked.
pub(crate) fn wrong(name: &str, found: &Value, asked: &str) -> SignalError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SignalError::new(703, format!("{name} is {found}, and {asked} is asked"))
}
