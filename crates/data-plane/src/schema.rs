//! The columns of each table as they lie in the lake: what partners may see of them is
//! `domain::catalog`; the rest is for the person and for later features.
//!
//! Words from public lists are one byte, texts are dictionaries of their own file (so that a text goes
//! with the last row that holds it; see [`NO_TEXT`]), and parts of a day are not stored but computed from it.

use std::sync::{Arc, LazyLock};

use chrono::{Datelike, Days, NaiveDate};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use domain::catalog::{Column, ColumnType, Domain, Table, TableName};
use domain::partner_table::PartnerTableId;
use domain::question::Value;

/// Bytes of an act's id.
pub(crate) const ACTIVITY_ID_BYTES: i32 = 16;

/// What stands in a dictionary for no text. No text is this: readers take the character out. A column
/// without nulls is read in two thirds of the time.
pub(crate) const NO_TEXT: &str = "\u{0}";

/// The column of the account that an act is about.
pub(crate) const CREATOR: &str = "creator_id";

/// The column of the id under which a row arrived.
pub(crate) const ARRIVED_AS: &str = "arrived_as";

/// The column of a row's place in the partner's file.
pub(crate) const PLACE: &str = "place";

/// How a column of the catalogue lies in files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Storage {
    /// Sixteen bytes.
    Id,
    /// The number of an account, see `domain::creator`.
    Account,
    /// The place of a word in its public list.
    Word(&'static [&'static str]),
    /// Text, as a dictionary of the file.
    Text,
    /// A number below 256.
    Small,
    /// A number below 2³².
    Count,
    /// A double.
    Float,
    /// A calendar day, or something that follows from one.
    Day(DayPart),
    /// An instant in microseconds.
    Instant,
    /// A whole number: a subquery's, or a partner's.
    Whole,
    /// A truth value that a subquery made; never in files.
    Truth,
}

/// What of a day a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayPart {
    /// The day itself.
    Whole,
    /// The Monday before or on it.
    Week,
    /// The first of its month.
    Month,
    /// 1 = Monday to 7.
    Weekday,
}

impl DayPart {
    /// The part of `day`.
    pub(crate) fn of(self, day: NaiveDate) -> Value {
        match self {
            Self::Whole => Value::Date(day),
            Self::Week => Value::Date(day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))).unwrap_or(day)),
            Self::Month => Value::Date(day.with_day(1).unwrap_or(day)),
            Self::Weekday => Value::Integer(i64::from(day.weekday().number_from_monday())),
        }
    }
}

/// The stored column behind a column of the catalogue, and how to read it.
pub(crate) const fn stored(column: &Column) -> (&'static str, Storage) {
    if let Some(slot) = column.slot {
        return (slot, slot_storage(column.ty));
    }
    match (column.name.as_bytes(), column.ty) {
        (b"week", _) => ("day", Storage::Day(DayPart::Week)),
        (b"month", _) => ("day", Storage::Day(DayPart::Month)),
        (b"weekday", _) => ("day", Storage::Day(DayPart::Weekday)),
        (b"creator_id", _) => (CREATOR, Storage::Account),
        (_, ColumnType::Id) => (column.name, Storage::Id),
        (_, ColumnType::Float) => (column.name, Storage::Float),
        // No table has a column of these; a byte would do.
        (_, ColumnType::Boolean) => (column.name, Storage::Small),
        (_, ColumnType::Date) => (column.name, Storage::Day(DayPart::Whole)),
        (_, ColumnType::Timestamp) => (column.name, Storage::Instant),
        (_, ColumnType::Text) => match column.domain {
            Some(Domain::Words(words)) => (column.name, Storage::Word(words)),
            _ => (column.name, Storage::Text),
        },
        (_, ColumnType::Integer) => match column.domain {
            Some(Domain::Range(..)) => (column.name, Storage::Small),
            _ => (column.name, Storage::Count),
        },
    }
}

/// How the slots of partners' tables lie in files.
const fn slot_storage(ty: ColumnType) -> Storage {
    match ty {
        ColumnType::Integer => Storage::Whole,
        ColumnType::Float => Storage::Float,
        ColumnType::Date => Storage::Day(DayPart::Whole),
        ColumnType::Text | ColumnType::Id | ColumnType::Boolean | ColumnType::Timestamp => Storage::Text,
    }
}

/// The schema of a table's files. The first column is the owner, by which every file is sorted.
pub(crate) fn schema(table: TableName) -> SchemaRef {
    // All tables of a folder have the same.
    static ALL: LazyLock<Vec<(&str, SchemaRef)>> =
        LazyLock::new(|| TableName::PRIVATE.iter().copied().chain([TableName::Partner(PartnerTableId(0))]).map(|table| (table.folder(), build(table))).collect());
    ALL.iter().find(|(folder, _)| *folder == table.folder()).map_or_else(|| build(table), |(_, schema)| Arc::clone(schema))
}

fn build(name: TableName) -> SchemaRef {
    let mut fields = vec![Field::new("subject_id", DataType::UInt32, false)];
    for column in Table::of(name).columns.iter().filter(|c| c.name != "subject_id") {
        let (stored, storage) = stored(column);
        if stored == column.name {
            fields.push(Field::new(stored, storage.arrow(), column.nullable && storage != Storage::Text));
        }
    }
    if name == TableName::Activity {
        // Never reachable by a partner: the source, the platform's key and the content.
        fields.push(Field::new("source", DataType::UInt32, false));
        fields.push(Field::new("native_key", DataType::Utf8, false));
        fields.push(Field::new("text", DataType::Utf8, true));
        // Which columns were derived from the text: a set of bits, see `lake::features`.
        fields.push(Field::new("derived", DataType::UInt8, false));
    }
    if let TableName::Partner(_) = name {
        // Its place in the partner's file: the order of a person's rows.
        fields.push(Field::new(PLACE, DataType::UInt32, false));
    }
    if name == TableName::ActivityTag {
        fields.push(Field::new("derived", DataType::Boolean, false));
    }
    if matches!(name, TableName::Activity | TableName::ActivityTag) {
        // The id under which the row arrived, when that was merged into its owner's: empty for nearly
        // everybody, and what a split goes by.
        fields.push(Field::new(ARRIVED_AS, DataType::UInt32, true));
    }
    Arc::new(Schema::new(fields))
}

/// A dictionary of texts.
pub(crate) fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

impl Storage {
    fn arrow(self) -> DataType {
        match self {
            Self::Id => DataType::FixedSizeBinary(ACTIVITY_ID_BYTES),
            Self::Account => DataType::UInt64,
            Self::Word(_) | Self::Small => DataType::UInt8,
            Self::Text => dictionary(),
            Self::Count => DataType::UInt32,
            Self::Float => DataType::Float64,
            Self::Day(_) => DataType::Date32,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Whole => DataType::Int64,
            Self::Truth => DataType::Boolean,
        }
    }
}
