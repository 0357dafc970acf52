//! Rows of a mapped file → records.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use chrono::NaiveDate;
use domain::record::{AccountKey, ActivityRecord, Interest, InterestOrigin, Media, NormalizedBatch, SourceInfo, SubjectRecord, Visibility};
use domain::subject::AgeBand;
use domain::{Platform, Timestamp};

use super::mapping::{Bound, Mapping};
use crate::normalize::{self, Rejects};
use crate::source::{Deletions, Options};

/// What was read so far.
pub(crate) struct Rows<'a> {
    columns: BTreeMap<&'a str, Bound>,
    platform: Platform,
    deletions: Deletions,
    today: NaiveDate,
    subjects: Vec<SubjectRecord>,
    owners: HashMap<String, u32>,
    /// People that were taken already.
    named: u32,
    activities: Vec<ActivityRecord>,
    deleted: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(mapping: &Mapping, columns: BTreeMap<&'a str, Bound>, options: &Options) -> Self {
        Self {
            columns,
            platform: mapping.platform,
            deletions: options.deletions,
            today: options.today,
            subjects: Vec::new(),
            owners: HashMap::new(),
            named: 0,
            activities: Vec::new(),
            deleted: 0,
        }
    }

    /// What was read since the last time.
    pub(crate) fn take(&mut self, source: SourceInfo, rejects: Rejects) -> NormalizedBatch {
        let subjects = std::mem::take(&mut self.subjects);
        self.named += u32::try_from(subjects.len()).unwrap_or(u32::MAX);
        let activities = std::mem::take(&mut self.activities);
        NormalizedBatch { subjects, activities, deleted: std::mem::take(&mut self.deleted), rejected: rejects.into_records(), ..NormalizedBatch::new(source) }
    }

    /// How many acts were read since the last time.
    pub(crate) const fn len(&self) -> usize {
        self.activities.len()
    }

    fn cell<'b>(&'b self, name: &str, cells: &[&'b str]) -> Option<&'b str> {
        self.columns.get(name).and_then(|c| c.cell(cells))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str, cells: &[&str]) -> Result<Option<T>, String> {
        self.cell(name, cells).map(|c| c.parse().map_err(|e| format!("`{c}` as {name}: {e}"))).transpose()
    }

    fn time(&self, name: &str, cells: &[&str]) -> Result<Option<domain::Timestamp>, String> {
        self.columns.get(name).map_or(Ok(None), |c| c.time(cells))
    }

    fn tags(&self, name: &str, cells: &[&str]) -> Vec<String> {
        self.columns.get(name).map(|c| normalize::tags(c.list(cells))).unwrap_or_default()
    }

    /// The account's place among the people, new when it was not seen before.
    fn owner(&mut self, cells: &[&str]) -> Result<u32, String> {
        let account = self.cell("account", cells).ok_or("no account")?;
        if let Some(&owner) = self.owners.get(account) {
            return Ok(owner);
        }
        let account = normalize::native_key(account).ok_or("no account")?;
        let owner = u32::try_from(self.subjects.len()).ok().and_then(|here| self.named.checked_add(here)).ok_or("too many people")?;
        self.subjects.push(SubjectRecord::new(AccountKey { platform: self.platform, native_id: account.clone() }));
        self.owners.insert(account, owner);
        Ok(owner)
    }

    /// Takes an act in; `at` is its time when that is known already.
    pub(crate) fn activity(&mut self, cells: &[&str], at: Option<Timestamp>) -> Result<(), String> {
        let key = self.cell("native_key", cells).and_then(normalize::native_key).ok_or("no native_key")?;
        let kind = self.parsed("kind", cells)?.ok_or("no kind")?;
        let at = if at.is_some() { at } else { self.time("at", cells)? };
        let mut record = ActivityRecord::new(0, key, kind, at);
        record.text = self.cell("text", cells).and_then(normalize::text);
        record.word_count = self.parsed("word_count", cells)?.or_else(|| normalize::word_count(record.text.as_deref()));
        record.language = self.cell("language", cells).and_then(normalize::short);
        record.media = self.parsed("media", cells)?.unwrap_or(Media::None);
        record.visibility = self.parsed("visibility", cells)?.unwrap_or(Visibility::Unknown);
        record.link_domain = self.cell("link_domain", cells).and_then(normalize::short);
        record.container = self.cell("container", cells).and_then(normalize::short);
        record.likes_received = self.parsed("likes_received", cells)?;
        record.replies_received = self.parsed("replies_received", cells)?;
        record.shares_received = self.parsed("shares_received", cells)?;
        record.tags = self.tags("tags", cells);
        let deleted = self.cell("deleted", cells).is_some_and(|c| ["true", "1", "yes", "t", "y"].contains(&c.to_ascii_lowercase().as_str()));
        record.owner = self.owner(cells)?;
        if deleted && self.deletions == Deletions::Apply {
            self.deleted += 1;
        } else {
            self.activities.push(record);
        }
        Ok(())
    }

    /// Takes a person in.
    pub(crate) fn subject(&mut self, cells: &[&str]) -> Result<(), String> {
        let born: Option<NaiveDate> = self.parsed("birth_date", cells)?;
        let age = self.parsed("age_band", cells)?.or_else(|| born.map(|born| AgeBand::of(born, self.today))).unwrap_or(AgeBand::Unknown);
        let (joined, followers) = (self.time("joined", cells)?, self.parsed("followers", cells)?);
        let interests = self.tags("interests", cells).into_iter().map(|topic| Interest { topic, origin: InterestOrigin::Declared }).collect();
        let [handle, country, region, language] = ["handle", "country", "region", "language"].map(|name| self.cell(name, cells).and_then(normalize::short));
        let owner = self.owner(cells)?;
        let account = |key: &AccountKey| SubjectRecord { account: key.clone(), handle, country, region, age, language, joined, followers, interests };
        match owner.checked_sub(self.named).and_then(|here| usize::try_from(here).ok()).and_then(|i| self.subjects.get_mut(i)) {
            Some(subject) => *subject = account(&subject.account),
            // Taken already: what comes later corrects it.
            None => {
                let native_id = self.cell("account", cells).and_then(normalize::native_key).ok_or("no account")?;
                self.subjects.push(account(&AccountKey { platform: self.platform, native_id }));
            }
        }
        Ok(())
    }
}
