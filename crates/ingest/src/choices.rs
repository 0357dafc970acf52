//! Choices that people made elsewhere: CSV or NDJSON, one choice a row.
//!
//! ```text
//! subject,recipient,purpose,action,notice,at,language,evidence
//! mastodon:https://town.example/users/ada,acme,aggregate_statistics,give,acme@1,2025-03-01T10:00:00Z,de,form 17
//! ```
//!
//! `subject`, `recipient` (or `partner`), `purpose`, `action` and `notice` must be there. `at`, `sequence`,
//! `scope`, `actor`, `explicit`, `two_step`, `language` and `evidence` may be; what a record of consent should have
//! and a row does not is told (GDPR Art. 7(1); ISO/IEC TS 27560).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use domain::consent::{Actor, ConsentAction, DataScope, Recipient, Strength};
use domain::{NoticeName, Purpose, Timestamp};
use sha2::{Digest, Sha256};

use crate::IngestError;
use crate::limits::LINE_BYTES;

/// Columns that a row must have.
const REQUIRED: [&str; 5] = ["subject", "recipient", "purpose", "action", "notice"];

/// Columns that it may have.
const OPTIONAL: [&str; 8] = ["at", "sequence", "scope", "actor", "explicit", "two_step", "language", "evidence"];

/// What a record of a yes should have, and can be without.
const SHOULD: [&str; 5] = ["at", "actor", "explicit", "language", "evidence"];

/// One choice as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceRow {
    /// The line, from 1.
    pub line: u64,
    /// The person: an id, an account or a name.
    pub subject: String,
    /// To whom the choice spoke.
    pub recipient: Recipient,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub scope: DataScope,
    /// What happened.
    pub action: ConsentAction,
    /// Who acted, if the file says so.
    pub actor: Option<Actor>,
    /// How firmly.
    pub strength: Strength,
    /// The text that was shown, and its version; the newest when not named.
    pub notice: (NoticeName, Option<u32>),
    /// In which language.
    pub language: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// The source's own number among choices of one instant.
    pub sequence: u32,
    /// SHA-256 of what proves it, in hexadecimal.
    pub evidence: Option<String>,
    /// What a record of consent should have and this one does not.
    pub missing: Vec<&'static str>,
}

/// A row that is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadChoice {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Opens a file of choices: NDJSON when its name ends so or its first character is a brace, else CSV.
///
/// # Errors
/// When it cannot be read, or a CSV has no header or an unknown column.
pub fn choices(path: &Path) -> Result<Box<dyn Iterator<Item = Result<ChoiceRow, BadChoice>>>, IngestError> {
    let mut file = BufReader::new(File::open(path).map_err(IngestError::unreadable(path))?);
    let first = file.fill_buf().map_err(IngestError::unreadable(path))?;
    let is_json = first.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json { Ok(Box::new(json_rows(file))) } else { csv_rows(path.to_owned(), file) }
}

type Cells = BTreeMap<String, String>;

