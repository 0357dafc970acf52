//! What accounts and posts of the Fediverse say about being searched: FEP-5feb (`indexable`, of Mastodon) and
//! FEP-268d (`searchableBy`, of Fedibird and kmyblue).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SignalError;
use crate::json;

/// The flags of an actor, or of an object that an actor made. `None` is what the document does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchFlags {
    /// Whether what the actor posts in public may be searched. Missing means no (FEP-5feb).
    pub indexable: Option<bool>,
    /// Whether the account wants to be listed and recommended. It says nothing about searching posts.
    pub discoverable: Option<bool>,
    /// Who may search: ids of actors and collections.
    pub searchable_by: Option<Vec<String>>,
}

/// The fields as documents spell them: short, with the prefix that Mastodon declares, or in full.
#[derive(Deserialize)]
struct Document {
    #[serde(alias = "toot:indexable", alias = "http://joinmastodon.org/ns#indexable")]
    indexable: Option<Value>,
    #[serde(alias = "toot:discoverable", alias = "http://joinmastodon.org/ns#discoverable")]
    discoverable: Option<Value>,
    #[serde(rename = "searchableBy", alias = "fedibird:searchableBy", alias = "http://fedibird.com/ns#searchableBy")]
    searchable_by: Option<Value>,
}

impl SearchFlags {
    /// Reads the flags from the JSON of an actor or an object.
    ///
    /// # Errors
    /// 703 for a flag that is neither true nor false and for a member of `searchableBy` without an id, 705 for a
    /// flag that is there twice, 706 for a text that is no JSON object.
    pub fn decode(text: &str) -> Result<Self, SignalError> {
        let document: Document = json::object(text)?;
        Ok(Self {
            indexable: json::flag(document.indexable, "indexable")?,
            discoverable: json::flag(document.discoverable, "discoverable")?,
            searchable_by: document.searchable_by.map(ids).transpose()?,
        })
    }

    /// Whether `searchableBy` names everybody.
    #[must_use]
    pub fn is_searchable_by_all(&self) -> bool {
        let is_public = |id: &String| matches!(id.as_str(), "https://www.w3.org/ns/activitystreams#Public" | "as:Public" | "Public");
        self.searchable_by.as_ref().is_some_and(|ids| ids.iter().any(is_public))
    }

    /// The flags of an object, with what it does not say itself taken from the actor who made it.
    #[must_use]
    pub fn or(&self, actor: &Self) -> Self {
        Self {
            indexable: self.indexable.or(actor.indexable),
            discoverable: self.discoverable.or(actor.discoverable),
            searchable_by: self.searchable_by.clone().or_else(|| actor.searchable_by.clone()),
        }
    }
}

/// One id or a list of them, each bare or of an object or link.
fn ids(value: Value) -> Result<Vec<String>, SignalError> {
    match value {
        Value::Array(all) => all.into_iter().map(id).collect(),
        one => id(one).map(|id| vec![id]),
    }
}

fn id(value: Value) -> Result<String, SignalError> {
    let asked = "an id, or an object or link with one,";
    match value {
        Value::String(id) => Ok(id),
        Value::Object(object) => match object.get("id").or_else(|| object.get("href")) {
            Some(Value::String(id)) => Ok(id.clone()),
            _ => Err(json::wrong("a member of searchableBy", &Value::Object(object), asked)),
        },
        other => Err(json::wrong("a member of searchableBy", &other, asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(indexable: Option<bool>, discoverable: Option<bool>, searchable_by: Option<&[&str]>) -> SearchFlags {
        SearchFlags { indexable, discoverable, searchable_by: searchable_by.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()) }
    }

    #[test]
    fn flags_are_read_however_they_are_spelled() {
        for (text, expected) in [
            ("{}", flags(None, None, None)),
            (r#"{"type": "Person", "indexable": true, "discoverable": false}"#, flags(Some(true), Some(false), None)),
            (r#"{"indexable": null, "searchableBy": null}"#, flags(None, None, None)),
            (r#"{"toot:indexable": false}"#, flags(Some(false), None, None)),
            (r#"{"http://joinmastodon.org/ns#indexable": false}"#, flags(Some(false), None, None)),
            (r#" {"searchableBy": "as:Public"}"#, flags(None, None, Some(&["as:Public"]))),
            (r#"{"searchableBy": []}"#, flags(None, None, Some(&[]))),
            (r#"{"fedibird:searchableBy": ["https://a.example/f", {"id": "https://b.example/u"}, {"type": "Link", "href": "https://c.example/u"}]}"#, {
                flags(None, None, Some(&["https://a.example/f", "https://b.example/u", "https://c.example/u"]))
            }),
        ] {
            assert_eq!(SearchFlags::decode(text), Ok(expected), "{text}");
        }
        assert_eq!(serde_json::to_string(&flags(None, None, Some(&[]))).unwrap(), r#"{"indexable":null,"discoverable":null,"searchableBy":[]}"#);
    }

    #[test]
    fn mistakes_name_the_field() {
        for (text, expected) in [
            ("", "S706: the signal is no JSON object"),
            ("[true, true, []]", "S706: the signal is no JSON object"),
            (r#"{"indexable": true"#, "S706: the signal is not JSON: EOF while parsing an object at line 1 column 18"),
            (r#"{"indexable": "yes"}"#, "S703: indexable is a text, and true or false is asked"),
            (r#"{"discoverable": 1}"#, "S703: discoverable is a number, and true or false is asked"),
            (r#"{"searchableBy": true}"#, "S703: a member of searchableBy is true or false, and an id, or an object or link with one, is asked"),
            (r#"{"searchableBy": [{"type": "Note"}]}"#, "S703: a member of searchableBy is an object, and an id, or an object or link with one, is asked"),
            (r#"{"indexable": false, "indexable": true}"#, "S705: duplicate field `indexable` at line 1 column 32"),
            (r#"{"indexable": true, "toot:indexable": false}"#, "S705: duplicate field `indexable` at line 1 column 36"),
        ] {
            assert_eq!(SearchFlags::decode(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn objects_take_from_their_actor_what_they_do_not_say() {
        let actor = flags(Some(true), None, Some(&["as:Public"]));
        assert!(flags(None, None, None).or(&actor).is_searchable_by_all());
        assert!(!flags(None, None, Some(&["https://a.example/f"])).or(&actor).is_searchable_by_all());
        assert_eq!(flags(Some(false), None, None).or(&actor).indexable, Some(false));
    }
}
