//! Many acts, column by column.
//!
//! Millions of acts pass from a reader to the lake. As records each would own a handful of texts in
//! places of their own, and finding those places costs more than everything that is done with them.

use std::borrow::Cow;

use hashbrown::HashMap;

use super::{ActivityKind, ActivityRecord, Media, Visibility};
use crate::{CreatorId, Timestamp};

/// Texts one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    joined: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    /// None, with room for so many texts of so many bytes together.
    #[must_use]
    pub fn with_capacity(texts: usize, bytes: usize) -> Self {
        Self { joined: String::with_capacity(bytes), ends: Vec::with_capacity(texts) }
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text at a place; empty beyond the last.
    #[must_use]
    pub fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        start.zip(self.ends.get(place)).and_then(|(start, end)| self.joined.get(start..*end)).unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// All texts without a gap between them, and where each ends.
    #[must_use]
    pub fn parts(&self) -> (&str, &[usize]) {
        (&self.joined, &self.ends)
    }
}

/// Texts of which many are the same, as numbers that stand for them.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// 0 for none, else one more than the place among the different texts.
    codes: Vec<u32>,
    different: Texts,
    known: HashMap<Box<str>, u32>,
    /// Short texts that came lately, by some of their bits, with their numbers: most that come are among
    /// them, and are found without hashing.
    lately: Vec<(u128, u32)>,
}

/// Short texts that are remembered.
const LATELY: usize = 1_024;

/// A short text as a number, so that no two are the same.
fn packed(text: &str) -> Option<u128> {
    let (mut bytes, length) = ([0; 16], u8::try_from(text.len()).ok()?);
    // The last byte, which is never 0, keeps texts that end in zeros apart, and all of them from nothing.
    *bytes.last_mut()? = length.checked_add(1)?;
    bytes.get_mut(..15)?.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(u128::from_le_bytes(bytes))
}

impl Words {
    fn with_capacity(texts: usize) -> Self {
        Self { codes: Vec::with_capacity(texts), ..Self::default() }
    }

    /// Adds a text or none.
    pub fn push(&mut self, text: Option<&str>) {
        let code = text.map_or(0, |text| self.code(text));
        self.codes.push(code);
    }

    /// The number that stands for a text.
    pub fn code(&mut self, text: &str) -> u32 {
        let Some(packed) = packed(text) else { return self.code_of_any(text) };
        if self.lately.is_empty() {
            self.lately.resize(LATELY, (0, 0));
        }
        #[expect(clippy::cast_possible_truncation, reason = "some of the bits")]
        let folded = (packed as u64) ^ (packed >> 64) as u64;
        let slot = usize::try_from(folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54).unwrap_or(0);
        match self.lately.get(slot) {
            Some((same, code)) if *same == packed => *code,
            _ => {
                let code = self.code_of_any(text);
                self.lately.get_mut(slot).into_iter().for_each(|slot| *slot = (packed, code));
                code
            }
        }
    }

    fn code_of_any(&mut self, text: &str) -> u32 {
        if let Some(code) = self.known.get(text) {
            return *code;
        }
        self.different.push(text);
        let code = u32::try_from(self.different.len()).unwrap_or(u32::MAX);
        self.known.insert(text.into(), code);
        code
    }

    /// The numbers: 0 for none, else one more than the place in [`Words::different`].
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The different texts, in the order of their numbers.
    #[must_use]
    pub const fn different(&self) -> &Texts {
        &self.different
    }

    /// The text at a place.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.codes.get(row).copied().and_then(place).map(|place| self.different.get(place))
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.codes == other.codes && self.different == other.different
    }
}

fn place(code: u32) -> Option<usize> {
    code.checked_sub(1).and_then(|place| usize::try_from(place).ok())
}

/// Acts in their order; see [`ActivityRecord`] for what each column means.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "columns are the fields of a record")]
pub struct Activities {
    pub owners: Vec<u32>,
    pub native_keys: Texts,
    pub kinds: Vec<ActivityKind>,
    pub at: Vec<Option<Timestamp>>,
    pub languages: Words,
    /// Contents; empty where `has_text` says that there is none.
    pub texts: Texts,
    pub has_text: Vec<bool>,
    pub word_counts: Vec<Option<u32>>,
    pub media: Vec<Media>,
    pub visibilities: Vec<Visibility>,
    pub link_domains: Words,
    pub containers: Words,
    pub creators: Vec<Option<CreatorId>>,
    pub likes_received: Vec<Option<u32>>,
    pub replies_received: Vec<Option<u32>>,
    pub shares_received: Vec<Option<u32>>,
    /// Hashtags, those of an act together.
    pub tags: Words,
    /// The act of each hashtag, ascending.
    pub tagged: Vec<usize>,
    pub removed: Vec<bool>,
}

