//! Permissions of everybody at once: from packed facts to bits.

use super::{Consent, ConsentState, Demands, Facts, Limits, Strength};
use crate::law::{Outcome, Requirement, Residence};
use crate::subject::{AgeBand, SubjectStatus};

/// One person's facts about one use, in four bytes: what a column of ten million people holds.
///
/// Residence in bits 0–7, age in 8–11, limits in 12–14, firmness in 15–17, the state of the consent in 18–21,
/// by class in 22, enrolled in 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedFacts(u32);

const AGE: u32 = 8;
const LIMITS: u32 = 12;
const STRENGTH: u32 = 15;
const STATE: u32 = 18;
const BY_CLASS: u32 = 22;
const ENROLLED: u32 = 23;

impl PackedFacts {
    /// Everything that a permission depends on.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let Facts { status, age, residence, consent: Consent { state, strength, by_class, .. }, limits } = *facts;
        let enrolled = status == SubjectStatus::Active;
        Self(
            residence.bits()
                | (age as u32) << AGE
                | u32::from(limits.bits()) << LIMITS
                | u32::from(strength.bits()) << STRENGTH
                | (state as u32) << STATE
                | u32::from(by_class) << BY_CLASS
                | u32::from(enrolled) << ENROLLED,
        )
    }

    const fn field(self, from: u32, bits: u32) -> u32 {
        (self.0 >> from) & ((1 << bits) - 1)
    }

    /// Residence and age together, as a place in a table of 4,096.
    const fn kind(self) -> usize {
        (self.0 & 0xfff) as usize
    }

    /// Firmness, state, class and enrolment together, as a place in a table of 512; out of it when limited.
    const fn choice(self) -> u32 {
        self.field(STRENGTH, 9) | self.field(LIMITS, 3) << 9
    }
}

/// One bit for each person, the first in the lowest bit of the first byte.
pub type Bits = Vec<u8>;

/// Whom a use is permitted of: bit `i` for `people[i]`.
///
/// # Guarantee
/// The same as [`super::permitted`] for each of them; a test compares the two over random laws and events.
#[must_use]
pub fn compile(people: &[PackedFacts], requirement: &Requirement) -> Bits {
    let tables = Tables::new(requirement);
    people.chunks(8).map(|eight| eight.iter().enumerate().fold(0, |byte, (i, &facts)| byte | u8::from(tables.permit(facts)) << i)).collect()
}

/// What a kind of person must have chosen: for each of the sixteen combinations of explicit, parental, confirmed and
/// open class, whether it is enough. One load for the kind, one for the choice.
struct Tables {
    /// By residence and age: the demands, as the row of `enough`.
    row: Box<[u8; 4096]>,
    /// By the row and the choice: whether it permits.
    enough: [[bool; 512]; 16],
}

/// The bits of a row: what a yes must be.
const FIRM: [(u8, Outcome); 3] = [(1, Outcome::ExplicitOptIn), (2, Outcome::ParentalOptIn), (4, Outcome::TwoStepOptIn)];
/// The bit of a row: a yes to a class is enough.
const OPEN: u8 = 8;

impl Tables {
    fn new(requirement: &Requirement) -> Self {
        const PROHIBITED: u8 = u8::MAX;
        let mut row = Box::new([PROHIBITED; 4096]);
        for residence in Residence::all() {
            for &age in AgeBand::ALL {
                let demands = requirement.of(residence, age);
                let place = residence.index() | (age as usize) << AGE;
                if let Some(slot) = row.get_mut(place).filter(|_| !demands.contains(Outcome::Prohibit)) {
                    let firm = FIRM.iter().filter(|(_, outcome)| demands.contains(*outcome)).fold(0, |bits, (bit, _)| bits | bit);
                    *slot = firm | if requirement.opens_classes(residence) { OPEN } else { 0 };
                }
            }
        }
        let mut enough = [[false; 512]; 16];
        for (demands, choices) in (0_u8..).zip(&mut enough) {
            for (choice, slot) in (0_u32..).zip(choices) {
                *slot = is_enough(demands, choice);
            }
        }
        Self { row, enough }
    }

    fn permit(&self, facts: PackedFacts) -> bool {
        let row = self.row.get(facts.kind()).copied().unwrap_or(u8::MAX);
        self.enough.get(row as usize).and_then(|choices| choices.get(facts.choice() as usize)).copied().unwrap_or(false)
    }
}

/// `choice` as [`PackedFacts::choice`] gives it, of somebody without limits.
fn is_enough(demands: u8, choice: u32) -> bool {
    let strength = Strength::from_bits((choice & 7) as u8);
    let state = ConsentState::ALL.get((choice >> (STATE - STRENGTH) & 15) as usize).copied();
    let by_class = choice >> (BY_CLASS - STRENGTH) & 1 != 0;
    let enrolled = choice >> (ENROLLED - STRENGTH) & 1 != 0;
    let facts = Facts {
        status: if enrolled { SubjectStatus::Active } else { SubjectStatus::Erased },
        age: AgeBand::Unknown,
        residence: Residence::UNKNOWN,
        consent: Consent { state: state.unwrap_or(ConsentState::Unknown), strength, by_class, superseded: false },
        limits: Limits::NONE,
    };
    let mut asked = Demands::FLOOR;
    for (bit, outcome) in FIRM {
        if demands & bit != 0 {
            asked = asked.with(outcome);
        }
    }
    super::permitted(&facts, asked, demands & OPEN != 0)
}
