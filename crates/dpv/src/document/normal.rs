//! From a document's own words to full IRIs, and back to ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::context::Context;
use crate::iri::compact;
use crate::model::REFERENCES;
use crate::{ReadError, WriteError};

/// `value` with full IRIs for properties, types, ids and whatever is known to be an identifier. All other
/// values stay as they came.
pub(super) fn expand(value: Value, property: Option<&str>, context: &Context) -> Result<Value, ReadError> {
    Ok(match value {
        Value::Array(values) => Value::Array(values.into_iter().map(|value| expand(value, property, context)).collect::<Result<_, _>>()?),
        Value::Object(map) => Value::Object(expand_node(map, context)?),
        Value::String(text) => match property {
            Some("@type") => Value::String(context.word(&text)),
            Some("@id") => Value::String(context.identifier(&text)),
            Some(known) if REFERENCES.contains(&known) => Value::String(context.identifier(&text)),
            _ => Value::String(text),
        },
        other => other,
    })
}

fn expand_node(map: Map<String, Value>, context: &Context) -> Result<Map<String, Value>, ReadError> {
    let mut node = Map::new();
    for (key, value) in map {
        if key == "@context" {
            return Err(ReadError::Context("a context within the document is not read"));
        }
        let property = context.word(&key);
        let value = if property == "@value" { value } else { expand(value, Some(&property), context)? };
        let value = if context.refers(&key) && !REFERENCES.contains(&property.as_str()) { as_ids(value, context) } else { value };
        if node.contains_key(&property) {
            return Err(ReadError::Twice(property));
        }
        node.insert(property, value);
    }
    Ok(node)
}

/// Texts that the document calls identifiers, under a property that ours do not.
fn as_ids(value: Value, context: &Context) -> Value {
    match value {
        Value::String(text) => serde_json::json!({ "@id": context.identifier(&text) }),
        Value::Array(values) => Value::Array(values.into_iter().map(|value| as_ids(value, context)).collect()),
        other => other,
    }
}

/// `fields` in the words of documents of ours. Reading them back gives `fields` again, or this fails.
pub(super) fn compact_node(fields: &BTreeMap<String, Value>) -> Result<Map<String, Value>, WriteError> {
    let ours = Context::ours();
    fields.iter().map(|(property, value)| compact_entry(property, value, &ours)).collect()
}

fn compact_entry(property: &str, value: &Value, ours: &Context) -> Result<(String, Value), WriteError> {
    let key = spelled(property, property, ours, Context::word)?;
    if key == "@context" {
        return Err(WriteError::Identifier(key));
    }
    let value = if property == "@value" { value.clone() } else { compact_value(value, property, ours)? };
    Ok((key, value))
}

fn compact_value(value: &Value, property: &str, ours: &Context) -> Result<Value, WriteError> {
    Ok(match value {
        Value::Array(values) => Value::Array(values.iter().map(|value| compact_value(value, property, ours)).collect::<Result<_, _>>()?),
        Value::Object(map) => Value::Object(map.iter().map(|(property, value)| compact_entry(property, value, ours)).collect::<Result<_, _>>()?),
        Value::String(text) if property == "@type" => Value::String(spelled(text, property, ours, Context::word)?),
        Value::String(text) if property == "@id" || REFERENCES.contains(&property) => Value::String(spelled(text, property, ours, Context::identifier)?),
        other => other.clone(),
    })
}

fn spelled(iri: &str, property: &str, ours: &Context, read: impl Fn(&Context, &str) -> String) -> Result<String, WriteError> {
    let short = compact(iri);
    if read(ours, &short) == iri { Ok(short) } else { Err(WriteError::Identifier(property.to_owned())) }
}
