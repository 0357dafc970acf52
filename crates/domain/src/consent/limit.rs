//! Opt-outs, objections and restrictions: what narrows every consent that they cover.

use serde::{Deserialize, Serialize};

use super::Actor;
use crate::{PartnerName, Purpose, SubjectId, Timestamp};

crate::words! {
    /// What a person limits.
    pub enum LimitKind("limit") {
        /// No sale, sharing, targeted advertising (Cal. Civ. Code 1798.120 and its like).
        OptOut = "opt_out",
        /// An objection (GDPR Art. 21).
        Objection = "objection",
        /// Store only (GDPR Art. 18), or a pause that the person set.
        Restriction = "restriction",
    }
}

crate::words! {
    /// What happened with a limit. Of two at one instant the one that limits counts.
    pub enum LimitAct("limit act") {
        /// It ended.
        Lift = "lift",
        /// It began.
        Set = "set",
    }
}

crate::words! {
    /// What said so.
    pub enum LimitSource("source of a limit") {
        /// The person, their parent or their agent.
        Person = "person",
        /// Global Privacy Control.
        Gpc = "gpc",
        /// IAB Global Privacy Platform.
        Gpp = "gpp",
        /// IAB Transparency and Consent Framework.
        Tcf = "tcf",
        /// Flags of an ActivityPub actor.
        ActivityPub = "activitypub",
        /// User intents of an AT Protocol repository.
        UserIntents = "user_intents",
        /// Another flag of a platform.
        Platform = "platform",
        /// The operator, an authority or a court.
        Controller = "controller",
    }
}

/// What a limit covers: everything that is not named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LimitKey {
    /// The person.
    pub subject: SubjectId,
    /// What is limited.
    pub kind: LimitKind,
    /// For this purpose only.
    pub purpose: Option<Purpose>,
    /// For this partner only.
    pub partner: Option<PartnerName>,
}

/// One event of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitEvent {
    /// What it covers.
    pub key: LimitKey,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub act: LimitAct,
    /// Who acted.
    pub actor: Actor,
    /// What said so.
    pub source: LimitSource,
    /// Whether the person was asked twice, which lifting an opt-out needs.
    pub two_step: bool,
}

/// Why a limit cannot be lifted like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotLift {
    /// A signal, or its absence, lifts nothing.
    #[error("a signal, or that it is absent, never undoes a limit; only the person does")]
    Signal,
    /// Somebody else.
    #[error("only the person or their parent can lift it")]
    Actor,
    /// Asked once.
    #[error("an opt-out is undone in two steps: the person says so, and confirms it")]
    OneStep,
}

impl LimitEvent {
    /// Whether the event may happen.
    ///
    /// # Guarantee
    /// Whatever limits may; lifting is for the person alone, and for an opt-out in two steps
    /// (11 CCR 7028; 4 CCR 904-3 Rule 5.09 B). That a signal is absent lifts nothing.
    ///
    /// # Errors
    /// Why it may not.
    pub const fn check(&self) -> Result<(), CannotLift> {
        match (self.act, self.source, self.actor, self.key.kind) {
            (LimitAct::Set, ..) => Ok(()),
            // What an authority or the operator set, they lift.
            (LimitAct::Lift, LimitSource::Controller, Actor::Controller | Actor::Authority, LimitKind::Restriction) => Ok(()),
            (LimitAct::Lift, LimitSource::Person, Actor::Subject | Actor::Parent, kind) => {
                if matches!(kind, LimitKind::OptOut) && !self.two_step {
                    return Err(CannotLift::OneStep);
                }
                Ok(())
            }
            (LimitAct::Lift, LimitSource::Person, ..) => Err(CannotLift::Actor),
            (LimitAct::Lift, ..) => Err(CannotLift::Signal),
        }
    }
}

/// Which kinds of limits cover a use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Limits(u8);

impl Limits {
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, kind: LimitKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, kind: LimitKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// As three bits.
    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of `keys`, which are set, that cover a purpose, whoever the recipient is.
    #[must_use]
    pub fn of_purpose<'a>(keys: impl IntoIterator<Item = &'a LimitKey>, purpose: Purpose) -> Self {
        let covers = |key: &&LimitKey| key.purpose.is_none_or(|p| p == purpose) && key.partner.is_none();
        keys.into_iter().filter(covers).fold(Self::NONE, |limits, key| limits.with(key.kind))
    }

    /// Those of `keys`, which are set, that cover a use.
    #[must_use]
    pub fn covering<'a>(keys: impl IntoIterator<Item = &'a LimitKey>, partner: &PartnerName, purpose: Purpose) -> Self {
        let covers = |key: &&LimitKey| key.purpose.is_none_or(|p| p == purpose) && key.partner.as_ref().is_none_or(|p| p == partner);
        keys.into_iter().filter(covers).fold(Self::NONE, |limits, key| limits.with(key.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(act: LimitAct, kind: LimitKind, source: LimitSource, actor: Actor, two_step: bool, expected: Result<(), CannotLift>) {
        let key = LimitKey { subject: SubjectId(1), kind, purpose: None, partner: None };
        let event = LimitEvent { key, at: Timestamp::UNIX_EPOCH, act, actor, source, two_step };
        assert_eq!(event.check(), expected, "{event:?}");
    }

    #[test]
    fn an_absent_signal_undoes_no_opt_out() {
        for &source in LimitSource::ALL.iter().filter(|&&s| s != LimitSource::Person) {
            for &actor in Actor::ALL {
                check(LimitAct::Lift, LimitKind::OptOut, source, actor, true, Err(CannotLift::Signal));
                check(LimitAct::Set, LimitKind::OptOut, source, actor, false, Ok(()));
            }
        }
    }

    #[test]
    fn an_opt_out_is_undone_by_the_person_in_two_steps() {
        check(LimitAct::Lift, LimitKind::OptOut, LimitSource::Person, Actor::Subject, false, Err(CannotLift::OneStep));
        check(LimitAct::Lift, LimitKind::OptOut, LimitSource::Person, Actor::Subject, true, Ok(()));
        check(LimitAct::Lift, LimitKind::OptOut, LimitSource::Person, Actor::Agent, true, Err(CannotLift::Actor));
        check(LimitAct::Lift, LimitKind::Objection, LimitSource::Person, Actor::Subject, false, Ok(()));
    }

    #[test]
    fn what_a_limit_does_not_name_it_covers() {
        let (acme, other): (PartnerName, PartnerName) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let key = |purpose, partner: Option<&PartnerName>| LimitKey { subject: SubjectId(1), kind: LimitKind::OptOut, purpose, partner: partner.cloned() };
        let covers = |key: LimitKey, partner, purpose| !Limits::covering([&key], partner, purpose).is_empty();
        assert!(covers(key(None, None), &acme, Purpose::AiTraining));
        assert!(covers(key(Some(Purpose::AiTraining), None), &acme, Purpose::AiTraining));
        assert!(!covers(key(Some(Purpose::AiTraining), None), &acme, Purpose::SaleOrSharing));
        assert!(!covers(key(None, Some(&acme)), &other, Purpose::AiTraining));
    }
}
