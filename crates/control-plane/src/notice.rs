//! Notices: versioned texts, kept for ever.

use domain::audit::EntryKind;
use domain::notice::Notice;
use domain::{NoticeName, PartnerName, Purpose, Refusal, RefusalCode};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::error::unreadable;
use crate::store::{parse_time, parse_word};
use crate::{ControlPlane, Error};

/// A notice before it has a version.
#[derive(Debug, Clone)]
pub struct NewNotice {
    /// The notice.
    pub name: NoticeName,
    /// BCP 47 tag of the text's language.
    pub language: String,
    /// What it asks consent for.
    pub purposes: Vec<Purpose>,
    /// The recipients that it names.
    pub partners: Vec<PartnerName>,
    /// The text.
    pub text: String,
}

impl ControlPlane {
    /// Publishes the next version of a notice.
    ///
    /// # Errors
    /// A refusal when it names no purpose or no partner or has no text; not found for an unknown partner.
    pub async fn notice_publish(&self, new: NewNotice) -> Result<Notice, Error> {
        if new.purposes.is_empty() || new.partners.is_empty() || new.text.trim().is_empty() {
            return Err(Refusal::new(RefusalCode::Consent, "a notice needs a text, a purpose and a partner")
                .hint("consent is for a named purpose and recipient: --purpose … --partner …")
                .into());
        }
        let mut tx = self.inner.store.begin().await?;
        for partner in &new.partners {
            crate::partner::state(&mut tx, partner).await?;
        }
        let row = sqlx::query("SELECT coalesce(max(version), 0) + 1 FROM notice WHERE name = ?").bind(new.name.as_str()).fetch_one(&mut *tx).await?;
        let version: u32 = row.try_get(0)?;
        let sha256 = hex::encode(Sha256::digest(&new.text));
        let published_at = self.now();
        let json = |words: Vec<&str>| serde_json::Value::from(words).to_string();
        let inserted = sqlx::query("INSERT INTO notice (name, version, language, purposes, partners, text, sha256, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(new.name.as_str())
            .bind(version)
            .bind(&new.language)
            .bind(json(new.purposes.iter().map(|p| p.as_str()).collect()))
            .bind(json(new.partners.iter().map(PartnerName::as_str).collect()))
            .bind(&new.text)
            .bind(&sha256)
            .bind(self.now_text())
            .execute(&mut *tx)
            .await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::NoticePublished, "notice", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        let NewNotice { name, language, purposes, partners, text } = new;
        Ok(Notice { name, version, language, purposes, partners, text, sha256, published_at })
    }

    /// Every version of every notice.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn notice_list(&self) -> Result<Vec<Notice>, Error> {
        let rows =
            sqlx::query("SELECT name, version, language, purposes, partners, text, sha256, at FROM notice ORDER BY name, version").fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(notice).collect()
    }

    /// One version of a notice, the newest when none is named.
    ///
    /// # Errors
    /// Not found.
    pub async fn notice_show(&self, name: &NoticeName, version: Option<u32>) -> Result<Notice, Error> {
        find(&mut *self.inner.store.snapshot().await?, name, version).await
    }
}

pub(crate) async fn find(connection: &mut SqliteConnection, name: &NoticeName, version: Option<u32>) -> Result<Notice, Error> {
    let row = sqlx::query(
        "SELECT name, version, language, purposes, partners, text, sha256, at FROM notice WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1",
    )
    .bind(name.as_str())
    .bind(version)
    .fetch_optional(connection)
    .await?;
    notice(&row.ok_or_else(|| not_found(name, version))?)
}

/// That there is no such notice.
pub(crate) fn not_found(name: &NoticeName, version: Option<u32>) -> Error {
    Error::NotFound { what: "notice", name: version.map_or_else(|| name.to_string(), |v| format!("{name} v{v}")) }
}

fn notice(row: &SqliteRow) -> Result<Notice, Error> {
    let list = |column: usize| -> Result<Vec<String>, Error> {
        let text: String = row.try_get(column)?;
        Ok(serde_json::from_str(&text).map_err(|e| unreadable("a notice", e))?)
    };
    Ok(Notice {
        name: parse_word(row.try_get(0)?)?,
        version: row.try_get(1)?,
        language: row.try_get(2)?,
        purposes: list(3)?.iter().map(|w| parse_word(w)).collect::<Result<_, _>>()?,
        partners: list(4)?.iter().map(|w| parse_word(w)).collect::<Result<_, _>>()?,
        text: row.try_get(5)?,
        sha256: row.try_get(6)?,
        published_at: parse_time(row.try_get(7)?)?,
    })
}
