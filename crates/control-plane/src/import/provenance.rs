//! Where rows come from: imports, their sources, and who asked about a person's.

use std::collections::BTreeMap;

use domain::audit::EntryKind;
use domain::record::{Counts, SourceKind};
use domain::{Platform, SubjectId, SubjectSet, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::store::parse_time;
use crate::{ControlPlane, Error};

/// A source of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedSource {
    /// Rows of the lake carry this number.
    pub number: u32,
    /// Where the operator found it; empty when that went with a person. Kept apart from the rest.
    #[serde(skip)]
    pub path: String,
    /// Who its rows come from.
    pub kind: SourceKind,
    /// Its platform.
    pub platform: Platform,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Which reader made the rows, and its version.
    pub parser: String,
    /// How many people it names.
    pub subjects: u64,
    /// What it brought.
    pub counts: Counts,
}

/// An import, as it was recorded.
#[derive(Debug, Clone)]
pub struct ImportInfo {
    /// Its number.
    pub id: i64,
    /// When it was committed.
    pub at: Timestamp,
    /// Its sources, in order.
    pub sources: Vec<ImportedSource>,
    /// Everybody whom they name, by the id that their account has.
    pub named: SubjectSet,
    /// The snapshot that it made visible, if anything changed.
    pub snapshot: Option<i64>,
    /// When it was taken back, if it was.
    pub undone: Option<Timestamp>,
}

/// What the rows of the lake can be traced to.
#[derive(Debug, Clone)]
pub struct Provenance {
    imports: Vec<ImportInfo>,
}

impl Provenance {
    /// The import and the source behind a source's number.
    #[must_use]
    pub fn source(&self, number: u32) -> Option<(&ImportInfo, &ImportedSource)> {
        self.imports.iter().flat_map(|import| import.sources.iter().map(move |source| (import, source))).find(|(_, source)| source.number == number)
    }

    /// The imports that name a person and count, oldest first.
    pub fn naming(&self, subject: SubjectId) -> impl Iterator<Item = &ImportInfo> {
        self.imports.iter().filter(move |import| import.undone.is_none() && import.named.contains(subject))
    }
}

const IMPORTS: &str = "SELECT i.id, i.at, i.sources, i.named, i.snapshot_id, u.at FROM import i LEFT JOIN import_undo u ON u.import_id = i.id";

impl ControlPlane {
    /// All imports, oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn import_list(&self) -> Result<Vec<ImportInfo>, Error> {
        all(&mut *self.inner.store.snapshot().await?).await
    }

    /// One import.
    ///
    /// # Errors
    /// Not found.
    pub async fn import_show(&self, import: i64) -> Result<ImportInfo, Error> {
        find(&mut *self.inner.store.snapshot().await?, import).await
    }

    /// Records that a person's rows are looked at, and gives what they can be traced to.
    ///
    /// # Guarantee
    /// The entry is durable before this returns; it says whose rows and what was looked for, and nothing
    /// of what is there.
    ///
    /// # Errors
    /// Not found.
    pub async fn staff_read(&self, subject: SubjectId, what: &str) -> Result<Provenance, Error> {
        let mut tx = self.inner.store.begin().await?;
        crate::subject::person(&mut tx, subject).await?;
        let inserted = sqlx::query("INSERT INTO staff_read (subject_id, what, at) VALUES (?, ?, ?)").bind(subject.0).bind(what).bind(self.now_text()).execute(&mut *tx).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::StaffRead, "staff_read", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        let imports = all(&mut tx).await?;
        tx.commit().await?;
        Ok(Provenance { imports })
    }
}

/// All imports, oldest first.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<ImportInfo>, Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{IMPORTS} ORDER BY i.id"))).fetch_all(&mut *connection).await?;
    let paths = sqlx::query("SELECT number, path FROM source_path").fetch_all(connection).await?;
    let paths = paths.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<BTreeMap<u32, String>, Error>>()?;
    rows.iter().map(|row| info(row, &paths)).collect()
}

/// One import.
pub(crate) async fn find(connection: &mut SqliteConnection, import: i64) -> Result<ImportInfo, Error> {
    let all = all(connection).await?;
    all.into_iter().find(|i| i.id == import).ok_or_else(|| Error::NotFound { what: "import", name: import.to_string() })
}

fn info(row: &SqliteRow, paths: &BTreeMap<u32, String>) -> Result<ImportInfo, Error> {
    let mut sources: Vec<ImportedSource> = serde_json::from_str(row.try_get(2)?).map_err(|e| unreadable("the sources of an import", e))?;
    for source in &mut sources {
        source.path = paths.get(&source.number).cloned().unwrap_or_default();
    }
    let undone = row.try_get::<Option<&str>, _>(5)?.map(parse_time).transpose()?;
    Ok(ImportInfo { id: row.try_get(0)?, at: parse_time(row.try_get(1)?)?, sources, named: SubjectSet::from_bytes(row.try_get(3)?)?, snapshot: row.try_get(4)?, undone })
}
