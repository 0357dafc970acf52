//! Agreements: what a partner may ask for, how much, until when.

use chrono::NaiveDate;
use domain::agreement::{AgreementAct, AgreementState, AgreementTerms, PartnerState};
use domain::audit::EntryKind;
use domain::release::Balance;
use domain::{AgreementName, PartnerName, Purpose, Refusal, RefusalCode};
use dp::Cost;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::budget;
use crate::error::unreadable;
use crate::store::parse_word;
use crate::{ControlPlane, Error};

/// An agreement as the operator sees it.
#[derive(Debug, Clone)]
pub struct AgreementInfo {
    /// What was agreed.
    pub terms: AgreementTerms,
    /// Where it stands.
    pub state: AgreementState,
    /// What all releases under it may cost, and did.
    pub lifetime: Balance,
    /// What the releases of this month may cost, and did.
    pub window: Balance,
}

impl ControlPlane {
    /// Writes down an agreement.
    ///
    /// # Errors
    /// Not found for an unknown partner; a refusal when the terms make no sense or the name is taken.
    pub async fn agreement_add(&self, terms: &AgreementTerms) -> Result<(), Error> {
        if terms.purposes.is_empty() {
            return Err(Refusal::new(RefusalCode::State, "an agreement needs a purpose").hint("--purpose aggregate_statistics").into());
        }
        if terms.expires < terms.starts {
            return Err(Refusal::new(RefusalCode::State, "an agreement cannot expire before it starts").into());
        }
        let mut tx = self.inner.store.begin().await?;
        crate::partner::state(&mut tx, &terms.partner).await?;
        AgreementState::after(state(&mut tx, &terms.name).await?, AgreementAct::Add)?;
        budget::open_scope(&mut tx, &budget::agreement_scope(&terms.name), terms.lifetime).await?;
        let json = serde_json::to_string(terms).map_err(|e| unreadable("terms", e))?;
        self.agreement_record(tx, &terms.name, AgreementAct::Add, Some(json)).await
    }

    /// Approves, activates or ends an agreement.
    ///
    /// # Errors
    /// Not found, or a refusal when its state does not allow it.
    pub async fn agreement_act(&self, name: &AgreementName, act: AgreementAct) -> Result<AgreementState, Error> {
        let mut tx = self.inner.store.begin().await?;
        let now = state(&mut tx, name).await?.ok_or_else(|| not_found(name))?;
        let new = AgreementState::after(Some(now), act)?;
        self.agreement_record(tx, name, act, None).await?;
        Ok(new)
    }

    async fn agreement_record(&self, mut tx: crate::store::Write, name: &AgreementName, act: AgreementAct, terms: Option<String>) -> Result<(), Error> {
        let inserted = sqlx::query("INSERT INTO agreement_act (agreement, act, terms, at) VALUES (?, ?, ?, ?)")
            .bind(name.as_str())
            .bind(act.as_str())
            .bind(terms)
            .bind(self.now_text())
            .execute(&mut *tx)
            .await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::AgreementActed, "agreement_act", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All agreements.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn agreement_list(&self) -> Result<Vec<AgreementInfo>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let mut all = Vec::new();
        for terms in all_terms(&mut tx).await? {
            all.push(self.info(&mut tx, terms).await?);
        }
        Ok(all)
    }

    /// One agreement.
    ///
    /// # Errors
    /// Not found.
    pub async fn agreement_show(&self, name: &AgreementName) -> Result<AgreementInfo, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let terms = all_terms(&mut tx).await?.into_iter().find(|t| t.name == *name).ok_or_else(|| not_found(name))?;
        self.info(&mut tx, terms).await
    }

    async fn info(&self, tx: &mut SqliteConnection, terms: AgreementTerms) -> Result<AgreementInfo, Error> {
        let state = state(tx, &terms.name).await?.ok_or_else(|| not_found(&terms.name))?;
        let lifetime = budget::balance(tx, &budget::agreement_scope(&terms.name)).await?;
        let scope = budget::window_scope(&terms.name, self.now());
        let window = budget::balance_or(tx, &scope, window_cap(&terms)).await?;
        Ok(AgreementInfo { terms, state, lifetime, window })
    }
}

/// What one month may cost; δ is limited by the lifetime alone.
pub(crate) const fn window_cap(terms: &AgreementTerms) -> Cost {
    Cost { rho: terms.window, delta: terms.lifetime.delta }
}

fn not_found(name: &AgreementName) -> Error {
    Error::NotFound { what: "agreement", name: name.to_string() }
}

