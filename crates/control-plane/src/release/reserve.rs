//! The first transaction of a release: who may ask, whose rows, at what price.

use domain::agreement::AgreementTerms;
use domain::audit::EntryKind;
use domain::lake::Snapshot;
use domain::question::Prepared;
use domain::release::{Charge, NoisedTable};
use domain::{Refusal, RefusalCode, ReleaseId, SubjectSet, Timestamp};
use dp::{Cost, Delta, Rho};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use super::Ask;
use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::store::{from_i64, parse_time, parse_word, time_text, to_i64};
use crate::{ControlPlane, Error, accounting, agreement, budget, consent, creator, partner_table, snapshot};

/// What the first transaction led to.
pub(super) enum Start {
    /// The question was paid for and may look at data.
    Reserved(Box<Reserved>),
    /// It was answered today: the stored answer, for free.
    Stored(Box<Stored>),
}

/// A release that was paid for.
pub(super) struct Reserved {
    pub(super) id: ReleaseId,
    pub(super) agreement: AgreementTerms,
    pub(super) charge: Charge,
    pub(super) snapshot: Snapshot,
    /// Exactly the people whose choices permitted it, and whose caps had room for it, when this
    /// transaction was committed.
    pub(super) eligible: SubjectSet,
    pub(super) at: Timestamp,
}

/// An answer that was given before.
pub(super) struct Stored {
    pub(super) id: ReleaseId,
    pub(super) agreement: AgreementTerms,
    pub(super) cost: Cost,
    pub(super) table: NoisedTable,
    pub(super) at: Timestamp,
}

