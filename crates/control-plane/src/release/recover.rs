//! What a crash left open.

use chrono::TimeDelta;
use sqlx::Row;

use crate::store::{parse_word, time_text};
use crate::{ControlPlane, Error};

/// After this long a release that has no outcome never gets one: its process is gone.
const RUNNING_MAX: TimeDelta = TimeDelta::minutes(10);

impl ControlPlane {
    /// Abandons releases that were paid for and never answered; tells how many. They stay charged.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn recover(&self) -> Result<u64, Error> {
        let before = time_text(self.now() - RUNNING_MAX);
        let open = sqlx::query("SELECT release FROM release_reservation r WHERE at < ? AND NOT EXISTS (SELECT 1 FROM release_outcome o WHERE o.release = r.release)")
            .bind(before)
            .fetch_all(self.inner.store.reader())
            .await?;
        for row in &open {
            let id = parse_word(row.try_get(0)?)?;
            match self.release_settle(&id, None).await {
                Ok(()) => {}
                // Another process settled it in between: the outcome is unique.
                Err(_) if self.is_settled(&id).await? => {}
                Err(error) => return Err(error),
            }
        }
        Ok(open.len() as u64)
    }

    async fn is_settled(&self, id: &domain::ReleaseId) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 FROM release_outcome WHERE release = ?").bind(id.as_str()).fetch_optional(self.inner.store.reader()).await?;
        Ok(row.is_some())
    }
}
