//! Properties that were kept and not understood.

use serde_json::Value;

use super::{Check, Findings};
use crate::model::{HAS_IDENTIFIER, Node};

/// Looks at what the nodes of a record or receipt have besides their fields.
pub(super) fn check(node: &impl Node, to: &mut Findings) {
    node.visit("", &mut |path, other, modelled| {
        // Identifiers with a structure are allowed, and have no field.
        let unread = |property: &str| modelled.iter().any(|list| list.contains(&property)) && property != HAS_IDENTIFIER;
        to.need(!other.properties().any(unread), Check::OtherShape, path);
        to.need(other.as_map().iter().all(|(property, value)| means(property) && all_mean(value)), Check::NoMeaning, path);
    });
}

/// Whether readers of JSON-LD see a property: it is an IRI, or a keyword of a value or a node.
fn means(property: &str) -> bool {
    let keywords = ["@id", "@type", "@value", "@language", "@list", "@set"];
    if property.starts_with('@') { keywords.contains(&property) } else { property.contains(':') }
}

fn all_mean(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().all(all_mean),
        Value::Object(map) => map.iter().all(|(property, value)| means(property) && all_mean(value)),
        _ => true,
    }
}
