//! How much a person may lose per year: the number that they chose, or the deployment's.

use std::collections::HashMap;

use domain::audit::EntryKind;
use domain::consent::ConsentMethod;
use domain::{SubjectId, Timestamp};
use dp::Cost;
use sqlx::Row;
use sqlx::SqliteConnection;

use super::cost_of;
use crate::audit::AuditWriter;
use crate::plane::Inner;
use crate::store::{time_text, to_i64};
use crate::{ControlPlane, Error};

/// Everybody's caps.
pub(super) struct Caps {
    default: Cost,
    chosen: HashMap<u32, Cost>,
}

impl Caps {
    pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let default = default_cap(connection).await?;
        let rows = sqlx::query("SELECT subject_id, rho_cap, delta_cap FROM subject_cap").fetch_all(connection).await?;
        let chosen = rows.iter().map(|row| Ok((row.try_get(0)?, cost_of(row, 1)?))).collect::<Result<_, Error>>()?;
        Ok(Self { default, chosen })
    }

    pub(super) fn of(&self, subject: SubjectId) -> Cost {
        self.chosen.get(&subject.0).copied().unwrap_or(self.default)
    }

    /// What everybody's cap has room for.
    pub(super) fn lowest(&self) -> Cost {
        self.chosen.values().fold(self.default, |low, cap| Cost { rho: low.rho.min(cap.rho), delta: low.delta.min(cap.delta) })
    }
}

async fn default_cap(connection: &mut SqliteConnection) -> Result<Cost, Error> {
    cost_of(&sqlx::query("SELECT subject_rho_cap, subject_delta_cap FROM deployment").fetch_one(connection).await?, 0)
}

/// One person's cap, and whether they chose it.
pub(crate) async fn cap_of(connection: &mut SqliteConnection, subject: SubjectId) -> Result<(Cost, bool), Error> {
    let row = sqlx::query("SELECT rho_cap, delta_cap FROM subject_cap WHERE subject_id = ?").bind(subject.0).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => Ok((cost_of(&row, 0)?, true)),
        None => Ok((default_cap(connection).await?, false)),
    }
}

impl ControlPlane {
    /// Records how much a person wants to lose per year at most. Holds for every release that starts
    /// afterwards; what is lost already stays lost.
    ///
    /// # Errors
    /// Not found; a fault of the store.
    pub async fn subject_cap(&self, subject: SubjectId, cap: Cost, method: ConsentMethod) -> Result<(), Error> {
        let mut tx = self.inner.store.begin().await?;
        let subject = crate::subject::resolve(&mut tx, subject).await?;
        crate::subject::person(&mut tx, subject).await?;
        choose(&mut tx, &self.inner, subject, cap, method, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Records a cap as the choice of a person.
pub(crate) async fn choose(tx: &mut SqliteConnection, inner: &Inner, subject: SubjectId, cap: Cost, method: ConsentMethod, at: Timestamp) -> Result<(), Error> {
    let (rho, delta) = (to_i64(cap.rho.nano())?, to_i64(cap.delta.atto())?);
    let inserted = sqlx::query("INSERT INTO cap_choice (subject_id, rho_cap, delta_cap, method, at) VALUES (?, ?, ?, ?, ?)")
        .bind(subject.0)
        .bind(rho)
        .bind(delta)
        .bind(method.as_str())
        .bind(time_text(at))
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO subject_cap (subject_id, rho_cap, delta_cap) VALUES (?, ?, ?) ON CONFLICT (subject_id) DO UPDATE SET rho_cap = excluded.rho_cap, delta_cap = excluded.delta_cap")
        .bind(subject.0)
        .bind(rho)
        .bind(delta)
        .execute(&mut *tx)
        .await?;
    let mut audit = AuditWriter::begin(tx, inner).await?;
    audit.append(tx, EntryKind::CapChosen, "cap_choice", inserted.last_insert_rowid()).await?;
    audit.finish(tx).await
}
