//! The conductor of a release.

use std::sync::Arc;

use domain::audit::EntryKind;
use domain::port::{CleanRoom, PaidLook};
use domain::question::Prepared;
use domain::release::{Answered, NoisedTable, Release};
use domain::{Fault, ReleaseId, Timestamp};
use dp::BoundingKey;
use sha2::{Digest, Sha256};

use super::Ask;
use super::reserve::{Reserved, Start};
use crate::accounting::{self, Settlement};
use crate::audit::AuditWriter;
use crate::store::{time_text, to_i64};
use crate::{ControlPlane, Error, budget};

/// How often a question is understood anew because the list of creators has changed meanwhile.
const STARTS_MAX: u32 = 8;

impl ControlPlane {
    /// Answers a question: refuses it for free, delivers a stored answer for free, or pays, looks, and
    /// commits the answer before anybody sees it.
    ///
    /// # Guarantee
    /// What was sent was paid for, at every instant and over every crash: the payment is durable before
    /// the clean room runs, the answer before it is returned, and nothing is ever paid back. A fault after
    /// the payment leaves a release that is charged and has no answer.
    ///
    /// # Errors
    /// A refusal (nothing is charged), or a fault (charged, if it happened after the reservation).
    pub async fn release_run(&self, room: Arc<dyn CleanRoom>, ask: &Ask) -> Result<Release, Error> {
        let (prepared, start) = self.start(&*room, ask).await?;
        match start {
            Start::Stored(stored) => {
                let presented = prepared.view.present(&stored.table);
                let budget = self.agreement_balance(&stored.agreement.name).await?;
                Ok(Release { id: stored.id, redelivered: true, cost: stored.cost, budget, as_of: stored.at, presented })
            }
            Start::Reserved(reserved) => {
                let (id, cost, as_of, agreement) = (reserved.id.clone(), reserved.charge.cost(), reserved.at, reserved.agreement.name.clone());
                let table = self.look(room, &prepared, *reserved).await?;
                let budget = self.agreement_balance(&agreement).await?;
                Ok(Release { id, redelivered: false, cost, budget, as_of, presented: prepared.view.present(&table) })
            }
        }
    }

    /// Understands a question by the list of creators as it is when the release starts.
    async fn start(&self, room: &dyn CleanRoom, ask: &Ask) -> Result<(Prepared, Start), Error> {
        for _ in 0..STARTS_MAX {
            let prepared = room.prepare(&ask.question, &self.partner_table_visible(&ask.partner).await?, &self.creators().await?)?;
            if let Some(start) = self.release_reserve(ask, &prepared).await? {
                return Ok((prepared, start));
            }
        }
        Err(Error::Conflict("the list of creators is being changed; ask again".to_owned()))
    }

    /// Runs the clean room and commits what it gave.
    async fn look(&self, room: Arc<dyn CleanRoom>, prepared: &Prepared, reserved: Reserved) -> Result<NoisedTable, Error> {
        let Reserved { id, charge, snapshot, eligible, at, agreement: _ } = reserved;
        let key = self.bounding_key(at);
        let prepared = prepared.clone();
        let looked =
            tokio::task::spawn_blocking(move || room.answer(&PaidLook { prepared: &prepared, charge: &charge, snapshot: &snapshot, eligible: &eligible, bounding_key: &key }))
                .await;
        match looked {
            Ok(Ok(answered)) => {
                self.release_settle(&id, Some(&answered)).await?;
                Ok(answered.table)
            }
            Ok(Err(fault)) => {
                self.release_settle(&id, None).await?;
                Err(fault.into())
            }
            // The panic's text may hold anything; it stays with the operator's terminal.
            Err(panic) => {
                self.release_settle(&id, None).await?;
                Err(Fault::new("the clean room stopped", panic).into())
            }
        }
    }

    /// The second transaction: the answer and the people it charges, or that there is none and
    /// everybody eligible is charged, with its entry.
    pub(super) async fn release_settle(&self, id: &ReleaseId, answer: Option<&Answered>) -> Result<(), Error> {
        let (outcome, kind) = if answer.is_some() { ("answered", EntryKind::ReleaseAnswered) } else { ("abandoned", EntryKind::ReleaseAbandoned) };
        let at = self.now();
        let mut tx = self.inner.store.begin().await?;
        let Settlement { settled, commitment } = accounting::settle(&mut tx, &self.inner, id, answer.map(|a| &a.participants)).await?;
        let inserted = sqlx::query("INSERT INTO release_outcome (release, outcome, answer, settled, participants, at) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(id.as_str())
            .bind(outcome)
            .bind(answer.map(|a| a.table.to_json()))
            .bind(to_i64(settled)?)
            .bind(commitment)
            .bind(time_text(at))
            .execute(&mut *tx)
            .await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, kind, "release_outcome", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        accounting::fold(&mut tx, &self.inner, at).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The secret of the month of `at`: deterministic, so that a release can be replayed.
    fn bounding_key(&self, at: Timestamp) -> BoundingKey {
        let digest = Sha256::new().chain_update(b"fairshare bounding v1").chain_update(self.inner.bounding).chain_update(budget::month(at)).finalize();
        let mut key = [0; 16];
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        BoundingKey::from_bytes(key)
    }

    async fn agreement_balance(&self, name: &domain::AgreementName) -> Result<domain::release::Balance, Error> {
        budget::balance(&mut *self.inner.store.snapshot().await?, &budget::agreement_scope(name)).await
    }
}
