//! One table per node: its fields, their properties, and with it how they are read and written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::iri::iri;
use crate::{Iri, WriteError};

/// Properties and their values, under full IRIs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Value>);

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Self(map.into_iter().collect())
    }
}

impl Fields {
    /// What stands under `property`, as it came.
    #[must_use]
    pub fn get(&self, property: &str) -> Option<&Value> {
        self.0.get(property)
    }

    /// Sets what stands under `property`.
    pub fn set(&mut self, property: impl Into<String>, value: Value) {
        self.0.insert(property.into(), value);
    }

    /// The properties, in order.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_map(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// The values of a field. When one of them has a shape that the field has no room for, all stay where
    /// they are, as they came.
    pub(crate) fn take<T: Item>(&mut self, properties: &[&str]) -> Vec<T> {
        let mut all = Vec::new();
        for property in properties {
            let read = match self.0.get(*property) {
                None => continue,
                Some(Value::Null) => Some(Vec::new()),
                Some(Value::Array(values)) => values.iter().filter(|value| !value.is_null()).map(T::read).collect(),
                Some(one) => T::read(one).map(|one| vec![one]),
            };
            if let Some(values) = read {
                self.0.remove(*property);
                let known = all.len();
                for value in values {
                    if !all.iter().take(known).any(|other| *other == value) {
                        all.push(value);
                    }
                }
            }
        }
        all
    }

    pub(crate) fn put<T: Item>(&mut self, property: &str, values: &[T]) -> Result<(), WriteError> {
        let mut written = values.iter().map(Item::write).collect::<Result<Vec<_>, _>>()?;
        let value = match written.len() {
            0 => return Ok(()),
            1 => written.swap_remove(0),
            _ => Value::Array(written),
        };
        match self.0.insert(property.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(WriteError::Twice(property.to_owned())),
        }
    }
}

/// What can be a value of a property.
pub(crate) trait Item: Sized + PartialEq {
    /// Reads a value of this shape, and nothing else.
    fn read(value: &Value) -> Option<Self>;
    fn write(&self) -> Result<Value, WriteError>;
    /// Shows what this node and those in it have besides their fields. Texts and names have nothing.
    fn visit(&self, _path: &str, _see: &mut See<'_>) {}
}

/// Takes a node's path, what it has besides its fields, and lists of the properties of its fields.
pub(crate) type See<'a> = dyn FnMut(&str, &Fields, &[&[&str]]) + 'a;

/// The path of the `n`th node under `property` of the node at `path`.
pub(crate) fn step(path: &str, property: &str, n: usize) -> String {
    let property = crate::iri::compact(property);
    if path.is_empty() { format!("{property}[{n}]") } else { format!("{path}/{property}[{n}]") }
}

/// A text or a date. A type of XML Schema is dropped: the property says it.
impl Item for String {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Object(map) => {
                let typed = map.get("@type").and_then(Value::as_str).is_none_or(|kind| kind.starts_with(iri!(xsd "")));
                map.get("@value").and_then(Value::as_str).filter(|_| typed && map.keys().all(|key| key == "@value" || key == "@type")).map(str::to_owned)
            }
            _ => None,
        }
    }

    fn write(&self) -> Result<Value, WriteError> {
        Ok(Value::String(self.clone()))
    }
}

impl Item for Iri {
    fn read(value: &Value) -> Option<Self> {
        let text = match value {
            Value::Object(map) if map.len() == 1 => map.get("@id")?,
            other => other,
        };
        text.as_str().map(Self::new)
    }

    fn write(&self) -> Result<Value, WriteError> {
        Ok(Value::String(self.as_str().to_owned()))
    }
}

