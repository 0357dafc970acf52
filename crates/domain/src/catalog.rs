//! The tables that partners can ask, what each column means, and the owner's contract for them.
//!
//! Everything here is public: bounds, domains and clamps are fixed before anybody looks at data.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate, Weekday};
use dp::Granularity;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Platform;
use crate::consent::DataScope;
use crate::partner_table::{self, PartnerTableId};
use crate::question::Value;
use crate::record::{ActivityKind, InterestOrigin, Media, Visibility};
use crate::subject::{AgeBand, FollowersBand};
use crate::words::UnknownWord;

/// A table. Every one is private, its rows belong to people, but the list of creators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableName {
    /// One row per act by a person.
    Activity,
    /// One row per act and hashtag.
    ActivityTag,
    /// One row per person.
    Subject,
    /// One row per person and interest.
    SubjectInterest,
    /// Public: one row per account that may be named.
    Creator,
    /// A partner's own rows about people; only that partner can ask them.
    Partner(PartnerTableId),
}

impl TableName {
    /// The tables of every deployment, in order.
    pub const ALL: &'static [Self] = &[Self::Activity, Self::ActivityTag, Self::Subject, Self::SubjectInterest, Self::Creator];
    /// Their names.
    pub const WORDS: &'static [&'static str] = &["activity", "activity_tag", "subject", "subject_interest", "creator"];
    /// Those of them whose rows belong to people, and lie in the lake.
    pub const PRIVATE: &'static [Self] = &[Self::Activity, Self::ActivityTag, Self::Subject, Self::SubjectInterest];
    /// The folders of tables in the lake; partners' tables lie beside each other in one.
    pub const FOLDERS: &'static [&'static str] = &["activity", "activity_tag", "subject", "subject_interest", "partner"];

    /// Its name; of partners' tables that of their folder. A private table's files are in the folder of that name.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::ActivityTag => "activity_tag",
            Self::Subject => "subject",
            Self::SubjectInterest => "subject_interest",
            Self::Creator => "creator",
            Self::Partner(_) => "partner",
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partner(id) => f.pad(&format!("partner.{id}")),
            own => f.pad(own.folder()),
        }
    }
}

