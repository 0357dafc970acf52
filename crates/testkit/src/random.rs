//! Random people, rows and questions, with a third of all values from a nasty pool.

use chrono::{DateTime, TimeDelta};
use domain::Platform;
use domain::record::{AccountKey, Activities, ActivityKind, ActivityRecord, Interest, InterestOrigin, Media, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord, Visibility};
use domain::subject::AgeBand;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::creator;

/// The seed of a random test: `FAIRSHARE_SEED`, or `otherwise`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a failing seed is repeated by naming it")]
pub fn env_seed(otherwise: u64) -> u64 {
    std::env::var("FAIRSHARE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(otherwise)
}

/// Makes random things from a seed.
#[derive(Debug)]
pub struct Generator(pub ChaCha20Rng);

const NASTY: &[&str] = &["", " ", "İstanbul", "ß", "a\u{0}", "'; drop table activity; --", "%", "_", "NULL", "日本", "a\u{301}", "\u{1F468}\u{200D}\u{1F469}"];
const WORDS: &[&str] = &["rust", "garden", "football", "brot", "musik", "sun"];
const LANGUAGES: &[&str] = &["en", "de", "fr", "tr"];

impl Generator {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    pub(crate) fn pick<'a>(&mut self, pool: &[&'a str]) -> &'a str {
        pool.choose(&mut self.0).copied().unwrap_or("")
    }

    /// A text, one in three nasty.
    pub fn text(&mut self) -> String {
        if self.0.random_ratio(1, 3) { self.pick(NASTY).to_owned() } else { self.pick(WORDS).to_owned() }
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.0.random_ratio(1, 4) { None } else { Some(make(self)) }
    }

    fn count(&mut self) -> u32 {
        if self.0.random_ratio(1, 5) { u32::MAX } else { self.0.random_range(0..40) }
    }

    /// A batch of `people` people with a heavy tail of acts.
    pub fn batch(&mut self, people: u32) -> NormalizedBatch {
        let subjects: Vec<SubjectRecord> = (0..people).map(|n| self.subject(n)).collect();
        let mut activities = Activities::default();
        for owner in 0..people {
            let acts = if self.0.random_ratio(1, 8) { self.0.random_range(20..60) } else { self.0.random_range(0..6) };
            activities.extend((0..acts).map(|n| self.activity(owner, n)));
        }
        let source = SourceInfo { path: "random".into(), kind: SourceKind::Table, platform: Platform::Csv, parser: "random/1".into() };
        NormalizedBatch { subjects, activities, ..NormalizedBatch::new(source) }
    }

    fn subject(&mut self, n: u32) -> SubjectRecord {
        let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: n.to_string() });
        subject.country = self.maybe(Self::text);
        subject.language = self.maybe(|g| g.pick(LANGUAGES).to_owned());
        subject.age = AgeBand::ALL.choose(&mut self.0).copied().unwrap_or(AgeBand::Unknown);
        subject.followers = self.maybe(|g| g.0.random_range(0..200_000));
        subject.joined = self.maybe(|g| DateTime::UNIX_EPOCH + TimeDelta::days(g.0.random_range(0..20_000)));
        // Now and then more than are joined.
        let topics = if self.0.random_ratio(1, 12) { 80 } else { self.0.random_range(0..4) };
        subject.interests = (0..topics).map(|n| self.interest(n)).collect();
        subject
    }

    fn interest(&mut self, n: u32) -> Interest {
        let topic = if n < 4 { self.text() } else { format!("{}{n}", self.text()) };
        Interest { topic, origin: InterestOrigin::ALL.choose(&mut self.0).copied().unwrap_or(InterestOrigin::Declared) }
    }

    fn activity(&mut self, owner: u32, n: u32) -> ActivityRecord<'static> {
        // Keys repeat across owners on purpose, and now and then within one.
        let key = format!("k{}", if self.0.random_ratio(1, 12) { 0 } else { n });
        let kind = ActivityKind::ALL.choose(&mut self.0).copied().unwrap_or(ActivityKind::Other);
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(19_000);
        let at = self.maybe(|g| start + TimeDelta::minutes(g.0.random_range(0..90_000)));
        let mut act = ActivityRecord::new(owner, key, kind, at);
        act.language = self.maybe(|g| g.pick(LANGUAGES).to_owned().into());
        act.word_count = self.maybe(Self::count);
        act.likes_received = self.maybe(Self::count);
        act.replies_received = self.maybe(Self::count);
        act.media = Media::ALL.choose(&mut self.0).copied().unwrap_or(Media::None);
        act.visibility = Visibility::ALL.choose(&mut self.0).copied().unwrap_or(Visibility::Unknown);
        act.container = self.maybe(|g| g.text().into());
        // Half of them are on the list.
        act.creator = self.maybe(|g| creator::account(g.0.random_range(0..12)));
        let tags = self.0.random_range(0..4);
        act.tags = (0..tags).map(|_| self.text().into()).collect();
        act.tags.sort();
        act.tags.dedup();
        act
    }
}
