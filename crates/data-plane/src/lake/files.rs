//! Files of the lake: written whole, synced, then renamed to the hash of their content.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;
use domain::Fault;
use domain::catalog::TableName;
use domain::lake::LakeFile;
use sha2::{Digest, Sha256};

use crate::schema::schema;

/// Rows per row group.
const ROW_GROUP_ROWS: usize = 512 * 1024;

/// Reads all rows of a file.
pub(super) fn read(path: &Path, table: TableName) -> Result<Vec<RecordBatch>, Fault> {
    let names: Vec<String> = schema(table).fields().iter().map(|f| f.name().clone()).collect();
    columns(path, table, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Reads some columns of a file.
pub(super) fn columns(path: &Path, table: TableName, names: &[&str]) -> Result<Vec<RecordBatch>, Fault> {
    let doing = || format!("reading the lake file {} of the table {table}", path.display());
    let file = File::open(path).map_err(|e| Fault::new(doing(), e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| Fault::new(doing(), e))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(64 * 1024).build().map_err(|e| Fault::new(doing(), e))?;
    reader.collect::<Result<Vec<_>, _>>().map_err(|e| Fault::new(doing(), e))
}

/// Writes rows, already sorted by person, as the file of one bucket.
pub(super) fn write(root: &Path, table: TableName, bucket: u32, rows: &RecordBatch) -> Result<LakeFile, Fault> {
    let doing = || format!("writing bucket {bucket} of the lake table {table}");
    let folder = root.join(table.as_str());
    fs::create_dir_all(&folder).map_err(|e| Fault::new(doing(), e))?;
    let temporary = folder.join(format!("b{bucket:05}.tmp"));
    let hashed = HashingFile::create(&temporary).map_err(|e| Fault::new(doing(), e))?;
    let mut writer = ArrowWriter::try_new(hashed, Arc::clone(rows.schema_ref()), Some(properties()?)).map_err(|e| Fault::new(doing(), e))?;
    writer.write(rows).map_err(|e| Fault::new(doing(), e))?;
    let hashed = writer.into_inner().map_err(|e| Fault::new(doing(), e))?;
    hashed.file.sync_all().map_err(|e| Fault::new(doing(), e))?;
    let sha256 = hex::encode(hashed.digest.finalize());
    let name: String = sha256.chars().take(16).collect();
    let path = format!("{table}/b{bucket:05}-{name}.parquet");
    fs::rename(&temporary, root.join(&path)).map_err(|e| Fault::new(doing(), e))?;
    sync_folder(&folder)?;
    Ok(LakeFile { path, rows: rows.num_rows() as u64, bytes: hashed.bytes, sha256, bucket })
}

/// No statistics on free text and identifiers: they would keep what an erased person wrote.
fn properties() -> Result<WriterProperties, Fault> {
    let level = ZstdLevel::try_new(1).map_err(|e| Fault::new("choosing a compression level", e))?;
    let silent = |name: &str| ColumnPath::from(name);
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_column_statistics_enabled(silent("text"), EnabledStatistics::None)
        .set_column_statistics_enabled(silent("native_key"), EnabledStatistics::None)
        .set_column_statistics_enabled(silent("activity_id"), EnabledStatistics::None)
        .set_column_dictionary_enabled(silent("text"), false)
        .set_column_dictionary_enabled(silent("native_key"), false)
        .set_column_dictionary_enabled(silent("activity_id"), false)
        // Nearly every instant is another.
        .set_column_dictionary_enabled(silent("at"), false)
        .build())
}

/// A file that is hashed while it is written.
struct HashingFile {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl HashingFile {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, digest: Sha256::new(), bytes: 0 })
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The hash of a file; `None` when it is not there.
pub(super) fn sha256(path: &Path) -> Result<Option<String>, Fault> {
    let doing = || format!("hashing {}", path.display());
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Fault::new(doing(), e)),
    };
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(|e| Fault::new(doing(), e))?;
        if read == 0 {
            return Ok(Some(hex::encode(digest.finalize())));
        }
        digest.update(buffer.get(..read).unwrap_or(&buffer));
    }
}

/// Makes new names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Fault> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all().map_err(|e| Fault::new("syncing the lake's folder", e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Fault::new("opening the lake's folder", e)),
    }
}

/// Removes every file below `root` whose path is not in `named`.
pub(super) fn remove_all_but(root: &Path, named: &BTreeSet<&str>) -> Result<u64, Fault> {
    let fault = |e: io::Error| Fault::new("sweeping the lake", e);
    let mut removed = 0;
    match fs::remove_dir_all(root.join(super::spill::FOLDER)) {
        Ok(()) => removed += 1,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(fault(e)),
    }
    for &table in TableName::ALL {
        let folder: PathBuf = root.join(table.as_str());
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(fault(e)),
        };
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let path = format!("{table}/{}", entry.file_name().to_string_lossy());
            if !named.contains(path.as_str()) {
                fs::remove_file(entry.path()).map_err(fault)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
