//! Whose turn it is to write. SQLite lets one write at a time, and whoever finds it busy asks again and again; here
//! they stand in line instead.

use std::ops::{Deref, DerefMut};

use domain::Fault;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::{MutexGuard, OwnedMutexGuard};

use super::Direct;

/// The place of whoever writes, with the connection of the writer of choices, once there is one.
pub(super) type Place = Option<Direct>;

/// A transaction that writes.
///
/// # Guarantee
/// Unless it was committed, nothing of it stays.
pub(crate) struct Write {
    // Goes first: the next one's turn comes when this is over.
    tx: Transaction<'static, Sqlite>,
    _turn: OwnedMutexGuard<Place>,
}

impl Write {
    pub(super) const fn new(tx: Transaction<'static, Sqlite>, turn: OwnedMutexGuard<Place>) -> Self {
        Self { tx, _turn: turn }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl Deref for Write {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

/// The same on the connection of the writer of choices.
///
/// # Guarantee
/// Unless it ended well the connection is closed, and with it goes whatever was not committed: nobody goes on in
/// somebody else's transaction.
pub(crate) struct DirectWrite<'a> {
    place: MutexGuard<'a, Place>,
    direct: Direct,
}

impl<'a> DirectWrite<'a> {
    pub(super) fn begin(place: MutexGuard<'a, Place>, direct: Direct) -> Result<Self, Fault> {
        direct.execute("BEGIN IMMEDIATE")?;
        Ok(Self { place, direct })
    }

    /// Where statements run.
    pub(crate) const fn statements(&mut self) -> &mut Direct {
        &mut self.direct
    }

    /// Makes what was written durable. `then` is done before the next one's turn comes.
    pub(crate) fn commit(self, then: impl FnOnce()) -> Result<(), Fault> {
        self.end("COMMIT", then)
    }

    /// Nothing was written. `then` is done before the next one's turn comes.
    pub(crate) fn nothing(self, then: impl FnOnce()) -> Result<(), Fault> {
        self.end("ROLLBACK", then)
    }

    fn end(mut self, how: &'static str, then: impl FnOnce()) -> Result<(), Fault> {
        self.direct.execute(how)?;
        then();
        *self.place = Some(self.direct);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::plane::tests::deployment;
    use crate::store::{Direct, Statements, at_once};

    fn insert(direct: &mut Direct, subject: i64) {
        let sql = "INSERT INTO limit_state (subject_id, kind, purpose, partner) VALUES (?, 'objection', '', '')";
        at_once(direct.write(sql, &[subject], |subject, values| values.value(*subject))).unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_write_that_is_given_up_leaves_nothing_and_the_next_one_writes() {
        let (_folder, plane) = deployment().await;
        let there = plane.clone();
        let here = move || {
            let store = &there.inner.store;
            let mut given_up = store.begin_here().unwrap();
            insert(given_up.statements(), 1);
            drop(given_up);
            let mut nothing = store.begin_here().unwrap();
            insert(nothing.statements(), 2);
            nothing.nothing(|| ()).unwrap();
            let mut whole = store.begin_here().unwrap();
            insert(whole.statements(), 3);
            whole.commit(|| ()).unwrap();
        };
        tokio::task::spawn_blocking(here).await.unwrap();
        // Other writers are not in anybody's transaction.
        let tx = plane.inner.store.begin().await.unwrap();
        tx.commit().await.unwrap();
        let written: Vec<i64> = sqlx::query_scalar("SELECT subject_id FROM limit_state").fetch_all(plane.inner.store.reader()).await.unwrap();
        assert_eq!(written, [3]);
    }

    #[tokio::test]
    async fn the_writer_of_choices_is_told_whenever_somebody_else_wrote() {
        let (_folder, plane) = deployment().await;
        let others_wrote = async |subject: i64| {
            let there = plane.clone();
            let here = move || {
                let mut write = there.inner.store.begin_here().unwrap();
                let told = write.statements().others_wrote().unwrap();
                insert(write.statements(), subject);
                write.commit(|| ()).unwrap();
                told
            };
            tokio::task::spawn_blocking(here).await.unwrap()
        };
        assert!(others_wrote(1).await, "nothing is known at first");
        assert!(!others_wrote(2).await, "what it wrote itself it knows");
        let mut tx = plane.inner.store.begin().await.unwrap();
        sqlx::query("DELETE FROM limit_state WHERE subject_id = 1").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert!(others_wrote(3).await);
        assert!(!others_wrote(4).await);
        // Of what was taken back nothing is to be known.
        let mut tx = plane.inner.store.begin().await.unwrap();
        sqlx::query("DELETE FROM limit_state").execute(&mut *tx).await.unwrap();
        drop(tx);
        assert!(!others_wrote(5).await);
    }
}
