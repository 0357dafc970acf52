//! A partner's own rows about people: what the partner declares of them, and how they lie in files.
//!
//! A table is uploaded whole, matched to people by their hashed addresses, and belongs to those people from
//! then on: a row goes with its person, and counts only where the person agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex, PoisonError};

use chrono::NaiveDate;
use dp::Granularity;
use serde::{Deserialize, Serialize};

use crate::catalog::{Calendar, Column, ColumnName, ColumnType, SumContract, Table, TableName, column, days, id};
use crate::question::Value;
use crate::{PartnerIdentifier, Refusal, RefusalCode, SubjectId};

/// The number of a partner's table; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartnerTableId(pub u32);

impl fmt::Display for PartnerTableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PartnerTableId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A column that a partner declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerColumn {
    /// Its name in SQL and in the file.
    pub name: PartnerIdentifier,
    /// Text, integer, float or date.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// Between which numbers a value counts: what can be summed and averaged without saying more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
}

/// What is expected of a declared column.
const FORM: &str = "write NAME:text, NAME:integer, NAME:float or NAME:date; numbers may have a range, for example spend:float:0..500";

/// The largest number of a range.
const LARGEST: f64 = 1e9;

impl PartnerColumn {
    fn check(&self) -> Result<(), Refusal> {
        let refuse = |why: &str| Err(Refusal::new(RefusalCode::PartnerTable, format!("the column `{}` {why}", self.name)).hint(FORM));
        if matches!(self.name.as_str(), "subject_id" | "activity_id") {
            return refuse("cannot have this name: it is one of ours");
        }
        if !matches!(self.ty, ColumnType::Text | ColumnType::Integer | ColumnType::Float | ColumnType::Date) {
            return refuse("has a type that partners' tables do not have");
        }
        match self.range {
            None => Ok(()),
            Some(_) if !matches!(self.ty, ColumnType::Integer | ColumnType::Float) => refuse("is no number and has no range"),
            Some((low, high)) if low.is_finite() && high.is_finite() && low < high && low >= -LARGEST && high <= LARGEST => Ok(()),
            Some(_) => refuse("has a range that does not go from a lower to a higher number within ±1e9"),
        }
    }
}

impl FromStr for PartnerColumn {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(RefusalCode::PartnerTable, format!("`{text}` declares no column")).hint(FORM);
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default().parse().map_err(|_| wrong())?;
        let ty = parts.next().and_then(|ty| ty.parse().ok()).ok_or_else(wrong)?;
        let range = parts.next().map(|range| range.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?))).ok_or_else(wrong)).transpose()?;
        let column = Self { name, ty, range };
        column.check()?;
        Ok(column)
    }
}

impl fmt::Display for PartnerColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.ty)?;
        self.range.map_or(Ok(()), |(low, high)| write!(f, ":{low}..{high}"))
    }
}

/// Rows of one person in a partner's table, at most.
pub const ROWS_MAX: u32 = 64;

/// What a partner declares of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct PartnerTable {
    id: PartnerTableId,
    name: PartnerIdentifier,
    columns: Vec<PartnerColumn>,
    rows_per_person: u32,
    catalog: &'static Table,
}

impl PartnerTable {
    /// A table of these columns, in which a person has so many rows at most.
    ///
    /// # Errors
    /// A refusal when the declaration makes no sense, or there is no room for so many columns.
    pub fn new(id: PartnerTableId, name: PartnerIdentifier, columns: Vec<PartnerColumn>, rows_per_person: u32) -> Result<Self, Refusal> {
        let refuse = |why: String, hint: &str| Err(Refusal::new(RefusalCode::PartnerTable, why).hint(hint));
        if columns.is_empty() {
            return refuse("a table has at least one column".to_owned(), FORM);
        }
        if !(1..=ROWS_MAX).contains(&rows_per_person) {
            return refuse(format!("a person has 1 to {ROWS_MAX} rows in a partner's table"), "the first ones of a person are kept; add rows up before you upload them");
        }
        let mut names = BTreeSet::new();
        for column in &columns {
            column.check()?;
            if !names.insert(&column.name) {
                return refuse(format!("two columns are called `{}`", column.name), "declare each column once");
            }
        }
        for ty in [ColumnType::Text, ColumnType::Integer, ColumnType::Float, ColumnType::Date] {
            let (many, room) = (columns.iter().filter(|column| column.ty == ty).count(), slots(ty).count());
            if many > room {
                return refuse(format!("{many} columns of type {ty} are too many"), &format!("a table has up to {room} of them: upload what you will ask about"));
            }
        }
        let catalog = catalog(&columns, rows_per_person);
        Ok(Self { id, name, columns, rows_per_person, catalog })
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> PartnerTableId {
        self.id
    }

    /// What the partner calls it: `partner.<name>` in SQL.
    #[must_use]
    pub const fn name(&self) -> &PartnerIdentifier {
        &self.name
    }

    /// Its columns, as declared.
    #[must_use]
    pub fn columns(&self) -> &[PartnerColumn] {
        &self.columns
    }

    /// Rows of one person, at most.
    #[must_use]
    pub const fn rows_per_person(&self) -> u32 {
        self.rows_per_person
    }

    /// What questions know of it: its columns and the contract that follows from its declaration.
    #[must_use]
    pub const fn catalog(&self) -> &'static Table {
        self.catalog
    }

