//! Rows of a mapped file → records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::NaiveDate;
use compact_str::CompactString;
use domain::record::{AccountKey, Activities, ActivityRecord, Interest, InterestOrigin, Media, NormalizedBatch, SourceInfo, SubjectRecord, Visibility};
use domain::subject::AgeBand;
use domain::{CreatorKey, Platform};
use hashbrown::HashMap;

use super::mapping::{Bound, Mapping, Row};
use crate::normalize::{self, Rejects};
use crate::source::{Deletions, Options};

domain::words! {
    /// What a column can be mapped to.
    enum Field("column") {
        /// As the mapping names it.
        Account = "account",
        /// As the mapping names it.
        NativeKey = "native_key",
        /// As the mapping names it.
        Kind = "kind",
        /// As the mapping names it.
        At = "at",
        /// As the mapping names it.
        Text = "text",
        /// As the mapping names it.
        Language = "language",
        /// As the mapping names it.
        WordCount = "word_count",
        /// As the mapping names it.
        Media = "media",
        /// As the mapping names it.
        Visibility = "visibility",
        /// As the mapping names it.
        LinkDomain = "link_domain",
        /// As the mapping names it.
        Container = "container",
        /// As the mapping names it.
        Creator = "creator",
        /// As the mapping names it.
        LikesReceived = "likes_received",
        /// As the mapping names it.
        RepliesReceived = "replies_received",
        /// As the mapping names it.
        SharesReceived = "shares_received",
        /// As the mapping names it.
        Tags = "tags",
        /// As the mapping names it.
        Deleted = "deleted",
        /// As the mapping names it.
        Handle = "handle",
        /// As the mapping names it.
        Country = "country",
        /// As the mapping names it.
        Region = "region",
        /// As the mapping names it.
        AgeBand = "age_band",
        /// As the mapping names it.
        BirthDate = "birth_date",
        /// As the mapping names it.
        Joined = "joined",
        /// As the mapping names it.
        Followers = "followers",
        /// As the mapping names it.
        Interests = "interests",
    }
}

/// What was read so far.
pub(crate) struct Rows {
    cells: Cells,
    creators: CreatorKey,
    deletions: Deletions,
    today: NaiveDate,
    people: People,
    activities: Activities,
    deleted: u64,
}

impl Rows {
    pub(crate) fn new(mapping: &Mapping, mut columns: BTreeMap<&str, Bound>, options: &Options) -> Self {
        Self {
            cells: Cells { columns: Field::ALL.iter().map(|field| columns.remove(field.as_str())).collect() },
            creators: options.creators.clone(),
            deletions: options.deletions,
            today: options.today,
            people: People { platform: mapping.platform, new: Vec::new(), places: HashMap::new(), named: 0 },
            activities: Activities::default(),
            deleted: 0,
        }
    }

    /// What was read since the last time.
    pub(crate) fn take(&mut self, source: SourceInfo, rejects: Rejects) -> NormalizedBatch {
        // Batches follow batches of their size.
        let (acts, keys, texts) = (self.activities.len(), self.activities.native_keys.parts().0.len(), self.activities.texts.parts().0.len());
        let next = Activities::with_capacity(acts, keys.max(texts));
        let activities = std::mem::replace(&mut self.activities, next);
        NormalizedBatch { subjects: self.people.take(), activities, deleted: std::mem::take(&mut self.deleted), rejected: rejects.into_records(), ..NormalizedBatch::new(source) }
    }

    /// How many acts were read since the last time.
    pub(crate) const fn len(&self) -> usize {
        self.activities.len()
    }

