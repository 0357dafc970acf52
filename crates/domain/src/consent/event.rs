//! Events: what happened between a person and whoever wants to use their data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::notice::NoticeRef;
use crate::{PartnerClass, PartnerName, Purpose, SubjectId, Timestamp};

crate::words! {
    /// What happened (ISO/IEC TS 27560, W3C DPV consent status).
    ///
    /// The order is that of strictness: of two events at one instant the later in this list counts as later.
    pub enum ConsentAction("consent action") {
        /// The person was asked: a notice was shown.
        Request = "request",
        /// The person put the answer off. Neither a yes nor a no.
        Defer = "defer",
        /// Agreed.
        Give = "give",
        /// Agreed again, before the yes ended.
        Renew = "renew",
        /// The yes ended by a system's clock or context.
        Expire = "expire",
        /// Said no when asked.
        Refuse = "refuse",
        /// Took an earlier yes back (GDPR Art. 7(3)).
        Withdraw = "withdraw",
        /// The controller took the permission away.
        Revoke = "revoke",
        /// An authority, a court or the data-protection officer found the consent void.
        Invalidate = "invalidate",
    }
}

crate::words! {
    /// Who acted.
    pub enum Actor("actor") {
        /// The person.
        Subject = "subject",
        /// A holder of parental responsibility (GDPR Art. 8).
        Parent = "parent",
        /// Somebody whom the person authorised (Cal. Civ. Code 1798.135(e)). May narrow, never widen.
        Agent = "agent",
        /// Whoever decides about the data.
        Controller = "controller",
        /// An authority or a court.
        Authority = "authority",
        /// A clock.
        System = "system",
    }
}

impl Actor {
    /// Whether this actor may do that.
    #[must_use]
    pub const fn may(self, action: ConsentAction) -> bool {
        use ConsentAction::{Defer, Expire, Give, Invalidate, Refuse, Renew, Request, Revoke, Withdraw};
        match action {
            Give | Renew | Defer => matches!(self, Self::Subject | Self::Parent),
            Refuse | Withdraw => matches!(self, Self::Subject | Self::Parent | Self::Agent),
            Request | Revoke => matches!(self, Self::Controller),
            Expire => matches!(self, Self::System),
            Invalidate => matches!(self, Self::Authority | Self::Controller),
        }
    }
}

crate::words! {
    /// How it reached us.
    pub enum ConsentMethod("consent method") {
        /// The person chose on a page of ours.
        Page = "page",
        /// The operator recorded a choice that the person made elsewhere.
        Operator = "operator",
        /// Many existing choices were taken over from another system.
        Import = "import",
        /// Two ids of one person were merged or split, and the stricter choice counts.
        Merge = "merge",
    }
}

crate::words! {
    /// Which of a person's data a choice is about.
    pub enum DataScope("data scope") {
        /// All of them.
        Everything = "everything",
        /// What they did and when: posts, replies, likes, shares, follows, their counts and lengths.
        Activity = "activity",
        /// Who they are: country, region, age, language, followers.
        Profile = "profile",
        /// What it was about: hashtags, links, communities, interests. May reveal what GDPR Art. 9 protects.
        Topics = "topics",
    }
}

impl DataScope {
    /// The scopes that are not unions of others.
    pub const PARTS: [Self; 3] = [Self::Activity, Self::Profile, Self::Topics];

    /// Whether a choice about this scope speaks of `part`.
    #[must_use]
    pub const fn covers(self, part: Self) -> bool {
        matches!(self, Self::Everything) || self as u8 == part as u8
    }

    /// How much such data tell.
    #[must_use]
    pub const fn sensitivity(self) -> crate::law::Sensitivity {
        match self {
            Self::Activity | Self::Profile => crate::law::Sensitivity::Quasi,
            Self::Topics | Self::Everything => crate::law::Sensitivity::Special,
        }
    }
}

/// To whom a choice speaks: one partner, or a class of them.
///
/// # Guarantee
/// A yes to a class covers a partner that joined it only where the notice named the class as open and every
/// rule pack that concerns the person allows it; a no to a class always covers all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recipient {
    /// A named partner.
    Partner(PartnerName),
    /// Everybody of a class.
    Class(PartnerClass),
}