    /// The column of that name, as plans name it.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<ColumnName> {
        self.catalog.named(TableName::Partner(self.id), name)
    }
}

/// What the files of partners' tables hold, whatever is declared: a declared column takes the next slot of its
/// type.
pub(crate) const FILES: Table = Table { row_per: "person that a partner knows too", groups: 1, rows_per_group: 1, columns: &SLOTS };

#[rustfmt::skip]
const SLOTS: [Column; 37] = [
    id("subject_id", "the person"),
    text("text_1"), text("text_2"), text("text_3"), text("text_4"), text("text_5"), text("text_6"), text("text_7"), text("text_8"),
    text("text_9"), text("text_10"), text("text_11"), text("text_12"), text("text_13"), text("text_14"), text("text_15"), text("text_16"),
    integer("integer_1"), integer("integer_2"), integer("integer_3"), integer("integer_4"),
    integer("integer_5"), integer("integer_6"), integer("integer_7"), integer("integer_8"),
    float("float_1"), float("float_2"), float("float_3"), float("float_4"), float("float_5"), float("float_6"), float("float_7"), float("float_8"),
    date("date_1"), date("date_2"), date("date_3"), date("date_4"),
];

/// What the dictionary says of every declared column.
const DOC: &str = "as the partner declares it";

const fn text(slot: &'static str) -> Column {
    Column { slot: Some(slot), ..column(slot, ColumnType::Text, DOC) }
}

const fn integer(slot: &'static str) -> Column {
    Column { slot: Some(slot), ..column(slot, ColumnType::Integer, DOC) }
}

const fn float(slot: &'static str) -> Column {
    Column { slot: Some(slot), ..column(slot, ColumnType::Float, DOC) }
}

const fn date(slot: &'static str) -> Column {
    Column { slot: Some(slot), ..days(slot, Calendar::Days, DOC) }
}

fn slots(ty: ColumnType) -> impl Iterator<Item = &'static Column> {
    SLOTS.iter().filter(move |slot| slot.ty == ty)
}

/// The catalogue's table of a declaration.
///
/// Plans name columns by reference, and those of the other tables are constants: each different declaration
/// is made into one once, which stays for the life of the process (some kilobytes at most).
fn catalog(columns: &[PartnerColumn], rows_per_person: u32) -> &'static Table {
    static KNOWN: LazyLock<Mutex<BTreeMap<String, &'static Table>>> = LazyLock::new(Mutex::default);
    let declared: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(format!("{rows_per_person} {}", declared.join(" "))).or_insert_with(|| {
        let before = |place: usize, ty: ColumnType| columns.iter().take(place).filter(|column| column.ty == ty).count();
        let own = columns.iter().enumerate().filter_map(|(place, column)| {
            let slot = slots(column.ty).nth(before(place, column.ty))?;
            let name = Box::leak(column.name.as_str().to_owned().into_boxed_str());
            Some(Column { name, sum: column.range.map(|range| sums(column.ty, range, rows_per_person)), of_person: rows_per_person == 1, ..*slot })
        });
        let columns: Vec<Column> = SLOTS.iter().take(1).copied().chain(own).collect();
        let (groups, rows_per_group) = (rows_per_person, rows_per_person);
        Box::leak(Box::new(Table { groups, rows_per_group, columns: Box::leak(columns.into_boxed_slice()), ..FILES }))
    })
}

/// How a declared range bounds the sum of a person's rows.
fn sums(ty: ColumnType, (low, high): (f64, f64), rows: u32) -> SumContract {
    let granularity = if ty == ColumnType::Integer { Granularity::ONE } else { Granularity::PER_1024 };
    let rows = f64::from(rows);
    SumContract { sums: (low.min(0.0) * rows, high.max(0.0) * rows), values: (low, high), granularity }
}

/// Rows of a partner's table, whose people are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartnerRows {
    /// Whose each row is.
    pub owners: Vec<SubjectId>,
    /// The values of each declared column, one for each row.
    pub columns: Vec<PartnerValues>,
}

/// The values of a declared column; nothing where none is known.
#[derive(Debug, Clone, PartialEq)]
pub enum PartnerValues {
    /// Of type text.
    Text(Vec<Option<String>>),
    /// Of type integer.
    Integer(Vec<Option<i64>>),
    /// Of type float.
    Float(Vec<Option<f64>>),
    /// Of type date.
    Date(Vec<Option<NaiveDate>>),
}

