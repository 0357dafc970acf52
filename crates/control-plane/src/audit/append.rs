//! Entries are written in the transaction of the row that they vouch for.

use audit_log::{Frontier, Salt, entry_leaf, row_digest};
use domain::Fault;
use domain::audit::{EntryBody, EntryKind, RowRef};
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{row_text, to_i64};

/// Version of [`EntryBody`].
const SCHEMA: u32 = 1;

/// Appends entries within one transaction; the tree is read once and written once.
pub(crate) struct AuditWriter<'a> {
    inner: &'a Inner,
    frontier: Frontier,
}

impl<'a> AuditWriter<'a> {
    pub(crate) async fn begin(tx: &mut SqliteConnection, inner: &'a Inner) -> Result<Self, Error> {
        let row = sqlx::query("SELECT frontier FROM audit_tree WHERE id = 1").fetch_optional(tx).await?;
        let frontier = match row {
            Some(row) => Frontier::from_bytes(row.try_get(0)?).map_err(|e| unreadable("the audit tree", e))?,
            None => Frontier::default(),
        };
        Ok(Self { inner, frontier })
    }

    /// Vouches for a recorded row that this transaction has just written; tells the entry's index.
    pub(crate) async fn append(&mut self, tx: &mut SqliteConnection, kind: EntryKind, table: &'static str, id: i64) -> Result<u64, Error> {
        let row = row_text(tx, table, id).await?.ok_or_else(|| Fault::broken("an entry about a row that was not written"))?;
        let mut salt = [0; 32];
        self.inner.entropy.fill(&mut salt)?;
        let salt = Salt::from_bytes(salt);
        let row = RowRef { table: table.to_owned(), id, digest: row_digest(&salt, row.as_bytes()).to_string() };
        let body = serde_json::to_string(&EntryBody { schema: SCHEMA, kind, at: self.inner.clock.now(), row }).map_err(|e| Fault::new("writing an audit entry", e))?;
        let leaf = entry_leaf(&salt, body.as_bytes());
        let index = self.frontier.size();
        sqlx::query("INSERT INTO audit_entry (id, salt, body, leaf) VALUES (?, ?, ?, ?)")
            .bind(to_i64(index)?)
            .bind(salt.as_bytes().as_slice())
            .bind(body)
            .bind(leaf.as_bytes().as_slice())
            .execute(tx)
            .await?;
        self.frontier.push(leaf);
        Ok(index)
    }

    /// Keeps the tree. Must be called before the transaction is committed.
    pub(crate) async fn finish(self, tx: &mut SqliteConnection) -> Result<(), Error> {
        sqlx::query("INSERT INTO audit_tree (id, frontier) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET frontier = excluded.frontier")
            .bind(self.frontier.to_bytes())
            .execute(tx)
            .await?;
        Ok(())
    }
}
