//! A partner's own rows: CSV or Parquet, one row about one person, who is named by their hashed address.
//!
//! ```text
//! email_sha256,tier,spend
//! 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08,gold,12.5
//! ```
//!
//! Only declared columns are read. A value that is not of its column's type is not known, and one beyond its
//! range counts as the end of it; a row without a hashed address is left out. All of this is told, and it
//! depends on the file alone.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use chrono::NaiveDate;
use csv::{ByteRecord, ReaderBuilder};
use domain::catalog::ColumnType;
use domain::partner_table::{HashedAddress, PartnerColumn};
use domain::port::Progress;
use domain::question::Value;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::IngestError;
use crate::source::sha256;

/// Rows that an upload can have: all of them may belong to people here, and are held until they are written.
const ROWS_MAX: u64 = 5_000_000;

/// Bytes of a text that are kept: as many as questions look at.
const TEXT_BYTES: usize = 1_024;

/// Rows of a Parquet file that are looked at together.
const BATCH: usize = 16 * 1024;

/// The first rows that were left out or cut are named.
const NAMED: usize = 5;

/// What was read of a partner's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartnerFile {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Rows with a hashed address.
    pub rows: u64,
    /// Rows that were left out: they have none.
    pub rejected: u64,
    /// The first of them, and why.
    pub reasons: Vec<String>,
    /// Values that are not of their column's type.
    pub unreadable: u64,
    /// Numbers beyond their column's range, and texts that were cut.
    pub beyond: u64,
    /// Columns of the file that were not declared, and not read.
    pub ignored: Vec<String>,
}

/// What is read.
#[derive(Debug, Clone, Copy)]
pub struct PartnerColumns<'a> {
    /// The column of hashed addresses.
    pub key: &'a str,
    /// The others, as declared.
    pub declared: &'a [PartnerColumn],
}

/// Reads a partner's file: Parquet when its first bytes say so, else CSV. `each` gets the address of a row and
/// a value for each declared column.
///
/// # Errors
/// When the file cannot be read, has no such columns, or too many rows.
pub fn partner_rows(path: &Path, columns: PartnerColumns<'_>, progress: &dyn Progress, each: &mut dyn FnMut(HashedAddress, &[Value])) -> Result<PartnerFile, IngestError> {
    let unreadable = IngestError::unreadable(path);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut magic = Vec::new();
    (&mut file).take(4).read_to_end(&mut magic).map_err(IngestError::unreadable(path))?;
    let mut rows = Rows { columns, read: PartnerFile { sha256: sha256(path)?, ..PartnerFile::default() }, each };
    if magic == b"PAR1" {
        parquet_rows(path, &mut rows, progress)?
    } else {
        csv_rows(path, &mut rows, progress)?
    }
    Ok(rows.read)
}

/// Rows on their way out.
struct Rows<'a> {
    columns: PartnerColumns<'a>,
    read: PartnerFile,
    each: &'a mut dyn FnMut(HashedAddress, &[Value]),
}

