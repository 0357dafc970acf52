//! What accounts of the AT Protocol declare about the reuse of their data: the record of Bluesky's draft 0008
//! ("Data Reuse User Intents"), and the community's `community.lexicon.preference.ai`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SignalError;
use crate::json;

/// `$type` of the draft's record.
const DECLARATION: &str = "org.user-intents.declaration";
/// `$type` of the community's record.
const PREFERENCE: &str = "community.lexicon.preference.ai";

/// A record with which an account says what may be done with its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "$type")]
pub enum UserIntents {
    /// Draft 0008.
    #[serde(rename = "org.user-intents.declaration")]
    Declaration(Declaration),
    /// The community's record about artificial intelligence.
    #[serde(rename = "community.lexicon.preference.ai")]
    Preference(AiPreference),
}

/// Draft 0008. An intent that is not there is undeclared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declaration {
    /// When the record was changed last.
    pub updated_at: Option<DateTime<Utc>>,
    /// Input to models that can generate content, for any use and by anybody, research too.
    pub synthetic_content_generation: Option<Intent>,
    /// Public access to archives.
    pub public_access_archive: Option<Intent>,
    /// Snapshots that are redistributed in public. It does not apply to research data with restricted access, nor to
    /// live services that respect deletions.
    pub bulk_dataset: Option<Intent>,
    /// Bridges to other protocols.
    pub protocol_bridging: Option<Intent>,
}

/// The community's record: any number of an account, each for a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AiPreference {
    /// When the record was changed last.
    pub updated_at: Option<DateTime<Utc>>,
    /// What the record applies to.
    pub scope: Scope,
    /// Training, tuning and distilling models.
    pub training: Option<Intent>,
    /// Retrieval and context when a model is asked.
    pub inference: Option<Intent>,
    /// Generating content that is derived from the data.
    pub synthetic_content: Option<Intent>,
    /// Embeddings and semantic indexes.
    pub embedding: Option<Intent>,
}

/// What a record of the community applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The account.
    Global,
    /// One user of the data, by DID or domain.
    Entity(String),
    /// One collection of the account's records, by NSID.
    Collection(String),
}

/// An intent in three states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Allowed, disallowed, or `None`: undeclared.
    pub allow: Option<bool>,
    /// When it was changed last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// The fields of both records.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(rename = "$type")]
    kind: Option<Value>,
    updated_at: Option<Value>,
    synthetic_content_generation: Option<Value>,
    public_access_archive: Option<Value>,
    bulk_dataset: Option<Value>,
    protocol_bridging: Option<Value>,
    scope: Option<Value>,
    preferences: Option<Value>,
}

impl UserIntents {
    /// Reads a record.
    ///
    /// # Errors
    /// 703 for a field that is of another kind than the record asks, 704 for another `$type` or scope, 705 for a
    /// field that is there twice, 706 for a text that is no JSON object.
    pub fn decode(text: &str) -> Result<Self, SignalError> {
        let document: Document = json::object(text)?;
        let updated_at = json::time(document.updated_at, "updatedAt")?;
        match document.kind {
            Some(Value::String(kind)) if kind == DECLARATION => Ok(Self::Declaration(Declaration {
                updated_at,
                synthetic_content_generation: intent(document.synthetic_content_generation, "syntheticContentGeneration")?,
                public_access_archive: intent(document.public_access_archive, "publicAccessArchive")?,
                bulk_dataset: intent(document.bulk_dataset, "bulkDataset")?,
                protocol_bridging: intent(document.protocol_bridging, "protocolBridging")?,
            })),
            Some(Value::String(kind)) if kind == PREFERENCE => {
                let mut preferences = match document.preferences {
                    Some(Value::Object(preferences)) => preferences,
                    other => return Err(json::wrong("preferences", &other.unwrap_or_default(), "an object")),
                };
                let mut preference = |name| intent(preferences.remove(name), name);
                Ok(Self::Preference(AiPreference {
                    updated_at,
                    scope: scope(document.scope)?,
                    training: preference("training")?,
                    inference: preference("inference")?,
                    synthetic_content: preference("syntheticContent")?,
                    embedding: preference("embedding")?,
                }))
            }
            _ => Err(SignalError::new(704, format!("$type is neither {DECLARATION} nor {PREFERENCE}"))),
        }
    }
}

fn intent(value: Option<Value>, name: &str) -> Result<Option<Intent>, SignalError> {
    let mut fields = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(other) => return Err(json::wrong(name, &other, "an object")),
    };
    let mut field = |field: &str| (fields.remove(field), format!("{name}.{field}"));
    let (allow, updated_at) = (field("allow"), field("updatedAt"));
    Ok(Some(Intent { allow: json::flag(allow.0, &allow.1)?, updated_at: json::time(updated_at.0, &updated_at.1)? }))
}