impl FromStr for TableName {
    type Err = UnknownWord;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let own = Self::ALL.iter().find(|table| table.folder() == name).copied();
        let partner = || name.strip_prefix("partner.").and_then(|id| id.parse().ok()).map(Self::Partner);
        own.or_else(partner).ok_or_else(|| UnknownWord::new("table", name, Self::WORDS))
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

crate::words! {
    /// The type of a column.
    pub enum ColumnType("column type") {
        /// An identifier: joins and owns, is never shown.
        Id = "id",
        /// Yes or no.
        Boolean = "boolean",
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

/// How far one person's values may count within one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SumContract {
    /// Lowest and highest sum counted.
    pub sums: (f64, f64),
    /// Lowest and highest single value counted in an average.
    pub values: (f64, f64),
    /// Sums are kept in whole multiples of this.
    pub granularity: Granularity,
}

/// Which days a column of days can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// Every day.
    Days,
    /// Mondays, which stand for their week.
    Weeks,
    /// First days, which stand for their month.
    Months,
}

impl Calendar {
    /// Whether `day` is one of them.
    #[must_use]
    pub fn has(self, day: NaiveDate) -> bool {
        match self {
            Self::Days => true,
            Self::Weeks => day.weekday() == Weekday::Mon,
            Self::Months => day.day() == 1,
        }
    }
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
    /// Which days it can hold, when it holds days.
    pub calendar: Option<Calendar>,
    /// How it may be summed and averaged, when it may.
    pub sum: Option<SumContract>,
    /// Whether all rows of a person have the same.
    pub of_person: bool,
    /// Where it lies in files, when that is not under its name.
    pub slot: Option<&'static str>,
    /// What it means.
    pub doc: &'static str,
}

/// One table with the owner's contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
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

/// Interests of one person that are joined to each of their other rows, at most: the first ones in the
/// order of interest and origin. Limits the work of a join.
pub const INTERESTS_JOINED: u32 = 64;

/// Rows that a subquery makes of one person, at most. Of a person with more, those are drawn by a keyed hash.
/// Limits the work and memory that one person can cause.
pub const ROWS_OF_SUBQUERY: u32 = 1_000;

/// The contract for a question about several tables: groups and rows per group of one person, each the
/// smallest of those of the tables, in which those that describe people play no part beside others, and the
/// public list of creators none. It holds for the joined rows.
#[must_use]
pub fn contract(tables: &[(TableName, &Table)]) -> (u32, u32) {
    let tables: Vec<&(TableName, &Table)> = tables.iter().filter(|(name, _)| !name.is_public()).collect();
    let some_do_not = tables.iter().any(|(name, _)| !name.describes_people());
    // Of those that describe people, one with several rows of a person counts for all.
    let strictest = |of: fn(&Table) -> u32| {
        let counting = tables.iter().filter(|(name, _)| !some_do_not || !name.describes_people()).map(|(_, table)| of(table));
        if some_do_not { counting.min() } else { counting.max() }.unwrap_or(1)
    };
    (strictest(|table| table.groups), strictest(|table| table.rows_per_group))
}

impl Table {
    /// The table of that name, as every deployment has it; of a partner's table what its files can hold.
    #[must_use]
    pub const fn of(name: TableName) -> &'static Self {
        match name {
            TableName::Activity => &ACTIVITY,
            TableName::ActivityTag => &ACTIVITY_TAG,
            TableName::Subject => &SUBJECT,
            TableName::SubjectInterest => &SUBJECT_INTEREST,
            TableName::Creator => &CREATOR,
            TableName::Partner(_) => &partner_table::FILES,
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The column of that name, as plans name it; the table is called `table`.
    #[must_use]
    pub fn named(&self, table: TableName, name: &str) -> Option<ColumnName> {
        self.column(name).map(|column| ColumnName { table, column })
    }
}

/// A column as plans name it: `activity.kind`.
#[derive(Debug, Clone, Copy)]
pub struct ColumnName {
    table: TableName,
    column: &'static Column,
}

impl TableName {
    /// Whether its rows are nobody's: whoever knows the deployment may know them.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Creator)
    }

    /// Whether its rows say what people are like, rather than what they did or like: beside others such a
    /// table tightens no bound.
    #[must_use]
    pub const fn describes_people(self) -> bool {
        matches!(self, Self::Subject | Self::Partner(_))
    }

    /// Which part of people's data its rows are, whatever columns are looked at. That a partner knows a person
    /// by their address is part of who they are.
    #[must_use]
    pub const fn scope(self) -> DataScope {
        match self {
            Self::Activity => DataScope::Activity,
            Self::Subject | Self::Partner(_) => DataScope::Profile,
            // Who made what people looked at tells what it was about.
            Self::ActivityTag | Self::SubjectInterest | Self::Creator => DataScope::Topics,
        }
    }
}

/// Columns of acts that tell what they were about: where a link leads, in which community, by whom.
const TOPICS: [&str; 3] = ["container", "creator_id", "link_domain"];

impl ColumnName {
    /// Which part of people's data it tells of.
    #[must_use]
    pub fn scope(self) -> DataScope {
        if self.table == TableName::Activity && TOPICS.contains(&self.name()) { DataScope::Topics } else { self.table.scope() }
    }

    /// The table.
    #[must_use]
    pub const fn table(self) -> TableName {
        self.table
    }

    /// What the catalogue says of it.
    #[must_use]
    pub const fn column(self) -> &'static Column {
        self.column
    }

    /// Its name without the table's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.column.name
    }
}

// Names tell columns apart: a catalogue has each only once.
impl PartialEq for ColumnName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ColumnName {}

