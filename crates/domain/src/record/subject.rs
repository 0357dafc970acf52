//! People as their sources describe them.

use serde::{Deserialize, Serialize};

use crate::subject::AgeBand;
use crate::{Platform, Timestamp};

/// An account on a platform: what a person is recognised by when more of their data arrives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// The platform.
    pub platform: Platform,
    /// The platform's own id of the account.
    pub native_id: String,
}

impl std::fmt::Display for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.platform, self.native_id)
    }
}

crate::words! {
    /// How an interest became known.
    pub enum InterestOrigin("interest origin") {
        /// The person said so.
        Declared = "declared",
        /// Derived from what the person did.
        Observed = "observed",
    }
}

/// Something a person is interested in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interest {
    /// The topic, normalised like a hashtag.
    pub topic: String,
    /// How it became known.
    pub origin: InterestOrigin,
}

/// One person as one source describes them.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectRecord {
    /// The account.
    pub account: AccountKey,
    /// The name shown on the platform; kept in the control store only.
    pub handle: Option<String>,
    /// Country of residence, as the source names it.
    pub country: Option<String>,
    /// Region or city, likewise.
    pub region: Option<String>,
    /// How old.
    pub age: AgeBand,
    /// BCP 47 tag of the first language.
    pub language: Option<String>,
    /// When the account was made.
    pub joined: Option<Timestamp>,
    /// Followers when the source was made.
    pub followers: Option<u64>,
    /// Interests.
    pub interests: Vec<Interest>,
}

impl SubjectRecord {
    /// A person of whom only the account is known.
    #[must_use]
    pub const fn new(account: AccountKey) -> Self {
        Self { account, handle: None, country: None, region: None, age: AgeBand::Unknown, language: None, joined: None, followers: None, interests: Vec::new() }
    }
}
