//! May this partner use this person's data for this purpose, now?

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Consent, ConsentState, LimitKind, Limits};
use crate::law::{Asked, Outcome, Residence};
use crate::subject::{AgeBand, SubjectStatus};

/// Everything about one person that a permission depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Enrolled, merged or erased.
    pub status: SubjectStatus,
    /// How old, as far as known.
    pub age: AgeBand,
    /// Whose law applies.
    pub residence: Residence,
    /// What the ledger says of this use.
    pub consent: Consent,
    /// What the person limits, of this use.
    pub limits: Limits,
}

/// What is asked of a use besides a yes: the outcomes of all rules that speak of it, and of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Demands(u8);

impl Demands {
    /// A yes, and nothing more.
    pub const FLOOR: Self = Self(1 << Outcome::FLOOR as u8);

    /// Forbidden.
    pub const PROHIBITED: Self = Self(1 << Outcome::Prohibit as u8);

    /// With one more.
    #[must_use]
    pub const fn with(self, outcome: Outcome) -> Self {
        Self(self.0 | 1 << outcome as u8)
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

/// Where the partner stands, apart from any person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgreementStanding {
    /// An active agreement covers the purpose.
    Covers,
    /// None does; the text says why.
    Lacks(String),
}

crate::words! {
    /// What a rule does to an answer.
    pub enum Effect("effect") {
        /// It denies.
        Deny = "deny",
        /// It asks for something that is there.
        Met = "met",
        /// It permits.
        Permit = "permit",
    }
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason<'law> {
    /// Stable id of the rule.
    pub rule: Cow<'law, str>,
    /// Where the rule comes from.
    pub source: Cow<'law, str>,
    /// What it says about this case.
    pub text: Cow<'law, str>,
    /// What it does to the answer.
    pub effect: Effect,
    /// What would change the answer, if anything can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Cow<'law, str>>,
}

impl Reason<'_> {
    /// The same, apart from the law that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Reason<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Reason { rule: own(self.rule), source: own(self.source), text: own(self.text), effect: self.effect, remedy: self.remedy.map(own) }
    }
}

/// Yes or no, and every rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'law> {
    /// Whether the use is permitted.
    pub permit: bool,
    /// The rules that spoke: those that deny first, in the order in which they count.
    pub reasons: Vec<Reason<'law>>,
}

impl Decision<'_> {
    /// The same, apart from the law that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Decision<'static> {
        Decision { permit: self.permit, reasons: self.reasons.into_iter().map(Reason::into_owned).collect() }
    }
}

/// Whether a person's own facts permit a use of which `demands` are made.
///
/// # Guarantee
/// True only if the person is enrolled, no limit of theirs covers the use, the newest choice that covers it is a
/// yes that has not ended, and that yes is as firm as every rule asks that concerns them. What is forbidden is
/// forbidden whatever they chose. This is the rule that the permitted bitmaps are compiled from; [`decide`] agrees
/// with it.
#[must_use]
pub const fn permitted(facts: &Facts, demands: Demands, opens_classes: bool) -> bool {
    let Facts { status, consent, limits, .. } = facts;
    matches!(status, SubjectStatus::Active)
        && !demands.contains(Outcome::Prohibit)
        && limits.is_empty()
        && consent.state.is_valid()
        && (!demands.contains(Outcome::ParentalOptIn) || consent.strength.parental)
        && (!demands.contains(Outcome::ExplicitOptIn) || consent.strength.explicit)
        && (!demands.contains(Outcome::TwoStepOptIn) || consent.strength.two_step)
        && (!consent.by_class || opens_classes)
}

