//! The shape of an event, as far as it is read. Texts are borrowed from the line where they can be.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use super::decode::Life;
use super::pointed::Pointed;
use super::usual;

/// Brackets that a line may open before nesting is watched.
const BRACKETS: usize = 256;

/// One line.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) did: Cow<'a, str>,
    pub(super) time_us: Option<i64>,
    #[serde(borrow)]
    pub(super) commit: Option<Commit<'a>>,
    #[serde(borrow)]
    pub(super) identity: Option<Identity<'a>>,
    #[serde(borrow)]
    pub(super) account: Option<Account<'a>>,
}

impl<'a> Event<'a> {
    /// Reads one line, given as a text too when it is one; else tells the column at which it cannot be read.
    ///
    /// The parser does not limit how deeply it follows brackets in what it skips; a line with enough of
    /// them to matter goes to one that does.
    #[inline]
    pub(super) fn parse(line: &'a [u8], text: Option<&'a str>) -> Result<Self, usize> {
        if let Some(event) = text.and_then(usual::commit) {
            return Ok(event);
        }
        if memchr::memchr2_iter(b'[', b'{', line).nth(BRACKETS).is_some() {
            return serde_json::from_slice(line).map_err(|e| e.column());
        }
        sonic_rs::from_slice(line).map_err(|e| e.column())
    }
}

/// A text that may be missing, borrowed where it can be: of itself, serde copies a `Cow` in an `Option`.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|text| text.0))
}

#[derive(Deserialize)]
pub(super) struct Identity<'a> {
    #[serde(borrow, deserialize_with = "borrowed", default)]
    pub(super) handle: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Account<'a> {
    active: bool,
    #[serde(borrow, deserialize_with = "borrowed", default)]
    status: Option<Cow<'a, str>>,
}

impl Account<'_> {
    /// None of those who are not active for another reason.
    pub(super) fn life(&self) -> Option<Life> {
        match (self.active, self.status.as_deref()) {
            (true, _) => Some(Life::Active),
            (false, Some("deleted")) => Some(Life::Deleted),
            (false, _) => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
}

#[derive(Deserialize)]
pub(super) struct Commit<'a> {
    pub(super) operation: Operation,
    #[serde(borrow)]
    pub(super) collection: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) rkey: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) record: Option<Record<'a>>,
}

/// The fields of all record types that are read: each type has some of them.
#[derive(Deserialize, Default)]
pub(super) struct Record<'a> {
    #[serde(borrow, deserialize_with = "borrowed", rename = "createdAt", default)]
    pub(super) created_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "borrowed", default)]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) langs: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    pub(super) tags: Option<Vec<Cow<'a, str>>>,
    /// What was liked, passed on, or who was followed.
    #[serde(borrow, default)]
    pub(super) subject: Option<Pointed<'a>>,
    /// What was answered.
    #[serde(borrow, default)]
    pub(super) reply: Option<Pointed<'a>>,
    #[serde(borrow, default)]
    pub(super) facets: Option<Vec<Facet<'a>>>,
    #[serde(borrow, default)]
    pub(super) embed: Option<Embed<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Facet<'a> {
    #[serde(borrow, default)]
    pub(super) features: Vec<Feature<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Feature<'a> {
    #[serde(borrow, deserialize_with = "borrowed", default)]
    pub(super) tag: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "borrowed", default)]
    pub(super) uri: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Embed<'a> {
    #[serde(borrow, rename = "$type", default)]
    pub(super) ty: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) media: Option<Shown<'a>>,
    #[serde(borrow, default)]
    pub(super) external: Option<External<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Shown<'a> {
    #[serde(borrow, rename = "$type", default)]
    pub(super) ty: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct External<'a> {
    #[serde(borrow, deserialize_with = "borrowed", default)]
    pub(super) uri: Option<Cow<'a, str>>,
}
