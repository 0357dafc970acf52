//! JSON in which nothing is lost: no property twice, no number that readers differ on (RFC 7493, I-JSON).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::ReadError;

/// Largest whole number that every JSON reader keeps.
const WHOLE_MAX: u64 = 1 << 53;

/// Parses `text`.
pub(super) fn parse(text: &str) -> Result<Value, ReadError> {
    let problem = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict(&problem).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| problem.take().unwrap_or(ReadError::NotJson { line: error.line(), column: error.column() }))
}

/// Whether every JSON reader keeps this number as it is.
pub(super) fn is_exact(number: &serde_json::Number) -> bool {
    number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()).is_some_and(|n| n < WHOLE_MAX)
}

/// Makes values, and remembers what was wrong.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<ReadError>>);

impl Strict<'_> {
    fn refuse<T, E: serde::de::Error>(self, problem: ReadError) -> Result<T, E> {
        let error = E::custom(&problem);
        self.0.replace(Some(problem));
        Err(error)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() < WHOLE_MAX { Ok(value.into()) } else { self.refuse(ReadError::Number) }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value < WHOLE_MAX { Ok(value.into()) } else { self.refuse(ReadError::Number) }
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        self.refuse(ReadError::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element_seed(self)? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return self.refuse(ReadError::Twice(key));
            }
            let value = entries.next_value_seed(self)?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_is_refused() {
        assert_eq!(parse(r#"{"a": 1, "a": 2}"#), Err(ReadError::Twice("a".into())));
        assert_eq!(parse(r#"[{"b": {"a": 1, "a": 1}}]"#), Err(ReadError::Twice("a".into())));
        for number in ["1.5", "1.0", "1e3", "9007199254740992", "-9007199254740992", "99999999999999999999"] {
            assert_eq!(parse(number), Err(ReadError::Number), "{number}");
        }
        assert_eq!(parse("[9007199254740991, -3]").unwrap().to_string(), "[9007199254740991,-3]");
        assert_eq!(parse("{\n\"a\": x}"), Err(ReadError::NotJson { line: 2, column: 6 }));
        assert!(matches!(parse("{} {}"), Err(ReadError::NotJson { .. })));
        assert!(matches!(parse(&"[".repeat(100_000)), Err(ReadError::NotJson { .. })));
        assert!(matches!(parse(r#""\ud800""#), Err(ReadError::NotJson { .. })));
    }
}
