//! Letters on their way: what is due is written, sent and settled.

mod letter;
mod smtp;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use control_plane::{ControlPlane, Error};
use domain::Fault;
use domain::mail::{MailFailure, MailState};
use domain::port::Mailer;

pub use smtp::{Encryption, Smtp, SmtpSettings};

use crate::Pages;

/// Letters of one round.
const ROUND: u32 = 20;

/// What became of the letters of one round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// A mail server took them.
    pub sent: u32,
    /// They are tried again later.
    pub later: u32,
    /// They were given up.
    pub failed: u32,
}

/// Sends the letters that are due, twenty at most.
///
/// # Guarantee
/// A letter goes out once unless this ends between the mail server's word and ours, or the server's word is lost:
/// then it goes out again with the same Message-ID.
///
/// # Errors
/// A fault of the store; what the mail server says is settled with each letter.
pub async fn deliver(control: &ControlPlane, pages: &Pages, mailer: &Arc<dyn Mailer>) -> Result<Delivered, Error> {
    let mut delivered = Delivered::default();
    for mail in control.mail_claim(ROUND).await? {
        let sent = match letter::write(control, pages, &mail).await {
            Ok(letter) => {
                let mailer = Arc::clone(mailer);
                let sent = tokio::task::spawn_blocking(move || mailer.send(&letter)).await;
                sent.unwrap_or_else(|e| Err(MailFailure::Later(Fault::new("sending a letter", e.to_string()))))
            }
            // Somebody who was erased meanwhile, or a notice without a controller: no letter can be written.
            Err(Error::Refused(refusal)) => Err(MailFailure::Refused(Fault::broken(refusal.to_string()))),
            Err(Error::NotFound { .. }) => Err(MailFailure::Refused(Fault::broken("the person or the notice is gone"))),
            Err(other) => return Err(other),
        };
        if let Err(MailFailure::Refused(fault) | MailFailure::Later(fault)) = &sent {
            (pages.report)(fault);
        }
        match control.mail_settle(&mail, &sent).await? {
            MailState::Sent => delivered.sent += 1,
            MailState::Queued => delivered.later += 1,
            MailState::Failed => delivered.failed += 1,
        }
    }
    Ok(delivered)
}

/// Sends what is due, and looks again after `every`, until `stop` is done. Faults are reported, and the next round
/// tries again.
pub async fn deliver_until(control: ControlPlane, pages: Pages, mailer: Arc<dyn Mailer>, every: Duration, stop: impl Future<Output = ()> + Send) {
    tokio::pin!(stop);
    loop {
        match deliver(&control, &pages, &mailer).await {
            // More may be due at once.
            Ok(delivered) if delivered.sent == ROUND => continue,
            Ok(_) | Err(Error::Conflict(_) | Error::Refused(_) | Error::NotFound { .. }) => {}
            Err(Error::Failed(fault)) => (pages.report)(&fault),
        }
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}
