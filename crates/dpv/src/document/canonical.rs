//! One spelling for every value: the JSON Canonicalization Scheme (RFC 8785).

use serde_json::Value;

use super::json::is_exact;
use crate::WriteError;

/// The canonical text of `value`: one line, properties in the order of their UTF-16 code units, no spaces.
pub(super) fn canonical(value: &Value) -> Result<String, WriteError> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

fn write(value: &Value, to: &mut String) -> Result<(), WriteError> {
    match value {
        Value::Null | Value::Bool(_) => to.push_str(&value.to_string()),
        Value::Number(number) if is_exact(number) => to.push_str(&value.to_string()),
        Value::Number(_) => return Err(WriteError::Number),
        // serde_json escapes exactly what RFC 8785 escapes, in the same way; a test compares.
        Value::String(_) => to.push_str(&value.to_string()),
        Value::Array(values) => {
            to.push('[');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    to.push(',');
                }
                write(value, to)?;
            }
            to.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            to.push('{');
            for (n, (key, value)) in entries.into_iter().enumerate() {
                if n > 0 {
                    to.push(',');
                }
                to.push_str(&Value::String(key.clone()).to_string());
                to.push(':');
                write(value, to)?;
            }
            to.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of RFC 8785, sections 3.2.2 and 3.2.3, on texts of our own.
    #[test]
    fn texts_and_orders_are_those_of_the_scheme() {
        let value = serde_json::json!({ "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f602}": 5, "\u{80}": 6, "\u{f6}": 7 });
        assert_eq!(canonical(&value).unwrap(), "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f602}\":5,\"\u{fb33}\":3}");
        let controls: String = (0..0x20).map(|n| char::from(u8::try_from(n).unwrap())).chain("\"\\/\u{7f}<\u{2028}é".chars()).collect();
        assert_eq!(
            canonical(&Value::String(controls)).unwrap(),
            "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f\\\"\\\\/\u{7f}<\u{2028}é\""
        );
        assert_eq!(canonical(&serde_json::json!([null, true, -5, {}, []])).unwrap(), "[null,true,-5,{},[]]");
        assert_eq!(canonical(&serde_json::json!(0.5)), Err(WriteError::Number));
    }
}
