//! A recorded row as one canonical text: what its audit entry vouches for.

use std::fmt::Write;
use std::ops::RangeInclusive;

use domain::Fault;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::parsed;
use crate::error::store_fault;

/// Recorded tables with an integer id, and all their columns in order.
pub(crate) const RECORDED: &[(&str, &[&str])] = &[
    ("deployment", &["id", "origin", "rho_cap", "delta_cap", "subject_rho_cap", "subject_delta_cap", "snapshot_clock", "at"]),
    ("reconciliation", &["id", "first_entry", "end_entry", "at"]),
    ("import", &["id", "sources", "named", "snapshot_id", "people_sha256", "at"]),
    ("import_undo", &["id", "import_id", "snapshot_id", "at"]),
    ("snapshot", &["id", "cause", "manifest", "visible_from", "at"]),
    ("erasure", &["id", "subject_id", "at"]),
    ("identity_act", &["id", "act", "keep_id", "other_id", "evidence", "losses", "settled", "snapshot_id", "at"]),
    ("staff_read", &["id", "subject_id", "what", "at"]),
    ("contact_act", &["id", "subject_id", "source", "contact", "at"]),
    ("party", &["id", "partner", "details", "at"]),
    ("notice", &["id", "name", "version", "language", "purposes", "partners", "open_classes", "scopes", "particulars", "changed", "shown_from", "at"]),
    ("notice_text", &["id", "notice", "version", "language", "title", "text", "sentences", "retention", "withdrawal", "sha256", "at"]),
    ("notice_served", &["id", "subject_id", "notice", "version", "language", "how", "at"]),
    (
        "consent_event",
        &[
            "id",
            "subject_id",
            "recipient",
            "purpose",
            "scope",
            "at",
            "sequence",
            "action",
            "actor",
            "method",
            "strength",
            "notice",
            "notice_version",
            "language",
            "evidence",
            "valid_until",
            "recorded_at",
            "previous",
        ],
    ),
    ("limit_event", &["id", "subject_id", "kind", "purpose", "partner", "at", "act", "actor", "source", "two_step", "evidence", "recorded_at"]),
    ("rule_pack_act", &["id", "pack", "version", "act", "by", "text", "at"]),
    ("partner_act", &["id", "partner", "act", "legal_name", "class", "rho_cap", "delta_cap", "at"]),
    ("creator_act", &["id", "creator", "act", "platform", "category", "basis", "details", "counts_from", "at"]),
    ("agreement_act", &["id", "agreement", "act", "terms", "at"]),
    ("release_reservation", &["id", "release", "partner", "agreement", "purpose", "release_key", "plan", "rho", "delta", "budget_window", "consent_seq", "snapshot_id", "at"]),
    ("release_outcome", &["id", "release", "outcome", "answer", "settled", "participants", "at"]),
    ("cap_choice", &["id", "subject_id", "rho_cap", "delta_cap", "method", "at"]),
    ("release_redelivery", &["id", "release", "at"]),
    ("partner_table", &["id", "partner", "name", "columns", "rows_per_person", "sha256", "rows", "replaces", "snapshot_id", "at"]),
    ("partner_table_deletion", &["id", "table_id", "at"]),
];

/// What people lost by acts on identities; each row goes with the row of its act, which commits to it.
const IDENTITY_LOSS: (&str, &[&str]) = ("identity_loss", &["act_id", "year", "subject_id", "sealed"]);

/// The row as SQL literals in the order of its columns; `None` when there is no such row or table.
///
/// SQLite's `quote` is injective on values of every type, so that different rows have different texts.
pub(crate) async fn row_text(connection: &mut SqliteConnection, table: &str, id: i64) -> Result<Option<String>, Fault> {
    Ok(row_texts(connection, table, id..=id).await?.pop().map(|(_, text)| text))
}

/// The rows of a range of ids, in order.
pub(crate) async fn row_texts(connection: &mut SqliteConnection, table: &str, ids: RangeInclusive<i64>) -> Result<Vec<(i64, String)>, Fault> {
    // Names come from the list above, never from outside.
    let Some((table, columns)) = RECORDED.iter().find(|(name, _)| *name == table) else { return Ok(Vec::new()) };
    let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
    let text = quoted.join(" || ',' || ");
    let sql = format!("SELECT json_group_array(json_array(id, text)) FROM (SELECT id, {text} AS text FROM {table} WHERE id BETWEEN ?1 AND ?2 ORDER BY id)");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(ids.start()).bind(ids.end()).fetch_one(connection).await.map_err(store_fault)?;
    parsed(&row, 0)
}

/// A row as [`row_texts`] gives it, where its values are known without reading them back.
pub(crate) struct Literals(String);

/// Room for the text of most rows.
impl Default for Literals {
    fn default() -> Self {
        Self(String::with_capacity(320))
    }
}

impl Literals {
    /// A number as SQLite's `quote` writes it, or nothing.
    pub(crate) fn number(&mut self, number: Option<impl Into<u64>>) {
        self.next();
        // A text takes all that is written into it.
        let _ = match number {
            Some(number) => write!(self.0, "{}", number.into()),
            None => write!(self.0, "NULL"),
        };
    }

    /// A text as SQLite's `quote` writes it, or nothing.
    pub(crate) fn word(&mut self, word: Option<&str>) {
        self.next();
        let Some(word) = word else { return self.0.push_str("NULL") };
        self.0.push('\'');
        for (i, part) in word.split('\'').enumerate() {
            self.0.push_str(if i > 0 { "''" } else { "" });
            self.0.push_str(part);
        }
        self.0.push('\'');
    }

    fn next(&mut self) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// What goes with an act on identities and is kept for ever: the text of its row, by the act's id.
pub(crate) async fn loss_text(connection: &mut SqliteConnection, act: i64) -> Result<Option<String>, Fault> {
    let quoted: Vec<String> = IDENTITY_LOSS.1.iter().map(|c| format!("quote({c})")).collect();
    let sql = format!("SELECT {} FROM identity_loss WHERE act_id = ?", quoted.join(" || ',' || "));
    let row = sqlx::query(AssertSqlSafe(sql)).bind(act).fetch_optional(connection).await.map_err(store_fault)?;
    row.map(|row| row.try_get(0).map_err(store_fault)).transpose()
}

/// Puts a row back whose text is `text`.
pub(crate) async fn insert_text(connection: &mut SqliteConnection, table: &str, text: &str) -> Result<(), Fault> {
    let (table, columns) = RECORDED
        .iter()
        .chain(&[IDENTITY_LOSS])
        .find(|(name, _)| *name == table)
        .ok_or_else(|| Fault::broken(format!("a row of the table {table}, which this program does not know")))?;
    let sql = format!("INSERT INTO {table} ({}) VALUES ({text})", columns.join(", "));
    // A text that this deployment sealed, and no statement that is worth keeping.
    sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await.map_err(store_fault)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn texts_are_quoted_as_sqlite_quotes_them() {
        let pool = sqlx::SqlitePool::connect("sqlite::memory:").await.unwrap();
        for text in ["", "'", "it's ''quoted''", "ü\n\"x\""] {
            let row = sqlx::query("SELECT quote(?)").bind(text).fetch_one(&pool).await.unwrap();
            let mut literals = Literals::default();
            literals.word(Some(text));
            assert_eq!(row.get::<String, _>(0), literals.into_text());
        }
    }
}
