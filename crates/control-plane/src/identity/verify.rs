//! Whether ids are what the acts on them lead to.

use std::collections::BTreeMap;

use domain::subject::IdentityAct;
use sqlx::{Row, SqliteConnection};

use super::evidence_digest;
use crate::Error;
use crate::reconcile::Lost;
use crate::store::parse_word;

/// Replays all acts; tells the first id that leads somewhere else, and the first evidence that is not the
/// one that was recorded.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection, lost: &Lost) -> Result<Option<String>, Error> {
    let acts = sqlx::query(
        "SELECT a.id, a.act, a.keep_id, a.other_id, a.evidence, e.salt, e.text, EXISTS (SELECT 1 FROM erasure r WHERE r.subject_id IN (a.keep_id, a.other_id))
         FROM identity_act a LEFT JOIN identity_evidence e ON e.act_id = a.id ORDER BY a.id",
    );
    let mut merged: BTreeMap<u32, u32> = BTreeMap::new();
    for row in acts.fetch_all(&mut *tx).await? {
        let (id, act): (i64, IdentityAct) = (row.try_get(0)?, parse_word(row.try_get(1)?)?);
        let (keep, other): (u32, u32) = (row.try_get(2)?, row.try_get(3)?);
        match act {
            IdentityAct::Merge => merged.insert(other, keep),
            IdentityAct::Split => merged.remove(&other),
        };
        let right = match (row.try_get::<Option<&[u8]>, _>(5)?, row.try_get::<Option<&str>, _>(6)?) {
            (Some(salt), Some(text)) => evidence_digest(salt, text) == row.try_get::<&str, _>(4)?,
            _ => row.try_get(7)? || lost.contains("identity_act", id),
        };
        if !right {
            return Ok(Some(format!("the evidence of act {id} on identities is not what was recorded")));
        }
    }
    let stored = sqlx::query("SELECT subject_id, merged_into, status FROM subject WHERE merged_into IS NOT NULL OR status = 'merged'").fetch_all(tx).await?;
    let mut left = merged.clone();
    for row in stored {
        let (id, into, status): (u32, Option<u32>, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if into != left.remove(&id) || into.is_none() || status == "active" {
            return Ok(Some(format!("whom subject {id} was merged into is not what was recorded")));
        }
    }
    Ok(left.into_keys().next().map(|id| format!("whom subject {id} was merged into is not what was recorded")))
}
