//! Mapping files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use domain::{Platform, Timestamp};
use serde::Deserialize;

use crate::{IngestError, normalize};

domain::words! {
    /// What a row of the file is.
    pub(crate) enum MappedTable("table") {
        /// An act.
        Activity = "activity",
        /// A person.
        Subject = "subject",
    }
}

/// Columns that a file of acts, or of people, can map; the first ones it must.
const ACTIVITY: (&[&str], &[&str]) = (
    &["account", "native_key", "kind"],
    &[
        "at",
        "text",
        "language",
        "word_count",
        "media",
        "visibility",
        "link_domain",
        "container",
        "creator",
        "likes_received",
        "replies_received",
        "shares_received",
        "tags",
        "deleted",
    ],
);
const SUBJECT: (&[&str], &[&str]) = (&["account"], &["handle", "country", "region", "age_band", "birth_date", "language", "joined", "followers", "interests"]);

/// A mapping as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schema: u32,
    table: MappedTable,
    platform: Platform,
    #[serde(default)]
    delimiter: Option<char>,
    columns: BTreeMap<String, WrittenColumn>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenColumn {
    Name(String),
    Constant(Constant),
    Column(Box<Column>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constant {
    constant: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Column {
    column: String,
    #[serde(default)]
    values: BTreeMap<String, String>,
    format: Option<String>,
    separator: Option<String>,
}

/// A mapping that makes sense.
pub(crate) struct Mapping {
    pub(crate) table: MappedTable,
    pub(crate) platform: Platform,
    pub(super) delimiter: u8,
    columns: BTreeMap<String, WrittenColumn>,
}

/// A mapped column, bound to a place in the file.
pub(crate) struct Bound {
    from: From,
    values: BTreeMap<String, String>,
    format: Format,
    separator: String,
}

enum From {
    Place(usize),
    Constant(String),
}

enum Format {
    Rfc3339,
    UnixSeconds,
    UnixMillis,
    Pattern(String),
}

impl Mapping {
    pub(crate) fn read(path: &Path) -> Result<Self, IngestError> {
        let wrong = |why: String| IngestError::Mapping { path: path.to_owned(), why };
        let text = fs::read_to_string(path).map_err(|e| wrong(format!("it cannot be read: {e}; write NAME.mapping.toml beside NAME.csv or name it with --mapping")))?;
        let written: Written = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if written.schema != 1 {
            return Err(wrong(format!("schema {} is not known; write schema = 1", written.schema)));
        }
        let (needed, possible) = match written.table {
            MappedTable::Activity => ACTIVITY,
            MappedTable::Subject => SUBJECT,
        };
        if let Some(missing) = needed.iter().find(|c| !written.columns.contains_key(**c)) {
            return Err(wrong(format!("`{missing}` is not mapped; {} needs {}", written.table, needed.join(", "))));
        }
        if let Some(unknown) = written.columns.keys().find(|c| !needed.contains(&c.as_str()) && !possible.contains(&c.as_str())) {
            return Err(wrong(format!("`{unknown}` is no column of {}; it has {}, {}", written.table, needed.join(", "), possible.join(", "))));
        }
        let delimiter = u8::try_from(written.delimiter.unwrap_or(',')).map_err(|_| wrong("the delimiter must be one ASCII character".to_owned()))?;
        Ok(Self { table: written.table, platform: written.platform, delimiter, columns: written.columns })
    }

    /// Finds each mapped column in the file's header.
    pub(crate) fn bind(&self, path: &Path, headers: &[String]) -> Result<BTreeMap<&str, Bound>, IngestError> {
        let place = |name: &str| {
            headers
                .iter()
                .position(|h| h == name)
                .map(From::Place)
                .ok_or_else(|| IngestError::Mapping { path: path.to_owned(), why: format!("the file has no column `{name}`; it has: {}", headers.join(", ")) })
        };
        let bind = |written: &WrittenColumn| -> Result<Bound, IngestError> {
            let plain = |from| Bound { from, values: BTreeMap::new(), format: Format::Rfc3339, separator: " ".to_owned() };
            Ok(match written {
                WrittenColumn::Name(name) => plain(place(name)?),
                WrittenColumn::Constant(Constant { constant }) => plain(From::Constant(constant.clone())),
                WrittenColumn::Column(column) => Bound {
                    from: place(&column.column)?,
                    values: column.values.clone(),
                    format: match column.format.as_deref() {
                        None | Some("rfc3339") => Format::Rfc3339,
                        Some("unix_seconds") => Format::UnixSeconds,
                        Some("unix_millis") => Format::UnixMillis,
                        Some(pattern) => Format::Pattern(pattern.to_owned()),
                    },
                    separator: column.separator.clone().filter(|s| !s.is_empty()).unwrap_or_else(|| " ".to_owned()),
                },
            })
        };
        self.columns.iter().map(|(ours, theirs)| Ok((ours.as_str(), bind(theirs)?))).collect()
    }
}

impl Bound {
    /// Its place among the columns of the file, unless it is a constant.
    pub(crate) const fn place(&self) -> Option<usize> {
        match self.from {
            From::Place(place) => Some(place),
            From::Constant(_) => None,
        }
    }

    /// Whether its cells are taken as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.values.is_empty()
    }

    /// The cell, in our words; `None` when it is empty.
    pub(super) fn cell<'a>(&'a self, row: &'a impl Row) -> Option<&'a str> {
        let raw = match &self.from {
            From::Place(place) => row.text(*place),
            From::Constant(constant) => constant,
        };
        let raw = normalize::trimmed(raw);
        let ours = if self.values.is_empty() { raw } else { self.values.get(raw).map_or(raw, String::as_str) };
        (!ours.is_empty()).then_some(ours)
    }

    /// The cell as several.
    pub(super) fn list<'a>(&'a self, row: &'a impl Row) -> impl Iterator<Item = &'a str> {
        self.cell(row).into_iter().flat_map(|cell| cell.split(self.separator.as_str()))
    }

    /// The cell as an instant.
    pub(super) fn time(&self, row: &impl Row) -> Result<Option<Timestamp>, String> {
        if let Some(instant) = self.place().and_then(|place| row.instant(place)) {
            return Ok(Some(instant));
        }
        let Some(cell) = self.cell(row) else { return Ok(None) };
        let parsed = match &self.format {
            Format::Rfc3339 => normalize::rfc3339(cell),
            Format::UnixSeconds => cell.parse().ok().and_then(|s| DateTime::from_timestamp(s, 0)),
            Format::UnixMillis => cell.parse().ok().and_then(DateTime::from_timestamp_millis),
            Format::Pattern(pattern) => {
                let instant = NaiveDateTime::parse_from_str(cell, pattern).ok();
                instant.or_else(|| NaiveDate::parse_from_str(cell, pattern).ok()?.and_hms_opt(0, 0, 0)).map(|naive| naive.and_utc())
            }
        };
        parsed.and_then(normalize::plausible).map(Some).ok_or_else(|| format!("`{cell}` is not a time"))
    }
}

/// One row of a file, by places among its columns.
pub(crate) trait Row {
    /// The cell as text; empty when there is none, or when it is a number or an instant by itself.
    fn text(&self, place: usize) -> &str;

    /// The cell of a column of numbers.
    fn number(&self, _place: usize) -> Option<i64> {
        None
    }

    /// The cell of a column of instants.
    fn instant(&self, _place: usize) -> Option<Timestamp> {
        None
    }

    /// The owner, when that was looked up beforehand.
    fn owner(&self) -> Option<u32> {
        None
    }
}

impl Row for Vec<&str> {
    fn text(&self, place: usize) -> &str {
        self.get(place).copied().unwrap_or_default()
    }
}
