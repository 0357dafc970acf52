//! Whether the names on the list are those that were recorded.

use sqlx::{Row, SqliteConnection};

use super::act::details;
use crate::Error;
use crate::plane::Inner;
use crate::reconcile::Lost;

/// The first name that is not what its act vouches for, or that should be hidden, or that is missing.
pub(crate) async fn first_wrong(tx: &mut SqliteConnection, inner: &Inner, lost: &Lost) -> Result<Option<String>, Error> {
    let acts = sqlx::query(
        "SELECT a.id, a.details, n.native_id, n.name, n.evidence, EXISTS (SELECT 1 FROM creator_act w WHERE w.creator = a.creator AND w.id > a.id AND w.act = 'withdraw')
         FROM creator_act a LEFT JOIN creator_name n ON n.act_id = a.id WHERE a.act = 'add' OR n.act_id IS NOT NULL ORDER BY a.id",
    );
    for row in acts.fetch_all(tx).await? {
        let (id, withdrawn): (i64, bool) = (row.try_get(0)?, row.try_get(5)?);
        let right = match (row.try_get::<Option<&str>, _>(2)?, row.try_get::<Option<&str>, _>(3)?, row.try_get::<Option<&str>, _>(4)?) {
            (Some(native_id), Some(name), Some(evidence)) => !withdrawn && row.try_get::<Option<&str>, _>(1)? == Some(details(inner, native_id, name, evidence).as_str()),
            _ => withdrawn || lost.contains("creator_act", id),
        };
        if !right {
            return Ok(Some(format!("the name that act {id} on creators lists is not what was recorded")));
        }
    }
    Ok(None)
}