impl PartnerRows {
    /// No rows yet of these columns.
    #[must_use]
    pub fn of(columns: &[PartnerColumn]) -> Self {
        let values = |column: &PartnerColumn| match column.ty {
            ColumnType::Integer => PartnerValues::Integer(Vec::new()),
            ColumnType::Float => PartnerValues::Float(Vec::new()),
            ColumnType::Date => PartnerValues::Date(Vec::new()),
            ColumnType::Text | ColumnType::Id | ColumnType::Boolean | ColumnType::Timestamp => PartnerValues::Text(Vec::new()),
        };
        Self { owners: Vec::new(), columns: columns.iter().map(values).collect() }
    }

    /// Adds a row of `owner` with a value for each column; one of another type is not known.
    pub fn push(&mut self, owner: SubjectId, values: &[Value]) {
        self.owners.push(owner);
        let values = values.iter().chain(std::iter::repeat(&Value::Null));
        for (column, value) in self.columns.iter_mut().zip(values) {
            match column {
                PartnerValues::Text(texts) => texts.push(if let Value::Text(text) = value { Some(text.clone()) } else { None }),
                PartnerValues::Integer(numbers) => numbers.push(if let Value::Integer(number) = value { Some(*number) } else { None }),
                PartnerValues::Float(numbers) => numbers.push(if let Value::Float(number) = value { Some(*number) } else { None }),
                PartnerValues::Date(days) => days.push(if let Value::Date(day) = value { Some(*day) } else { None }),
            }
        }
    }
}

/// A person's address as partners know it: SHA-256 of the address in lower case without blanks around it, as
/// advertising platforms ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedAddress(pub [u8; 32]);

// Whose address it is can be found by trying: it is as personal as the address.
impl fmt::Debug for HashedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedAddress(…)")
    }
}

impl FromStr for HashedAddress {
    type Err = NoHashedAddress;
    fn from_str(text: &str) -> Result<Self, NoHashedAddress> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text.trim().to_ascii_lowercase(), &mut hash).map_err(|_| NoHashedAddress)?;
        Ok(Self(hash))
    }
}

/// A text that is no hashed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no SHA-256 of an e-mail address: 64 hexadecimal digits")]
pub struct NoHashedAddress;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: u32) -> Result<PartnerTable, Refusal> {
        let columns = columns.iter().map(|column| column.parse()).collect::<Result<_, _>>()?;
        PartnerTable::new(PartnerTableId(1), "crm".parse().unwrap(), columns, rows)
    }

    #[test]
    fn a_declaration_has_slots_and_a_contract() {
        let table = table(&["tier:text", "spend:float:0..500", "visits:integer:-2..10", "city:text"], 2).unwrap();
        let column = |name: &str| *table.column(name).unwrap().column();
        assert_eq!(["tier", "spend", "visits", "city"].map(|name| column(name).slot), [Some("text_1"), Some("float_1"), Some("integer_1"), Some("text_2")]);
        assert_eq!((column("spend").sum.unwrap().sums, column("visits").sum.unwrap().sums), ((0.0, 1_000.0), (-4.0, 20.0)));
        assert_eq!((table.catalog().groups, table.catalog().rows_per_group, column("tier").of_person), (2, 2, false));
        assert!(table.column("text_1").is_none(), "slots have no names in SQL");
        assert_eq!(table.column("spend").unwrap().to_string(), "partner.1.spend");
    }

    #[test]
    fn equal_declarations_are_one() {
        let (one, two) = (table(&["tier:text"], 1).unwrap(), table(&["tier:text"], 1).unwrap());
        assert!(std::ptr::eq(one.catalog(), two.catalog()));
        assert!(one.column("tier").unwrap().column().of_person);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for columns in [
            &["tier"] as &[&str],
            &["tier:word"],
            &["Tier:text"],
            &["a:text", "a:date"],
            &["subject_id:text"],
            &["a:text:0..1"],
            &["a:float:2..1"],
            &["a:float:0..1e12"],
            &["a:boolean"],
            &[],
        ] {
            assert_eq!(table(columns, 1).unwrap_err().code, RefusalCode::PartnerTable, "{columns:?}");
        }
        let many: Vec<String> = (0..5).map(|n| format!("d{n}:date")).collect();
        assert!(table(&many.iter().map(String::as_str).collect::<Vec<_>>(), 1).unwrap_err().message.contains("too many"));
        table(&["a:text"], 0).unwrap_err();
        table(&["a:text"], ROWS_MAX + 1).unwrap_err();
    }

    #[test]
    fn declarations_are_read_as_they_are_written() {
        for text in ["tier:text", "spend:float:0..500", "visits:integer:-2..10.5", "since:date"] {
            assert_eq!(text.parse::<PartnerColumn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn addresses_are_64_digits() {
        let text = "AB".repeat(32);
        assert_eq!(format!(" {text}\n").parse(), Ok(HashedAddress([0xab; 32])));
        for wrong in ["", "anna@town.example", &text.replacen("AB", "A", 1), &format!("{text}0")] {
            wrong.parse::<HashedAddress>().unwrap_err();
        }
    }
}
