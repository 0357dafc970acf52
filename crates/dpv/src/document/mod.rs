//! Documents in JSON-LD: the shape of the DPV guide's examples, read without a network.
//!
//! Read are one node, an array of nodes, or a `@graph` of nodes that refer to each other; a `@context` in
//! the document itself (prefixes, words, `@vocab`, `@type: @id`), and without one the prefixes of the
//! guide. Refused, never guessed at: contexts elsewhere or within, `@base`, languages by default,
//! containers, reverse properties.

mod canonical;
mod context;
mod json;
mod normal;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::context::{Context, our_context};
use crate::iri::iri;
use crate::model::{ConsentReceipt, ConsentRecord, Fields, Node, REFERENCES};
use crate::{ReadError, WriteError};

/// References are followed this deep; deeper ones stay references, and their nodes stay at the top.
const REFERENCES_DEPTH_MAX: usize = 16;

/// What a document holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Receipts, with the records in them.
    pub receipts: Vec<ConsentReceipt>,
    /// Records that stand alone.
    pub records: Vec<ConsentRecord>,
    /// Nodes of other kinds that no receipt and no record refers to, as they came.
    pub others: Vec<Value>,
}

/// Reads a document.
///
/// # Guarantee
/// Nothing is lost: what the model has no field for is kept, with full IRIs for its names.
///
/// Prefixes spelled out can make a document of a stranger some hundred times larger in memory: the caller limits
/// how long a text may be.
///
/// # Errors
/// When the text is not JSON-LD of the shape described above; the message says what to do.
pub fn read(text: &str) -> Result<Document, ReadError> {
    let (nodes, context) = nodes(json::parse(text)?)?;
    let nodes = nodes.into_iter().map(|node| normal::expand(node, None, &context)).collect::<Result<Vec<_>, _>>()?;
    assemble(nodes)
}

/// The nodes at the top, and the words that they use.
fn nodes(top: Value) -> Result<(Vec<Value>, Context), ReadError> {
    let nodes = match top {
        Value::Object(mut map) => {
            let context = map.remove("@context").map_or_else(|| Ok(Context::of_the_guide()), |context| Context::read(&context))?;
            return match map.remove("@graph") {
                None => Ok((vec![Value::Object(map)], context)),
                Some(Value::Array(nodes)) if map.is_empty() => Ok((only_objects(nodes)?, context)),
                Some(Value::Object(node)) if map.is_empty() => Ok((vec![Value::Object(node)], context)),
                Some(_) => Err(ReadError::NoNodes),
            };
        }
        Value::Array(nodes) => nodes,
        _ => return Err(ReadError::NoNodes),
    };
    Ok((only_objects(nodes)?, Context::of_the_guide()))
}

fn only_objects(nodes: Vec<Value>) -> Result<Vec<Value>, ReadError> {
    if nodes.iter().all(Value::is_object) { Ok(nodes) } else { Err(ReadError::NoNodes) }
}

/// Puts each node into the first place that refers to it, receipts before records, and sorts by kind.
fn assemble(nodes: Vec<Value>) -> Result<Document, ReadError> {
    let mut graph = Graph::default();
    let mut order = Vec::new();
    for (n, node) in nodes.into_iter().enumerate() {
        let Value::Object(map) = node else { continue };
        // A node without an id cannot be referred to; the number only gives it a place.
        let key = map.get("@id").and_then(Value::as_str).map_or_else(|| format!("\0{n}"), str::to_owned);
        if graph.nodes.insert(key.clone(), map).is_some() {
            return Err(ReadError::SameId);
        }
        order.push(key);
    }
    let mut document = Document::default();
    for key in &order {
        document.receipts.extend(graph.take(key, iri!(dpv "ConsentReceipt")).map(ConsentReceipt::of));
    }
    for key in &order {
        document.records.extend(graph.take(key, iri!(dpv "ConsentRecord")).map(ConsentRecord::of));
    }
    document.others = order.iter().filter_map(|key| graph.nodes.remove(key).map(Value::Object)).collect();
    Ok(document)
}

fn is_of(node: &Map<String, Value>, kind: &str) -> bool {
    match node.get("@type") {
        Some(Value::Array(types)) => types.iter().any(|t| t == kind),
        Some(one) => one == kind,
        None => false,
    }
}

/// The nodes that are not in their place yet.
#[derive(Default)]
struct Graph {
    nodes: BTreeMap<String, Map<String, Value>>,
}

impl Graph {
    /// The node with this key, whole, when it is of this kind and not in its place yet.
    fn take(&mut self, key: &str, kind: &str) -> Option<Fields> {
        if !self.nodes.get(key).is_some_and(|node| is_of(node, kind)) {
            return None;
        }
        let node = self.nodes.remove(key)?;
        Some(Fields::from(self.embed(node, 0)))
    }

    /// `node` with the nodes that it refers to in their places. Each is taken once: what refers to it again
    /// stays a reference, so that neither circles nor repetitions grow.
    fn embed(&mut self, node: Map<String, Value>, depth: usize) -> Map<String, Value> {
        node.into_iter()
            .map(|(property, value)| {
                let value = self.embed_value(&property, value, depth);
                (property, value)
            })
            .collect()
    }

    fn embed_value(&mut self, property: &str, value: Value, depth: usize) -> Value {
        match value {
            Value::Array(values) => Value::Array(values.into_iter().map(|value| self.embed_value(property, value, depth)).collect()),
            Value::String(id) if REFERENCES.contains(&property) => self.embed_reference(&id, depth).map_or(Value::String(id), Value::Object),
            Value::Object(map) => {
                let referred = map.get("@id").and_then(Value::as_str).filter(|_| map.len() == 1).and_then(|id| self.embed_reference(id, depth));
                Value::Object(referred.unwrap_or_else(|| self.embed(map, depth)))
            }
            other => other,
        }
    }

    fn embed_reference(&mut self, id: &str, depth: usize) -> Option<Map<String, Value>> {
        let node = if depth < REFERENCES_DEPTH_MAX { self.nodes.remove(id)? } else { return None };
        Some(self.embed(node, depth + 1))
    }
}

/// Writes a node as a document of ours: canonical, with its whole context.
pub(crate) fn write(node: &impl Node) -> Result<String, WriteError> {
    let mut document = normal::compact_node(node.fields()?.as_map())?;
    document.insert("@context".to_owned(), our_context());
    canonical::canonical(&Value::Object(document))
}
