//! Letters to people: queued here, written and sent elsewhere.
//!
//! ```text
//! queue     notify   whoever must be asked again        parent   a child's parent
//! outbox    what is due is claimed for some minutes, and settled
//! ```
//!
//! The queue is work to do, not evidence: it is in no log, and the addresses in it go with their letters.

mod notify;
mod outbox;
mod parent;

pub use notify::Notified;
pub use outbox::{MailInfo, QueuedMail};

pub(crate) use outbox::give_up_all;

use domain::mail::{MailKind, MailState};
use domain::notice::NoticeRef;
use domain::{SubjectId, Timestamp};
use sqlx::SqliteConnection;

use crate::Error;
use crate::plane::Inner;
use crate::store::time_text;

/// A letter that is to be queued.
struct NewMail<'a> {
    kind: MailKind,
    subject: SubjectId,
    notice: NoticeRef,
    language: &'a str,
    /// Of a parent; a person's own is looked up when it goes out.
    address: Option<&'a str>,
    /// What makes it another letter of the same kind, about the same person and notice.
    occasion: &'a str,
    due: Timestamp,
}

/// Queues a letter once; tells whether it is new.
async fn queue(tx: &mut SqliteConnection, inner: &Inner, mail: &NewMail<'_>, now: Timestamp) -> Result<bool, Error> {
    let NewMail { kind, subject, notice, language, address, occasion, due } = mail;
    let key = inner.seal.commit("mail", format!("{kind} {subject} {notice} {} {occasion}", address.unwrap_or_default()).as_bytes());
    let inserted = sqlx::query(
        "INSERT INTO mail (mail_key, kind, subject_id, notice, version, language, address, state, due_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (mail_key) DO NOTHING",
    )
    .bind(key)
    .bind(kind.as_str())
    .bind(subject.0)
    .bind(notice.name.as_str())
    .bind(notice.version)
    .bind(language)
    .bind(address)
    .bind(MailState::Queued.as_str())
    .bind(time_text(*due))
    .bind(time_text(now));
    Ok(inserted.execute(tx).await?.rows_affected() > 0)
}
