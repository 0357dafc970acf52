//! Letters that are due, and what became of them.

use chrono::TimeDelta;
use domain::mail::{MailFailure, MailKind, MailState, next_attempt};
use domain::notice::NoticeRef;
use domain::{SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::notify::must_be_asked;
use crate::contact::contact;
use crate::store::{parse_time, parse_word, time_text};
use crate::{ControlPlane, Error};

/// For how long a letter that was claimed is nobody else's. Whoever claimed it and died is followed after that.
const CLAIM: TimeDelta = TimeDelta::minutes(10);

/// A letter that is to be written and sent now.
#[derive(Clone)]
pub struct QueuedMail {
    /// Its number.
    pub id: i64,
    /// Why it is written.
    pub kind: MailKind,
    /// About whom.
    pub subject: SubjectId,
    /// About which notice.
    pub notice: NoticeRef,
    /// The language in which the receiver is written to, if there are words in it.
    pub language: String,
    /// To whom.
    pub address: String,
    /// The attempt that this is, from 1.
    pub attempt: u32,
}

/// A letter as the operator sees it: without its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailInfo {
    /// Its number.
    pub id: i64,
    /// Why it is written.
    pub kind: MailKind,
    /// About whom.
    pub subject: SubjectId,
    /// About which notice.
    pub notice: NoticeRef,
    /// Where it stands.
    pub state: MailState,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next is due, while it waits.
    pub due: Timestamp,
    /// Why it was given up.
    pub why: Option<String>,
    /// When it was queued.
    pub at: Timestamp,
}

impl ControlPlane {
    /// Claims letters that are due, `limit` at most. Each must be settled with [`ControlPlane::mail_settle`]; one
    /// that is not is due again after ten minutes.
    ///
    /// # Guarantee
    /// While a claim lasts nobody else gets the letter. A letter whose reason is gone is not given out: the person
    /// has answered, or cannot be reached any more.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn mail_claim(&self, limit: u32) -> Result<Vec<QueuedMail>, Error> {
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let due = "SELECT id, kind, subject_id, notice, version, language, address, attempts FROM mail WHERE state = 'queued' AND due_at <= ? ORDER BY due_at, id LIMIT ?";
        let rows = sqlx::query(due).bind(time_text(now)).bind(limit).fetch_all(&mut *tx).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, kind): (i64, MailKind) = (row.try_get(0)?, parse_word(row.try_get(1)?)?);
            let subject = SubjectId(row.try_get(2)?);
            let notice = NoticeRef { name: parse_word(row.try_get(3)?)?, version: row.try_get(4)? };
            let address = match kind {
                MailKind::NoticeChanged if must_be_asked(&mut tx, &notice.name, Some(subject)).await?.is_empty() => {
                    give_up(&mut tx, id, "they have answered").await?;
                    continue;
                }
                MailKind::NoticeChanged => contact(&mut tx, subject).await?.map(|contact| contact.email),
                MailKind::ParentAsked | MailKind::ParentConfirmed => row.try_get(6)?,
            };
            let Some(address) = address else {
                give_up(&mut tx, id, "they cannot be reached any more").await?;
                continue;
            };
            let attempt = row.try_get::<u32, _>(7)?.saturating_add(1);
            sqlx::query("UPDATE mail SET attempts = ?, due_at = ? WHERE id = ?").bind(attempt).bind(time_text(now + CLAIM)).bind(id).execute(&mut *tx).await?;
            claimed.push(QueuedMail { id, kind, subject, notice, language: row.try_get(5)?, address, attempt });
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// Says what became of a letter that was claimed. Sent or given up, its address is deleted.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn mail_settle(&self, mail: &QueuedMail, result: &Result<(), MailFailure>) -> Result<MailState, Error> {
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let again = match result {
            Err(MailFailure::Later(_)) => next_attempt(mail.attempt, now),
            Ok(()) | Err(MailFailure::Refused(_)) => None,
        };
        let state = match (result, again) {
            (Ok(()), _) => {
                sqlx::query("UPDATE mail SET state = 'sent', address = NULL WHERE id = ? AND state = 'queued'").bind(mail.id).execute(&mut *tx).await?;
                MailState::Sent
            }
            (Err(_), Some(due)) => {
                sqlx::query("UPDATE mail SET due_at = ? WHERE id = ? AND state = 'queued'").bind(time_text(due)).bind(mail.id).execute(&mut *tx).await?;
                MailState::Queued
            }
            (Err(failure), None) => {
                give_up(&mut tx, mail.id, &failure.to_string()).await?;
                MailState::Failed
            }
        };
        tx.commit().await?;
        if state != MailState::Queued {
            // No old page of the store keeps the address.
            self.inner.store.forget().await?;
        }
        Ok(state)
    }

    /// Every letter, oldest first, without addresses.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn mail_list(&self) -> Result<Vec<MailInfo>, Error> {
        let rows = sqlx::query("SELECT id, kind, subject_id, notice, version, state, attempts, due_at, why, at FROM mail ORDER BY id").fetch_all(self.inner.store.reader()).await?;
        let read = rows.iter().map(|row| {
            let notice = NoticeRef { name: parse_word(row.try_get(3)?)?, version: row.try_get(4)? };
            let (kind, state, subject) = (parse_word(row.try_get(1)?)?, parse_word(row.try_get(5)?)?, SubjectId(row.try_get(2)?));
            let (due, at) = (parse_time(row.try_get(7)?)?, parse_time(row.try_get(9)?)?);
            Ok(MailInfo { id: row.try_get(0)?, kind, subject, notice, state, attempts: row.try_get(6)?, due, why: row.try_get(8)?, at })
        });
        read.collect()
    }
}

async fn give_up(tx: &mut SqliteConnection, id: i64, why: &str) -> Result<(), Error> {
    sqlx::query("UPDATE mail SET state = 'failed', address = NULL, why = ? WHERE id = ? AND state = 'queued'").bind(why).bind(id).execute(tx).await?;
    Ok(())
}

/// Gives every letter up that waits.
pub(crate) async fn give_up_all(tx: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("UPDATE mail SET state = 'failed', address = NULL, why = 'the store was restored' WHERE state = 'queued'").execute(tx).await?;
    Ok(())
}