fn csv_rows(path: PathBuf, file: BufReader<File>) -> Result<Box<dyn Iterator<Item = Result<ChoiceRow, BadChoice>>>, IngestError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(file);
    let header = reader.headers().map_err(|e| IngestError::malformed(&path, e))?.clone();
    let names: Vec<String> = header.iter().map(column).collect();
    let known = |name: &&String| REQUIRED.contains(&name.as_str()) || OPTIONAL.contains(&name.as_str());
    let wrong = |why: String| IngestError::malformed(&path, format!("{why}; the columns are: {}, and if you have them {}", REQUIRED.join(", "), OPTIONAL.join(", ")));
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(wrong(format!("the column `{unknown}` is not known")));
    }
    if let Some(missing) = REQUIRED.iter().find(|name| !names.iter().any(|n| n == *name)) {
        return Err(wrong(format!("the column `{missing}` is missing")));
    }
    Ok(Box::new(reader.into_records().map(move |record| {
        let bad = |line: u64, why: String| BadChoice { line, why };
        let record = record.map_err(|e| bad(e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != names.len() {
            return Err(bad(line, format!("{} fields where the header has {}", record.len(), names.len())));
        }
        let cells = names.iter().cloned().zip(record.iter().map(str::to_owned)).filter(|(_, cell)| !cell.is_empty()).collect();
        row(line, cells).map_err(|why| bad(line, why))
    })))
}

fn json_rows(file: BufReader<File>) -> impl Iterator<Item = Result<ChoiceRow, BadChoice>> {
    let lines = (1..).zip(file.lines()).filter(|(_, line)| !line.as_ref().is_ok_and(|text| text.trim().is_empty()));
    lines.map(|(number, text)| {
        let bad = |why: String| BadChoice { line: number, why };
        let text = text.map_err(|e| bad(e.to_string()))?;
        if text.len() > LINE_BYTES {
            return Err(bad(format!("longer than {LINE_BYTES} bytes")));
        }
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).map_err(|e| bad(format!("not an object of JSON: {e}")))?;
        let mut cells = Cells::new();
        for (name, value) in fields {
            let name = column(&name);
            if !REQUIRED.contains(&name.as_str()) && !OPTIONAL.contains(&name.as_str()) {
                return Err(bad(format!("the field `{name}` is not known")));
            }
            let cell = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text,
                other @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => other.to_string(),
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => return Err(bad(format!("the field `{name}` is no single value"))),
            };
            cells.insert(name, cell);
        }
        row(number, cells).map_err(bad)
    })
}

fn column(name: &str) -> String {
    if name == "partner" { "recipient".to_owned() } else { name.to_owned() }
}

fn row(line: u64, mut cells: Cells) -> Result<ChoiceRow, String> {
    let action = word(&mut cells, "action")?;
    let is_yes = matches!(action, ConsentAction::Give | ConsentAction::Renew);
    let missing = SHOULD.into_iter().filter(|name| is_yes && !cells.contains_key(*name)).collect();
    let notice = required(&mut cells, "notice")?;
    let (name, version) = match notice.split_once('@') {
        Some((name, version)) => (name, Some(version.parse().map_err(|_| format!("`{version}` is not the version of a notice"))?)),
        None => (notice.as_str(), None),
    };
    Ok(ChoiceRow {
        line,
        subject: required(&mut cells, "subject")?,
        recipient: word(&mut cells, "recipient")?,
        purpose: word(&mut cells, "purpose")?,
        scope: maybe(&mut cells, "scope")?.unwrap_or(DataScope::Everything),
        action,
        actor: maybe(&mut cells, "actor")?,
        strength: Strength { explicit: yes_or_no(&mut cells, "explicit")?, parental: false, two_step: yes_or_no(&mut cells, "two_step")? },
        notice: (name.parse().map_err(|e: domain::id::NameError| e.to_string())?, version),
        language: cells.remove("language"),
        at: cells.remove("at").map(|text| time(&text)).transpose()?,
        sequence: maybe(&mut cells, "sequence")?.unwrap_or(0),
        evidence: cells.remove("evidence").map(|text| digest(&text)),
        missing,
    })
}

fn required(cells: &mut Cells, name: &str) -> Result<String, String> {
    cells.remove(name).filter(|text| !text.is_empty()).ok_or_else(|| format!("`{name}` is missing"))
}

fn word<T: FromStr<Err: std::fmt::Display>>(cells: &mut Cells, name: &str) -> Result<T, String> {
    required(cells, name)?.parse().map_err(|e: T::Err| e.to_string())
}

fn maybe<T: FromStr<Err: std::fmt::Display>>(cells: &mut Cells, name: &str) -> Result<Option<T>, String> {
    cells.remove(name).map(|text| text.parse().map_err(|e: T::Err| format!("`{name}`: {e}"))).transpose()
}

fn yes_or_no(cells: &mut Cells, name: &str) -> Result<bool, String> {
    match cells.remove(name).as_deref() {
        None | Some("false" | "no" | "0") => Ok(false),
        Some("true" | "yes" | "1") => Ok(true),
        Some(other) => Err(format!("`{name}` is yes or no, not `{other}`")),
    }
}

