//! Who the controller and its partners are.

use domain::audit::EntryKind;
use domain::party::Party;
use domain::{PartnerName, Refusal, RefusalCode};
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::store::{json_rows, parsed};
use crate::{ControlPlane, Error};

impl ControlPlane {
    /// Writes down who the controller is, or a partner: what people are told from now on.
    ///
    /// # Errors
    /// A refusal when people cannot be told of it like that; not found for an unknown partner.
    pub async fn party_describe(&self, partner: Option<&PartnerName>, party: &Party) -> Result<(), Error> {
        party.check()?;
        let mut tx = self.inner.store.begin().await?;
        if let Some(partner) = partner {
            crate::partner::state(&mut tx, partner).await?;
        }
        let inserted = sqlx::query("INSERT INTO party (partner, details, at) VALUES (?, ?, ?)").bind(partner.map(PartnerName::as_str)).bind(json_rows(party)?);
        let inserted = inserted.bind(self.now_text()).execute(&mut *tx).await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::PartyDescribed, "party", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Who the controller is, or a partner, as people are told now: nothing when nobody wrote it down. Of a partner
    /// its legal name is known in any case.
    ///
    /// # Errors
    /// Not found for an unknown partner.
    pub async fn party_show(&self, partner: Option<&PartnerName>) -> Result<Option<Party>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        match partner {
            None => newest(&mut tx, None).await,
            Some(partner) => {
                crate::partner::state(&mut tx, partner).await?;
                of_partner(&mut tx, partner).await.map(Some)
            }
        }
    }
}

/// The controller, without whom nobody is asked for anything.
pub(crate) async fn controller(connection: &mut SqliteConnection) -> Result<Party, Error> {
    let unknown = || {
        Refusal::new(RefusalCode::Notice, "nobody has said who the controller is")
            .hint("people must be told whom they agree with (GDPR Art. 13(1)(a)): describe the controller first")
    };
    Ok(newest(connection, None).await?.ok_or_else(unknown)?)
}

/// A partner, of whom at least the legal name is known.
pub(crate) async fn of_partner(connection: &mut SqliteConnection, partner: &PartnerName) -> Result<Party, Error> {
    if let Some(party) = newest(connection, Some(partner)).await? {
        return Ok(party);
    }
    let row = sqlx::query("SELECT legal_name FROM partner_act WHERE partner = ? AND act = 'add' ORDER BY id LIMIT 1").bind(partner.as_str()).fetch_optional(connection).await?;
    let legal_name: Option<String> = row.map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(Party { legal_name: legal_name.unwrap_or_else(|| partner.to_string()), ..Party::default() })
}

async fn newest(connection: &mut SqliteConnection, partner: Option<&PartnerName>) -> Result<Option<Party>, Error> {
    let row = sqlx::query("SELECT details FROM party WHERE partner IS ? ORDER BY id DESC LIMIT 1").bind(partner.map(PartnerName::as_str)).fetch_optional(connection).await?;
    row.map(|row| Ok(parsed(&row, 0)?)).transpose()
}
