//! A write of few calls. Each call is a journey to the store's thread and back, and so are beginning and committing
//! by themselves: here the first statement begins, and the last commits.

use domain::Fault;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use crate::error::store_fault;

/// What the first statement of a [`ShortWrite`] begins with.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE; ";

/// What its last one ends with.
pub(crate) const COMMIT: &str = "; COMMIT";

/// The one connection that writes, for a transaction whose statements begin and end it.
///
/// # Guarantee
/// Unless the transaction ended well, as [`ShortWrite::done`] or [`ShortWrite::nothing`] say, the connection is closed,
/// and with it goes whatever was not committed: nobody goes on in somebody else's transaction.
pub(crate) struct ShortWrite(Option<PoolConnection<Sqlite>>);

impl ShortWrite {
    pub(super) const fn on(connection: PoolConnection<Sqlite>) -> Self {
        Self(Some(connection))
    }

    /// Where statements go.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        self.0.as_deref_mut().ok_or_else(|| Fault::broken("a write that is over"))
    }

    /// The last statement went through, and with it the commit: the next one may write.
    pub(crate) fn done(mut self) {
        drop(self.0.take());
    }

    /// Nothing is to be written.
    pub(crate) async fn nothing(mut self) -> Result<(), Fault> {
        sqlx::query("ROLLBACK").execute(self.connection()?).await.map_err(store_fault)?;
        self.done();
        Ok(())
    }
}

impl Drop for ShortWrite {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::tests::deployment;

    #[tokio::test]
    async fn a_write_that_is_given_up_leaves_nothing_and_the_next_one_writes() {
        let (_folder, plane) = deployment().await;
        let store = &plane.inner.store;
        let count = async || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM limit_state").fetch_one(store.reader()).await.unwrap();
        let insert = "INSERT INTO limit_state (subject_id, kind, purpose, partner) VALUES (1, 'objection', '', '')";
        let first = || sqlx::AssertSqlSafe(format!("{BEGIN}{insert}"));
        let mut given_up = store.short_write().await.unwrap();
        sqlx::query(first()).execute(given_up.connection().unwrap()).await.unwrap();
        drop(given_up);
        let mut wrong = store.short_write().await.unwrap();
        sqlx::query(first()).execute(wrong.connection().unwrap()).await.unwrap();
        assert!(sqlx::query(sqlx::AssertSqlSafe(format!("{insert}{COMMIT}"))).execute(wrong.connection().unwrap()).await.is_err(), "the same again");
        drop(wrong);
        let mut nothing = store.short_write().await.unwrap();
        sqlx::query(first()).execute(nothing.connection().unwrap()).await.unwrap();
        nothing.nothing().await.unwrap();
        assert_eq!(count().await, 0);
        let mut whole = store.short_write().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("{BEGIN}{insert}{COMMIT}"))).execute(whole.connection().unwrap()).await.unwrap();
        whole.done();
        assert_eq!(count().await, 1);
        // Other writers are not in anybody's transaction.
        store.begin().await.unwrap().commit().await.unwrap();
    }
}
