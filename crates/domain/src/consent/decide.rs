//! May this partner use this person's data for this purpose, now?

use serde::{Deserialize, Serialize};

use super::ConsentState;
use crate::Purpose;
use crate::subject::{AgeBand, SubjectStatus};

/// Everything about one person that a permission depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Enrolled, merged or erased.
    pub status: SubjectStatus,
    /// How old, as far as known.
    pub age: AgeBand,
    /// What the ledger says for this partner and purpose.
    pub consent: ConsentState,
}

/// Where the partner stands, apart from any person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgreementStanding {
    /// An active agreement covers the purpose.
    Covers,
    /// None does; the text says why.
    Lacks(String),
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable id of the rule.
    pub rule: String,
    /// Where the rule comes from.
    pub source: String,
    /// What it says about this case.
    pub text: String,
}

/// Yes or no, and every rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the use is permitted.
    pub permit: bool,
    /// The rules that denied; when none did, the rule that permits.
    pub reasons: Vec<Reason>,
}

/// Whether the person's own facts permit the purpose.
///
/// # Guarantee
/// True only if the person is enrolled, the newest choice in the ledger for exactly this partner
/// and purpose is a yes, and, for advertising, the person is known to be 18 or older.
/// This is the rule that the permitted bitmaps are compiled from; [`decide`] agrees with it.
#[must_use]
pub const fn permitted(facts: Facts, purpose: Purpose) -> bool {
    status_permits(facts.status) && consent_permits(facts.consent) && age_permits(facts.age, purpose)
}

const fn status_permits(status: SubjectStatus) -> bool {
    match status {
        SubjectStatus::Active => true,
        SubjectStatus::Merged | SubjectStatus::Erased => false,
    }
}

const fn consent_permits(consent: ConsentState) -> bool {
    match consent {
        ConsentState::Given => true,
        ConsentState::Unknown | ConsentState::Refused | ConsentState::Withdrawn => false,
    }
}

/// The one built-in law until rule packs come: DSA Art. 28(2) forbids advertising by profiling to
/// minors, and an unknown age counts as a minor's.
const fn age_permits(age: AgeBand, purpose: Purpose) -> bool {
    !purpose.is_advertising() || age.is_known_adult()
}

/// Decides, and says why.
///
/// # Guarantee
/// Permits exactly when [`permitted`] holds and the agreement covers the purpose.
#[must_use]
pub fn decide(facts: Facts, purpose: Purpose, agreement: &AgreementStanding) -> Decision {
    let mut denials = Vec::new();
    match facts.status {
        SubjectStatus::Active => {}
        SubjectStatus::Merged => denials.push(reason("subject.merged", "privacy model, unit", "this person is counted under the id that this one was merged into")),
        SubjectStatus::Erased => denials.push(reason("subject.active", "GDPR Art. 17", "this person was erased")),
    }
    let consent_text = match facts.consent {
        ConsentState::Given => None,
        ConsentState::Unknown => Some("this person never agreed to it; silence is not consent"),
        ConsentState::Refused => Some("this person said no"),
        ConsentState::Withdrawn => Some("this person withdrew their consent"),
    };
    if let Some(text) = consent_text {
        denials.push(reason("consent.given", "GDPR Art. 6(1)(a), Art. 7", text));
    }
    if !age_permits(facts.age, purpose) {
        let text = match facts.age {
            AgeBand::Unknown => "this person's age is unknown, which counts as under 18 for advertising",
            _ => "this person is under 18, and advertising purposes are closed to minors",
        };
        denials.push(reason("minors.advertising", "DSA (EU) 2022/2065 Art. 28(2)", text));
    }
    if let AgreementStanding::Lacks(why) = agreement {
        denials.push(reason("agreement.active", "GDPR Art. 26, Art. 28", why));
    }
    if !denials.is_empty() {
        return Decision { permit: false, reasons: denials };
    }
    let text = "this person agreed to this purpose and this partner, and an active agreement covers it";
    Decision { permit: true, reasons: vec![reason("consent.given", "GDPR Art. 6(1)(a), Art. 7", text)] }
}

fn reason(rule: &str, source: &str, text: &str) -> Reason {
    Reason { rule: rule.to_owned(), source: source.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::ConsentAction;
    use super::*;

    /// `history` in words, e.g. "give withdraw"; asks for `purpose` at `age`.
    fn check(history: &str, age: AgeBand, purpose: Purpose, expected: bool) {
        let consent = ConsentState::replay(history.split_whitespace().map(|w| w.parse::<ConsentAction>().unwrap()));
        let facts = Facts { status: SubjectStatus::Active, age, consent };
        assert_eq!(permitted(facts, purpose), expected, "{history} {age} {purpose}");
        assert_eq!(decide(facts, purpose, &AgreementStanding::Covers).permit, expected);
        assert!(!decide(facts, purpose, &AgreementStanding::Lacks("no agreement".into())).permit);
    }

    #[test]
    fn silence_is_not_consent() {
        check("", AgeBand::From25To34, Purpose::AggregateStatistics, false);
    }

    #[test]
    fn a_withdrawal_beats_an_earlier_yes() {
        check("give withdraw", AgeBand::From25To34, Purpose::AggregateStatistics, false);
    }

    #[test]
    fn a_yes_after_a_withdrawal_counts_again() {
        check("give withdraw give", AgeBand::From25To34, Purpose::AggregateStatistics, true);
        check("give refuse", AgeBand::From25To34, Purpose::AggregateStatistics, false);
    }

    #[test]
    fn minors_and_unknown_ages_may_be_counted_but_not_advertised_to() {
        check("give", AgeBand::From16To17, Purpose::AggregateStatistics, true);
        check("give", AgeBand::From16To17, Purpose::TargetedAdvertising, false);
        check("give", AgeBand::Unknown, Purpose::AdMeasurement, false);
        check("give", AgeBand::From18To24, Purpose::AdMeasurement, true);
    }

    #[test]
    fn deciding_and_permitting_agree_on_every_case() {
        for &status in SubjectStatus::ALL {
            for &age in AgeBand::ALL {
                for &consent in ConsentState::ALL {
                    for &purpose in Purpose::ALL {
                        let facts = Facts { status, age, consent };
                        let decision = decide(facts, purpose, &AgreementStanding::Covers);
                        assert_eq!(decision.permit, permitted(facts, purpose));
                        assert!(!decision.reasons.is_empty());
                    }
                }
            }
        }
    }
}