pub(crate) async fn all_terms(connection: &mut SqliteConnection) -> Result<Vec<AgreementTerms>, Error> {
    let rows = sqlx::query("SELECT terms FROM agreement_act WHERE act = 'add' ORDER BY id").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let json: String = row.try_get(0)?;
            Ok(serde_json::from_str(&json).map_err(|e| unreadable("an agreement", e))?)
        })
        .collect()
}

async fn state(connection: &mut SqliteConnection, name: &AgreementName) -> Result<Option<AgreementState>, Error> {
    let rows = sqlx::query("SELECT act FROM agreement_act WHERE agreement = ? ORDER BY id").bind(name.as_str()).fetch_all(connection).await?;
    let mut state = None;
    for row in rows {
        state = Some(AgreementState::after(state, parse_word(row.try_get(0)?)?)?);
    }
    Ok(state)
}

/// What an approved partner may ask for on `day`, under any agreement.
///
/// # Errors
/// A refusal when that is nothing.
pub(crate) async fn purposes(connection: &mut SqliteConnection, partner: &PartnerName, day: NaiveDate) -> Result<Vec<Purpose>, Error> {
    approved(connection, partner).await?;
    let mut purposes = Vec::new();
    for terms in all_terms(connection).await?.into_iter().filter(|terms| terms.partner == *partner && (terms.starts..=terms.expires).contains(&day)) {
        if state(connection, &terms.name).await? == Some(AgreementState::Active) {
            purposes.extend(terms.purposes);
        }
    }
    purposes.sort();
    purposes.dedup();
    if purposes.is_empty() {
        return Err(Refusal::new(RefusalCode::Agreement, format!("no agreement of the partner {partner} is active"))
            .hint("the operator can approve and activate one: fairshare agreement list")
            .into());
    }
    Ok(purposes)
}

async fn approved(connection: &mut SqliteConnection, partner: &PartnerName) -> Result<(), Error> {
    match crate::partner::state(connection, partner).await? {
        PartnerState::Approved => Ok(()),
        stands @ (PartnerState::Proposed | PartnerState::Suspended) => Err(Refusal::new(RefusalCode::Partner, format!("the partner {partner} is {stands}"))
            .hint(format!("the operator can approve it: fairshare partner approve {partner}"))
            .into()),
    }
}

/// The agreement under which `partner` may ask for `purpose` on `day`: the named one, or the only one.
///
/// # Errors
/// A refusal that says what is missing.
pub(crate) async fn covering(
    connection: &mut SqliteConnection,
    partner: &PartnerName,
    purpose: Purpose,
    named: Option<&AgreementName>,
    day: NaiveDate,
) -> Result<AgreementTerms, Error> {
    approved(connection, partner).await?;
    let mut of_partner = Vec::new();
    for terms in all_terms(connection).await? {
        if terms.partner == *partner && named.is_none_or(|n| terms.name == *n) {
            let stands = state(connection, &terms.name).await?;
            of_partner.push((terms, stands));
        }
    }
    if let (Some(name), true) = (named, of_partner.is_empty()) {
        return Err(Refusal::new(RefusalCode::Agreement, format!("the partner {partner} has no agreement {name}")).into());
    }
    of_partner.retain(|(_, stands)| *stands == Some(AgreementState::Active));
    if of_partner.is_empty() {
        return Err(Refusal::new(RefusalCode::Agreement, format!("no agreement of the partner {partner} is active"))
            .hint("the operator can approve and activate one: fairshare agreement list")
            .into());
    }
    of_partner.retain(|(terms, _)| terms.purposes.contains(&purpose));
    if of_partner.is_empty() {
        return Err(Refusal::new(RefusalCode::Purpose, format!("no active agreement of the partner {partner} covers the purpose {purpose}")).into());
    }
    of_partner.retain(|(terms, _)| (terms.starts..=terms.expires).contains(&day));
    let mut current = of_partner.into_iter().map(|(terms, _)| terms);
    match (current.next(), current.next()) {
        (None, _) => Err(Refusal::new(RefusalCode::Expired, format!("the agreement of the partner {partner} for {purpose} is not valid on {day}")).into()),
        (Some(terms), None) => Ok(terms),
        (Some(_), Some(_)) => {
            Err(Refusal::new(RefusalCode::Agreement, format!("several agreements of the partner {partner} cover the purpose {purpose}")).hint("name one: --agreement NAME").into())
        }
    }
}
