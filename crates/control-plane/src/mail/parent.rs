//! Letters to a child's parent.

use chrono::TimeDelta;
use domain::link::Link;
use domain::mail::{MailKind, is_address};
use domain::{Refusal, RefusalCode};
use sqlx::Row;

use super::{NewMail, queue};
use crate::store::time_text;
use crate::{ControlPlane, Error};

/// Letters to parents that one person can cause in a day.
const A_DAY: i64 = 3;

/// How long after a parent's yes it is confirmed to them.
const CONFIRMED_AFTER: TimeDelta = TimeDelta::days(1);

impl ControlPlane {
    /// Queues a letter to a parent, with a link on whose page they can choose. Tells whether it is new: the same
    /// address is written to once a day.
    ///
    /// # Errors
    /// A refusal when the address cannot be one, or the person has caused three letters within a day.
    pub async fn parent_ask(&self, link: &Link, address: &str, language: &str) -> Result<bool, Error> {
        if !is_address(address) {
            return Err(Refusal::new(RefusalCode::Mail, "that cannot be an e-mail address").hint("for example anna@town.example").into());
        }
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let day = now.date_naive().to_string();
        let mail = NewMail { kind: MailKind::ParentAsked, subject: link.subject, notice: link.notice.clone(), language, address: Some(address), occasion: &day, due: now };
        let new = queue(&mut tx, &self.inner, &mail, now).await?;
        let caused = sqlx::query("SELECT count(*) FROM mail WHERE subject_id = ? AND kind = ? AND at > ?").bind(link.subject.0).bind(MailKind::ParentAsked.as_str());
        let caused: i64 = caused.bind(time_text(now - TimeDelta::days(1))).fetch_one(&mut *tx).await?.try_get(0)?;
        if new && caused > A_DAY {
            return Err(Refusal::new(RefusalCode::Mail, "three letters to parents were written today").hint("try again tomorrow").into());
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Queues the letter that confirms a parent's yes a day later, to the address that their link came to: the second
    /// step that makes e-mail count for more (16 CFR 312.5(b)(2)(vi)).
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn parent_confirm(&self, link: &Link, language: &str) -> Result<bool, Error> {
        let Some(address) = link.mailbox.as_deref() else { return Ok(false) };
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let day = now.date_naive().to_string();
        let due = now + CONFIRMED_AFTER;
        let mail = NewMail { kind: MailKind::ParentConfirmed, subject: link.subject, notice: link.notice.clone(), language, address: Some(address), occasion: &day, due };
        let new = queue(&mut tx, &self.inner, &mail, now).await?;
        tx.commit().await?;
        Ok(new)
    }
}
