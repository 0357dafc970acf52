//! What a restore is known to have lost, so that verification asks for everything else.

use std::collections::BTreeSet;

use domain::audit::EntryBody;
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::error::unreadable;
use crate::import::find;

/// Rows that were put back from the journal: what went with them outside the recorded tables is lost.
#[derive(Debug, Default)]
pub(crate) struct Lost(BTreeSet<(String, i64)>);

impl Lost {
    /// The rows of all entries that reconciliations put back.
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let replayed = "SELECT body FROM audit_entry a WHERE EXISTS (SELECT 1 FROM reconciliation r WHERE a.id >= r.first_entry AND a.id < r.end_entry)";
        let mut lost = BTreeSet::new();
        for row in sqlx::query(replayed).fetch_all(connection).await? {
            let body: EntryBody = serde_json::from_str(row.try_get(0)?).map_err(|e| unreadable("an audit entry", e))?;
            lost.insert((body.row.table, body.row.id));
        }
        Ok(Self(lost))
    }

    /// Whether this row was put back.
    pub(crate) fn contains(&self, table: &str, id: i64) -> bool {
        self.0.contains(&(table.to_owned(), id))
    }
}

/// Whether the imports that were put back have no lines, and doubt exactly the words on whom they name.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection, lost: &Lost) -> Result<Option<String>, Error> {
    let mut expected = BTreeSet::new();
    for (_, import) in lost.0.iter().filter(|(table, _)| table == "import") {
        let lines =
            "SELECT 1 FROM account WHERE import_id = ?1 UNION ALL SELECT 1 FROM subject_fact WHERE import_id = ?1 UNION ALL SELECT 1 FROM erased_line WHERE import_id = ?1 LIMIT 1";
        if sqlx::query(lines).bind(import).fetch_optional(&mut *tx).await?.is_some() {
            return Ok(Some(format!("import {import} tells of people, and what it told was lost")));
        }
        expected.extend(find(tx, *import).await?.named.iter().map(|subject| (*import, subject.0)));
    }
    let rows = sqlx::query("SELECT import_id, subject_id FROM lost_word").fetch_all(tx).await?;
    let stored = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<BTreeSet<(i64, u32)>, Error>>()?;
    Ok((stored != expected).then(|| "of whom a lost import told is not what the imports say".to_owned()))
}