impl Rows<'_> {
    /// The places of the key and of the declared columns among those of the file.
    fn bind(&mut self, path: &Path, headers: &[String]) -> Result<(usize, Vec<usize>), IngestError> {
        let find = |name: &str| {
            let mut places = headers.iter().enumerate().filter(|(_, header)| *header == name).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(IngestError::malformed(path, io::Error::other(format!("two columns are called `{name}`")))),
                (None, _) => Err(IngestError::malformed(path, io::Error::other(format!("there is no column `{name}`; there are: {}", headers.join(", "))))),
            }
        };
        let key = find(self.columns.key)?;
        let declared = self.columns.declared.iter().map(|column| find(column.name.as_str())).collect::<Result<Vec<_>, _>>()?;
        self.read.ignored = headers.iter().enumerate().filter(|(place, _)| *place != key && !declared.contains(place)).map(|(_, header)| header.clone()).collect();
        Ok((key, declared))
    }

    /// Takes in one row; nothing stands for an empty cell.
    fn row<'c>(&mut self, path: &Path, key: &str, cells: impl Iterator<Item = &'c str>) -> Result<(), IngestError> {
        let number = self.read.rows + self.read.rejected + 1;
        if number > ROWS_MAX {
            return Err(IngestError::malformed(path, io::Error::other(format!("it has more than {ROWS_MAX} rows; upload those of people who may be here, or several tables"))));
        }
        let address = match key.parse::<HashedAddress>() {
            Ok(address) => address,
            Err(why) => {
                self.read.rejected += 1;
                if self.read.reasons.len() < NAMED {
                    let why = if key.contains('@') { "an address in clear: hash it, so that only people who are here are known".to_owned() } else { why.to_string() };
                    self.read.reasons.push(format!("row {number}: {why}"));
                }
                return Ok(());
            }
        };
        self.read.rows += 1;
        let values: Vec<Value> = self.columns.declared.iter().zip(cells).map(|(column, cell)| value(column, cell.trim(), &mut self.read)).collect();
        (self.each)(address, &values);
        Ok(())
    }
}

/// The value of a cell.
fn value(column: &PartnerColumn, cell: &str, read: &mut PartnerFile) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    let (low, high) = column.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let value = match column.ty {
        ColumnType::Integer => cell.parse::<i64>().ok().map(Value::Integer),
        ColumnType::Float => cell.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::Float),
        // Also of an instant, its day.
        ColumnType::Date => cell.get(..10).and_then(|day| day.parse::<NaiveDate>().ok()).map(Value::Date),
        ColumnType::Text | ColumnType::Id | ColumnType::Boolean | ColumnType::Timestamp => Some(Value::Text(cell.replace('\u{0}', ""))),
    };
    let beyond = |x: f64| x < low || x > high;
    match value {
        None => {
            read.unreadable += 1;
            Value::Null
        }
        Some(Value::Text(text)) if text.len() > TEXT_BYTES => {
            read.beyond += 1;
            Value::Text(text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default().to_owned())
        }
        Some(number) => {
            // Questions count it as the end of the range.
            read.beyond += u64::from(number.as_f64().is_some_and(beyond));
            number
        }
    }
}

fn csv_rows(path: &Path, rows: &mut Rows<'_>, progress: &dyn Progress) -> Result<(), IngestError> {
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let bytes = file.metadata().map_err(IngestError::unreadable(path))?.len();
    let mut csv = ReaderBuilder::new().flexible(true).from_reader(file);
    let headers = csv.byte_headers().map_err(|e| IngestError::malformed(path, e))?.clone();
    let headers: Vec<String> = headers.iter().map(|h| String::from_utf8_lossy(h).trim().trim_start_matches('\u{feff}').to_owned()).collect();
    let (key, declared) = rows.bind(path, &headers)?;
    progress.begin(&path.display().to_string(), "bytes", Some(bytes));
    let (mut record, mut done) = (ByteRecord::new(), 0);
    while csv.read_byte_record(&mut record).map_err(|e| IngestError::malformed(path, e))? {
        let cell = |place: &usize| record.get(*place).and_then(|cell| std::str::from_utf8(cell).ok()).unwrap_or_default();
        rows.row(path, cell(&key), declared.iter().map(cell))?;
        progress.advance(csv.position().byte().saturating_sub(done));
        done = csv.position().byte();
    }
    progress.finish();
    Ok(())
}

