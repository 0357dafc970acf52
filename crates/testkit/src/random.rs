//! Random people, rows and questions, with a third of all values from a nasty pool.

use chrono::{DateTime, TimeDelta};
use domain::Platform;
use domain::catalog::{ColumnType, Table, TableName};
use domain::record::{AccountKey, ActivityKind, ActivityRecord, Interest, InterestOrigin, Media, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord, Visibility};
use domain::subject::AgeBand;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// The seed of a random test: `FAIRSHARE_SEED`, or `otherwise`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a failing seed is repeated by naming it")]
pub fn env_seed(otherwise: u64) -> u64 {
    std::env::var("FAIRSHARE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(otherwise)
}

/// Makes random things from a seed.
#[derive(Debug)]
pub struct Generator(pub ChaCha20Rng);

const NASTY: &[&str] = &["", " ", "İstanbul", "ß", "\u{0}", "'; drop table activity; --", "%", "_", "NULL", "日本", "a\u{301}", "\u{1F468}\u{200D}\u{1F469}"];
const WORDS: &[&str] = &["rust", "garden", "football", "brot", "musik", "sun"];
const LANGUAGES: &[&str] = &["en", "de", "fr", "tr"];

impl Generator {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    fn pick<'a>(&mut self, pool: &[&'a str]) -> &'a str {
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
        let mut activities = Vec::new();
        for owner in 0..people {
            let acts = if self.0.random_ratio(1, 8) { self.0.random_range(20..60) } else { self.0.random_range(0..6) };
            activities.extend((0..acts).map(|n| self.activity(owner, n)));
        }
        let source = SourceInfo { path: "random".into(), kind: SourceKind::Table, platform: Platform::Csv, sha256: String::new(), parser: "random/1".into() };
        NormalizedBatch { subjects, activities, ..NormalizedBatch::new(source) }
    }

    fn subject(&mut self, n: u32) -> SubjectRecord {
        let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: n.to_string() });
        subject.country = self.maybe(Self::text);
        subject.language = self.maybe(|g| g.pick(LANGUAGES).to_owned());
        subject.age = AgeBand::ALL.choose(&mut self.0).copied().unwrap_or(AgeBand::Unknown);
        subject.followers = self.maybe(|g| g.0.random_range(0..200_000));
        subject.joined = self.maybe(|g| DateTime::UNIX_EPOCH + TimeDelta::days(g.0.random_range(0..20_000)));
        let topics = self.0.random_range(0..4);
        subject.interests = (0..topics).map(|_| Interest { topic: self.text(), origin: InterestOrigin::Declared }).collect();
        subject
    }

    fn activity(&mut self, owner: u32, n: u32) -> ActivityRecord {
        // Keys repeat across owners on purpose, and now and then within one.
        let key = format!("k{}", if self.0.random_ratio(1, 12) { 0 } else { n });
        let kind = ActivityKind::ALL.choose(&mut self.0).copied().unwrap_or(ActivityKind::Other);
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(19_000);
        let at = self.maybe(|g| start + TimeDelta::minutes(g.0.random_range(0..90_000)));
        let mut act = ActivityRecord::new(owner, key, kind, at);
        act.language = self.maybe(|g| g.pick(LANGUAGES).to_owned());
        act.word_count = self.maybe(Self::count);
        act.likes_received = self.maybe(Self::count);
        act.replies_received = self.maybe(Self::count);
        act.media = Media::ALL.choose(&mut self.0).copied().unwrap_or(Media::None);
        act.visibility = Visibility::ALL.choose(&mut self.0).copied().unwrap_or(Visibility::Unknown);
        act.container = self.maybe(Self::text);
        let tags = self.0.random_range(0..4);
        act.tags = (0..tags).map(|_| self.text()).collect();
        act.tags.sort();
        act.tags.dedup();
        act
    }

    /// A random question in the accepted SQL, as text.
    pub fn sql(&mut self) -> String {
        let table = Table::of(TableName::ALL.choose(&mut self.0).copied().unwrap_or(TableName::Activity));
        let groupable: Vec<&str> = table.columns.iter().filter(|c| !matches!(c.ty, ColumnType::Id | ColumnType::Timestamp | ColumnType::Float)).map(|c| c.name).collect();
        let many = self.0.random_range(0..3);
        let keys: Vec<&str> = groupable.sample(&mut self.0, many).copied().collect();
        let mut aggregates = vec!["count(*)".to_owned(), "count(distinct subject_id)".to_owned()];
        aggregates.extend(table.columns.iter().filter(|c| c.sum.is_some()).map(|c| format!("sum({})", c.name)));
        let many = self.0.random_range(1..4);
        let chosen: Vec<String> = aggregates.sample(&mut self.0, many).cloned().collect();
        let select: Vec<String> = keys.iter().map(|k| (*k).to_owned()).chain(chosen).collect();
        let mut sql = format!("SELECT {} FROM {}", select.join(", "), table.name);
        if self.0.random_ratio(2, 3) {
            sql += &format!(" WHERE {}", self.condition(table, 2));
        }
        if !keys.is_empty() {
            sql += &format!(" GROUP BY {}", keys.join(", "));
        }
        sql
    }

    fn condition(&mut self, table: &Table, depth: u32) -> String {
        if depth > 0 && self.0.random_ratio(1, 2) {
            let (a, b) = (self.condition(table, depth - 1), self.condition(table, depth - 1));
            return match self.0.random_range(0..3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("NOT ({a})"),
            };
        }
        let columns: Vec<_> = table.columns.iter().filter(|c| c.ty != ColumnType::Id).collect();
        let Some(column) = columns.choose(&mut self.0) else { return "TRUE".to_owned() };
        let name = column.name;
        let constant = |g: &mut Self| match column.ty {
            ColumnType::Integer => format!("{}", if g.0.random_ratio(1, 4) { i64::MAX } else { g.0.random_range(-3..40) }),
            ColumnType::Float => "0.5".to_owned(),
            ColumnType::Date => format!("'{}'", (DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + g.0.random_range(0..62))).date_naive()),
            ColumnType::Timestamp => "'2022-01-20T10:00:00Z'".to_owned(),
            ColumnType::Text | ColumnType::Id => {
                let word = if g.0.random_ratio(1, 2) { g.text() } else { g.pick(&["en", "de", "post", "like", "image", "public", "18_24"]).to_owned() };
                format!("'{}'", word.replace('\'', "''").replace('\u{0}', ""))
            }
        };
        match self.0.random_range(0..6) {
            0 => format!("{name} IS NULL"),
            1 => format!("{name} IS NOT NULL"),
            2 => format!("{name} IN ({}, {})", constant(self), constant(self)),
            3 => format!("{name} BETWEEN {} AND {}", constant(self), constant(self)),
            4 if column.ty == ColumnType::Text => format!("{name} LIKE '{}'", self.pick(&["%a%", "r_st", "%", "_", "de%", "%ot%"])),
            _ => {
                let op = self.pick(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{name} {op} {}", constant(self))
            }
        }
    }
}
