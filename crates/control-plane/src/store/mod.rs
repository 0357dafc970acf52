//! The SQLite store: one writer, some readers, every acknowledged write on disk.

mod direct;
mod migrate;
mod row_text;
mod statements;
mod turn;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::{Fault, Timestamp};
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, Sqlite, Transaction};
use tokio::sync::Mutex;

use crate::Error;
use crate::error::{store_fault, unreadable};

pub(crate) use direct::{Direct, at_once};
pub(crate) use row_text::{Literals, RECORDED, insert_text, loss_text, row_text, row_texts};
pub(crate) use statements::{Columns, Statements, Values};
pub(crate) use turn::{DirectWrite, Write};

/// Connections for readers.
const READERS: u32 = 4;

/// Pages of the write-ahead log before it is brought into the store: many, so that a page that many
/// choices change is moved once.
const WAL_PAGES: &str = "16384";

/// Memory for pages per connection, in KiB (the sign says that it is no number of pages).
const CACHE_KIB: &str = "-32768";

/// How long a writer waits for another process.
const BUSY: Duration = Duration::from_secs(30);

/// The control store of one deployment.
///
/// # Guarantee
/// A committed transaction survives power loss: write-ahead log with `synchronous = FULL`. Writers
/// take the lock at their beginning (`BEGIN IMMEDIATE`), so that what they read is what they change.
pub(crate) struct Store {
    path: PathBuf,
    writer: SqlitePool,
    reader: SqlitePool,
    /// Whose turn it is to write.
    turn: Arc<Mutex<turn::Place>>,
    /// Why nothing may be written, if so.
    locked: RwLock<Option<String>>,
}

impl Store {
    pub(crate) async fn open(path: &Path, create: bool) -> Result<Self, Fault> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten.
            .pragma("secure_delete", "ON")
            .pragma("wal_autocheckpoint", WAL_PAGES)
            .pragma("cache_size", CACHE_KIB)
            .busy_timeout(BUSY);
        // A connection within this process does not go stale: there is nothing to test.
        let pool = SqlitePoolOptions::new().test_before_acquire(false);
        let writer = pool.clone().max_connections(1).connect_with(options.clone()).await.map_err(store_fault)?;
        migrate::migrate(&writer).await?;
        let reader = pool.max_connections(READERS).connect_with(options).await.map_err(store_fault)?;
        Ok(Self { path: path.to_owned(), writer, reader, turn: Arc::default(), locked: RwLock::new(None) })
    }

    /// Begins a write; a conflict when the store is locked.
    pub(crate) async fn begin(&self) -> Result<Write, Error> {
        self.check_unlocked()?;
        Ok(self.begin_reconciling().await?)
    }

    /// Begins the write that brings a locked store up to its log.
    pub(crate) async fn begin_reconciling(&self) -> Result<Write, Fault> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        Ok(Write::new(self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_fault)?, turn))
    }

    /// Begins a write whose statements run on this thread, which waits for its turn: not for one that others wait for.
    /// A conflict when the store is locked.
    pub(crate) fn begin_here(&self) -> Result<DirectWrite<'_>, Error> {
        self.check_unlocked()?;
        let mut place = self.turn.blocking_lock();
        let direct = place.take().map_or_else(|| Direct::open(&self.path), Ok)?;
        Ok(DirectWrite::begin(place, direct)?)
    }

    /// Lets nothing be written as long as there is a reason.
    pub(crate) fn lock(&self, why: Option<String>) {
        *self.locked.write().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// A conflict when the store is locked.
    pub(crate) fn check_unlocked(&self) -> Result<(), Error> {
        let locked = self.locked.read().unwrap_or_else(PoisonError::into_inner);
        locked.as_ref().map_or(Ok(()), |why| Err(Error::Conflict(why.clone())))
    }

    /// Writes a copy of the store as it is now, whole and without deleted bytes.
    pub(crate) async fn copy_to(&self, path: &str) -> Result<(), Fault> {
        sqlx::query("VACUUM INTO ?").bind(path).execute(&self.reader).await.map_err(store_fault)?;
        Ok(())
    }

    /// Begins a read of one consistent state.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        self.reader.begin().await.map_err(store_fault)
    }

    pub(crate) const fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Brings the write-ahead log into the store and cuts it, so that no old page outlives its content.
    pub(crate) async fn forget(&self) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map_err(store_fault)?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        drop(self.turn.lock().await.take());
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// A count as SQLite keeps it.
pub(crate) fn to_i64(x: u64) -> Result<i64, Fault> {
    i64::try_from(x).map_err(|_| Fault::broken("a number is too large for the control store"))
}

/// A count that SQLite kept.
pub(crate) fn from_i64(x: i64) -> Result<u64, Fault> {
    u64::try_from(x).map_err(|e| unreadable("a count", e))
}

/// An instant as text that sorts by time.
pub(crate) fn time_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// An instant as a number, where rows are many and short: microseconds since 1970.
pub(crate) const fn time_number(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// An instant that was kept as a number.
pub(crate) fn parse_time_number(micros: i64) -> Result<Timestamp, Fault> {
    chrono::DateTime::from_timestamp_micros(micros).ok_or_else(|| Fault::broken("a time in the control store is beyond the calendar"))
}

/// An instant that was kept as text.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, Fault> {
    chrono::DateTime::parse_from_rfc3339(text).map(|t| t.to_utc()).map_err(|e| unreadable("a time", e))
}

/// A word or name that was kept as text.
pub(crate) fn parse_word<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|e: T::Err| unreadable("a word", e))
}

/// Rows for one statement, to be read with `json_each`: a statement for many rows costs little more
/// than one for one row.
pub(crate) fn json_rows(rows: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(rows).map_err(|e| unreadable("rows", e))
}

/// What a statement gave as JSON in a column: rows that come as one text come with one call.
pub(crate) fn parsed<'r, T: Deserialize<'r>>(row: &'r SqliteRow, column: usize) -> Result<T, Fault> {
    serde_json::from_str(row.try_get(column).map_err(store_fault)?).map_err(|e| unreadable("rows", e))
}
