//! Rows on their way into buckets: sorted into runs that go to disk when they grow too large.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::FileWriter;
use domain::Fault;
use domain::catalog::TableName;

use super::append::arriving;

/// Where rows wait, below the lake's folder.
pub(super) const FOLDER: &str = "arriving";

/// Bytes of rows that are kept in memory before they become a run on disk.
const MEMORY: usize = 32 << 20;

/// The rows of one table.
struct Arriving {
    pending: Vec<RecordBatch>,
    bytes: usize,
    runs: Vec<Run>,
}

/// Rows by bucket: in memory, or as the batches of a file.
enum Run {
    Memory(BTreeMap<u32, RecordBatch>),
    File { path: PathBuf, places: BTreeMap<u32, usize> },
}

/// All rows of an import that are not in the lake yet. Its files go when it is dropped.
pub(super) struct Spill {
    folder: PathBuf,
    bucket_size: u32,
    tables: BTreeMap<TableName, Arriving>,
    files: usize,
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("sorting rows into buckets", error)
}

impl Spill {
    pub(super) fn new(root: &Path, bucket_size: u32) -> Self {
        Self { folder: root.join(FOLDER), bucket_size, tables: BTreeMap::new(), files: 0 }
    }

    /// Takes rows in; the order of those of one bucket is kept.
    pub(super) fn push(&mut self, table: TableName, rows: RecordBatch) -> Result<(), Fault> {
        let arriving = self.tables.entry(table).or_insert_with(|| Arriving { pending: Vec::new(), bytes: 0, runs: Vec::new() });
        arriving.bytes += rows.get_array_memory_size();
        arriving.pending.push(rows);
        if arriving.bytes < MEMORY {
            return Ok(());
        }
        let run = self.sorted(table)?;
        self.write(table, run)
    }

    /// After the last row.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        for table in self.tables.keys().copied().collect::<Vec<_>>() {
            let run = self.sorted(table)?;
            if let Some(arriving) = self.tables.get_mut(&table) {
                arriving.runs.push(Run::Memory(run));
            }
        }
        Ok(())
    }

    /// The buckets that get rows, ascending.
    pub(super) fn buckets(&self) -> BTreeSet<u32> {
        self.tables
            .values()
            .flat_map(|t| &t.runs)
            .flat_map(|run| -> Vec<u32> {
                match run {
                    Run::Memory(rows) => rows.keys().copied().collect(),
                    Run::File { places, .. } => places.keys().copied().collect(),
                }
            })
            .collect()
    }

    /// The rows of one bucket in the order of their arrival; none when there are none.
    pub(super) fn rows(&self, table: TableName, bucket: u32) -> Result<Option<RecordBatch>, Fault> {
        let mut parts = Vec::new();
        for run in self.tables.get(&table).into_iter().flat_map(|t| &t.runs) {
            match run {
                Run::Memory(rows) => parts.extend(rows.get(&bucket).cloned()),
                Run::File { path, places } => {
                    let Some(place) = places.get(&bucket) else { continue };
                    let file = File::open(path).map_err(|e| Fault::new("reading rows that were set aside", e))?;
                    let mut reader = FileReader::try_new(BufReader::new(file), None).map_err(arrow)?;
                    reader.set_index(*place).map_err(arrow)?;
                    let rows = reader.next().ok_or_else(|| Fault::broken("rows that were set aside are missing"))?;
                    parts.push(rows.map_err(arrow)?);
                }
            }
        }
        match parts.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            _ => concat_batches(&arriving(table), &parts).map(Some).map_err(arrow),
        }
    }

    /// What is pending, by bucket.
    fn sorted(&mut self, table: TableName) -> Result<BTreeMap<u32, RecordBatch>, Fault> {
        let Some(pending) = self.tables.get_mut(&table) else { return Ok(BTreeMap::new()) };
        pending.bytes = 0;
        let pending = std::mem::take(&mut pending.pending);
        if pending.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all = concat_batches(&arriving(table), &pending).map_err(arrow)?;
        drop(pending);
        let owners = all.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(|| Fault::broken("an owner that is no id"))?;
        let bucket = |owner: u32| owner.checked_div(self.bucket_size).ok_or_else(|| Fault::broken("the lake has no bucket size"));
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(owners.len());
        for (row, owner) in (0..).zip(owners.values()) {
            order.push((bucket(*owner)?, row));
        }
        order.sort_unstable();
        let mut run = BTreeMap::new();
        for rows in order.chunk_by(|a, b| a.0 == b.0) {
            let indices = UInt32Array::from_iter_values(rows.iter().map(|(_, row)| *row));
            let Some((bucket, _)) = rows.first() else { continue };
            run.insert(*bucket, take_record_batch(&all, &indices).map_err(arrow)?);
        }
        Ok(run)
    }

    fn write(&mut self, table: TableName, run: BTreeMap<u32, RecordBatch>) -> Result<(), Fault> {
        let doing = |e: std::io::Error| Fault::new("setting rows aside on disk", e);
        std::fs::create_dir_all(&self.folder).map_err(doing)?;
        let path = self.folder.join(format!("{table}-{}.arrow", self.files));
        self.files += 1;
        let file = File::create(&path).map_err(doing)?;
        let mut writer = FileWriter::try_new_buffered(file, &arriving(table)).map_err(arrow)?;
        let mut places = BTreeMap::new();
        for (place, (bucket, rows)) in run.into_iter().enumerate() {
            // All of one run share their dictionaries, as the format demands of a file.
            writer.write(&rows).map_err(arrow)?;
            places.insert(bucket, place);
        }
        writer.finish().map_err(arrow)?;
        if let Some(arriving) = self.tables.get_mut(&table) {
            arriving.runs.push(Run::File { path, places });
        }
        Ok(())
    }
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
        let mut spill = Spill::new(folder.path(), 8);
        spill.close().unwrap();
        assert!(spill.buckets().is_empty());
        assert!(spill.rows(TableName::Activity, 0).unwrap().is_none());
    }
}