impl Activities {
    /// None, with room for so many acts, and for so many bytes of their keys and of their contents.
    #[must_use]
    pub fn with_capacity(acts: usize, bytes: usize) -> Self {
        fn room<T>(acts: usize) -> Vec<T> {
            Vec::with_capacity(acts)
        }
        Self {
            owners: room(acts),
            native_keys: Texts::with_capacity(acts, bytes),
            kinds: room(acts),
            at: room(acts),
            languages: Words::with_capacity(acts),
            texts: Texts::with_capacity(acts, bytes),
            has_text: room(acts),
            word_counts: room(acts),
            media: room(acts),
            visibilities: room(acts),
            link_domains: Words::with_capacity(acts),
            containers: Words::with_capacity(acts),
            creators: room(acts),
            likes_received: room(acts),
            replies_received: room(acts),
            shares_received: room(acts),
            tags: Words::default(),
            tagged: Vec::new(),
            removed: room(acts),
        }
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Adds an act.
    pub fn push(&mut self, act: &ActivityRecord<'_>) {
        let row = self.len();
        self.owners.push(act.owner);
        self.native_keys.push(&act.native_key);
        self.kinds.push(act.kind);
        self.at.push(act.at);
        self.languages.push(act.language.as_deref());
        self.texts.push(act.text.as_deref().unwrap_or_default());
        self.has_text.push(act.text.is_some());
        self.word_counts.push(act.word_count);
        self.media.push(act.media);
        self.visibilities.push(act.visibility);
        self.link_domains.push(act.link_domain.as_deref());
        self.containers.push(act.container.as_deref());
        self.creators.push(act.creator);
        self.likes_received.push(act.likes_received);
        self.replies_received.push(act.replies_received);
        self.shares_received.push(act.shares_received);
        for tag in &act.tags {
            self.tags.push(Some(tag));
            self.tagged.push(row);
        }
        self.removed.push(act.removed);
    }

    /// The act at a place; none beyond the last.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<ActivityRecord<'_>> {
        let mut act = ActivityRecord::new(*self.owners.get(row)?, self.native_keys.get(row), *self.kinds.get(row)?, *self.at.get(row)?);
        act.language = self.languages.get(row).map(Cow::Borrowed);
        act.text = self.has_text.get(row)?.then(|| Cow::Borrowed(self.texts.get(row)));
        act.word_count = *self.word_counts.get(row)?;
        act.media = *self.media.get(row)?;
        act.visibility = *self.visibilities.get(row)?;
        act.link_domain = self.link_domains.get(row).map(Cow::Borrowed);
        act.container = self.containers.get(row).map(Cow::Borrowed);
        act.creator = *self.creators.get(row)?;
        act.likes_received = *self.likes_received.get(row)?;
        act.replies_received = *self.replies_received.get(row)?;
        act.shares_received = *self.shares_received.get(row)?;
        let tags = self.tagged.partition_point(|act| *act < row)..self.tagged.partition_point(|act| *act <= row);
        act.tags = tags.filter_map(|place| self.tags.get(place)).map(Cow::Borrowed).collect();
        act.removed = *self.removed.get(row)?;
        Some(act)
    }

    /// All of them, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = ActivityRecord<'_>> {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl<'a> Extend<ActivityRecord<'a>> for Activities {
    fn extend<T: IntoIterator<Item = ActivityRecord<'a>>>(&mut self, acts: T) {
        acts.into_iter().for_each(|act| self.push(&act));
    }
}

impl<'a> FromIterator<ActivityRecord<'a>> for Activities {
    fn from_iter<T: IntoIterator<Item = ActivityRecord<'a>>>(acts: T) -> Self {
        let mut all = Self::default();
        all.extend(acts);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_come_back_as_they_went_in() {
        let mut full = ActivityRecord::new(3, "a", ActivityKind::Reply, Some(chrono::DateTime::UNIX_EPOCH));
        full.language = Some("de".into());
        full.text = Some("Hallo".into());
        full.word_count = Some(1);
        full.media = Media::Image;
        full.visibility = Visibility::Public;
        full.link_domain = Some("example.org".into());
        full.container = Some("".into());
        full.creator = CreatorId::from_number(u64::MAX);
        full.likes_received = Some(0);
        full.shares_received = Some(u32::MAX);
        full.tags = vec!["x".into(), "y".into()];
        let empty = ActivityRecord::new(0, "", ActivityKind::Like, None);
        let mut removed = ActivityRecord::new(1, "b", ActivityKind::Other, None);
        removed.removed = true;
        removed.tags = vec!["y".into()];
        removed.language = full.language.clone();
        let acts = [full, empty, removed];
        let columns: Activities = acts.iter().cloned().collect();
        assert_eq!(columns.iter().collect::<Vec<_>>(), acts);
        assert_eq!((columns.len(), columns.languages.codes(), columns.languages.different().len()), (3, &[1, 0, 1][..], 1));
        assert_eq!(columns.get(3), None);
    }

    #[test]
    fn every_text_keeps_its_number() {
        let texts: Vec<String> =
            (0..5_000).map(|n| if n % 3 == 0 { "x".repeat(n % 40) } else { format!("{}\0", n % 1_700) }).chain([String::new(), "\0".to_owned(), "\0\0".to_owned()]).collect();
        let mut words = Words::default();
        texts.iter().chain(&texts).for_each(|text| words.push(Some(text)));
        assert!(texts.iter().chain(&texts).enumerate().all(|(row, text)| words.get(row) == Some(text)));
        let different: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert_eq!(words.different().len(), different.len());
    }

    #[test]
    fn texts_beyond_the_last_are_empty() {
        let mut texts = Texts::default();
        assert_eq!((texts.get(0), texts.is_empty()), ("", true));
        texts.push("é");
        texts.push("");
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["é", ""]);
        assert_eq!(texts.get(2), "");
    }
}
