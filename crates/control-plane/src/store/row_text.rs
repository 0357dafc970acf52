//! A recorded row as one canonical text: what its audit entry vouches for.

use std::ops::RangeInclusive;

use domain::Fault;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::error::store_fault;

/// Recorded tables with an integer id, and all their columns in order.
pub(crate) const RECORDED: &[(&str, &[&str])] = &[
    ("deployment", &["id", "origin", "rho_cap", "delta_cap", "subject_rho_cap", "subject_delta_cap", "snapshot_clock", "at"]),
    ("import", &["id", "sources", "snapshot_id", "people_sha256", "at"]),
    ("snapshot", &["id", "cause", "manifest", "visible_from", "at"]),
    ("erasure", &["id", "subject_id", "at"]),
    ("notice", &["id", "name", "version", "language", "purposes", "partners", "text", "sha256", "at"]),
    ("consent_event", &["id", "subject_id", "partner", "purpose", "action", "notice", "notice_version", "method", "at"]),
    ("partner_act", &["id", "partner", "act", "legal_name", "rho_cap", "delta_cap", "at"]),
    ("agreement_act", &["id", "agreement", "act", "terms", "at"]),
    ("release_reservation", &["id", "release", "partner", "agreement", "purpose", "release_key", "plan", "rho", "delta", "budget_window", "consent_seq", "snapshot_id", "at"]),
    ("release_outcome", &["id", "release", "outcome", "answer", "settled", "participants", "at"]),
    ("cap_choice", &["id", "subject_id", "rho_cap", "delta_cap", "method", "at"]),
    ("release_redelivery", &["id", "release", "at"]),
];

/// The row as SQL literals in the order of its columns; `None` when there is no such row or table.
///
/// SQLite's `quote` is injective on values of every type, so that different rows have different texts.
pub(crate) async fn row_text(connection: &mut SqliteConnection, table: &str, id: i64) -> Result<Option<String>, Fault> {
    Ok(row_texts(connection, table, id..=id).await?.pop().map(|(_, text)| text))
}

/// The rows of a range of ids, in order.
pub(crate) async fn row_texts(connection: &mut SqliteConnection, table: &str, ids: RangeInclusive<i64>) -> Result<Vec<(i64, String)>, Fault> {
    let Some((table, columns)) = RECORDED.iter().find(|(name, _)| *name == table) else { return Ok(Vec::new()) };
    let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
    // Names come from the list above, never from outside.
    let sql = format!("SELECT id, {} FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id", quoted.join(" || ',' || "));
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids.start()).bind(ids.end()).fetch_all(connection).await.map_err(store_fault)?;
    rows.iter().map(|row| Ok((row.try_get(0).map_err(store_fault)?, row.try_get(1).map_err(store_fault)?))).collect()
}