/// An instant with its zone: one without says nothing certain about a choice.
fn time(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text).map(|t| t.to_utc()).map_err(|_| format!("`{text}` is not a time with its zone, as 2025-03-01T10:00:00Z"))
}

/// A digest stays as it is; of everything else the digest is kept.
fn digest(text: &str) -> String {
    let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest { text.to_ascii_lowercase() } else { hex::encode(Sha256::digest(text)) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(text: &str) -> Vec<Result<ChoiceRow, BadChoice>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        choices(file.path()).unwrap().collect()
    }

    fn refused(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        choices(file.path()).err().unwrap().to_string()
    }

    #[test]
    fn both_forms_say_the_same() {
        let csv = "subject,partner,purpose,action,notice,at,explicit,language,evidence,actor,scope,sequence\n\
                   17,acme,aggregate_statistics,give,acme@2,2025-03-01T10:00:00+01:00,yes,de,form 17,parent,topics,3\n";
        let json = "\n{\"subject\":\"17\",\"recipient\":\"acme\",\"purpose\":\"aggregate_statistics\",\"action\":\"give\",\"notice\":\"acme@2\",\
                    \"at\":\"2025-03-01T09:00:00Z\",\"explicit\":true,\"language\":\"de\",\"evidence\":\"form 17\",\"actor\":\"parent\",\"scope\":\"topics\",\"sequence\":3}\n";
        let [csv, json] = [csv, json].map(|text| read(text).pop().unwrap().unwrap());
        assert_eq!(csv, json);
        assert_eq!((csv.line, csv.notice.1, csv.actor, csv.scope), (2, Some(2), Some(Actor::Parent), DataScope::Topics));
        assert_eq!(csv.evidence.unwrap(), hex::encode(Sha256::digest("form 17")));
        assert!(csv.missing.is_empty());
    }

    #[test]
    fn what_a_record_should_have_is_told() {
        let rows = read("subject,recipient,purpose,action,notice\n1,acme,ai_training,give,acme\n1,class:university,ai_training,withdraw,acme\n");
        assert_eq!(rows[0].as_ref().unwrap().missing, SHOULD);
        assert!(rows[1].as_ref().unwrap().missing.is_empty(), "a no needs no proof");
    }

    #[test]
    fn bad_rows_are_named_and_the_others_read() {
        let rows = read(
            "subject,recipient,purpose,action,notice,at,explicit\n\
             1,acme,ai_training,give,acme,yesterday,\n\
             1,acme,world_domination,give,acme,,\n\
             1,acme,ai_training,agree,acme,,\n\
             ,acme,ai_training,give,acme,,\n\
             1,acme,ai_training,give\n\
             1,ACME,ai_training,give,acme,,\n\
             1,acme,ai_training,give,acme@x,,\n\
             1,acme,ai_training,give,acme,,perhaps\n\
             1,acme,ai_training,give,acme,2025-03-01T10:00:00Z,\n",
        );
        let bad: Vec<String> = rows.iter().filter_map(|r| r.as_ref().err()).map(ToString::to_string).collect();
        let expected = [
            "is not a time",
            "is not a purpose",
            "is not a consent action",
            "`subject` is missing",
            "4 fields where",
            "cannot be a partner name",
            "version of a notice",
            "yes or no",
        ];
        assert_eq!(bad.len(), expected.len(), "{bad:?}");
        for ((line, bad), part) in (2..).zip(&bad).zip(expected) {
            assert!(bad.starts_with(&format!("line {line}: ")) && bad.contains(part), "{bad}");
        }
        assert_eq!(rows.last().unwrap().as_ref().unwrap().line, 10);
    }

    #[test]
    fn files_that_are_no_choices_are_refused_whole() {
        assert!(refused("a,b\n1,2\n").contains("`a` is not known"));
        assert!(refused("subject,recipient,purpose,action\n").contains("`notice` is missing"));
        let rows = read("{\"subject\":1}\n{\"subject\":[1]}\n{\"who\":1}\n{\n");
        assert!(rows.iter().all(Result::is_err) && rows.len() == 4, "{rows:?}");
    }
}
