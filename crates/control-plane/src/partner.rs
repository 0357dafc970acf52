//! Partners: approved recipients.

use domain::agreement::{PartnerAct, PartnerState};
use domain::audit::EntryKind;
use domain::release::Balance;
use domain::{PartnerClass, PartnerName};
use dp::Cost;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::budget;
use crate::store::{parse_word, to_i64};
use crate::{ControlPlane, Error};

/// A partner as the operator sees it.
#[derive(Debug, Clone)]
pub struct PartnerInfo {
    /// The partner.
    pub name: PartnerName,
    /// The legal person behind it.
    pub legal_name: String,
    /// The kind of recipients that it belongs to.
    pub class: Option<PartnerClass>,
    /// Where it stands.
    pub state: PartnerState,
    /// What all its releases may cost, ever, and did.
    pub budget: Balance,
}

impl ControlPlane {
    /// Writes down a partner of a kind of recipients, with the privacy loss that all its releases may cost, ever.
    ///
    /// # Errors
    /// A refusal when it is there already.
    pub async fn partner_add(&self, name: &PartnerName, legal_name: &str, class: Option<&PartnerClass>, lifetime: Cost) -> Result<(), Error> {
        let mut tx = self.inner.store.begin().await?;
        PartnerState::after(state_or_none(&mut tx, name).await?, PartnerAct::Add)?;
        budget::open_scope(&mut tx, &budget::partner_scope(name), lifetime).await?;
        let inserted = sqlx::query("INSERT INTO partner_act (partner, act, legal_name, class, rho_cap, delta_cap, at) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(name.as_str())
            .bind(PartnerAct::Add.as_str())
            .bind(legal_name)
            .bind(class.map(PartnerClass::as_str))
            .bind(to_i64(lifetime.rho.nano())?)
            .bind(to_i64(lifetime.delta.atto())?)
            .bind(self.now_text())
            .execute(&mut *tx)
            .await?;
        self.partner_entry(tx, inserted.last_insert_rowid()).await
    }

    /// Approves or suspends a partner.
    ///
    /// # Errors
    /// Not found, or a refusal when its state does not allow it.
    pub async fn partner_act(&self, name: &PartnerName, act: PartnerAct) -> Result<PartnerState, Error> {
        let mut tx = self.inner.store.begin().await?;
        let new = PartnerState::after(Some(state(&mut tx, name).await?), act)?;
        let inserted =
            sqlx::query("INSERT INTO partner_act (partner, act, at) VALUES (?, ?, ?)").bind(name.as_str()).bind(act.as_str()).bind(self.now_text()).execute(&mut *tx).await?;
        self.partner_entry(tx, inserted.last_insert_rowid()).await?;
        Ok(new)
    }

    async fn partner_entry(&self, mut tx: crate::store::Write, id: i64) -> Result<(), Error> {
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::PartnerActed, "partner_act", id).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All partners.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn partner_list(&self) -> Result<Vec<PartnerInfo>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let rows = sqlx::query("SELECT partner, legal_name, class FROM partner_act WHERE act = 'add' ORDER BY id").fetch_all(&mut *tx).await?;
        let mut partners = Vec::with_capacity(rows.len());
        for row in rows {
            let name: PartnerName = parse_word(row.try_get(0)?)?;
            let (state, budget) = (state(&mut tx, &name).await?, budget::balance(&mut tx, &budget::partner_scope(&name)).await?);
            partners.push(PartnerInfo {
                name,
                legal_name: row.try_get::<Option<_>, _>(1)?.unwrap_or_default(),
                class: row.try_get::<Option<&str>, _>(2)?.map(parse_word).transpose()?,
                state,
                budget,
            });
        }
        Ok(partners)
    }
}

/// Where a partner stands.
pub(crate) async fn state(connection: &mut SqliteConnection, name: &PartnerName) -> Result<PartnerState, Error> {
    state_or_none(connection, name).await?.ok_or_else(|| Error::NotFound { what: "partner", name: name.to_string() })
}

async fn state_or_none(connection: &mut SqliteConnection, name: &PartnerName) -> Result<Option<PartnerState>, Error> {
    let rows = sqlx::query("SELECT act FROM partner_act WHERE partner = ? ORDER BY id").bind(name.as_str()).fetch_all(connection).await?;
    let mut state = None;
    for row in rows {
        state = Some(PartnerState::after(state, parse_word(row.try_get(0)?)?)?);
    }
    Ok(state)
}