fn parquet_rows(path: &Path, rows: &mut Rows<'_>, progress: &dyn Progress) -> Result<(), IngestError> {
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| IngestError::malformed(path, e))?;
    let headers: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let (key, declared) = rows.bind(path, &headers)?;
    let total = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
    let mut wanted: Vec<usize> = declared.iter().copied().chain([key]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.clone());
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(|e| IngestError::malformed(path, e))?;
    progress.begin(&path.display().to_string(), "rows", total);
    for batch in reader {
        let batch = batch.map_err(|e| IngestError::malformed(path, e))?;
        // What cannot be a text is not known.
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let text = |array: &ArrayRef| cast_with_options(array, &DataType::Utf8, &options).map(|array| array.as_string::<i32>().clone());
        let texts: Vec<StringArray> = batch.columns().iter().map(text).collect::<Result<_, _>>().map_err(|e| IngestError::malformed(path, e))?;
        for row in 0..batch.num_rows() {
            let cell = |place: &usize| {
                let column = wanted.iter().position(|wanted| wanted == place).and_then(|at| texts.get(at));
                column.filter(|column| column.is_valid(row)).map_or("", |column| column.value(row))
            };
            rows.row(path, cell(&key), declared.iter().map(cell))?;
        }
        progress.advance(batch.num_rows() as u64);
    }
    progress.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch};
    use domain::port::Unwatched;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn columns(declared: &[&str]) -> Vec<PartnerColumn> {
        declared.iter().map(|column| column.parse().unwrap()).collect()
    }

    fn read(path: &Path, declared: &[&str]) -> Result<(PartnerFile, Vec<Vec<Value>>), IngestError> {
        let (declared, mut rows) = (columns(declared), Vec::new());
        let file = partner_rows(path, PartnerColumns { key: "email_sha256", declared: &declared }, &Unwatched, &mut |_, values| rows.push(values.to_vec()))?;
        Ok((file, rows))
    }

    #[test]
    fn declared_columns_are_read_and_what_does_not_fit_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.csv");
        let hash = "ab".repeat(32);
        std::fs::write(&path, format!("\u{feff}email_sha256,tier,spend,since,phone\n{hash},gold,12.5,2024-05-01T10:00:00Z,1\n{hash},,many,soon,2\nanna@town.example,x,1,,3\n,x,1,,3\n{hash},silver,900,,4\n")).unwrap();
        let (file, rows) = read(&path, &["spend:float:0..500", "tier:text", "since:date"]).unwrap();
        assert_eq!((file.rows, file.rejected, file.unreadable, file.beyond), (3, 2, 2, 1));
        assert_eq!(file.ignored, ["phone"]);
        assert!(file.reasons[0].starts_with("row 3: an address in clear") && file.reasons[1].starts_with("row 4: no SHA-256"), "{:?}", file.reasons);
        assert_eq!(rows[0], [Value::Float(12.5), Value::Text("gold".into()), Value::Date("2024-05-01".parse().unwrap())]);
        assert_eq!(rows[1], [Value::Null, Value::Null, Value::Null]);
        assert!(!format!("{file:?}").contains("anna"), "an address in clear is not kept");
    }

    #[test]
    fn parquet_is_read_by_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.data");
        let column = |array: ArrayRef| array;
        let batch = RecordBatch::try_from_iter([
            ("visits", column(Arc::new(Int64Array::from(vec![Some(3), None])))),
            ("email_sha256", column(Arc::new(StringArray::from(vec!["cd".repeat(32), "AB".repeat(32)])))),
            ("spend", column(Arc::new(Float64Array::from(vec![1.25, f64::NAN])))),
            ("since", column(Arc::new(Date32Array::from(vec![Some(19_000), None])))),
        ])
        .unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let (file, rows) = read(&path, &["since:date", "visits:integer", "spend:float"]).unwrap();
        assert_eq!((file.rows, file.rejected, file.unreadable), (2, 0, 1), "what is no number is not known");
        assert_eq!(rows, [vec![Value::Date("2022-01-08".parse().unwrap()), Value::Integer(3), Value::Float(1.25)], vec![Value::Null, Value::Null, Value::Null]]);
    }

    #[test]
    fn a_column_that_is_not_there_is_an_error_that_names_those_that_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.csv");
        std::fs::write(&path, "mail,tier\n").unwrap();
        let error = read(&path, &["tier:text"]).unwrap_err().to_string();
        assert!(error.contains("no column `email_sha256`") && error.contains("mail, tier"), "{error}");
    }
}
