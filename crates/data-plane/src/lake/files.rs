//! Files of the lake: written whole, synced, then kept under the hash of their content.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

use super::store::Store;
use crate::schema::{CREATOR, schema};

/// Rows per row group.
const ROW_GROUP_ROWS: usize = 512 * 1024;

/// Reads all rows of a file.
pub(super) fn read(store: &Store, file: &LakeFile, table: TableName) -> Result<Vec<RecordBatch>, Fault> {
    let names: Vec<String> = schema(table).fields().iter().map(|f| f.name().clone()).collect();
    columns(store, file, table, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Reads some columns of a file.
pub(super) fn columns(store: &Store, file: &LakeFile, table: TableName, names: &[&str]) -> Result<Vec<RecordBatch>, Fault> {
    match (store.s3(), store.local_path(&file.path)) {
        (None, Some(path)) => local_columns(&path, table, names),
        (Some(s3), _) => s3.columns(file, table, names),
        (None, None) => Err(Fault::broken("the lake has no place")),
    }
}

fn local_columns(path: &Path, table: TableName, names: &[&str]) -> Result<Vec<RecordBatch>, Fault> {
    let doing = || format!("reading the lake file {} of the table {table}", path.display());
    let file = File::open(path).map_err(|e| Fault::new(doing(), e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| Fault::new(doing(), e))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(64 * 1024).build().map_err(|e| Fault::new(doing(), e))?;
    reader.collect::<Result<Vec<_>, _>>().map_err(|e| Fault::new(doing(), e))
}

/// Which rows a file holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Of which table.
    pub(super) table: TableName,
    /// Of which bucket.
    pub(super) bucket: u32,
    /// [`LakeFile::features`] of the file.
    pub(super) features: u32,
}

impl Part {
    fn fault(self, error: impl std::error::Error + Send + Sync + 'static) -> Fault {
        Fault::new(format!("writing bucket {} of the lake table {}", self.bucket, self.table), error)
    }
}

/// Writes rows, already sorted by person, as a file of one bucket.
pub(super) fn write(store: &Store, part: Part, rows: &RecordBatch) -> Result<LakeFile, Fault> {
    let mut writer = Writer::begin(store, part)?;
    writer.write(rows)?;
    writer.finish()
}

/// A file of one bucket that is being written.
pub(super) struct Writer<'a> {
    store: &'a Store,
    part: Part,
    temporary: PathBuf,
    arrow: ArrowWriter<HashingFile>,
    rows: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(store: &'a Store, part: Part) -> Result<Self, Fault> {
        let folder = store.folder().join(part.table.folder());
        fs::create_dir_all(&folder).map_err(|e| part.fault(e))?;
        let temporary = folder.join(format!("b{:05}.tmp", part.bucket));
        let hashed = HashingFile::create(&temporary).map_err(|e| part.fault(e))?;
        let arrow = ArrowWriter::try_new(hashed, schema(part.table), Some(properties()?)).map_err(|e| part.fault(e))?;
        Ok(Self { store, part, temporary, arrow, rows: 0 })
    }

    /// Adds rows, which are sorted by person and come after those before.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), Fault> {
        self.rows += rows.num_rows() as u64;
        self.arrow.write(rows).map_err(|e| self.part.fault(e))
    }

    /// After the last row: the file becomes one of the lake's.
    pub(super) fn finish(self) -> Result<LakeFile, Fault> {
        let Self { store, part: part @ Part { table, bucket, features }, temporary, arrow, rows } = self;
        let hashed = arrow.into_inner().map_err(|e| part.fault(e))?;
        hashed.file.sync_all().map_err(|e| part.fault(e))?;
        let sha256 = hex::encode(hashed.digest.finalize());
        let name: String = sha256.chars().take(16).collect();
        let path = format!("{}/b{bucket:05}-{name}.parquet", table.folder());
        store.keep(&temporary, &path)?;
        Ok(LakeFile { path, rows, bytes: hashed.bytes, sha256, bucket, features })
    }
}

/// No statistics: no scan skips by them, since each looks at whole buckets, and they would say of texts and
/// identifiers what an erased person wrote.
fn properties() -> Result<WriterProperties, Fault> {
    let level = ZstdLevel::try_new(1).map_err(|e| Fault::new("choosing a compression level", e))?;
    let column = |name: &str| ColumnPath::from(name);
    Ok(WriterProperties::builder()
        // What is numbered is small already, and unpacking it costs every question; ids are as good as random.
        .set_compression(Compression::UNCOMPRESSED)
        // One value for most of a file, that no question asks for: compressed faster than numbered.
        .set_column_dictionary_enabled(column("source"), false)
        .set_column_dictionary_enabled(column("derived"), false)
        .set_column_compression(column("source"), Compression::ZSTD(level))
        .set_column_compression(column("derived"), Compression::ZSTD(level))
        .set_column_compression(column("at"), Compression::ZSTD(level))
        .set_column_compression(column("text"), Compression::ZSTD(level))
        .set_column_compression(column("native_key"), Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(column("text"), false)
        .set_column_dictionary_enabled(column("native_key"), false)
        .set_column_dictionary_enabled(column("activity_id"), false)
        .set_column_dictionary_enabled(column(CREATOR), false)
        // Nearly every instant is another.
        .set_column_dictionary_enabled(column("at"), false)
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