/// Decides, and says why, in the order in which rules count: who the person is, what is forbidden, what they
/// limit, the agreement, their consent, and how firm it must be.
///
/// # Guarantee
/// Permits exactly when [`permitted`] holds for the demands of `asked` and the agreement covers the purpose.
#[must_use]
pub fn decide<'law>(facts: &Facts, asked: &'law Asked, agreement: &AgreementStanding) -> Decision<'law> {
    let mut reasons = Vec::with_capacity(4);
    status(facts.status, &mut reasons);
    for rule in asked.rules.iter().filter(|rule| rule.outcome == Outcome::Prohibit) {
        let remedy = "nothing: no consent cures it";
        reasons.push(Reason { rule: (&*rule.rule).into(), source: (&*rule.source).into(), text: (&*rule.text).into(), effect: Effect::Deny, remedy: Some(remedy.into()) });
    }
    limits(facts.limits, &mut reasons);
    if let AgreementStanding::Lacks(why) = agreement {
        reasons.push(Reason { text: why.clone().into(), ..deny("agreement.active", "GDPR Art. 26, Art. 28", "", "an active agreement that covers the purpose") });
    }
    consent(facts, asked, &mut reasons);
    let permit = reasons.is_empty();
    for rule in asked.rules.iter().filter(|rule| rule.outcome != Outcome::Prohibit) {
        let met = !lacks(facts, rule.outcome);
        let effect = if met { Effect::Met } else { Effect::Deny };
        if met || !facts.consent.state.is_valid() {
            reasons.push(Reason { rule: (&*rule.rule).into(), source: (&*rule.source).into(), text: (&*rule.text).into(), effect, remedy: None });
        }
    }
    if permit {
        let text = "this person agreed to this purpose and this partner, and an active agreement covers it";
        reasons.insert(
            0,
            Reason {
                effect: Effect::Permit,
                remedy: Some("a withdrawal, an opt-out, an objection or a pause would end it at once".into()),
                ..deny("consent.given", CONSENT, text, "")
            },
        );
    }
    Decision { permit, reasons }
}

const CONSENT: &str = "GDPR Art. 6(1)(a), Art. 7";

/// Whether the consent is not what a rule asks for.
const fn lacks(Facts { consent, .. }: &Facts, outcome: Outcome) -> bool {
    match outcome {
        Outcome::OutOfScope | Outcome::NoticeOnly | Outcome::OptOut => false,
        Outcome::OptIn => !consent.state.is_valid(),
        Outcome::TwoStepOptIn => !consent.state.is_valid() || !consent.strength.two_step,
        Outcome::ExplicitOptIn => !consent.state.is_valid() || !consent.strength.explicit,
        Outcome::ParentalOptIn => !consent.state.is_valid() || !consent.strength.parental,
        Outcome::Prohibit => true,
    }
}

fn status<'law>(status: SubjectStatus, reasons: &mut Vec<Reason<'law>>) {
    match status {
        SubjectStatus::Active => {}
        SubjectStatus::Merged => {
            reasons.push(deny("subject.merged", "privacy model, unit", "this person is counted under the id that this one was merged into", "ask for that id"))
        }
        SubjectStatus::Erased => reasons.push(deny("subject.active", "GDPR Art. 17", "this person was erased", "nothing: they are gone")),
    }
}

fn limits<'law>(limits: Limits, reasons: &mut Vec<Reason<'law>>) {
    for &kind in LimitKind::ALL.iter().filter(|&&kind| limits.contains(kind)) {
        reasons.push(match kind {
            LimitKind::OptOut => deny(
                "limit.opt_out",
                "Cal. Civ. Code 1798.120, 1798.135; 11 CCR 7025, 7026",
                "this person, or a signal of theirs, opted out",
                "the person opts in again, in two steps",
            ),
            LimitKind::Objection => deny("limit.objection", "GDPR Art. 21", "this person objected", "the person takes the objection back"),
            LimitKind::Restriction => deny("limit.restriction", "GDPR Art. 18", "this person's data may only be stored", "the restriction is lifted"),
        });
    }
}

