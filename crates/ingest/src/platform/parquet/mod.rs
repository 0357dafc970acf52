//! Parquet files of any shape, with a mapping as for CSV files: `NAME.mapping.toml` beside
//! `NAME.parquet`.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, TimeUnit};
use chrono::DateTime;
use domain::Timestamp;
use domain::port::Progress;
use domain::record::{NormalizedBatch, SourceInfo};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::csv::mapping::{Bound, MappedTable, Mapping, Row};
use super::csv::rows::Rows;
use super::csv::sibling_mapping;
use crate::IngestError;
use crate::normalize::{self, Rejects};
use crate::source::{Options, Sink};

/// Rows in one batch.
const BATCH: usize = 64 * 1024;

/// What is counted, and can be read as numbers.
const COUNTS: [&str; 4] = ["word_count", "likes_received", "replies_received", "shares_received"];

/// Reads one file; tells whether it was read to its end.
pub(crate) fn read(path: &Path, mut source: SourceInfo, options: &Options, progress: &dyn Progress, sink: &mut Sink<'_>) -> Result<ControlFlow<()>, IngestError> {
    let mapping_path = options.mapping.clone().unwrap_or_else(|| sibling_mapping(path));
    let mapping = Mapping::read(&mapping_path)?;
    source.platform = mapping.platform;
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| IngestError::malformed(path, e))?;
    let headers: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    let wanted = mapping.bind(&mapping_path, &headers)?;
    // Only what is mapped is read; places are then those among the columns that are.
    let mut places: Vec<usize> = wanted.values().filter_map(|bound| bound.place()).collect();
    places.sort_unstable();
    places.dedup();
    let kept: Vec<String> = places.iter().filter_map(|place| headers.get(*place).cloned()).collect();
    let rows_total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build().map_err(|e| IngestError::malformed(path, e))?;
    let columns = mapping.bind(&mapping_path, &kept)?;
    let account = columns.get("account").filter(|bound| bound.is_plain()).and_then(|bound| bound.place());
    let numbers = numbers(&columns);
    let mut rows = Rows::new(&mapping, columns, options);
    let file_name = path.display().to_string();
    progress.begin(&file_name, "rows", Some(rows_total));
    let mut number = 0_u64;
    for batch in reader {
        let batch = batch.map_err(|e| IngestError::malformed(path, e))?;
        let columns = batch.columns().iter().enumerate().map(|(place, array)| Column::of(array, numbers.contains(&place)));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(|e| IngestError::malformed(path, e))?;
        let account = account.and_then(|place| columns.get(place));
        let owners = account.map(|column| rows.known_owners((0..batch.num_rows()).map(|row| column.text(row)))).unwrap_or_default();
        let mut rejects = Rejects::default();
        for place in 0..batch.num_rows() {
            number += 1;
            let row = At { columns: &columns, place, owner: owners.get(place).copied().flatten() };
            let outcome = match mapping.table {
                MappedTable::Activity => rows.activity(&row),
                MappedTable::Subject => rows.subject(&row),
            };
            if let Err(reason) = outcome {
                rejects.push(&file_name, format!("row {number}"), reason, &row.shown());
            }
        }
        progress.advance(batch.num_rows() as u64);
        if let ControlFlow::Break(()) = sink(rows.take(source.clone(), rejects)) {
            return Ok(ControlFlow::Break(()));
        }
    }
    progress.finish();
    Ok(sink(NormalizedBatch::new(source)))
}

/// The places of columns that are read as counts and as nothing else.
fn numbers(columns: &BTreeMap<&str, Bound>) -> Vec<usize> {
    let place = |name: &str| columns.get(name).filter(|bound| bound.is_plain()).and_then(|bound| bound.place());
    let only = |place: &usize| columns.values().filter(|bound| bound.place() == Some(*place)).count() == 1;
    COUNTS.iter().filter_map(|name| place(name)).filter(only).collect()
}

/// A column whose cells are read as text; numbers that are counts, and instants, are kept as such.
enum Column {
    Text(StringArray),
    Number(Int64Array),
    Instant(TimestampMicrosecondArray),
}

