//! Entries are written in the transaction of the row that they vouch for.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use audit_log::{Frontier, Hash, Salt, entry_leaf, row_digest};
use domain::Fault;
use domain::audit::{EntryBody, EntryKind, RowRef};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{Bound, ROWS, append_rows, row_texts, to_i64};

/// Bytes of an entry's salt.
const SALT: usize = 32;

/// Version of [`EntryBody`].
const SCHEMA: u32 = 1;

/// Writes entries and the tree.
pub(crate) static WRITE: LazyLock<String> = LazyLock::new(|| {
    let tree = "INSERT INTO audit_tree (id, frontier) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET frontier = excluded.frontier";
    format!("{}; {tree}", append_rows("audit_entry (id, salt, body, leaf)", 4))
});

/// Appends entries within one transaction; the tree is read once, and everything is written at once.
pub(crate) struct AuditWriter<'a> {
    inner: &'a Inner,
    frontier: Frontier,
    entries: Vec<Entry>,
}

struct Entry {
    index: i64,
    salt: Salt,
    body: String,
    leaf: Hash,
}

impl<'a> AuditWriter<'a> {
    pub(crate) async fn begin(tx: &mut SqliteConnection, inner: &'a Inner) -> Result<Self, Error> {
        let row = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_optional(tx).await?;
        Ok(Self::at(row.as_ref().map(|row| row.try_get(0)).transpose()?, inner)?)
    }

    /// The same where the tree's frontier, if any, has been read in this transaction.
    pub(crate) fn at(frontier: Option<&[u8]>, inner: &'a Inner) -> Result<Self, Fault> {
        let frontier = frontier.map(Frontier::from_bytes).transpose().map_err(|e| unreadable("the audit tree", e))?;
        Ok(Self { inner, frontier: frontier.unwrap_or_default(), entries: Vec::new() })
    }

    /// Vouches for a recorded row that this transaction has just written; tells the entry's index.
    pub(crate) async fn append(&mut self, tx: &mut SqliteConnection, kind: EntryKind, table: &'static str, id: i64) -> Result<u64, Error> {
        self.append_all(tx, kind, table, id..=id).await
    }

    /// Vouches for recorded rows that this transaction has just written, one entry each; tells the
    /// index of the first.
    pub(crate) async fn append_all(&mut self, tx: &mut SqliteConnection, kind: EntryKind, table: &'static str, ids: RangeInclusive<i64>) -> Result<u64, Error> {
        let rows = row_texts(tx, table, ids.clone()).await?;
        self.append_texts(kind, table, ids, &rows)
    }

    /// The same for rows whose texts are known: each must be, byte for byte, what [`row_texts`] gives.
    pub(crate) fn append_texts(&mut self, kind: EntryKind, table: &'static str, ids: RangeInclusive<i64>, rows: &[(i64, String)]) -> Result<u64, Error> {
        let first = self.frontier.size();
        if !rows.iter().map(|(id, _)| *id).eq(ids) {
            return Err(Fault::broken("an entry about a row that was not written").into());
        }
        let mut salts = vec![0; rows.len() * SALT];
        self.inner.entropy.fill(&mut salts)?;
        let (salts, _) = salts.as_chunks::<SALT>();
        let at = self.inner.clock.now();
        for ((id, row), salt) in rows.iter().zip(salts) {
            let salt = Salt::from_bytes(*salt);
            let row = RowRef { table: table.to_owned(), id: *id, digest: row_digest(&salt, row.as_bytes()).to_string() };
            let body = serde_json::to_string(&EntryBody { schema: SCHEMA, kind, at, row }).map_err(|e| Fault::new("writing an audit entry", e))?;
            let leaf = entry_leaf(&salt, body.as_bytes());
            self.entries.push(Entry { index: to_i64(self.frontier.size())?, salt, body, leaf });
            self.frontier.push(leaf);
        }
        Ok(first)
    }

    /// Writes the entries and the tree. Must be called before the transaction is committed.
    pub(crate) async fn finish(self, tx: &mut SqliteConnection) -> Result<(), Error> {
        for call in 0..self.entries.len().div_ceil(ROWS) {
            let mut values = Bound::default();
            self.bind(&mut values, call)?;
            sqlx::query_with(AssertSqlSafe(WRITE.as_str()), values.into_arguments()).execute(&mut *tx).await?;
        }
        Ok(())
    }

    /// The arguments of [`WRITE`] in one of the calls that write all entries.
    pub(crate) fn bind(&self, values: &mut Bound, call: usize) -> Result<(), Fault> {
        values.rows(&self.entries, call, 4, |values, entry| {
            values.value(entry.index)?;
            values.value(entry.salt.as_bytes().as_slice())?;
            values.value(entry.body.as_str())?;
            values.value(entry.leaf.as_bytes().as_slice())
        })?;
        values.value(self.frontier.to_bytes())
    }
}