fn consent<'law>(facts: &Facts, asked: &'law Asked, reasons: &mut Vec<Reason<'law>>) {
    let Consent { state, strength, by_class, superseded } = facts.consent;
    let ask = "a yes of the person";
    let text = match state {
        ConsentState::Given | ConsentState::Renewed => {
            if by_class && !asked.opens_classes {
                reasons.push(deny(
                    "consent.recipient",
                    "GDPR Rec. 42; EDPB Guidelines 05/2020",
                    "this person agreed to a class of recipients, which does not cover this one",
                    "a yes that names this partner",
                ));
            }
            for rule in &asked.rules {
                let missing = match rule.outcome {
                    Outcome::ParentalOptIn if !strength.parental => "a parent's yes",
                    Outcome::ExplicitOptIn if !strength.explicit => "an explicit yes",
                    Outcome::TwoStepOptIn if !strength.two_step => "a yes that was confirmed",
                    _ => continue,
                };
                reasons.push(Reason { rule: (&*rule.rule).into(), source: (&*rule.source).into(), text: (&*rule.text).into(), effect: Effect::Deny, remedy: Some(missing.into()) });
            }
            return;
        }
        ConsentState::Unknown => "this person never agreed to it; silence is not consent",
        ConsentState::Requested if superseded => "the notice has changed since this person agreed, and they have not been heard again",
        ConsentState::Requested => "this person was asked and has not answered; silence is not consent",
        ConsentState::Deferred => "this person put the answer off; that is no consent",
        ConsentState::Refused => "this person said no",
        ConsentState::Withdrawn => "this person withdrew their consent",
        ConsentState::Revoked => "the permission was taken away by the controller",
        ConsentState::Expired => "this person's consent has expired",
        ConsentState::Invalidated => "this person's consent was found void",
    };
    reasons.push(deny("consent.given", CONSENT, text, ask));
}

