//! Ids and names: one registry, so that no two of them can be swapped.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A natural person in this deployment: a dense number without meaning, never reused.
///
/// Real handles and their link to this number live in the control store only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectId(pub u32);

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for SubjectId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| NameError { what: "subject id", text: text.to_owned(), rule: "is a whole number below 4294967296" })
    }
}

/// A name or id that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be a {what}: it {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

/// Longest name accepted, in bytes.
const NAME_BYTES_MAX: usize = 64;

fn check_name(what: &'static str, text: &str) -> Result<(), NameError> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let all_well = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if starts_well && all_well && text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(NameError { what, text: text.to_owned(), rule: "must be 1 to 64 characters of a-z, 0-9, - and _, and start with a letter or digit" })
}

/// Longest identifier accepted, in bytes (PostgreSQL's).
const IDENTIFIER_BYTES_MAX: usize = 63;

fn check_identifier(what: &'static str, text: &str) -> Result<(), NameError> {
    let all_well = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && all_well && text.len() <= IDENTIFIER_BYTES_MAX {
        return Ok(());
    }
    Err(NameError { what, text: text.to_owned(), rule: "must be 1 to 63 characters of a-z, 0-9 and _, and start with a letter" })
}

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident ($what:literal, $check:path)),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $check($what, text)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> { text.parse() }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self { name.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
        }
    )+};
}

names! {
    /// An approved recipient, by the short name used on the command line.
    PartnerName("partner name", check_name),
    /// A kind of recipients, such as universities: what a choice can speak to besides a partner.
    PartnerClass("partner class", check_name),
    /// A contract with a partner.
    AgreementName("agreement name", check_name),
    /// A text shown to people; versions of it are numbered.
    NoticeName("notice name", check_name),
    /// What a partner calls a table of theirs, or a column of it: an identifier of SQL without quotes.
    PartnerIdentifier("name in SQL", check_identifier),
    /// One aggregate that left: 32 hexadecimal digits drawn at random.
    ReleaseId("release id", check_name),
}

impl ReleaseId {
    /// The id made of these random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }
}
