//! Letters to people, and what stays of them.

use crate::{Fault, Timestamp};

crate::words! {
    /// Why somebody is written to.
    pub enum MailKind("kind of mail") {
        /// A notice has changed, and they must be asked again.
        NoticeChanged = "notice_changed",
        /// A child named them as a parent, whose yes is needed.
        ParentAsked = "parent_asked",
        /// A parent's yes is confirmed to them (COPPA, 16 CFR 312.5(b)(2)(vi): e-mail with a second step).
        ParentConfirmed = "parent_confirmed",
    }
}

crate::words! {
    /// Where a letter stands.
    pub enum MailState("state of a mail") {
        /// It waits for its time.
        Queued = "queued",
        /// A mail server took it.
        Sent = "sent",
        /// It was given up.
        Failed = "failed",
    }
}

crate::words! {
    /// Who told how a person is reached.
    pub enum ContactSource("source of a contact") {
        /// The person.
        Subject = "subject",
        /// The operator.
        Operator = "operator",
        /// An import.
        Import = "import",
    }
}

/// How a person is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Their address for electronic mail.
    pub email: String,
    /// BCP 47 tag of the language in which they are written to.
    pub language: Option<String>,
}

/// Attempts before a letter is given up.
pub const ATTEMPTS_MAX: u32 = 8;

/// When the next attempt is made after `attempts` that failed at `now`: after a minute, then four times as long
/// each time, and a day at most. Nothing when there are no more.
#[must_use]
pub fn next_attempt(attempts: u32, now: Timestamp) -> Option<Timestamp> {
    if attempts >= ATTEMPTS_MAX {
        return None;
    }
    let minutes = 4_i64.saturating_pow(attempts.saturating_sub(1)).min(24 * 60);
    now.checked_add_signed(chrono::TimeDelta::minutes(minutes))
}

/// A letter as it goes out. Holds an address: never written to a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same for every attempt at the same letter, so that a receiver can tell a repeated one: becomes the
    /// Message-ID.
    pub id: String,
    /// To whom.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// BCP 47 tag of the language.
    pub language: String,
    /// The text, plain.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
}

/// Why a letter did not go out. Its texts hold no address.
#[derive(Debug, thiserror::Error)]
pub enum MailFailure {
    /// The server will never take it.
    #[error("the mail server refused the letter")]
    Refused(#[source] Fault),
    /// Another attempt may succeed.
    #[error("the mail server could not take the letter now")]
    Later(#[source] Fault),
}

/// Longest address accepted, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const ADDRESS_BYTES_MAX: usize = 254;

/// Whether `text` can be an address for electronic mail: one `@`, a name before it, a host name with a dot
/// behind it, and no spaces, control characters, quotes or brackets. Only a letter shows whether it is one.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"\"\\<>()[],;:@".contains(c);
    let label = |part: &str| !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-') && part.chars().all(|c| c.is_alphanumeric() || c == '-');
    text.len() <= ADDRESS_BYTES_MAX
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && host.contains('.')
        && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_name_and_a_host() {
        for good in ["a@b.example", "anna.maria+x@mail.town.example", "ü@bücher.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@b",
            "a b@c.example",
            "a@b.example\r\nBcc: c@d.example",
            "a@@b.example",
            "<a@b.example>",
            "a@-b.example",
            "a@b..example",
            ".a@b.example",
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }

    #[test]
    fn attempts_grow_apart_and_end() {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let minutes: Vec<i64> = (1..ATTEMPTS_MAX).map(|n| (next_attempt(n, now).unwrap() - now).num_minutes()).collect();
        assert_eq!(minutes, [1, 4, 16, 64, 256, 1024, 1440]);
        assert_eq!(next_attempt(ATTEMPTS_MAX, now), None);
    }
}