impl ControlPlane {
    /// Reserves a release, or finds its stored answer; neither where the question was understood by a list of creators
    /// that is not the one of now.
    ///
    /// # Guarantee
    /// One write transaction reads the choices and pays: a withdrawal that was acknowledged before it
    /// began is honoured, and everything that was spent is on disk before any row is looked at. The
    /// entry that announces the release, and the set of people who are charged should it fail, are in
    /// the same transaction.
    pub(super) async fn release_reserve(&self, ask: &Ask, prepared: &Prepared) -> Result<Option<Start>, Error> {
        let mut tx = self.inner.store.begin().await?;
        // After the transaction began: what a sweep removed before is not looked at.
        let at = self.now();
        if prepared.plan.creators.is_some() && !creator::current(&mut tx, &self.inner, at).await?.is_some_and(|creators| prepared.holds_with(&creators)) {
            return Ok(None);
        }
        let terms = agreement::covering(&mut tx, &ask.partner, ask.purpose, ask.agreement.as_ref(), at.date_naive()).await?;
        let key = release_key(ask, &terms, prepared, at);
        if !ask.fresh
            && let Some(stored) = stored(&mut tx, &key, prepared.cost.rho, &terms).await?
        {
            let inserted = sqlx::query("INSERT INTO release_redelivery (release, at) VALUES (?, ?)").bind(stored.id.as_str()).bind(time_text(at)).execute(&mut *tx).await?;
            let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
            audit.append(&mut tx, EntryKind::ReleaseRedelivered, "release_redelivery", inserted.last_insert_rowid()).await?;
            audit.finish(&mut tx).await?;
            tx.commit().await?;
            return Ok(Some(Start::Stored(Box::new(stored))));
        }
        let snapshot = snapshot::visible(&mut tx, at).await?.ok_or_else(no_snapshot)?;
        partner_table::check(&mut tx, &ask.partner, &prepared.plan, &snapshot.manifest).await?;
        let window = budget::month(at);
        budget::open_scope(&mut tx, &budget::window_scope(&terms.name, at), agreement::window_cap(&terms)).await?;
        budget::charge(&mut tx, &budget::scopes(&ask.partner, &terms.name, &window), prepared.cost).await?;
        let seq = Self::consent_seq(&mut tx).await?;
        consent::freshen(&mut tx, &self.inner, at).await?;
        let permitted = consent::permitted_set(&mut tx, &ask.partner, ask.purpose, &prepared.plan.scopes()).await?;
        let eligible = accounting::within_caps(&mut tx, &self.inner, permitted, prepared.cost, at).await?;
        let mut random = [0; 16];
        self.inner.entropy.fill(&mut random)?;
        let id = ReleaseId::from_random(random);
        let inserted = sqlx::query(
            "INSERT INTO release_reservation (release, partner, agreement, purpose, release_key, plan, rho, delta, budget_window, consent_seq, snapshot_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id.as_str())
        .bind(ask.partner.as_str())
        .bind(terms.name.as_str())
        .bind(ask.purpose.as_str())
        .bind(&key)
        .bind(prepared.plan.to_json())
        .bind(to_i64(prepared.cost.rho.nano())?)
        .bind(to_i64(prepared.cost.delta.atto())?)
        .bind(&window)
        .bind(to_i64(seq)?)
        .bind(snapshot.id)
        .bind(time_text(at))
        .execute(&mut *tx)
        .await?;
        sqlx::query("INSERT INTO release_current (release_key, release) VALUES (?, ?)").bind(&key).bind(id.as_str()).execute(&mut *tx).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::ReleaseReserved, "release_reservation", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        accounting::open(&mut tx, &self.inner, &id, at, &eligible).await?;
        tx.commit().await?;
        let charge = Charge::of_durable_reservation(prepared.cost);
        Ok(Some(Start::Reserved(Box::new(Reserved { id, agreement: terms, charge, snapshot, eligible, at }))))
    }
}

pub(super) fn no_snapshot() -> Refusal {
    Refusal::new(RefusalCode::NoSnapshot, "there is no data to ask yet").hint("the operator imports some: fairshare import PATH")
}

/// The key under which answers are kept: equal questions of one day share it, at whatever price.
pub(super) fn release_key(ask: &Ask, terms: &AgreementTerms, prepared: &Prepared, at: Timestamp) -> String {
    let parts = serde_json::json!([ask.partner, terms.name, ask.purpose, prepared.plan.to_json(), at.date_naive()]);
    hex::encode(Sha256::digest(parts.to_string()))
}

/// The newest answer kept under `key` that was paid for with `rho` or more: whoever asks for less is given
/// the better answer that they have already. A refusal while the only one is being made.
async fn stored(tx: &mut SqliteConnection, key: &str, rho: Rho, terms: &AgreementTerms) -> Result<Option<Stored>, Error> {
    let row = sqlx::query(
        "SELECT r.release, r.rho, r.delta, r.at, o.outcome, o.answer FROM release_current c JOIN release_reservation r USING (release) LEFT JOIN release_outcome o USING (release) \
         WHERE c.release_key = ? AND r.rho >= ? ORDER BY CASE WHEN o.outcome = 'answered' THEN 0 WHEN o.outcome IS NULL THEN 1 ELSE 2 END, r.id DESC LIMIT 1",
    )
    .bind(key)
    .bind(to_i64(rho.nano())?)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let outcome: Option<String> = row.try_get(4)?;
    match outcome.as_deref() {
        None => {
            Err(Refusal::new(RefusalCode::Running, "the same question is being answered right now").hint("ask again in a moment: the answer will be delivered for free").into())
        }
        Some("answered") => {
            let answer: String = row.try_get(5)?;
            Ok(Some(Stored {
                id: parse_word(row.try_get(0)?)?,
                agreement: terms.clone(),
                cost: Cost { rho: Rho::from_nano(from_i64(row.try_get(1)?)?), delta: Delta::from_atto(from_i64(row.try_get(2)?)?) },
                table: serde_json::from_str(&answer).map_err(|e| unreadable("an answer", e))?,
                at: parse_time(row.try_get(3)?)?,
            }))
        }
        Some(_) => Ok(None),
    }
}
