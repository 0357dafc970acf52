//! Statements without the connection that runs them: what recording choices does is written once, and runs within
//! any transaction as well as on the connection of the writer of choices ([`super::Direct`]).

use std::pin::Pin;
use std::str::FromStr;

use domain::{Fault, Timestamp};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Decode, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};

use super::{parse_time, parse_word};
use crate::Error;
use crate::error::{store_fault, unreadable};

/// A value as SQLite has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Number(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Where statements run.
pub(crate) trait Statements: Send {
    /// Runs a query once for each of `of`, whose values `bind` gives in the order of the places; tells what `row`
    /// makes of all rows, in order.
    fn read<'a, A: Sync, T: Send + 'a>(
        &'a mut self,
        sql: &'static str,
        of: &'a [A],
        bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a,
        row: impl FnMut(&dyn Columns) -> Result<T, Fault> + Send + 'a,
    ) -> Running<'a, Vec<T>>;

    /// Runs a statement that gives no rows once for each of `of`.
    fn write<'a, A: Sync>(&'a mut self, sql: &'static str, of: &'a [A], bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a) -> Running<'a, ()>;
}

/// A statement on its way. Boxed: of a future without a name the compiler does not see that it can go to another thread
/// when what is bound borrows from something.
pub(crate) type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The values of a statement, in the order of its places.
pub(crate) struct Values<'a>(pub(super) &'a mut dyn FnMut(Value<'_>) -> Result<(), Fault>);

impl Values<'_> {
    pub(crate) fn value<'v>(&mut self, value: impl Into<Value<'v>>) -> Result<(), Fault> {
        (self.0)(value.into())
    }
}

/// The columns of a row, counted from 0.
pub(crate) trait Columns {
    fn cell(&self, column: usize) -> Result<Value<'_>, Fault>;
}

impl dyn Columns + '_ {
    pub(crate) fn maybe_number<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(&self, column: usize) -> Result<Option<T>, Fault> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Number(number) => number.try_into().map(Some).map_err(|e| unreadable("a number", e)),
            Value::Text(_) | Value::Bytes(_) => Err(other("a number")),
        }
    }

    pub(crate) fn number<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(&self, column: usize) -> Result<T, Fault> {
        self.maybe_number(column)?.ok_or_else(|| other("a number"))
    }

    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<&str>, Fault> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Number(_) | Value::Bytes(_) => Err(other("a text")),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str, Fault> {
        self.maybe_text(column)?.ok_or_else(|| other("a text"))
    }

    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<&[u8]>, Fault> {
        match self.cell(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            Value::Number(_) | Value::Text(_) => Err(other("bytes")),
        }
    }

    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8], Fault> {
        self.maybe_bytes(column)?.ok_or_else(|| other("bytes"))
    }

    /// A word or name that is kept as text.
    pub(crate) fn word<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(&self, column: usize) -> Result<T, Fault> {
        parse_word(self.text(column)?)
    }

    /// An instant that is kept as text.
    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        parse_time(self.text(column)?)
    }

    /// What is kept as JSON.
    pub(crate) fn json<'r, T: serde::Deserialize<'r>>(&'r self, column: usize) -> Result<T, Fault> {
        serde_json::from_str(self.text(column)?).map_err(|e| unreadable("JSON", e))
    }
}

fn other(wanted: &str) -> Fault {
    Fault::broken(format!("a column of the control store is not {wanted}"))
}

/// Statements of one call. A call is a journey to the connection's thread and back.
const OF_ONE_CALL: usize = 16;

impl Statements for SqliteConnection {
    fn read<'a, A: Sync, T: Send + 'a>(
        &'a mut self,
        sql: &'static str,
        of: &'a [A],
        bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a,
        mut row: impl FnMut(&dyn Columns) -> Result<T, Fault> + Send + 'a,
    ) -> Running<'a, Vec<T>> {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(of.len());
            for one in of {
                for found in sqlx::query_with(sql, arguments(std::slice::from_ref(one), &bind)?).fetch_all(&mut *self).await? {
                    rows.push(row(&found)?);
                }
            }
            Ok(rows)
        })
    }

    fn write<'a, A: Sync>(&'a mut self, sql: &'static str, of: &'a [A], bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault> + Send + 'a) -> Running<'a, ()> {
        Box::pin(async move {
            let (many, few) = of.as_chunks::<OF_ONE_CALL>();
            for some in many {
                sqlx::query_with(AssertSqlSafe([sql; OF_ONE_CALL].join("; ")), arguments(some, &bind)?).execute(&mut *self).await?;
            }
            for one in few {
                sqlx::query_with(sql, arguments(std::slice::from_ref(one), &bind)?).execute(&mut *self).await?;
            }
            Ok(())
        })
    }
}

fn arguments<A>(of: &[A], bind: impl Fn(&A, &mut Values<'_>) -> Result<(), Fault>) -> Result<SqliteArguments, Fault> {
    let mut all = SqliteArguments::default();
    let mut add = |value: Value<'_>| {
        let added = match value {
            Value::Null => all.add(None::<i64>),
            Value::Number(number) => all.add(number),
            Value::Text(text) => all.add(text.to_owned()),
            Value::Bytes(bytes) => all.add(bytes.to_owned()),
        };
        added.map_err(|e| Fault::new("writing a value into the control store", e))
    };
    of.iter().try_for_each(|one| bind(one, &mut Values(&mut add)))?;
    Ok(all)
}

impl Columns for SqliteRow {
    fn cell(&self, column: usize) -> Result<Value<'_>, Fault> {
        let wrong = |e| unreadable("a column", e);
        let raw = self.try_get_raw(column).map_err(store_fault)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        let kind = raw.type_info().into_owned();
        match kind.name() {
            "INTEGER" => <i64 as Decode<'_, Sqlite>>::decode(raw).map(Value::Number).map_err(wrong),
            "TEXT" => <&str as Decode<'_, Sqlite>>::decode(raw).map(Value::Text).map_err(wrong),
            "BLOB" => <&[u8] as Decode<'_, Sqlite>>::decode(raw).map(Value::Bytes).map_err(wrong),
            kind => Err(Fault::broken(format!("a column of the control store is {kind}"))),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u8> for Value<'_> {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Self::Null, Into::into)
    }
}
