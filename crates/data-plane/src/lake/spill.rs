//! Rows on their way into buckets: sorted by person into runs that go to disk when they grow too large,
//! and read from all runs together, some people at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array, new_null_array};
use datafusion::arrow::datatypes::{Int32Type, UInt32Type};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::FileWriter;
use domain::Fault;
use domain::catalog::TableName;

use super::append::arriving;
use super::complete::{gathered, joined};
use super::order::by_subject;
use super::words::{self, Dictionaries, TextArrays};
use crate::schema::{NO_TEXT, dictionary, schema};

/// Where rows wait, below the lake's folder.
pub(super) const FOLDER: &str = "arriving";

/// How much is kept, read and looked at together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of a table's rows that wait before they become a run.
    memory: usize,
    /// Bytes of runs that stay in memory: the rows of a small import never go to disk before their time.
    kept: usize,
    /// Rows of a run that are read at once.
    piece: usize,
    /// Rows that are looked at together, more or less: people are never taken apart.
    window: u64,
    /// Runs whose files are kept open.
    open: usize,
    /// Bytes of different texts that rows share.
    texts: usize,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self { memory: 32 << 20, kept: 64 << 20, piece: 4_096, window: 64 * 1024, open: 128, texts: 48 << 20 };

    /// So small that little data meets them all.
    #[cfg(test)]
    pub(super) const TINY: Self = Self { memory: 1, kept: 20_000, piece: 3, window: 8, open: 2, texts: 200 };
}

/// People whose rows are counted together.
const COUNTED: u32 = 64;

/// The rows of one table.
#[derive(Default)]
struct Arriving {
    pending: Vec<RecordBatch>,
    bytes: usize,
    runs: Vec<Run>,
    /// The buckets that get rows.
    buckets: BTreeSet<u32>,
    /// How many rows arrive, for every [`COUNTED`] people.
    rows: Vec<u64>,
}

/// Rows sorted by person, those of one person in the order of their arrival.
struct Run {
    stored: Stored,
    /// Whether its texts are in the place of numbers.
    has_texts: bool,
    /// What was read and not taken yet.
    loaded: Option<RecordBatch>,
}

/// Rows of a run that were not read yet.
enum Stored {
    Memory(Option<RecordBatch>),
    File { path: PathBuf, next: usize, pieces: usize, open: Option<Box<FileReader<BufReader<File>>>> },
}

/// All rows of an import that are not in the lake yet. Its files go when it is dropped.
pub(super) struct Spill {
    folder: PathBuf,
    bucket_size: u32,
    limits: Limits,
    tables: BTreeMap<TableName, Arriving>,
    /// Bytes of runs in memory.
    kept: usize,
    files: usize,
    pub(super) dictionaries: Dictionaries,
    /// The texts of runs that share them.
    shared: Option<TextArrays>,
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("sorting rows into buckets", error)
}

impl Spill {
    pub(super) fn new(root: &Path, bucket_size: u32, limits: Limits) -> Self {
        Self { folder: root.join(FOLDER), bucket_size, limits, tables: BTreeMap::new(), kept: 0, files: 0, dictionaries: Dictionaries::default(), shared: None }
    }

    /// Takes rows in, numbered by [`Spill::dictionaries`].
    pub(super) fn push(&mut self, table: TableName, rows: RecordBatch) -> Result<(), Fault> {
        let arriving = self.tables.entry(table).or_default();
        arriving.bytes += rows.get_array_memory_size();
        arriving.pending.push(rows);
        if arriving.bytes >= self.limits.memory { self.flush(table) } else { Ok(()) }
    }

    /// To be called between arrivals: when their different texts become too many, rows from here on
    /// do not share them any more.
    pub(super) fn limit_texts(&mut self) -> Result<(), Fault> {
        if self.dictionaries.bytes() <= self.limits.texts {
            return Ok(());
        }
        for table in self.tables.keys().copied().collect::<Vec<_>>() {
            self.flush(table)?;
        }
        if self.shared.is_none() {
            self.shared = Some(self.dictionaries.arrays());
        }
        self.dictionaries = Dictionaries::default();
        Ok(())
    }