    /// The owners of accounts that were seen before. Looked up by themselves, so that the processor
    /// waits for many of them at once.
    pub(crate) fn known_owners<'a>(&self, accounts: impl Iterator<Item = &'a str>) -> Vec<Option<u32>> {
        accounts.map(|account| self.people.places.get(normalize::trimmed(account)).copied()).collect()
    }

    /// Takes an act in.
    pub(crate) fn activity(&mut self, row: &impl Row) -> Result<(), String> {
        let Self { cells, creators, people, .. } = self;
        let key = cells.cell(Field::NativeKey, row).and_then(normalize::native_key).ok_or("no native_key")?;
        let kind = cells.parsed(Field::Kind, row)?.ok_or("no kind")?;
        let at = cells.time(Field::At, row)?;
        let mut record = ActivityRecord::new(0, key, kind, at);
        record.text = cells.cell(Field::Text, row).and_then(normalize::text);
        record.word_count = cells.count(Field::WordCount, row)?.or_else(|| normalize::word_count(record.text.as_deref()));
        record.language = cells.cell(Field::Language, row).and_then(normalize::short);
        record.media = cells.parsed(Field::Media, row)?.unwrap_or(Media::None);
        record.visibility = cells.parsed(Field::Visibility, row)?.unwrap_or(Visibility::Unknown);
        record.link_domain = cells.cell(Field::LinkDomain, row).and_then(normalize::short);
        record.container = cells.cell(Field::Container, row).and_then(normalize::short);
        record.creator = cells.cell(Field::Creator, row).and_then(normalize::native_key).map(|account| creators.id(people.platform, account));
        record.likes_received = cells.count(Field::LikesReceived, row)?;
        record.replies_received = cells.count(Field::RepliesReceived, row)?;
        record.shares_received = cells.count(Field::SharesReceived, row)?;
        record.tags = cells.tags(Field::Tags, row).into_iter().map(Cow::Owned).collect();
        let deleted = cells.cell(Field::Deleted, row).is_some_and(|c| ["true", "1", "yes", "t", "y"].contains(&c.to_ascii_lowercase().as_str()));
        record.owner = people.owner(cells, row)?;
        if deleted && self.deletions == Deletions::Apply {
            self.deleted += 1;
        } else {
            self.activities.push(&record);
        }
        Ok(())
    }

    /// Takes a person in.
    pub(crate) fn subject(&mut self, row: &impl Row) -> Result<(), String> {
        let Self { cells, people, .. } = self;
        let born: Option<NaiveDate> = cells.parsed(Field::BirthDate, row)?;
        let age = cells.parsed(Field::AgeBand, row)?.or_else(|| born.map(|born| AgeBand::of(born, self.today))).unwrap_or(AgeBand::Unknown);
        let (joined, followers) = (cells.time(Field::Joined, row)?, cells.parsed(Field::Followers, row)?);
        let interests = cells.tags(Field::Interests, row).into_iter().map(|topic| Interest { topic, origin: InterestOrigin::Declared }).collect();
        let [handle, country, region, language] =
            [Field::Handle, Field::Country, Field::Region, Field::Language].map(|field| cells.cell(field, row).and_then(normalize::short_owned));
        let owner = people.owner(cells, row)?;
        let account = |key: &AccountKey| SubjectRecord { account: key.clone(), handle, country, region, age, language, joined, followers, interests };
        match owner.checked_sub(people.named).and_then(|here| usize::try_from(here).ok()).and_then(|i| people.new.get_mut(i)) {
            Some(subject) => *subject = account(&subject.account),
            // Taken already: what comes later corrects it.
            None => {
                let native_id = cells.cell(Field::Account, row).and_then(normalize::native_key).ok_or("no account")?.to_owned();
                people.new.push(account(&AccountKey { platform: people.platform, native_id }));
            }
        }
        Ok(())
    }
}

/// The mapped columns, in the order of [`Field::ALL`].
struct Cells {
    columns: Vec<Option<Bound>>,
}

impl Cells {
    fn column(&self, field: Field) -> Option<&Bound> {
        self.columns.get(field as usize).and_then(Option::as_ref)
    }

    fn cell<'b>(&'b self, field: Field, row: &'b impl Row) -> Option<&'b str> {
        self.column(field).and_then(|c| c.cell(row))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, field: Field, row: &impl Row) -> Result<Option<T>, String> {
        self.cell(field, row).map(|c| c.parse().map_err(|e| format!("`{c}` as {field}: {e}"))).transpose()
    }

    fn count(&self, field: Field, row: &impl Row) -> Result<Option<u32>, String> {
        match self.column(field).and_then(Bound::place).and_then(|place| row.number(place)) {
            Some(number) => u32::try_from(number).map(Some).map_err(|e| format!("`{number}` as {field}: {e}")),
            None => self.parsed(field, row),
        }
    }

    fn time(&self, field: Field, row: &impl Row) -> Result<Option<domain::Timestamp>, String> {
        self.column(field).map_or(Ok(None), |c| c.time(row))
    }

    fn tags(&self, field: Field, row: &impl Row) -> Vec<String> {
        self.column(field).map(|c| normalize::tags(c.list(row))).unwrap_or_default()
    }
}

/// The people of the file.
struct People {
    platform: Platform,
    /// Those that were not taken yet.
    new: Vec<SubjectRecord>,
    /// Short accounts lie in the table itself: looking one up reads one place less.
    places: HashMap<CompactString, u32>,
    /// How many were taken already.
    named: u32,
}

impl People {
    fn take(&mut self) -> Vec<SubjectRecord> {
        let new = std::mem::take(&mut self.new);
        self.named += u32::try_from(new.len()).unwrap_or(u32::MAX);
        new
    }

    /// The account's place among the people, new when it was not seen before.
    fn owner(&mut self, cells: &Cells, row: &impl Row) -> Result<u32, String> {
        if let Some(owner) = row.owner() {
            return Ok(owner);
        }
        let account = cells.cell(Field::Account, row).ok_or("no account")?;
        if let Some(&owner) = self.places.get(account) {
            return Ok(owner);
        }
        let account = normalize::native_key(account).ok_or("no account")?.to_owned();
        let owner = u32::try_from(self.new.len()).ok().and_then(|here| self.named.checked_add(here)).ok_or("too many people")?;
        self.new.push(SubjectRecord::new(AccountKey { platform: self.platform, native_id: account.clone() }));
        self.places.insert(CompactString::from(account), owner);
        Ok(owner)
    }
}
