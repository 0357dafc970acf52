//! Telling people that a notice has changed.

use std::collections::BTreeSet;

use domain::mail::MailKind;
use domain::{NoticeName, SubjectId};
use sqlx::{Row, SqliteConnection};

use super::{NewMail, queue};
use crate::contact::contact;
use crate::{ControlPlane, Error};

/// Whoever said yes to an earlier version and must be asked again: the yes stands, by itself, and the notice asks
/// otherwise since.
const MUST_BE_ASKED: &str = "SELECT DISTINCT c.subject_id FROM consent_state c JOIN subject s USING (subject_id) JOIN notice_floor f ON f.notice = c.notice AND f.purpose = c.purpose AND f.recipient = c.recipient
    WHERE c.notice = ?1 AND c.notice_version < f.version AND c.state IN ('given', 'renewed') AND s.status = 'active' AND (?2 IS NULL OR c.subject_id = ?2) ORDER BY c.subject_id";

/// Who is told of a changed notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notified {
    /// Letters that were queued.
    pub queued: u64,
    /// People for whom one was queued before.
    pub before: u64,
    /// People who must be asked again and cannot be reached.
    pub unreachable: u64,
}

impl ControlPlane {
    /// Queues one letter to everybody who said yes to an earlier version of a notice, must be asked again, and can
    /// be reached. Queued once per person and version, however often this is called.
    ///
    /// # Errors
    /// Not found.
    pub async fn notice_notify(&self, name: &NoticeName) -> Result<Notified, Error> {
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let notice = crate::notice::find(&mut tx, name, None).await?;
        let mut notified = Notified::default();
        for subject in must_be_asked(&mut tx, name, None).await? {
            let Some(contact) = contact(&mut tx, subject).await? else {
                notified.unreachable += 1;
                continue;
            };
            let wanted = contact.language.as_deref().unwrap_or(&notice.own.wording.language);
            let mail = NewMail { kind: MailKind::NoticeChanged, subject, notice: notice.reference(), language: wanted, address: None, occasion: "", due: now };
            if queue(&mut tx, &self.inner, &mail, now).await? {
                notified.queued += 1;
            } else {
                notified.before += 1;
            }
        }
        tx.commit().await?;
        Ok(notified)
    }
}

/// Everybody who must be asked again, or whether one person must.
pub(super) async fn must_be_asked(connection: &mut SqliteConnection, name: &NoticeName, subject: Option<SubjectId>) -> Result<BTreeSet<SubjectId>, Error> {
    let rows = sqlx::query(MUST_BE_ASKED).bind(name.as_str()).bind(subject.map(|s| s.0)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect()
}
