//! Words for people.

use serde_json::Value;

use super::node::Item;
use crate::WriteError;

/// A text, perhaps with its language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub value: String,
    /// BCP 47 tag of their language.
    pub language: Option<String>,
}

impl From<&str> for Text {
    fn from(value: &str) -> Self {
        Self { value: value.to_owned(), language: None }
    }
}

impl Item for Text {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.as_str().into()),
            Value::Object(map) if map.keys().all(|key| key == "@value" || key == "@language") => {
                let value = map.get("@value")?.as_str()?.to_owned();
                let language = match map.get("@language") {
                    None => None,
                    Some(language) => Some(language.as_str()?.to_owned()),
                };
                Some(Self { value, language })
            }
            _ => None,
        }
    }

    fn write(&self) -> Result<Value, WriteError> {
        Ok(match &self.language {
            None => Value::String(self.value.clone()),
            Some(language) => serde_json::json!({ "@value": self.value, "@language": language }),
        })
    }
}