impl PartialOrd for ColumnName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ColumnName {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.table, self.name()).cmp(&(other.table, other.name()))
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.name())
    }
}

impl Serialize for ColumnName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A column of which a person has one value.
const fn of_person(column: Column) -> Column {
    Column { of_person: true, ..column }
}

pub(crate) const fn column(name: &'static str, ty: ColumnType, doc: &'static str) -> Column {
    Column { name, ty, nullable: true, domain: None, calendar: None, sum: None, of_person: false, slot: None, doc }
}

pub(crate) const fn id(name: &'static str, doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Id, nullable: false, domain: None, calendar: None, sum: None, of_person: false, slot: None, doc }
}

const fn words(name: &'static str, words: &'static [&'static str], doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Text, nullable: false, domain: Some(Domain::Words(words)), calendar: None, sum: None, of_person: false, slot: None, doc }
}

const fn range(name: &'static str, low: i64, high: i64, doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Integer, nullable: true, domain: Some(Domain::Range(low, high)), calendar: None, sum: None, of_person: false, slot: None, doc }
}

pub(crate) const fn days(name: &'static str, calendar: Calendar, doc: &'static str) -> Column {
    Column { name, ty: ColumnType::Date, nullable: true, domain: None, calendar: Some(calendar), sum: None, of_person: false, slot: None, doc }
}

/// A whole number from 0, with the highest sum and the highest single value that count.
const fn counter(name: &'static str, sum_high: f64, value_high: f64, doc: &'static str) -> Column {
    let sum = SumContract { sums: (0.0, sum_high), values: (0.0, value_high), granularity: Granularity::ONE };
    Column { name, ty: ColumnType::Integer, nullable: true, domain: None, calendar: None, sum: Some(sum), of_person: false, slot: None, doc }
}

const ACTIVITY: Table = Table {
    row_per: "act by a subject",
    groups: 16,
    rows_per_group: 50,
    columns: &[
        id("activity_id", "the act; unique per subject"),
        id("subject_id", "whose act it is; count(distinct subject_id) counts people"),
        words("platform", Platform::WORDS, "where it happened"),
        words("kind", ActivityKind::WORDS, "what was done"),
        column("at", ColumnType::Timestamp, "when (UTC); empty where the export does not say"),
        days("day", Calendar::Days, "calendar day of `at` (UTC)"),
        days("week", Calendar::Weeks, "Monday of the week of `at` (UTC)"),
        days("month", Calendar::Months, "first day of the month of `at` (UTC)"),
        range("hour", 0, 23, "hour of `at` (UTC)"),
        range("weekday", 1, 7, "day of the week of `at` (UTC), 1 = Monday"),
        column("language", ColumnType::Text, "language of the content (BCP 47), as the source says"),
        Column {
            name: "sentiment",
            ty: ColumnType::Float,
            nullable: true,
            domain: None,
            calendar: None,
            sum: Some(SumContract { sums: (-50.0, 50.0), values: (-1.0, 1.0), granularity: Granularity::PER_1024 }),
            of_person: false,
            slot: None,
            doc: "tone of the content from -1 to 1; empty, as no feature pass derives it yet",
        },
        counter("word_count", 2_000.0, 200.0, "words in the content"),
        words("media", Media::WORDS, "what was attached"),
        words("visibility", Visibility::WORDS, "who could see it"),
        column("link_domain", ColumnType::Text, "host of the first link"),
        column("container", ColumnType::Text, "the group, channel or forum it happened in"),
        Column { nullable: true, ..id("creator_id", "the account that it was about: joins to `creator` and nothing else") },
        counter("likes_received", 1_000.0, 200.0, "likes received when the source was made"),
        counter("replies_received", 500.0, 100.0, "replies received when the source was made"),
        counter("shares_received", 500.0, 100.0, "shares received when the source was made"),
    ],
};

const ACTIVITY_TAG: Table = Table {
    row_per: "act and hashtag",
    groups: 20,
    rows_per_group: 20,
    columns: &[id("activity_id", "the act"), id("subject_id", "whose act it is"), column("tag", ColumnType::Text, "hashtag in lower case, without #")],
};

const SUBJECT: Table = Table {
    row_per: "subject",
    groups: 1,
    rows_per_group: 1,
    columns: &[
        id("subject_id", "the person"),
        of_person(column("country", ColumnType::Text, "country of residence, as the source names it")),
        of_person(column("region", ColumnType::Text, "region or city, as the source names it")),
        of_person(words("age_band", AgeBand::WORDS, "how old, when the source was imported")),
        of_person(column("language", ColumnType::Text, "first language (BCP 47)")),
        of_person(days("joined_month", Calendar::Months, "first day of the month in which the account was made")),
        of_person(words("followers_band", FollowersBand::WORDS, "how many followers, when the source was made")),
    ],
};

const SUBJECT_INTEREST: Table = Table {
    row_per: "subject and interest",
    groups: 20,
    rows_per_group: 1,
    columns: &[
        id("subject_id", "the person"),
        column("interest", ColumnType::Text, "topic in lower case"),
        words("origin", InterestOrigin::WORDS, "declared by the person or observed"),
    ],
};

const CREATOR: Table = Table {
    row_per: "account that agreed to be named, brand or organisation",
    groups: 1,
    rows_per_group: 1,
    columns: &[
        id("creator_id", "the account; joins to `activity` and nothing else"),
        column("name", ColumnType::Text, "what it is called"),
        words("platform", Platform::WORDS, "where it is"),
        Column { nullable: false, ..column("category", ColumnType::Text, "what it is about") },
    ],
};

#[cfg(test)]
mod tests {
    use dp::ContributionBounds;

    use super::*;

    #[test]
    fn every_private_table_has_an_owner_and_all_have_valid_bounds() {
        for &name in TableName::ALL {
            let table = Table::of(name);
            assert_eq!(table.column("subject_id").is_some(), !name.is_public(), "{name}");
            assert_eq!(TableName::PRIVATE.contains(&name), !name.is_public(), "{name}");
            ContributionBounds::new(table.groups, table.rows_per_group, ROWS_AT_SCAN).unwrap();
        }
    }

    #[test]
    fn columns_are_what_their_types_say() {
        for column in TableName::ALL.iter().flat_map(|&name| Table::of(name).columns) {
            assert_eq!(column.calendar.is_some(), column.ty == ColumnType::Date, "{}", column.name);
            if let Some(SumContract { sums, values, .. }) = column.sum {
                assert!(sums.0 <= sums.1 && values.0 < values.1, "{}", column.name);
            }
        }
    }

    #[test]
    fn joined_tables_have_the_tightest_contract_and_people_do_not_tighten_it() {
        use TableName::{Activity, ActivityTag, Creator, Subject, SubjectInterest};
        let contract = |tables: &[TableName]| contract(&tables.iter().map(|name| (*name, Table::of(*name))).collect::<Vec<_>>());
        assert_eq!(contract(&[Subject]), (1, 1));
        assert_eq!(contract(&[Activity, Creator]), (16, 50));
        assert_eq!(contract(&[Activity, Subject, Creator]), (16, 50));
        assert_eq!(contract(&[Activity, Subject]), (16, 50));
        assert_eq!(contract(&[Activity, ActivityTag, Subject]), (16, 20));
        assert_eq!(contract(&[Activity, SubjectInterest]), (16, 1));
    }

    #[test]
    fn names_of_tables_are_read_as_they_are_written() {
        for name in TableName::ALL.iter().copied().chain([TableName::Partner(PartnerTableId(7))]) {
            assert_eq!(name.to_string().parse(), Ok(name));
            assert_eq!(TableName::FOLDERS.contains(&name.folder()), !name.is_public());
        }
        "partner".parse::<TableName>().unwrap_err();
        "partner.crm".parse::<TableName>().unwrap_err();
    }
}
