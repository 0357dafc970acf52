//! How people are reached: CSV, one person a row.
//!
//! ```text
//! subject,email,language
//! mastodon:https://town.example/users/ada,ada@town.example,de
//! ```
//!
//! `subject` (an id, an account or a name) and `email` must be there; `language` may be.

use std::fs::File;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use domain::mail::Contact;

use crate::IngestError;

/// A row of such a file. An address is not for logs.
pub struct ContactRow {
    /// The line, from 1.
    pub line: u64,
    /// The person: an id, an account or a name.
    pub subject: String,
    /// How they are reached.
    pub contact: Contact,
}

/// A row that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadContact {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Opens a file of contacts.
///
/// # Errors
/// When it cannot be read, or has no such columns.
pub fn contacts(path: &Path) -> Result<impl Iterator<Item = Result<ContactRow, BadContact>> + use<>, IngestError> {
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let mut csv = ReaderBuilder::new().flexible(true).from_reader(file);
    let headers = csv.headers().map_err(|e| IngestError::malformed(path, e))?.clone();
    let place = |name: &str| headers.iter().position(|header| header.trim().trim_start_matches('\u{feff}') == name);
    let missing = |name: &str| IngestError::malformed(path, std::io::Error::other(format!("there is no column `{name}`; write subject,email,language")));
    let (subject, email) = (place("subject").ok_or_else(|| missing("subject"))?, place("email").ok_or_else(|| missing("email"))?);
    let language = place("language");
    Ok(csv.into_records().zip(2_u64..).map(move |(record, row)| {
        // What cannot be read has no place of its own: rows are counted.
        let record: StringRecord = record.map_err(|_| BadContact { line: row, why: "it is no text" })?;
        let line = record.position().map_or(row, csv::Position::line);
        let cell = |place: usize| record.get(place).map(str::trim).filter(|cell| !cell.is_empty());
        let subject = cell(subject).ok_or(BadContact { line, why: "it names nobody" })?.to_owned();
        let email = cell(email).ok_or(BadContact { line, why: "it has no address" })?.to_owned();
        Ok(ContactRow { line, subject, contact: Contact { email, language: language.and_then(cell).map(str::to_owned) } })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_bad_ones_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contacts.csv");
        std::fs::write(&path, "email,subject,language\nada@town.example,ada,de\n,bo,\ncy@town.example,cy\n").unwrap();
        let rows: Vec<_> = contacts(&path).unwrap().collect();
        let first = rows[0].as_ref().unwrap();
        assert_eq!((first.line, first.subject.as_str(), first.contact.email.as_str(), first.contact.language.as_deref()), (2, "ada", "ada@town.example", Some("de")));
        assert_eq!(rows[1].as_ref().err().unwrap().to_string(), "line 3: it has no address");
        assert_eq!(rows[2].as_ref().unwrap().contact.language, None);
        std::fs::write(&path, "subject,mail\n").unwrap();
        assert!(contacts(&path).err().unwrap().to_string().contains("no column `email`"));
    }
}
