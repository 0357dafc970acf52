//! The connection of the writer of choices: its statements run on the thread that asks, one after another. A statement
//! elsewhere is a journey to another thread and back, which costs more than most statements.
//!
//! It is the same SQLite library; only the way to it is another.

use std::future::ready;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use domain::Fault;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row};

use super::statements::{Columns, Running, Statements, Value, Values};
use super::{BUSY, CACHE_KIB, WAL_PAGES};
use crate::Error;

/// Compiled statements that are kept: more than there are.
const STATEMENTS: usize = 64;

/// A connection whose statements run where they are called.
pub(crate) struct Direct {
    connection: Connection,
    /// What SQLite said of commits by others when it was asked last.
    version: Option<i64>,
}

impl Direct {
    /// Opens a store that is there, with the settings of all its connections.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fault)?;
        connection.busy_timeout(BUSY).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let settings = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; \
             PRAGMA wal_autocheckpoint = {WAL_PAGES}; PRAGMA cache_size = {CACHE_KIB}"
        );
        connection.execute_batch(&settings).map_err(fault)?;
        Ok(Self { connection, version: None })
    }

    /// Whether another connection, of this process or another, may have changed anything since this was asked last.
    ///
    /// # Guarantee
    /// Within a transaction that writes, a no holds until it ends: nobody else can write.
    pub(crate) fn others_wrote(&mut self) -> Result<bool, Fault> {
        let version = self.statement("PRAGMA data_version")?.query_row([], |row| row.get(0)).map_err(fault)?;
        Ok(self.version.replace(version) != Some(version))
    }

    pub(super) fn execute(&self, sql: &'static str) -> Result<(), Fault> {
        self.statement(sql)?.raw_execute().map_err(fault)?;
        Ok(())
    }

    fn statement(&self, sql: &'static str) -> Result<CachedStatement<'_>, Fault> {
        self.connection.prepare_cached(sql).map_err(fault)
    }

    fn read_now<A, T>(
        &self,
        sql: &'static str,
        of: &[A],
        bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault>,
        mut row: impl FnMut(&dyn Columns) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.statement(sql)?;
        let mut all = Vec::with_capacity(of.len());
        for one in of {
            bind_to(&mut statement, one, &bind)?;
            let mut rows = statement.raw_query();
            while let Some(found) = rows.next().map_err(fault)? {
                all.push(row(found)?);
            }
        }
        Ok(all)
    }

    fn write_now<A>(&self, sql: &'static str, of: &[A], bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault>) -> Result<(), Error> {
        let mut statement = self.statement(sql)?;
        for one in of {
            bind_to(&mut statement, one, &bind)?;
            statement.raw_execute().map_err(fault)?;
        }
        Ok(())
    }
}

impl Statements for Direct {
    fn read<'a, A: Sync, T: Send + 'a>(
        &'a mut self,
        sql: &'static str,
        of: &'a [A],
        bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a,
        row: impl FnMut(&dyn Columns) -> Result<T, Fault> + Send + 'a,
    ) -> Running<'a, Vec<T>> {
        Box::pin(ready(self.read_now(sql, of, bind, row)))
    }

    fn write<'a, A: Sync>(&'a mut self, sql: &'static str, of: &'a [A], bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a) -> Running<'a, ()> {
        Box::pin(ready(self.write_now(sql, of, bind)))
    }
}

fn bind_to<A>(statement: &mut CachedStatement<'_>, one: &A, bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut place = 0;
    bind(
        one,
        &mut Values(&mut |value| {
            place += 1;
            let value = match value {
                Value::Null => ValueRef::Null,
                Value::Number(number) => ValueRef::Integer(number),
                Value::Text(text) => ValueRef::Text(text.as_bytes()),
                Value::Bytes(bytes) => ValueRef::Blob(bytes),
            };
            statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value)).map_err(fault)
        }),
    )
}

impl Columns for Row<'_> {
    fn cell(&self, column: usize) -> Result<Value<'_>, Fault> {
        match self.get_ref(column).map_err(fault)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Number(number)),
            ValueRef::Text(text) => std::str::from_utf8(text).map(Value::Text).map_err(|e| crate::error::unreadable("a text", e)),
            ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes)),
            ValueRef::Real(_) => Err(Fault::broken("a column of the control store is a fraction")),
        }
    }
}

/// What comes of work whose every statement runs at once.
///
/// # Errors
/// A fault when it waits for something else.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> Result<T, Fault> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => Err(Fault::broken("a write of choices that waits for something else")),
    }
}

fn fault(error: rusqlite::Error) -> Fault {
    Fault::new("using the control store", error)
}