impl Column {
    fn of(array: &ArrayRef, is_count: bool) -> Result<Self, arrow_schema::ArrowError> {
        // What cannot be cast becomes empty.
        let options = CastOptions { safe: true, ..CastOptions::default() };
        if matches!(array.data_type(), DataType::Timestamp(..)) {
            let micros = cast_with_options(array, &DataType::Timestamp(TimeUnit::Microsecond, None), &options)?;
            return Ok(Self::Instant(micros.as_primitive::<TimestampMicrosecondType>().clone()));
        }
        // Of unsigned numbers, those beyond 2^63 would be lost: they stay text, and are refused as that.
        if is_count && array.data_type().is_integer() && *array.data_type() != DataType::UInt64 {
            return Ok(Self::Number(cast_with_options(array, &DataType::Int64, &options)?.as_primitive::<Int64Type>().clone()));
        }
        Ok(Self::Text(cast_with_options(array, &DataType::Utf8, &options)?.as_string::<i32>().clone()))
    }

    /// The cell as text; empty when it is null, a number or an instant.
    fn text(&self, row: usize) -> &str {
        match self {
            Self::Text(array) if array.is_valid(row) => array.value(row),
            Self::Text(_) | Self::Number(_) | Self::Instant(_) => "",
        }
    }
}

/// One row of a batch.
struct At<'a> {
    columns: &'a [Column],
    place: usize,
    owner: Option<u32>,
}

impl At<'_> {
    /// The row as text, for whoever looks at what was rejected.
    fn shown(&self) -> String {
        let cell = |column: &Column| match column {
            Column::Number(array) if array.is_valid(self.place) => array.value(self.place).to_string(),
            Column::Text(_) | Column::Number(_) | Column::Instant(_) => column.text(self.place).to_owned(),
        };
        self.columns.iter().map(cell).collect::<Vec<_>>().join(",")
    }
}

impl Row for At<'_> {
    fn text(&self, place: usize) -> &str {
        self.columns.get(place).map_or("", |column| column.text(self.place))
    }

    fn number(&self, place: usize) -> Option<i64> {
        match self.columns.get(place) {
            Some(Column::Number(array)) if array.is_valid(self.place) => Some(array.value(self.place)),
            _ => None,
        }
    }

    fn instant(&self, place: usize) -> Option<Timestamp> {
        match self.columns.get(place) {
            Some(Column::Instant(array)) if array.is_valid(self.place) => DateTime::from_timestamp_micros(array.value(self.place)).and_then(normalize::plausible),
            _ => None,
        }
    }

    fn owner(&self) -> Option<u32> {
        self.owner
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{RecordBatch, TimestampMillisecondArray};
    use chrono::NaiveDate;
    use domain::port::Unwatched;
    use domain::record::ActivityKind;
    use domain::{CreatorKey, Platform};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::source::{Deletions, Source, read_whole, sources};

    #[test]
    fn columns_of_any_type_are_mapped_and_bad_rows_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acts.parquet");
        let column = |array: ArrayRef| array;
        let batch = RecordBatch::try_from_iter([
            ("unused", column(Arc::new(Int64Array::from(vec![9, 9, 9])))),
            ("who", column(Arc::new(Int64Array::from(vec![7, 8, 7])))),
            ("key", column(Arc::new(StringArray::from(vec!["a", "b", "c"])))),
            ("what", column(Arc::new(StringArray::from(vec!["P", "L", "?"])))),
            ("when", column(Arc::new(TimestampMillisecondArray::from(vec![Some(1_700_000_000_000), None, Some(0)])))),
            ("words", column(Arc::new(Int64Array::from(vec![Some(5), None, None])))),
        ])
        .unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mapping = "schema = 1\ntable = \"activity\"\nplatform = \"x\"\n[columns]\naccount = \"who\"\nnative_key = \"key\"\nat = \"when\"\nword_count = \"words\"\nkind = { column = \"what\", values = { P = \"post\", L = \"like\" } }\n";
        std::fs::write(folder.path().join("acts.mapping.toml"), mapping).unwrap();
        let options = Options { platform: None, mapping: None, creators: CreatorKey::from_bytes([7; 16]), deletions: Deletions::Apply, today: NaiveDate::default(), threads: 2 };
        assert_eq!(sources(std::slice::from_ref(&path), &options).unwrap(), [Source { path: path.clone(), platform: Platform::Csv }]);
        let batch = read_whole(&Source { path, platform: Platform::Csv }, &options, &Unwatched).unwrap();
        let acts: Vec<_> = batch.activities.iter().map(|a| (a.owner, a.kind, a.at.map(|t| t.timestamp()), a.word_count)).collect();
        assert_eq!(acts, [(0, ActivityKind::Post, Some(1_700_000_000), Some(5)), (1, ActivityKind::Like, None, None)]);
        assert_eq!(batch.subjects.iter().map(|s| s.account.to_string()).collect::<Vec<_>>(), ["x:7", "x:8"]);
        assert_eq!(batch.rejected[0].place, "row 3");
    }
}