/// The scope is part of what was said: without one it is not known of whom a record speaks.
fn scope(value: Option<Value>) -> Result<Scope, SignalError> {
    let Some(Value::Object(mut fields)) = value else {
        return Err(json::wrong("scope", &value.unwrap_or_default(), "an object"));
    };
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        other => Err(json::wrong(&format!("scope.{name}"), &other.unwrap_or_default(), "a text")),
    };
    let kind = text("$type")?;
    match kind.strip_prefix(PREFERENCE) {
        Some("#globalScope") => Ok(Scope::Global),
        Some("#entityScope") => text("entity").map(Scope::Entity),
        Some("#collectionScope") => text("collection").map(Scope::Collection),
        _ => Err(SignalError::new(704, "scope.$type is none of the record's three")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the draft.
    const EXAMPLE: &str = r#"{"$type":"org.user-intents.declaration","updatedAt":"2025-02-20T21:37:20.362Z",
        "publicAccessArchive":{"allow":true,"updatedAt":"2025-02-20T21:37:20.362Z"},
        "syntheticContentGeneration":{"allow":false,"updatedAt":"2025-02-20T21:37:20.362Z"},
        "protocolBridging":{"updatedAt":"2019-02-20T22:44:20.000Z"}}"#;

    fn time(time: &str) -> Option<DateTime<Utc>> {
        Some(DateTime::parse_from_rfc3339(time).unwrap().to_utc())
    }

    #[test]
    fn intents_have_three_states() {
        let UserIntents::Declaration(declaration) = UserIntents::decode(EXAMPLE).unwrap() else { panic!("a declaration") };
        let updated_at = time("2025-02-20T21:37:20.362Z");
        assert_eq!(declaration.updated_at, updated_at);
        assert_eq!(declaration.public_access_archive, Some(Intent { allow: Some(true), updated_at }));
        assert_eq!(declaration.synthetic_content_generation, Some(Intent { allow: Some(false), updated_at }));
        assert_eq!(declaration.protocol_bridging, Some(Intent { allow: None, updated_at: time("2019-02-20T22:44:20Z") }));
        assert_eq!(declaration.bulk_dataset, None);
        let json = serde_json::to_value(UserIntents::Declaration(declaration)).unwrap();
        assert_eq!((&json["$type"], &json["publicAccessArchive"]["allow"]), (&DECLARATION.into(), &true.into()));
        let null = r#"{"$type":"org.user-intents.declaration","bulkDataset":{"allow":null},"publicAccessArchive":null,"more":[1]}"#;
        let expected = Declaration { bulk_dataset: Some(Intent::default()), ..Declaration::default() };
        assert_eq!(UserIntents::decode(null), Ok(UserIntents::Declaration(expected)));
    }

    #[test]
    fn preferences_have_a_scope() {
        let record = |scope: &str| {
            let text = r#"{"$type":"community.lexicon.preference.ai","updatedAt":"2026-03-01T00:00:00+01:00","scope":SCOPE,
                "preferences":{"training":{"allow":false,"updatedAt":"2026-03-01T00:00:00Z"}}}"#;
            UserIntents::decode(&text.replace("SCOPE", scope))
        };
        for (scope, expected) in [
            (r#"{"$type":"community.lexicon.preference.ai#globalScope"}"#, Scope::Global),
            (r#"{"$type":"community.lexicon.preference.ai#entityScope","entity":"lab.example"}"#, Scope::Entity("lab.example".into())),
            (r#"{"$type":"community.lexicon.preference.ai#collectionScope","collection":"app.bsky.feed.post"}"#, Scope::Collection("app.bsky.feed.post".into())),
        ] {
            let Ok(UserIntents::Preference(preference)) = record(scope) else { panic!("{scope}") };
            assert_eq!((preference.scope, preference.updated_at), (expected, time("2026-02-28T23:00:00Z")));
            assert_eq!((preference.training.and_then(|training| training.allow), preference.embedding), (Some(false), None));
        }
        for (scope, expected) in [
            ("null", "S703: scope is null, and an object is asked"),
            ("{}", "S703: scope.$type is null, and a text is asked"),
            (r##"{"$type":"#globalScope"}"##, "S704: scope.$type is none of the record's three"),
            (r#"{"$type":"community.lexicon.preference.ai#entityScope"}"#, "S703: scope.entity is null, and a text is asked"),
        ] {
            assert_eq!(record(scope).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn mistakes_name_the_field() {
        let with = |fields: &str| format!(r#"{{"$type":"org.user-intents.declaration",{fields}}}"#);
        for (text, expected) in [
            ("true".to_owned(), "S706: the signal is no JSON object"),
            ("{}".to_owned(), "S704: $type is neither org.user-intents.declaration nor community.lexicon.preference.ai"),
            (with(r#""bulkDataset":false"#), "S703: bulkDataset is true or false, and an object is asked"),
            (with(r#""bulkDataset":{"allow":"no"}"#), "S703: bulkDataset.allow is a text, and true or false is asked"),
            (with(r#""bulkDataset":{"updatedAt":"yesterday"}"#), "S703: bulkDataset.updatedAt is another text than a time of RFC 3339"),
            (with(r#""updatedAt":7"#), "S703: updatedAt is a number, and a time of RFC 3339 is asked"),
            (with(r#""bulkDataset":{},"bulkDataset":{}"#), "S705: duplicate field `bulkDataset` at line 1 column 70"),
            (r#"{"$type":"community.lexicon.preference.ai"}"#.to_owned(), "S703: preferences is null, and an object is asked"),
        ] {
            assert_eq!(UserIntents::decode(&text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
