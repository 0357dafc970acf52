//! Notices: versioned texts, kept for ever.

use std::collections::BTreeSet;

use domain::audit::EntryKind;
use domain::consent::{DataScope, Recipient};
use domain::notice::{Notice, NoticeTerms};
use domain::{NoticeName, PartnerName, Purpose, Refusal, RefusalCode, SubjectId, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::audit::AuditWriter;
use crate::consent::{Rules, recompute};
use crate::error::unreadable;
use crate::store::{json_rows, parse_time, parse_word, time_text};
use crate::{ControlPlane, Error};

/// A notice before it has a version.
#[derive(Debug, Clone)]
pub struct NewNotice {
    /// The notice.
    pub name: NoticeName,
    /// BCP 47 tag of the text's language.
    pub language: String,
    /// What it asks.
    pub terms: NoticeTerms,
    /// The text.
    pub text: String,
    /// Since when people have been shown it, if it was in use before it came here.
    pub shown_from: Option<Timestamp>,
    /// Whether it differs so much from the version before that whoever agreed must be asked again.
    pub material: bool,
}

/// Columns of a notice as [`notice`] reads them.
const SELECT: &str = "SELECT name, version, language, purposes, partners, open_classes, scopes, changed, text, sha256, shown_from, at FROM notice";

impl ControlPlane {
    /// Publishes the next version of a notice.
    ///
    /// # Guarantee
    /// What an earlier version asked and this one asks otherwise must be asked again: in the same transaction
    /// nobody is counted any more by a yes to the old words. What stays as it was goes on.
    ///
    /// # Errors
    /// A refusal when it names no purpose, no recipient, no data or has no text, or was shown in the future; not
    /// found for an unknown partner.
    pub async fn notice_publish(&self, new: NewNotice) -> Result<Notice, Error> {
        let NoticeTerms { purposes, partners, open_classes, scopes } = &new.terms;
        if purposes.is_empty() || (partners.is_empty() && open_classes.is_empty()) || scopes.is_empty() || new.text.trim().is_empty() {
            return Err(Refusal::new(RefusalCode::Consent, "a notice needs a text, a purpose, a recipient and data")
                .hint("consent is for a named purpose and recipient: --purpose … --partner …")
                .into());
        }
        let published_at = self.now();
        let shown_from = new.shown_from.unwrap_or(published_at);
        if shown_from > published_at {
            return Err(Refusal::new(RefusalCode::ConsentTime, "a notice cannot have been shown in the future").into());
        }
        let mut tx = self.inner.store.begin().await?;
        for partner in partners {
            crate::partner::state(&mut tx, partner).await?;
        }
        let before = find_or_none(&mut tx, &new.name, None).await?;
        let version = before.as_ref().map_or(1, |notice| notice.version.saturating_add(1));
        let changed = before.as_ref().map(|before| before.terms.changed_by(&new.terms, new.material)).unwrap_or_default();
        let sha256 = hex::encode(Sha256::digest(&new.text));
        let inserted = sqlx::query(
            "INSERT INTO notice (name, version, language, purposes, partners, open_classes, scopes, changed, text, sha256, shown_from, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.name.as_str())
        .bind(version)
        .bind(&new.language)
        .bind(json_rows(purposes)?)
        .bind(json_rows(partners)?)
        .bind(json_rows(open_classes)?)
        .bind(json_rows(scopes)?)
        .bind(json_rows(&changed)?)
        .bind(&new.text)
        .bind(&sha256)
        .bind(time_text(shown_from))
        .bind(time_text(published_at))
        .execute(&mut *tx)
        .await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        audit.append(&mut tx, EntryKind::NoticePublished, "notice", inserted.last_insert_rowid()).await?;
        audit.finish(&mut tx).await?;
        follow(&mut tx, inserted.last_insert_rowid()).await?;
        if !changed.is_empty() {
            let rules = Rules::read(&mut tx, &self.inner, published_at).await?;
            let people = agreed_to(&mut tx, &new.name).await?;
            recompute(&mut tx, &rules, &people).await?;
        }
        tx.commit().await?;
        let NewNotice { name, language, terms, text, .. } = new;
        Ok(Notice { name, version, language, terms, changed, text, sha256, shown_from, published_at })
    }

    /// Every version of every notice.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn notice_list(&self) -> Result<Vec<Notice>, Error> {
        let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} ORDER BY name, version"))).fetch_all(self.inner.store.reader()).await?;
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
    find_or_none(connection, name, version).await?.ok_or_else(|| not_found(name, version))
}

async fn find_or_none(connection: &mut SqliteConnection, name: &NoticeName, version: Option<u32>) -> Result<Option<Notice>, Error> {
    let sql = format!("{SELECT} WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(name.as_str()).bind(version).fetch_optional(connection).await?;
    row.as_ref().map(notice).transpose()
}

/// That there is no such notice.
pub(crate) fn not_found(name: &NoticeName, version: Option<u32>) -> Error {
    Error::NotFound { what: "notice", name: version.map_or_else(|| name.to_string(), |v| format!("{name} v{v}")) }
}

/// Whoever agreed to any version of a notice.
async fn agreed_to(connection: &mut SqliteConnection, name: &NoticeName) -> Result<Vec<SubjectId>, Error> {
    let rows = sqlx::query("SELECT DISTINCT subject_id FROM consent_state WHERE notice = ?").bind(name.as_str()).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect()
}

/// Brings what must be asked again up to the notice of this row.
pub(crate) async fn follow(tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
    let row = sqlx::query("SELECT name, version, changed FROM notice WHERE id = ?").bind(id).fetch_one(&mut *tx).await?;
    let changed: BTreeSet<(Recipient, Purpose)> = crate::store::parsed(&row, 2)?;
    for (recipient, purpose) in changed {
        sqlx::query("INSERT INTO notice_floor (notice, purpose, recipient, version) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = max(version, excluded.version)")
            .bind(row.try_get::<&str, _>(0)?)
            .bind(purpose.as_str())
            .bind(recipient.to_string())
            .bind(row.try_get::<u32, _>(1)?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Whether what must be asked again is what the notices say.
pub(crate) async fn first_wrong(connection: &mut SqliteConnection) -> Result<Option<String>, Error> {
    let said = "SELECT n.name, c.value ->> 1, c.value ->> 0, max(n.version) FROM notice n, json_each(n.changed) c GROUP BY 1, 2, 3";
    let kept = "SELECT notice, purpose, recipient, version FROM notice_floor";
    let differing = format!("SELECT 1 FROM (SELECT * FROM ({said}) EXCEPT {kept}) UNION ALL SELECT 1 FROM ({kept} EXCEPT SELECT * FROM ({said})) LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(differing)).fetch_optional(connection).await?;
    Ok(row.map(|_| "what must be asked again is not what the notices say".to_owned()))
}

fn notice(row: &SqliteRow) -> Result<Notice, Error> {
    fn list<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: usize) -> Result<T, Error> {
        Ok(serde_json::from_str(row.try_get(column)?).map_err(|e| unreadable("a notice", e))?)
    }
    let terms = NoticeTerms { purposes: list(row, 3)?, partners: list::<Vec<PartnerName>>(row, 4)?, open_classes: list(row, 5)?, scopes: list::<Vec<DataScope>>(row, 6)? };
    Ok(Notice {
        name: parse_word(row.try_get(0)?)?,
        version: row.try_get(1)?,
        language: row.try_get(2)?,
        terms,
        changed: list(row, 7)?,
        text: row.try_get(8)?,
        sha256: row.try_get(9)?,
        shown_from: parse_time(row.try_get(10)?)?,
        published_at: parse_time(row.try_get(11)?)?,
    })
}
