//! Data on stdout: a table for eyes; JSON, NDJSON or CSV for programs.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::Value;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For eyes.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// Prints a line of data.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Prints a note beside the data.
pub(crate) fn note(text: &str) {
    // Nothing can be said about a terminal that cannot be written to.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints rows of equal shape. `document` is what JSON shows; the rows are what the rest shows.
pub(crate) fn rows(format: Format, headers: &[&str], rows: &[Vec<Value>], document: &Value) -> io::Result<()> {
    match format {
        Format::Table => line(&table(headers, rows)),
        Format::Json => json(document),
        Format::Csv => {
            line(&headers.iter().map(|h| csv_cell(h)).collect::<Vec<_>>().join(","))?;
            rows.iter().try_for_each(|row| line(&row.iter().map(|v| csv_cell(&plain(v))).collect::<Vec<_>>().join(",")))
        }
        Format::Ndjson => objects(headers, rows).iter().try_for_each(|object| line(&object.to_string())),
    }
}

/// Prints a list of things; as JSON, under `name`.
pub(crate) fn list(format: Format, name: &str, headers: &[&str], table: &[Vec<Value>]) -> io::Result<()> {
    rows(format, headers, table, &serde_json::json!({ "schema": 1, name: objects(headers, table) }))
}

/// Rows as objects with the headers as names.
pub(crate) fn objects(headers: &[&str], rows: &[Vec<Value>]) -> Vec<Value> {
    rows.iter().map(|row| headers.iter().map(|h| (*h).to_owned()).zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into()).collect()
}

/// Prints one thing: as lines of names and values, or as one object.
pub(crate) fn object(format: Format, document: &Value) -> io::Result<()> {
    match (format, document) {
        (Format::Json, _) => json(document),
        (Format::Table, Value::Object(fields)) => {
            let width = fields.keys().map(String::len).max().unwrap_or(0);
            fields.iter().filter(|(name, _)| *name != "schema").try_for_each(|(name, value)| line(&format!("{name:width$}  {}", plain(value))))
        }
        (Format::Table | Format::Csv | Format::Ndjson, _) => line(&document.to_string()),
    }
}

fn json(document: &Value) -> io::Result<()> {
    line(&serde_json::to_string_pretty(document)?)
}

/// A table with a line under its head.
pub(crate) fn table(headers: &[&str], rows: &[Vec<Value>]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(headers.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(plain));
    }
    table.to_string()
}

/// A value as people write it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// An exact decimal as a JSON number.
pub(crate) fn number(decimal: impl std::fmt::Display) -> Value {
    decimal.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}