    /// After the last row.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        for table in self.tables.keys().copied().collect::<Vec<_>>() {
            if let Some((rows, has_texts)) = self.sorted(table)?
                && let Some(arriving) = self.tables.get_mut(&table)
            {
                arriving.runs.push(Run { stored: Stored::Memory(Some(rows)), has_texts, loaded: None });
            }
        }
        if self.shared.is_none() {
            self.shared = Some(self.dictionaries.arrays());
        }
        Ok(())
    }

    /// The buckets that get rows, ascending.
    pub(super) fn buckets(&self) -> BTreeSet<u32> {
        self.tables.values().flat_map(|arriving| &arriving.buckets).copied().collect()
    }

    /// Everybody whose rows belong into a bucket.
    pub(super) fn people(&self, bucket: u32) -> Range<u64> {
        let (start, size) = (u64::from(bucket) * u64::from(self.bucket_size), u64::from(self.bucket_size));
        start..start + size
    }

    /// The people of a bucket, in parts that have few enough rows of a table to be looked at together.
    pub(super) fn windows(&self, table: TableName, bucket: u32) -> Vec<Range<u64>> {
        let mut windows = Vec::new();
        let Some(arriving) = self.tables.get(&table).filter(|arriving| arriving.buckets.contains(&bucket)) else { return windows };
        let (people, counted) = (self.people(bucket), u64::from(COUNTED));
        let (mut from, mut to, mut sum) = (people.start, people.start, 0);
        while to < people.end {
            sum += usize::try_from(to / counted).ok().and_then(|place| arriving.rows.get(place)).copied().unwrap_or(0);
            to = ((to / counted + 1) * counted).min(people.end);
            if sum >= self.limits.window || to == people.end {
                if sum > 0 {
                    windows.push(from..to);
                }
                (from, sum) = (to, 0);
            }
        }
        windows
    }

    /// The rows of some people, those of one person in the order of their arrival; none when there are
    /// none. People must be asked for in ascending order: rows are handed out once.
    pub(super) fn rows(&mut self, table: TableName, people: &Range<u64>) -> Result<Option<RecordBatch>, Fault> {
        let Some(arriving) = self.tables.get_mut(&table) else { return Ok(None) };
        let shared = self.shared.as_ref().ok_or_else(|| Fault::broken("rows are read before the last was taken in"))?;
        let (mut parts, mut texts) = (Vec::new(), BTreeSet::new());
        for (place, run) in arriving.runs.iter_mut().enumerate() {
            let before = parts.len();
            run.take(table, people, place < self.limits.open, &mut parts)?;
            if parts.len() > before {
                texts.insert(run.has_texts);
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        if !texts.contains(&true) {
            // Numbers of one dictionary.
            return shared.with_dictionaries(table, &joined(&parts).map_err(arrow)?).map(Some);
        }
        let parts = parts.iter().map(|part| shared.with_texts(table, part)).collect::<Result<Vec<_>, _>>()?;
        words::with_dictionaries(table, &joined(&parts).map_err(arrow)?).map(Some)
    }

    /// What is pending, sorted by person, and whether its texts are in the place of numbers.
    fn sorted(&mut self, table: TableName) -> Result<Option<(RecordBatch, bool)>, Fault> {
        let Some(at) = self.tables.get_mut(&table) else { return Ok(None) };
        at.bytes = 0;
        let pending = std::mem::take(&mut at.pending);
        if pending.is_empty() {
            return Ok(None);
        }
        let mut arrived: Vec<(u32, (u32, u32))> = Vec::with_capacity(pending.iter().map(RecordBatch::num_rows).sum());
        for (batch, rows) in (0..).zip(&pending) {
            arrived.extend((0..).zip(owners(rows)?.values()).map(|(row, owner)| (*owner, (batch, row))));
        }
        let order = by_subject(arrived);
        for people in order.chunk_by(|a, b| a.0 / COUNTED == b.0 / COUNTED && a.0.checked_div(self.bucket_size) == b.0.checked_div(self.bucket_size)) {
            let Some((subject, _)) = people.first() else { continue };
            at.buckets.insert(subject.checked_div(self.bucket_size).ok_or_else(|| Fault::broken("the lake has no bucket size"))?);
            let place = usize::try_from(*subject / COUNTED).unwrap_or(usize::MAX);
            if at.rows.len() <= place {
                at.rows.resize(place + 1, 0);
            }
            at.rows.get_mut(place).into_iter().for_each(|rows| *rows += people.len() as u64);
        }
        let order: Vec<(usize, usize)> = order.into_iter().map(|(_, (batch, row))| (batch as usize, row as usize)).collect();
        let rows = gathered(&pending, &order).map_err(arrow)?;
        if self.shared.is_none() {
            return Ok(Some((rows, false)));
        }
        // These rows do not share the texts of those before.
        Ok(Some((self.dictionaries.arrays().with_texts(table, &rows)?, true)))
    }

    /// Makes what is pending a run.
    fn flush(&mut self, table: TableName) -> Result<(), Fault> {
        let Some((rows, has_texts)) = self.sorted(table)? else { return Ok(()) };
        let bytes = rows.get_array_memory_size();
        let stored = if self.kept + bytes <= self.limits.kept {
            self.kept += bytes;
            Stored::Memory(Some(rows))
        } else {
            self.written(table, &rows)?
        };
        if let Some(arriving) = self.tables.get_mut(&table) {
            arriving.runs.push(Run { stored, has_texts, loaded: None });
        }
        Ok(())
    }

    /// Rows as a file. Columns without any value are left out (*filled*).
    fn written(&mut self, table: TableName, rows: &RecordBatch) -> Result<Stored, Fault> {
        let doing = |e: std::io::Error| Fault::new("setting rows aside on disk", e);
        std::fs::create_dir_all(&self.folder).map_err(doing)?;
        let path = self.folder.join(format!("{table}-{}.arrow", self.files));
        self.files += 1;
        let known: Vec<usize> = (0..rows.num_columns()).filter(|place| has_values(rows.column(*place))).collect();
        let rows = rows.project(&known).map_err(arrow)?;
        let file = File::create(&path).map_err(doing)?;
        let mut writer = FileWriter::try_new_buffered(file, rows.schema_ref()).map_err(arrow)?;
        let mut pieces = 0;
        for from in (0..rows.num_rows()).step_by(self.limits.piece) {
            writer.write(&rows.slice(from, self.limits.piece.min(rows.num_rows() - from))).map_err(arrow)?;
            pieces += 1;
        }
        writer.finish().map_err(arrow)?;
        Ok(Stored::File { path, next: 0, pieces, open: None })
    }
}

impl Run {
    /// Adds the rows of `people`, in the shape of [`arriving`] but for their texts, to `parts`.
    fn take(&mut self, table: TableName, people: &Range<u64>, keep_open: bool, parts: &mut Vec<RecordBatch>) -> Result<(), Fault> {
        loop {
            let rows = match self.loaded.take() {
                Some(rows) => rows,
                None => match self.stored.next(keep_open)? {
                    Some(rows) => rows,
                    None => return Ok(()),
                },
            };
            let owners = owners(&rows)?.values();
            if owners.first().is_some_and(|first| u64::from(*first) < people.start) {
                return Err(Fault::broken("people were asked for in the wrong order"));
            }
            let theirs = owners.partition_point(|owner| u64::from(*owner) < people.end);
            if theirs > 0 {
                parts.push(filled(table, self.has_texts, &rows.slice(0, theirs))?);
            }
            if theirs < rows.num_rows() {
                self.loaded = Some(rows.slice(theirs, rows.num_rows() - theirs));
                return Ok(());
            }
        }
    }
}

impl Stored {
    /// The next rows.
    fn next(&mut self, keep_open: bool) -> Result<Option<RecordBatch>, Fault> {
        match self {
            Self::Memory(rows) => Ok(rows.take()),
            Self::File { next, pieces, .. } if next == pieces => Ok(None),
            Self::File { path, next, open, .. } => {
                let mut reader = match open.take() {
                    Some(reader) => reader,
                    None => {
                        let file = File::open(path).map_err(|e| Fault::new("reading rows that were set aside", e))?;
                        let mut reader = FileReader::try_new(BufReader::new(file), None).map_err(arrow)?;
                        reader.set_index(*next).map_err(arrow)?;
                        Box::new(reader)
                    }
                };
                let rows = reader.next().ok_or_else(|| Fault::broken("rows that were set aside are missing"))?.map_err(arrow)?;
                *next += 1;
                if keep_open {
                    *open = Some(reader);
                }
                Ok(Some(rows))
            }
        }
    }
}

/// Rows with the columns that were left out because they have no values.
fn filled(table: TableName, has_texts: bool, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
    let arriving = arriving(table);
    if rows.num_columns() == arriving.fields().len() {
        return Ok(rows.clone());
    }
    let made = arriving.fields().iter().map(|field| {
        rows.column_by_name(field.name()).cloned().unwrap_or_else(|| match (is_text(table, field.name()), has_texts) {
            (false, _) => new_null_array(field.data_type(), rows.num_rows()),
            (true, false) => Arc::new(Int32Array::from_value(0, rows.num_rows())),
            (true, true) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(NO_TEXT, rows.num_rows()))),
        })
    });
    words::named(&arriving, made.collect()).map_err(arrow)
}

/// Whether a column has anything but nulls, or numbers of no text.
fn has_values(column: &ArrayRef) -> bool {
    column.null_count() < column.len() && column.as_primitive_opt::<Int32Type>().is_none_or(|codes| codes.values().iter().any(|code| *code != 0))
}

/// Whether a column's numbers stand for texts.
fn is_text(table: TableName, column: &str) -> bool {
    schema(table).field_with_name(column).is_ok_and(|field| *field.data_type() == dictionary())
}

fn owners(rows: &RecordBatch) -> Result<&UInt32Array, Fault> {
    rows.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.files > 0 {
            // What is left here is swept with the next import.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_spill_has_no_buckets() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(folder.path(), 8, Limits::DEFAULT);
        spill.close().unwrap();
        assert!(spill.buckets().is_empty());
        assert!(spill.rows(TableName::Activity, &(0..8)).unwrap().is_none());
    }
}
