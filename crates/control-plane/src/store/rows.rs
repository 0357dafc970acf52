//! Many rows by few calls: statements that insert some rows each, and whose text never changes, so that
//! they are compiled once.

use domain::Fault;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Sqlite, Type};

/// Rows of one call: as many choices as often share a commit.
pub(crate) const ROWS: usize = 16;

/// Rows of one statement where each may lie on a page of its own. SQLite keeps the pages that a statement of many rows
/// changes, to be able to take it back alone; up to 64 KiB of them it keeps in memory, and beyond in a file.
const APART: usize = 8;

/// Statements that insert up to [`ROWS`] rows of `columns` arguments each into `into`, which names as
/// many columns, and do `then` to those that are there; rows of NULLs are none.
///
/// Arguments have no numbers, so that other statements can follow in the same call.
pub(crate) fn insert_rows(into: &str, columns: usize, then: &str) -> String {
    vec![insert(into, columns, APART, then); ROWS / APART].join("; ")
}

/// The same in one statement, for rows that come one after another at a table's end. Each statement wakes whoever waits
/// for the call.
pub(crate) fn append_rows(into: &str, columns: usize) -> String {
    insert(into, columns, ROWS, "")
}

fn insert(into: &str, columns: usize, rows: usize, then: &str) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    let rows = vec![row; rows].join(", ");
    format!("INSERT INTO {into} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL {then}")
}

/// Arguments, in the order of the statements that they are for.
#[derive(Default)]
pub(crate) struct Bound(SqliteArguments);

impl Bound {
    pub(crate) fn value<'a>(&mut self, value: impl Encode<'a, Sqlite> + Type<Sqlite>) -> Result<(), Fault> {
        self.0.add(value).map_err(|e| Fault::new("writing a value into the control store", e))
    }

    /// The rows of the call `call`, counted from 0, of those that insert all `rows` with [`insert_rows`];
    /// `each` gives the values of a row.
    pub(crate) fn rows<T>(&mut self, rows: &[T], call: usize, columns: usize, each: impl Fn(&mut Self, &T) -> Result<(), Fault>) -> Result<(), Fault> {
        let rows = rows.chunks(ROWS).nth(call).unwrap_or_default();
        for row in rows {
            each(self, row)?;
        }
        for _ in 0..(ROWS - rows.len()) * columns {
            self.value(None::<i64>)?;
        }
        Ok(())
    }

    pub(crate) fn into_arguments(self) -> SqliteArguments {
        self.0
    }
}
