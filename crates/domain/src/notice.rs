//! The texts that people are shown before they choose.

use serde::{Deserialize, Serialize};

use crate::{NoticeName, PartnerName, Purpose, Timestamp};

/// One published version of a notice (GDPR Art. 13): what people read, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The notice.
    pub name: NoticeName,
    /// Its version, from 1 upwards.
    pub version: u32,
    /// BCP 47 tag of the text's language.
    pub language: String,
    /// What the notice asks consent for.
    pub purposes: Vec<Purpose>,
    /// The recipients that the notice names.
    pub partners: Vec<PartnerName>,
    /// The text shown.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// When it was published.
    pub published_at: Timestamp,
}

/// Which text a choice was made on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NoticeRef {
    /// The notice.
    pub name: NoticeName,
    /// Its version.
    pub version: u32,
}

impl std::fmt::Display for NoticeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}
