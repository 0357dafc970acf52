//! Recording choices, and reading them back.

use std::collections::BTreeMap;

use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, Facts, permitted};
use domain::notice::{Notice, NoticeRef};
use domain::{Refusal, RefusalCode, SubjectId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::PermittedWriter;
use crate::audit::AuditWriter;
use crate::store::{from_i64, parse_time, parse_word, to_i64};
use crate::subject::facts;
use crate::{ControlPlane, Error};

/// A choice that a person made.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What it is about.
    pub key: ConsentKey,
    /// The choice.
    pub action: ConsentAction,
    /// The text that the person saw.
    pub notice: NoticeRef,
    /// How it reached us.
    pub method: ConsentMethod,
}

/// That a choice is on disk.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The choice as the ledger keeps it.
    pub event: ConsentEvent,
    /// Its entry in the audit log.
    pub entry: u64,
}

impl ControlPlane {
    /// Records choices, all or none.
    ///
    /// # Guarantee
    /// When it returns, the choices are durable, and every release that starts afterwards honours them:
    /// the ledger, the state and the permitted bitmaps change in one transaction, and a release reads
    /// the bitmaps in the transaction that pays for it. A withdrawal is never refused for its content.
    ///
    /// # Errors
    /// Not found for an unknown person or notice; a refusal for a yes that the notice did not ask for.
    pub async fn consent_record(&self, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
        let at = self.now();
        let at_text = self.now_text();
        let mut tx = self.inner.store.begin().await?;
        let mut seq = Self::consent_seq(&mut tx).await?;
        let mut notices: BTreeMap<NoticeRef, Notice> = BTreeMap::new();
        let mut permitted_sets = PermittedWriter::default();
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let mut receipts = Vec::with_capacity(choices.len());
        for Choice { key, action, notice, method } in choices {
            if !notices.contains_key(notice) {
                notices.insert(notice.clone(), crate::notice::find(&mut tx, &notice.name, Some(notice.version)).await?);
            }
            if let Some(shown) = notices.get(notice) {
                check(*action, key, shown)?;
            }
            let (status, age) = facts(&mut tx, key.subject).await?;
            seq += 1;
            sqlx::query("INSERT INTO consent_event (id, subject_id, partner, purpose, action, notice, notice_version, method, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(to_i64(seq)?)
                .bind(key.subject.0)
                .bind(key.partner.as_str())
                .bind(key.purpose.as_str())
                .bind(action.as_str())
                .bind(notice.name.as_str())
                .bind(notice.version)
                .bind(method.as_str())
                .bind(&at_text)
                .execute(&mut *tx)
                .await?;
            let consent = state(&mut tx, key).await?.after(*action);
            sqlx::query("INSERT INTO consent_state (subject_id, partner, purpose, state, seq) VALUES (?, ?, ?, ?, ?) ON CONFLICT (subject_id, partner, purpose) DO UPDATE SET state = excluded.state, seq = excluded.seq")
                .bind(key.subject.0)
                .bind(key.partner.as_str())
                .bind(key.purpose.as_str())
                .bind(consent.as_str())
                .bind(to_i64(seq)?)
                .execute(&mut *tx)
                .await?;
            permitted_sets.set(&mut tx, &key.partner, key.purpose, key.subject, permitted(Facts { status, age, consent }, key.purpose)).await?;
            let entry = audit.append(&mut tx, EntryKind::ConsentRecorded, "consent_event", to_i64(seq)?).await?;
            receipts.push(Receipt { event: ConsentEvent { seq, key: key.clone(), action: *action, notice: notice.clone(), method: *method, at }, entry });
        }
        sqlx::query("UPDATE counter SET value = ? WHERE name = 'consent'").bind(to_i64(seq)?).execute(&mut *tx).await?;
        permitted_sets.finish(&mut tx).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(receipts)
    }

    /// What the ledger says now.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_state(&self, key: &ConsentKey) -> Result<ConsentState, Error> {
        state(&mut *self.inner.store.snapshot().await?, key).await
    }

    /// Everything a person ever chose, oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_history(&self, subject: SubjectId) -> Result<Vec<ConsentEvent>, Error> {
        let rows = sqlx::query("SELECT id, subject_id, partner, purpose, action, notice, notice_version, method, at FROM consent_event WHERE subject_id = ? ORDER BY id")
            .bind(subject.0)
            .fetch_all(self.inner.store.reader())
            .await?;
        rows.iter().map(event).collect()
    }
}

/// A yes counts only for what the person was asked; a no and a withdrawal always count.
fn check(action: ConsentAction, key: &ConsentKey, notice: &Notice) -> Result<(), Refusal> {
    let asked = notice.purposes.contains(&key.purpose) && notice.partners.contains(&key.partner);
    match action {
        ConsentAction::Give if !asked => {
            let message = format!("the notice {} v{} does not ask consent for {} by {}", notice.name, notice.version, key.purpose, key.partner);
            Err(Refusal::new(RefusalCode::Consent, message).hint("publish a notice that names this purpose and partner, and ask again"))
        }
        ConsentAction::Give | ConsentAction::Refuse | ConsentAction::Withdraw => Ok(()),
    }
}

pub(super) async fn state(connection: &mut SqliteConnection, key: &ConsentKey) -> Result<ConsentState, Error> {
    let row = sqlx::query("SELECT state FROM consent_state WHERE subject_id = ? AND partner = ? AND purpose = ?")
        .bind(key.subject.0)
        .bind(key.partner.as_str())
        .bind(key.purpose.as_str())
        .fetch_optional(connection)
        .await?;
    match row {
        Some(row) => Ok(parse_word(row.try_get(0)?)?),
        None => Ok(ConsentState::Unknown),
    }
}

fn event(row: &SqliteRow) -> Result<ConsentEvent, Error> {
    let word = |column: usize| row.try_get::<String, _>(column);
    let key = ConsentKey { subject: SubjectId(row.try_get(1)?), partner: parse_word(&word(2)?)?, purpose: parse_word(&word(3)?)? };
    Ok(ConsentEvent {
        seq: from_i64(row.try_get(0)?)?,
        key,
        action: parse_word(&word(4)?)?,
        notice: NoticeRef { name: parse_word(&word(5)?)?, version: row.try_get(6)? },
        method: parse_word(&word(7)?)?,
        at: parse_time(&word(8)?)?,
    })
}
