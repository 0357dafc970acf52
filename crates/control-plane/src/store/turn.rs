//! Whose turn it is to write. SQLite lets one write at a time, and whoever finds it busy asks again and again; here
//! they stand in line instead.

use domain::Fault;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use std::ops::{Deref, DerefMut};
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
