//! What a record points at: another record, or an account.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The address of what is pointed at, where it is written in one of the ways that records have: as a text, in the field
/// `uri`, or in what an answer names as its `parent`. Whatever else is written is something without an address.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pointed<'a>(pub(super) Option<Cow<'a, str>>);

impl Pointed<'_> {
    /// The account whose record it is, or that it is.
    pub(super) fn account(&self) -> Option<&str> {
        let address = self.0.as_deref()?;
        let authority = address.strip_prefix("at://").map_or(address, |rest| rest.split('/').next().unwrap_or_default());
        authority.starts_with("did:").then_some(authority)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pointed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Pointed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Pointed(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Pointed(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pointed = Pointed::default();
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            match field.as_ref() {
                "uri" | "parent" => pointed = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(pointed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Pointed::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Pointed::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Pointed::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Pointed::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Pointed::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Pointed::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_however_they_are_pointed_at() {
        for (written, expected) in [
            (r#""did:plc:a""#, Some("did:plc:a")),
            (r#"{"cid":"x","uri":"at://did:plc:a/app.bsky.feed.post/1"}"#, Some("did:plc:a")),
            (r#"{"parent":{"uri":"at:\/\/did:web:a.example\/app.bsky.feed.post\/1"},"root":{"uri":"at://did:plc:b/x/1"}}"#, Some("did:web:a.example")),
            (r#"{"uri":"at://a.example/app.bsky.feed.post/1"}"#, None),
            (r#"{"uri":7,"x":[1,{"uri":"did:plc:b"}]}"#, None),
            (r#"["did:plc:a"]"#, None),
            ("null", None),
            ("-1.5", None),
            ("true", None),
        ] {
            let pointed: Pointed<'_> = serde_json::from_str(written).unwrap();
            assert_eq!(pointed.account(), expected, "{written}");
            let pointed: Pointed<'_> = sonic_rs::from_str(written).unwrap();
            assert_eq!(pointed.account(), expected, "{written}");
        }
    }
}