/// A node: an id, types, fields, and others that came with them.
pub(crate) trait Node: Sized {
    /// A node of which only the name is known.
    fn named(id: Iri) -> Self;
    fn of(fields: Fields) -> Self;
    fn fields(&self) -> Result<Fields, WriteError>;
    /// The name, when nothing else is known.
    fn only_name(&self) -> Option<&Iri>;
    /// As [`Item::visit`].
    fn visit(&self, path: &str, see: &mut See<'_>);
}

impl<T: Node + PartialEq> Item for T {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(id) => Some(Self::named(Iri::new(id.clone()))),
            // Values and lists are no nodes.
            Value::Object(map) if !["@value", "@list", "@set"].iter().any(|keyword| map.contains_key(*keyword)) => Some(Self::of(map.clone().into())),
            _ => None,
        }
    }

    fn write(&self) -> Result<Value, WriteError> {
        match self.only_name() {
            Some(id) => id.write(),
            None => Ok(Value::Object(self.fields()?.as_map().clone().into_iter().collect())),
        }
    }

    fn visit(&self, path: &str, see: &mut See<'_>) {
        Node::visit(self, path, see);
    }
}

/// Declares a node: each field with the property that it is written as, and further ones that it is read from.
macro_rules! node {
    ($(#[$meta:meta])* pub struct $name:ident $(($($part:ident: $Part:ty)?))? {
        $($(#[$fmeta:meta])* $field:ident: $item:ty = [$property:expr $(, $also:expr)*],)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            /// Its name.
            pub id: Option<$crate::Iri>,
            /// The kinds of thing that it is.
            pub types: Vec<$crate::Iri>,
            $($(/// What holds for all of it.
            pub $part: $Part,)?)?
            $($(#[$fmeta])* pub $field: Vec<$item>,)*
            /// What has no field here, or another shape than its field, as it came.
            pub other: $crate::model::Fields,
        }

        impl $crate::model::node::Node for $name {
            fn named(id: $crate::Iri) -> Self {
                Self { id: Some(id), ..Self::default() }
            }

            fn of(mut fields: $crate::model::Fields) -> Self {
                Self {
                    id: $crate::model::node::one_of(fields.take(&["@id"])),
                    types: fields.take(&["@type"]),
                    $($($part: <$Part>::take(&mut fields),)?)?
                    $($field: fields.take(&[$property $(, $also)*]),)*
                    other: fields,
                }
            }

            fn fields(&self) -> Result<$crate::model::Fields, $crate::WriteError> {
                let mut fields = self.other.clone();
                fields.put("@id", self.id.as_slice())?;
                fields.put("@type", &self.types)?;
                $($(self.$part.put(&mut fields)?;)?)?
                $(fields.put($property, &self.$field)?;)*
                Ok(fields)
            }

            fn only_name(&self) -> Option<&$crate::Iri> {
                let id = self.id.as_ref()?;
                (*self == Self { id: Some(id.clone()), ..Self::default() }).then_some(id)
            }

            fn visit(&self, path: &str, see: &mut $crate::model::node::See<'_>) {
                see(path, &self.other, &[&["@id", "@type" $(, $property)*], $($(<$Part>::PROPERTIES,)?)?]);
                $($(self.$part.visit(path, see);)?)?
                $($crate::model::node::visit_all(&self.$field, $property, path, see);)*
            }
        }
    };
}

/// Declares what several nodes have in common, in the same way.
macro_rules! part {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$fmeta:meta])* $field:ident: $item:ty = [$property:expr],)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: Vec<$item>,)*
        }

        impl $name {
            pub(crate) const PROPERTIES: &'static [&'static str] = &[$($property),*];

            pub(crate) fn take(fields: &mut $crate::model::Fields) -> Self {
                Self { $($field: fields.take(&[$property]),)* }
            }

            pub(crate) fn put(&self, fields: &mut $crate::model::Fields) -> Result<(), $crate::WriteError> {
                $(fields.put($property, &self.$field)?;)*
                Ok(())
            }

            pub(crate) fn visit(&self, path: &str, see: &mut $crate::model::node::See<'_>) {
                $($crate::model::node::visit_all(&self.$field, $property, path, see);)*
            }
        }
    };
}

pub(crate) fn visit_all<T: Item>(values: &[T], property: &str, path: &str, see: &mut See<'_>) {
    for (n, value) in values.iter().enumerate() {
        value.visit(&step(path, property, n), see);
    }
}

/// A node has one name: JSON-LD knows no more.
pub(crate) fn one_of(ids: Vec<Iri>) -> Option<Iri> {
    ids.into_iter().next()
}

pub(crate) use {node, part};
