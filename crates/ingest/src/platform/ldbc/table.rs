//! One Parquet file, row by row, with the columns that are wanted.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use chrono::NaiveDate;
use domain::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{day_of, instant_of};
use crate::IngestError;

/// Reads files of one folder.
pub(super) struct Table;

/// One row: columns are numbered as they were asked for.
pub(super) struct Row<'a> {
    file: &'a str,
    number: u64,
    columns: &'a [Option<ArrayRef>],
    row: usize,
}

impl Table {
    fn open(folder: &Path, name: &str) -> Result<(String, ParquetRecordBatchReaderBuilder<File>), IngestError> {
        let path = folder.join(format!("{name}.parquet"));
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(IngestError::Missing { path: folder.to_owned(), member: format!("{name}.parquet"), hint: "the generator's raw mode writes it".to_owned() });
            }
            Err(cause) => return Err(IngestError::Unreadable { path, cause }),
        };
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| IngestError::malformed(&path, e))?;
        Ok((path.display().to_string(), builder))
    }

    /// How many rows a file has.
    pub(super) fn rows(folder: &Path, name: &str) -> Result<u64, IngestError> {
        let (_, builder) = Self::open(folder, name)?;
        Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0))
    }

    /// Calls `visit` with each row. A column that the file lacks is always empty.
    pub(super) fn each(folder: &Path, name: &str, wanted: &[&str], mut visit: impl FnMut(&Row<'_>)) -> Result<(), IngestError> {
        let (file, builder) = Self::open(folder, name)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(16 * 1024).build().map_err(|e| IngestError::malformed(&file, e))?;
        let mut number = 0;
        for batch in reader {
            let batch: RecordBatch = batch.map_err(|e| IngestError::malformed(&file, e))?;
            let columns: Vec<Option<ArrayRef>> = wanted.iter().map(|c| batch.column_by_name(c).cloned()).collect();
            for row in 0..batch.num_rows() {
                number += 1;
                visit(&Row { file: &file, number, columns: &columns, row });
            }
        }
        Ok(())
    }
}

impl Row<'_> {
    /// The file that the row is in.
    pub(super) fn file(&self) -> &str {
        self.file
    }

    /// Where in the file.
    pub(super) fn place(&self) -> String {
        format!("row {}", self.number)
    }

    fn known(&self, column: usize) -> Option<&ArrayRef> {
        self.columns.get(column)?.as_ref().filter(|array| !array.is_null(self.row))
    }

    pub(super) fn integer(&self, column: usize) -> Option<i64> {
        let array = self.known(column)?;
        let wide = array.as_primitive_opt::<Int64Type>().map(|a| a.value(self.row));
        wide.or_else(|| array.as_primitive_opt::<Int32Type>().map(|a| a.value(self.row).into()))
    }

    pub(super) fn text(&self, column: usize) -> Option<&str> {
        let array = self.known(column)?;
        let short = array.as_string_opt::<i32>().map(|a| a.value(self.row));
        short.or_else(|| array.as_string_opt::<i64>().map(|a| a.value(self.row))).or_else(|| array.as_string_view_opt().map(|a| a.value(self.row)))
    }

    pub(super) fn truth(&self, column: usize) -> bool {
        self.known(column).and_then(|a| a.as_boolean_opt()).is_some_and(|a| a.value(self.row))
    }

    pub(super) fn day(&self, column: usize) -> Option<NaiveDate> {
        self.known(column)?.as_primitive_opt::<Date32Type>().and_then(|a| day_of(a.value(self.row)))
    }

    pub(super) fn instant(&self, column: usize) -> Option<Timestamp> {
        let array = self.known(column)?;
        let micros = array.as_primitive_opt::<TimestampMicrosecondType>().map(|a| a.value(self.row));
        let micros = micros.or_else(|| array.as_primitive_opt::<TimestampMillisecondType>().and_then(|a| a.value(self.row).checked_mul(1_000)));
        let micros = micros.or_else(|| array.as_primitive_opt::<TimestampNanosecondType>().map(|a| a.value(self.row).div_euclid(1_000)));
        micros.and_then(instant_of)
    }
}