const fn deny<'law>(rule: &'static str, source: &'static str, text: &'static str, remedy: &'static str) -> Reason<'law> {
    Reason { rule: Cow::Borrowed(rule), source: Cow::Borrowed(source), text: Cow::Borrowed(text), effect: Effect::Deny, remedy: Some(Cow::Borrowed(remedy)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Strength;
    use crate::law::RuleInForce;

    fn facts(state: ConsentState) -> Facts {
        let consent = Consent { state, strength: Strength::default(), by_class: false, superseded: false };
        Facts { status: SubjectStatus::Active, age: AgeBand::From25To34, residence: Residence::UNKNOWN, consent, limits: Limits::NONE }
    }

    fn asked(outcomes: &[Outcome]) -> Asked {
        let rule = |&outcome: &Outcome| RuleInForce { rule: format!("p/r.{outcome}"), source: "Act".into(), text: "so".into(), outcome };
        Asked { rules: outcomes.iter().map(rule).collect(), opens_classes: false }
    }

    /// The rules and what they do, in order.
    fn told(decision: &Decision<'_>) -> Vec<(String, Effect)> {
        decision.reasons.iter().map(|reason| (reason.rule.to_string(), reason.effect)).collect()
    }

    fn expect(facts: &Facts, asked: &Asked, agreement: &AgreementStanding, reasons: &[(&str, Effect)]) {
        let decision = decide(facts, asked, agreement);
        assert_eq!(told(&decision), reasons.iter().map(|(rule, effect)| ((*rule).to_owned(), *effect)).collect::<Vec<_>>());
        let permit = !reasons.iter().any(|(_, effect)| *effect == Effect::Deny);
        assert_eq!(decision.permit, permit);
        assert_eq!(permit, *agreement == AgreementStanding::Covers && permitted(facts, asked.demands(), asked.opens_classes));
    }

    #[test]
    fn reasons_come_in_the_order_in_which_they_count() {
        let mut worst = facts(ConsentState::Withdrawn);
        worst.status = SubjectStatus::Erased;
        worst.limits = LimitKind::ALL.iter().fold(Limits::NONE, |limits, &kind| limits.with(kind));
        let all = asked(&[Outcome::Prohibit, Outcome::ParentalOptIn, Outcome::OptOut]);
        let reasons = [
            ("subject.active", Effect::Deny),
            ("p/r.prohibit", Effect::Deny),
            ("limit.opt_out", Effect::Deny),
            ("limit.objection", Effect::Deny),
            ("limit.restriction", Effect::Deny),
            ("agreement.active", Effect::Deny),
            ("consent.given", Effect::Deny),
            ("p/r.parental_opt_in", Effect::Deny),
            ("p/r.opt_out", Effect::Met),
        ];
        expect(&worst, &all, &AgreementStanding::Lacks("it ended".into()), &reasons);
        let decision = decide(&worst, &all, &AgreementStanding::Covers);
        assert_eq!(decision.reasons[1].remedy.as_deref(), Some("nothing: no consent cures it"));
    }

    #[test]
    fn a_permission_says_first_that_it_is_one() {
        let mut firm = facts(ConsentState::Given);
        firm.consent.strength = Strength { explicit: true, parental: true, two_step: true };
        let all = asked(&[Outcome::ParentalOptIn, Outcome::ExplicitOptIn, Outcome::TwoStepOptIn, Outcome::OptIn]);
        let reasons = [
            ("consent.given", Effect::Permit),
            ("p/r.parental_opt_in", Effect::Met),
            ("p/r.explicit_opt_in", Effect::Met),
            ("p/r.two_step_opt_in", Effect::Met),
            ("p/r.opt_in", Effect::Met),
        ];
        expect(&firm, &all, &AgreementStanding::Covers, &reasons);
    }

    #[test]
    fn what_a_yes_lacks_is_what_would_help() {
        for (outcome, remedy) in [(Outcome::ParentalOptIn, "a parent's yes"), (Outcome::ExplicitOptIn, "an explicit yes"), (Outcome::TwoStepOptIn, "a yes that was confirmed")] {
            let (plain, asked) = (facts(ConsentState::Renewed), asked(&[outcome, Outcome::OptIn]));
            expect(&plain, &asked, &AgreementStanding::Covers, &[(&format!("p/r.{outcome}"), Effect::Deny), ("p/r.opt_in", Effect::Met)]);
            assert_eq!(decide(&plain, &asked, &AgreementStanding::Covers).reasons[0].remedy.as_deref(), Some(remedy));
        }
    }

    #[test]
    fn a_yes_to_a_class_covers_nobody_whom_the_packs_do_not_let_in() {
        let mut class = facts(ConsentState::Given);
        class.consent.by_class = true;
        expect(&class, &asked(&[]), &AgreementStanding::Covers, &[("consent.recipient", Effect::Deny)]);
        expect(&class, &Asked { opens_classes: true, ..asked(&[]) }, &AgreementStanding::Covers, &[("consent.given", Effect::Permit)]);
    }

    #[test]
    fn every_state_but_a_yes_denies_in_its_own_words() {
        let mut words = std::collections::BTreeSet::new();
        for &state in ConsentState::ALL {
            let (facts, asked) = (facts(state), asked(&[]));
            let effect = if state.is_valid() { Effect::Permit } else { Effect::Deny };
            expect(&facts, &asked, &AgreementStanding::Covers, &[("consent.given", effect)]);
            words.insert(decide(&facts, &asked, &AgreementStanding::Covers).reasons[0].text.to_string());
        }
        let mut superseded = facts(ConsentState::Requested);
        superseded.consent.superseded = true;
        words.insert(decide(&superseded, &asked(&[]), &AgreementStanding::Covers).reasons[0].text.to_string());
        // Both yeses say the same.
        assert_eq!(words.len(), ConsentState::ALL.len());
    }

    #[test]
    fn what_is_forbidden_is_forbidden_whatever_was_chosen() {
        let mut firm = facts(ConsentState::Given);
        firm.consent.strength = Strength { explicit: true, parental: true, two_step: true };
        expect(&firm, &asked(&[Outcome::Prohibit]), &AgreementStanding::Covers, &[("p/r.prohibit", Effect::Deny)]);
        firm.status = SubjectStatus::Merged;
        expect(&firm, &asked(&[]), &AgreementStanding::Covers, &[("subject.merged", Effect::Deny)]);
    }
}
