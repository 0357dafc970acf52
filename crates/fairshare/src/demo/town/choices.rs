//! What people want. Choices go together: who guards their privacy says no more often.

use domain::Purpose;
use domain::consent::ConsentAction;
use rand::{Rng, RngExt};

use super::people::Person;
use super::{TownChoice, TownPartner};

/// Who asks for what, and how many of a hundred agree when asked.
const ASKED: &[(TownPartner, Purpose, u32)] = &[
    (TownPartner::University, Purpose::AggregateStatistics, 78),
    (TownPartner::University, Purpose::AcademicResearch, 66),
    (TownPartner::Retailer, Purpose::CommercialResearch, 50),
    (TownPartner::AdAgency, Purpose::AdMeasurement, 34),
];

/// A person's choices, oldest first; some never answer.
pub(super) fn choices(person: &Person, rng: &mut impl Rng) -> Vec<TownChoice> {
    let mut choices = Vec::new();
    for &(partner, purpose, agree) in ASKED {
        if rng.random_ratio(1, 8) {
            continue;
        }
        let mut choose = |action| choices.push(TownChoice { partner, purpose, action });
        let mood = i64::from(person.privacy_minded) + rng.random_range(-15..15_i64);
        if mood < i64::from(agree) {
            choose(ConsentAction::Give);
            if rng.random_ratio(1, 20) {
                choose(ConsentAction::Withdraw);
            }
        } else {
            choose(ConsentAction::Refuse);
        }
    }
    choices
}