const CLASS: &str = "class:";

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partner(name) => name.fmt(f),
            Self::Class(class) => write!(f, "{CLASS}{class}"),
        }
    }
}

impl FromStr for Recipient {
    type Err = crate::id::NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(CLASS) {
            Some(class) => class.parse().map(Self::Class),
            None => text.parse().map(Self::Partner),
        }
    }
}

impl TryFrom<String> for Recipient {
    type Error = crate::id::NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

impl From<PartnerName> for Recipient {
    fn from(partner: PartnerName) -> Self {
        Self::Partner(partner)
    }
}

/// What a choice is about. A yes to one key says nothing about another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsentKey {
    /// The person.
    pub subject: SubjectId,
    /// The recipient.
    pub recipient: Recipient,
    /// What for.
    pub purpose: Purpose,
    /// Which data.
    pub scope: DataScope,
}

impl ConsentKey {
    /// About all data of a person, for one partner.
    #[must_use]
    pub const fn new(subject: SubjectId, partner: PartnerName, purpose: Purpose) -> Self {
        Self { subject, recipient: Recipient::Partner(partner), purpose, scope: DataScope::Everything }
    }
}

/// How firmly a person agreed: rules ask more for children, for sensitive data and after an opt-out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Strength {
    /// In so many words (GDPR Art. 9(2)(a)).
    pub explicit: bool,
    /// By a holder of parental responsibility.
    pub parental: bool,
    /// Asked twice (11 CCR 7028).
    pub two_step: bool,
}

impl Strength {
    /// As one number, to keep it.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.explicit as u8 | (self.parental as u8) << 1 | (self.two_step as u8) << 2
    }

    /// From that number.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self { explicit: bits & 1 != 0, parental: bits & 2 != 0, two_step: bits & 4 != 0 }
    }
}

/// When an event happened, in the order in which events count, whatever the order in which they arrive.
///
/// By time; at one instant by the number that the source gave; then the stricter one last, so that a no
/// beats a yes of the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventOrder {
    /// When it happened.
    pub at: Timestamp,
    /// The source's own number among events of one instant; 0 when it has none.
    pub sequence: u32,
    /// What happened.
    pub action: ConsentAction,
}

/// One event, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEvent {
    /// Position in the ledger: without gaps, in the order of commits.
    pub seq: u64,
    /// What it is about.
    pub key: ConsentKey,
    /// When it happened, and what.
    #[serde(flatten)]
    pub order: EventOrder,
    /// Who acted.
    pub actor: Actor,
    /// How it reached us.
    pub method: ConsentMethod,
    /// How firmly, of a yes.
    pub strength: Strength,
    /// The text that the person saw.
    pub notice: NoticeRef,
    /// In which language.
    pub language: String,
    /// SHA-256 of what proves it, in hexadecimal, if anything beyond this record does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Until when a yes counts, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_partners_and_classes() {
        for text in ["acme", "class:university"] {
            assert_eq!(text.parse::<Recipient>().unwrap().to_string(), text);
        }
        assert!("class:".parse::<Recipient>().is_err() && "Class:x".parse::<Recipient>().is_err());
    }

    #[test]
    fn strength_is_kept_as_a_number() {
        for bits in 0..8 {
            assert_eq!(Strength::from_bits(bits).bits(), bits);
        }
    }

    #[test]
    fn nobody_agrees_for_a_person_but_they_and_their_parents() {
        let may = |action| Actor::ALL.iter().copied().filter(|actor| actor.may(action)).collect::<Vec<_>>();
        assert_eq!(may(ConsentAction::Give), [Actor::Subject, Actor::Parent]);
        assert_eq!(may(ConsentAction::Withdraw), [Actor::Subject, Actor::Parent, Actor::Agent]);
        assert_eq!(may(ConsentAction::Expire), [Actor::System]);
        assert_eq!(may(ConsentAction::Request), [Actor::Controller]);
    }
}
