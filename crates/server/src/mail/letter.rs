//! What letters say. Plain text; a link, and nothing about anybody.

use chrono::TimeDelta;
use control_plane::{ControlPlane, Error, NewLink, QueuedMail};
use domain::link::LinkKind;
use domain::mail::{Letter, MailKind};

use crate::Pages;
use crate::consent::words::Words;

/// For how long the link of a letter opens.
const VALID_FOR: TimeDelta = TimeDelta::days(30);

/// The letter, with a link of its own that is kept nowhere.
pub(super) async fn write(control: &ControlPlane, pages: &Pages, mail: &QueuedMail) -> Result<Letter, Error> {
    let words = Words::of(&mail.language);
    let (kind, mailbox) = match mail.kind {
        MailKind::NoticeChanged => (LinkKind::Choose, None),
        MailKind::ParentAsked | MailKind::ParentConfirmed => (LinkKind::Parent, Some(mail.address.clone())),
    };
    let link = NewLink { kind, mailbox, ..NewLink::choose(mail.subject, mail.notice.name.clone(), VALID_FOR) };
    let token = control.consent_link(&link, &[]).await?;
    let page = control.notice_page(mail.subject, &mail.notice.name).await?;
    let title = &page.notice.text_for(&mail.language).wording.title;
    let (subject, text) = match mail.kind {
        MailKind::NoticeChanged => (words.mail_changed_subject, words.mail_changed),
        MailKind::ParentAsked => (words.mail_parent_subject, words.mail_parent),
        MailKind::ParentConfirmed => (words.mail_confirmed_subject, words.mail_confirmed),
    };
    let controller = &page.controller;
    let from = [Some(controller.legal_name.as_str()), Some(controller.address.as_str()), controller.email.as_deref()];
    let text = format!("{}\n\n{text}\n\n{}\n\n--\n{}\n", title.trim(), pages.consent_url(&token), from.into_iter().flatten().collect::<Vec<_>>().join("\n"));
    let host = pages.public_url.split_once("://").map_or(pages.public_url.as_str(), |(_, rest)| rest).split(['/', ':']).next().unwrap_or("localhost");
    // Of the same letter the same, and of another another: the number in the store, and when the link was made is not in it.
    let id = format!("fairshare-{}@{host}", mail.id);
    Ok(Letter { id, to: mail.address.clone(), subject: subject.to_owned(), language: words.language.to_owned(), text, at: page.as_of })
}
