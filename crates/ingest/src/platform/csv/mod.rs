//! CSV files, with a mapping from their columns to ours.
//!
//! The mapping is a small TOML file, `NAME.mapping.toml` beside `NAME.csv` or named with `--mapping`:
//!
//! ```toml
//! schema = 1
//! table = "activity"          # or "subject"
//! platform = "csv"            # whose accounts these are
//! delimiter = ","             # optional
//!
//! [columns]                   # our column = theirs
//! account = "user"
//! native_key = "id"
//! kind = { column = "type", values = { toot = "post" } }   # their words to ours
//! at = { column = "created", format = "unix_seconds" }     # rfc3339, unix_seconds, unix_millis or %Y-%m-%d…
//! tags = { column = "tags", separator = " " }
//! visibility = { constant = "public" }
//! ```
//!
//! A file of acts maps `account`, `native_key` and `kind` at least; further `at`, `text`, `language`,
//! `word_count`, `media`, `visibility`, `link_domain`, `container`, `creator` (the platform's id
//! of the account that the act was about; kept as a number under a key of the deployment), `likes_received`,
//! `replies_received`, `shares_received`, `tags`, `deleted`. A file of people maps `account`; further
//! `handle`, `country`, `region`, `age_band` or `birth_date`, `language`, `joined`, `followers`,
//! `interests`. An empty cell is nothing known; a row that does not fit is rejected with its line.

pub(crate) mod mapping;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ::csv::ReaderBuilder;
use domain::port::Progress;
use domain::record::SourceInfo;

use crate::normalize::Rejects;
use crate::source::{Options, Sink};
use crate::{IngestError, limits};
use mapping::{MappedTable, Mapping};
use rows::Rows;

/// Rows in one batch.
const BATCH: usize = 16 * 1024;

/// The mapping that lies beside a CSV file.
pub(crate) fn sibling_mapping(path: &Path) -> PathBuf {
    path.with_extension("mapping.toml")
}

/// Reads one CSV file; tells whether it was read to its end.
pub(crate) fn read(path: &Path, mut source: SourceInfo, options: &Options, progress: &dyn Progress, sink: &mut Sink<'_>) -> Result<ControlFlow<()>, IngestError> {
    let mapping_path = options.mapping.clone().unwrap_or_else(|| sibling_mapping(path));
    let mapping = Mapping::read(&mapping_path)?;
    source.platform = mapping.platform;
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let bytes = file.metadata().map_err(IngestError::unreadable(path))?.len();
    let mut csv = ReaderBuilder::new().delimiter(mapping.delimiter).flexible(true).from_reader(file);
    let headers = csv.byte_headers().map_err(|e| IngestError::malformed(path, e))?.clone();
    let headers: Vec<String> = headers.iter().map(|h| String::from_utf8_lossy(h).trim().trim_start_matches('\u{feff}').to_owned()).collect();
    let columns = mapping.bind(&mapping_path, &headers)?;
    let mut rows = Rows::new(&mapping, columns, options);
    let mut rejects = Rejects::default();
    let file_name = path.display().to_string();
    // Rows cannot be counted before they are read; bytes can.
    progress.begin(&file_name, "bytes", Some(bytes));
    let mut done = 0;
    let mut record = ::csv::ByteRecord::new();
    loop {
        match csv.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            // Only the file system can stop a flexible reader of bytes.
            Err(e) => return Err(IngestError::malformed(path, e)),
        }
        let line = record.position().map_or(0, ::csv::Position::line);
        progress.advance(csv.position().byte().saturating_sub(done));
        done = csv.position().byte();
        let outcome = check(&record, headers.len()).and_then(|cells| match mapping.table {
            MappedTable::Activity => rows.activity(&cells),
            MappedTable::Subject => rows.subject(&cells),
        });
        if let Err(reason) = outcome {
            let text = record.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(",");
            rejects.push(&file_name, format!("line {line}"), reason, &text);
        }
        if rows.len() >= BATCH
            && let ControlFlow::Break(()) = sink(rows.take(source.clone(), std::mem::take(&mut rejects)))
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    progress.finish();
    Ok(sink(rows.take(source, rejects)))
}

/// The cells of a row that has the right shape.
fn check(record: &::csv::ByteRecord, width: usize) -> Result<Vec<&str>, String> {
    if record.len() != width {
        return Err(format!("{} fields where the header has {width}", record.len()));
    }
    record
        .iter()
        .map(|cell| {
            if cell.len() > limits::TEXT_BYTES * 16 {
                return Err("a field is longer than 1 MiB".to_owned());
            }
            std::str::from_utf8(cell).map_err(|_| "a field is not UTF-8".to_owned())
        })
        .collect()
}
