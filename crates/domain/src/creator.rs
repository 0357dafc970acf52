//! Creators: accounts that other people's acts are about, and the public list of those that may be named.
//!
//! Of an account that an act is about, whoever it belongs to, rows hold a number and nothing else. A number becomes a
//! name only through the public list, on which an account stands because its holder agreed to that, or because it is a
//! brand's or an organisation's.

use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroU64;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use crate::question::Value;
use crate::{Platform, Refusal, RefusalCode};

/// The secret under which accounts have their numbers, for the life of a deployment. Has no way to be printed.
#[derive(Clone)]
pub struct CreatorKey([u8; 16]);

impl fmt::Debug for CreatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreatorKey(secret)")
    }
}

impl CreatorKey {
    /// The key made of these secret bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The number of an account: the platform, and the platform's own id of it.
    ///
    /// # Guarantee
    /// The same for the same account, and without the key not to be told from any other: SipHash-2-4 is a pseudorandom
    /// function. 64 bits are enough, since nobody who lacks the key can look for accounts that share a number: that any of
    /// 10⁴ on the list shares its own with one of 10⁸ others has a chance below 10⁻⁷.
    #[must_use]
    pub fn id(&self, platform: Platform, native_id: &str) -> CreatorId {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(platform.as_str().as_bytes());
        hasher.write_u8(0);
        hasher.write(native_id.as_bytes());
        CreatorId(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

/// The number of an account that an act is about; see [`CreatorKey::id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CreatorId(NonZeroU64);

impl CreatorId {
    /// The number itself.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// What questions and answers call the account of a person: the list says whom that means, as long as they are on it.
    ///
    /// # Guarantee
    /// No name of a person gets into a plan or an answer, which are kept: a name goes with its listing.
    #[must_use]
    pub fn label(self) -> String {
        format!("creator-{:016x}", self.0)
    }

    /// The account with that number; none for 0.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

crate::words! {
    /// Why an account may be named.
    pub enum CreatorBasis("basis of naming") {
        /// Its holder agreed to be named in public.
        Consent = "consent",
        /// It is a brand's or an organisation's, and nobody's own.
        Organisation = "organisation",
    }
}

/// What the public list says of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creator {
    /// The account.
    pub id: CreatorId,
    /// What questions call it: its name, or of a person's the label; none when its holder does not want to be named any
    /// more.
    pub name: Option<String>,
    /// Where it is.
    pub platform: Platform,
    /// What it is about, in one word or a few.
    pub category: String,
}

impl Creator {
    /// Characters of a name.
    pub const NAME_CHARS: usize = 100;
    /// Characters of a category.
    pub const CATEGORY_CHARS: usize = 40;

    /// The value of a column of the table `creator`; null where there is none of that name.
    #[must_use]
    pub fn value(&self, column: &str) -> Value {
        match column {
            "name" => self.name.clone().map_or(Value::Null, Value::Text),
            "platform" => Value::Text(self.platform.as_str().to_owned()),
            "category" => Value::Text(self.category.clone()),
            _ => Value::Null,
        }
    }

    /// A name as it is listed.
    ///
    /// # Errors
    /// A refusal when it is empty, too long, or holds control characters.
    pub fn checked_name(raw: &str) -> Result<String, Refusal> {
        plain(raw, "name", Self::NAME_CHARS)
    }

    /// A category as it is listed: in lower case.
    ///
    /// # Errors
    /// As [`Creator::checked_name`].
    pub fn checked_category(raw: &str) -> Result<String, Refusal> {
        plain(&raw.to_lowercase(), "category", Self::CATEGORY_CHARS)
    }
}

fn plain(raw: &str, what: &str, most: usize) -> Result<String, Refusal> {
    let text = raw.trim();
    let wrong = |why: String| Err(Refusal::new(RefusalCode::Creator, format!("the {what} of a creator {why}")));
    if text.is_empty() {
        return wrong("cannot be empty".to_owned());
    }
    if text.chars().count() > most {
        return wrong(format!("has at most {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return wrong("has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// The public list, as it is at one instant.
#[derive(Debug, Clone, Default)]
pub struct CreatorList {
    /// Sorted by account.
    all: Vec<Creator>,
    places: HashMap<CreatorId, usize>,
    version: String,
}

impl CreatorList {
    /// The list of these accounts; of two with one number the later counts.
    #[must_use]
    pub fn new(creators: impl IntoIterator<Item = Creator>) -> Self {
        let mut by_id: HashMap<CreatorId, Creator> = creators.into_iter().map(|creator| (creator.id, creator)).collect();
        let mut all: Vec<Creator> = by_id.drain().map(|(_, creator)| creator).collect();
        all.sort_unstable_by_key(|creator| creator.id);
        let places = all.iter().enumerate().map(|(place, creator)| (creator.id, place)).collect();
        // Structs of strings and numbers always serialise.
        let version = hex::encode(Sha256::digest(serde_json::to_vec(&all).unwrap_or_default()));
        Self { all, places, version }
    }

    /// Everybody on it.
    #[must_use]
    pub fn all(&self) -> &[Creator] {
        &self.all
    }

    /// The place of an account among [`CreatorList::all`], if it is on the list.
    #[must_use]
    pub fn place(&self, id: CreatorId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// What the list says of an account, if it is on it.
    #[must_use]
    pub fn get(&self, id: CreatorId) -> Option<&Creator> {
        self.place(id).and_then(|place| self.all.get(place))
    }

    /// What tells this list from others: two lists with one version say the same.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

// Its version is the hash of all that it says.
impl PartialEq for CreatorList {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_platform_account_and_key() {
        let (key, other) = (CreatorKey::from_bytes([1; 16]), CreatorKey::from_bytes([2; 16]));
        let all = [key.id(Platform::Bluesky, "a"), key.id(Platform::Bluesky, "b"), key.id(Platform::Csv, "a"), other.id(Platform::Bluesky, "a")];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(all.first(), Some(&key.id(Platform::Bluesky, "a")));
        assert_eq!(CreatorId::from_number(all[0].number()), Some(all[0]));
        assert!(!format!("{key:?}").contains('1'), "a key is never printed");
    }

    #[test]
    fn lists_that_say_the_same_have_one_version() {
        let creator = |account: &str, name: Option<&str>| Creator {
            id: CreatorKey::from_bytes([1; 16]).id(Platform::Csv, account),
            name: name.map(str::to_owned),
            platform: Platform::Csv,
            category: "news".into(),
        };
        let list = CreatorList::new([creator("a", Some("A")), creator("b", Some("B"))]);
        assert_eq!(list, CreatorList::new([creator("b", Some("B")), creator("a", Some("x")), creator("a", Some("A"))]));
        assert_ne!(list.version(), CreatorList::new([creator("a", None), creator("b", Some("B"))]).version());
        assert_ne!(list.version(), CreatorList::new([creator("a", Some("A"))]).version());
        let a = creator("a", Some("A"));
        assert_eq!(list.get(a.id), Some(&a));
        assert_eq!(list.get(creator("c", None).id), None);
        assert_eq!((a.value("name"), a.value("platform"), a.value("creator_id")), (Value::Text("A".into()), Value::Text("csv".into()), Value::Null));
    }

    #[test]
    fn names_and_categories_are_plain_texts() {
        assert_eq!(Creator::checked_name("  The Daily\u{a0}Ü "), Ok("The Daily\u{a0}Ü".to_owned()));
        assert_eq!(Creator::checked_category(" Local News "), Ok("local news".to_owned()));
        for wrong in ["", "  ", "a\0b", "a\nb", &"x".repeat(101)] {
            assert!(Creator::checked_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(Creator::checked_category(&"x".repeat(41)).is_err());
    }
}
