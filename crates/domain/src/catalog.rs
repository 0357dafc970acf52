//! The tables that partners can ask, what each column means, and the owner's contract for them.
//!
//! Everything here is public: bounds, domains and clamps are fixed before anybody looks at data.

use dp::{ContributionBounds, Granularity};

use crate::Platform;
use crate::question::Value;
use crate::record::{ActivityKind, InterestOrigin, Media, Visibility};
use crate::subject::{AgeBand, FollowersBand};

crate::words! {
    /// A table in the lake. Every one is private: its rows belong to people.
    pub enum TableName("table") {
        /// One row per act by a person.
        Activity = "activity",
        /// One row per act and hashtag.
        ActivityTag = "activity_tag",
        /// One row per person.
        Subject = "subject",
        /// One row per person and interest.
        SubjectInterest = "subject_interest",
    }
}

crate::words! {
    /// The type of a column.
    pub enum ColumnType("column type") {
        /// An identifier: joins and owns, is never shown.
        Id = "id",
        /// Text.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// A number with a fraction.
        Float = "float",
        /// A calendar day (UTC).
        Date = "date",
        /// An instant (UTC).
        Timestamp = "timestamp",
    }
}

/// The values that a column can have, when they are public.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// These words.
    Words(&'static [&'static str]),
    /// These whole numbers, both ends included.
    Range(i64, i64),
}

impl Domain {
    /// Every value, in order.
    #[must_use]
    pub fn values(self) -> Vec<Value> {
        match self {
            Self::Words(words) => words.iter().map(|w| Value::Text((*w).to_owned())).collect(),
            Self::Range(low, high) => (low..=high).map(Value::Integer).collect(),
        }
    }
}

/// How far one person's sum within one group may count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SumContract {
    /// Lowest sum counted.
    pub low: f64,
    /// Highest sum counted.
    pub high: f64,
    /// Sums are kept in whole multiples of this.
    pub granularity: Granularity,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type.
    pub ty: ColumnType,
    /// Whether it can be empty.
    pub nullable: bool,
    /// Its values, when they are public.
    pub domain: Option<Domain>,
    /// How it may be summed, when it may.
    pub sum: Option<SumContract>,
    /// What it means.
    pub doc: &'static str,
}

/// One table with the owner's contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What one row is.
    pub row_per: &'static str,
    /// Groups that one person may count in, unless the question asks for fewer.
    pub groups: u32,
    /// Rows of one person that count in one group, likewise.
    pub rows_per_group: u32,
    /// Its columns.
    pub columns: &'static [Column],
}

/// Rows of one person that a question looks at, at most: limits the work one person can cause.
pub const ROWS_AT_SCAN: u32 = 100_000;

impl Table {
    /// The table of that name.
    #[must_use]
    pub const fn of(name: TableName) -> &'static Self {
        match name {
            TableName::Activity => &ACTIVITY,
            TableName::ActivityTag => &ACTIVITY_TAG,
            TableName::Subject => &SUBJECT,
            TableName::SubjectInterest => &SUBJECT_INTEREST,
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The contract's bounds.
    ///
    /// # Errors
    /// Never for the tables of this catalogue, whose bounds are all at least 1.
    pub fn bounds(&self) -> Result<ContributionBounds, dp::BoundsError> {
        ContributionBounds::new(self.groups, self.rows_per_group, ROWS_AT_SCAN)
    }
}

const fn column(name: &'static str, ty: ColumnType, doc: &'static str) -> Column {
    Column { name, ty, nullable: true, domain: None, sum: None, doc }
}

const fn id(name: &'static str, doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Id, nullable: false, domain: None, sum: None, doc }
}

const fn words(name: &'static str, words: &'static [&'static str], doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Text, nullable: false, domain: Some(Domain::Words(words)), sum: None, doc }
}

const fn range(name: &'static str, low: i64, high: i64, doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Integer, nullable: true, domain: Some(Domain::Range(low, high)), sum: None, doc }
}

const fn counter(name: &'static str, high: f64, doc: &'static str) -> Column {
    let sum = SumContract { low: 0.0, high, granularity: Granularity::ONE };
    Column { name, ty: ColumnType::Integer, nullable: true, domain: None, sum: Some(sum), doc }
}

const ACTIVITY: Table = Table {
    name: TableName::Activity,
    row_per: "act by a subject",
    groups: 16,
    rows_per_group: 50,
    columns: &[
        id("activity_id", "the act; unique per subject"),
        id("subject_id", "whose act it is; count(distinct subject_id) counts people"),
        words("platform", Platform::WORDS, "where it happened"),
        words("kind", ActivityKind::WORDS, "what was done"),
        column("at", ColumnType::Timestamp, "when (UTC); empty where the export does not say"),
        column("day", ColumnType::Date, "calendar day of `at` (UTC)"),
        column("week", ColumnType::Date, "Monday of the week of `at` (UTC)"),
        column("month", ColumnType::Date, "first day of the month of `at` (UTC)"),
        range("hour", 0, 23, "hour of `at` (UTC)"),
        range("weekday", 1, 7, "day of the week of `at` (UTC), 1 = Monday"),
        column("language", ColumnType::Text, "language of the content (BCP 47), as the source says"),
        Column {
            name: "sentiment",
            ty: ColumnType::Float,
            nullable: true,
            domain: None,
            sum: Some(SumContract { low: -50.0, high: 50.0, granularity: Granularity::PER_1024 }),
            doc: "tone of the content from -1 to 1; empty until a feature pass has run",
        },
        counter("word_count", 2_000.0, "words in the content"),
        words("media", Media::WORDS, "what was attached"),
        words("visibility", Visibility::WORDS, "who could see it"),
        column("link_domain", ColumnType::Text, "host of the first link"),
        column("container", ColumnType::Text, "the group, channel or forum it happened in"),
        counter("likes_received", 1_000.0, "likes received when the source was made"),
        counter("replies_received", 500.0, "replies received when the source was made"),
        counter("shares_received", 500.0, "shares received when the source was made"),
    ],
};

const ACTIVITY_TAG: Table = Table {
    name: TableName::ActivityTag,
    row_per: "act and hashtag",
    groups: 20,
    rows_per_group: 20,
    columns: &[id("activity_id", "the act"), id("subject_id", "whose act it is"), column("tag", ColumnType::Text, "hashtag in lower case, without #")],
};

const SUBJECT: Table = Table {
    name: TableName::Subject,
    row_per: "subject",
    groups: 1,
    rows_per_group: 1,
    columns: &[
        id("subject_id", "the person"),
        column("country", ColumnType::Text, "country of residence, as the source names it"),
        column("region", ColumnType::Text, "region or city, as the source names it"),
        words("age_band", AgeBand::WORDS, "how old, when the source was imported"),
        column("language", ColumnType::Text, "first language (BCP 47)"),
        column("joined_month", ColumnType::Date, "first day of the month in which the account was made"),
        words("followers_band", FollowersBand::WORDS, "how many followers, when the source was made"),
    ],
};

const SUBJECT_INTEREST: Table = Table {
    name: TableName::SubjectInterest,
    row_per: "subject and interest",
    groups: 20,
    rows_per_group: 1,
    columns: &[
        id("subject_id", "the person"),
        column("interest", ColumnType::Text, "topic in lower case"),
        words("origin", InterestOrigin::WORDS, "declared by the person or observed"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_an_owner_and_valid_bounds() {
        for &name in TableName::ALL {
            let table = Table::of(name);
            assert_eq!(table.name, name);
            assert!(table.column("subject_id").is_some(), "{name} has no owner");
            table.bounds().unwrap();
        }
    }
}
