//! Entries are written in the transaction of the row that they vouch for.

use std::ops::RangeInclusive;

use audit_log::{Frontier, Hash, Salt, entry_leaf, row_digest};
use domain::Fault;
use domain::audit::{EntryBody, EntryKind, RowRef};
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{Statements, Values, row_texts, to_i64};

/// Bytes of an entry's salt.
const SALT: usize = 32;

/// Version of [`EntryBody`].
const SCHEMA: u32 = 1;

const ENTRY: &str = "INSERT INTO audit_entry (id, salt, body, leaf) VALUES (?, ?, ?, ?)";

const TREE: &str = "INSERT INTO audit_tree (id, frontier) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET frontier = excluded.frontier";

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
        Ok(Self::at(frontier(row.as_ref().map(|row| row.try_get(0)).transpose()?)?, inner))
    }

    /// The same where the tree's right edge is known as of this transaction.
    pub(crate) const fn at(frontier: Frontier, inner: &'a Inner) -> Self {
        Self { inner, frontier, entries: Vec::new() }
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
        self.write(tx).await?;
        Ok(())
    }

    /// The same wherever statements run; gives the tree as it is then.
    pub(crate) async fn write(self, store: &mut impl Statements) -> Result<Frontier, Error> {
        let bind_entry = |entry: &Entry, values: &mut Values<'_>| {
            values.value(entry.index)?;
            values.value(entry.salt.as_bytes().as_slice())?;
            values.value(entry.body.as_str())?;
            values.value(entry.leaf.as_bytes().as_slice())
        };
        if !self.entries.is_empty() {
            store.write(ENTRY, &self.entries, bind_entry).await?;
            store.write(TREE, &[self.frontier.to_bytes()], |bytes, values| values.value(bytes.as_slice())).await?;
        }
        Ok(self.frontier)
    }
}

/// The tree's right edge as it is kept; of a log that has no entry, nothing is.
pub(crate) fn frontier(bytes: Option<&[u8]>) -> Result<Frontier, Fault> {
    Ok(bytes.map(Frontier::from_bytes).transpose().map_err(|e| unreadable("the audit tree", e))?.unwrap_or_default())
}
