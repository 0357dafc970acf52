//! The cases: people of everywhere, every age and every choice, each with one use of their data.

use domain::Purpose;
use domain::consent::{Consent, ConsentState, DataScope, Facts, LimitKind, Limits, Strength};
use domain::law::Residence;
use domain::subject::{AgeBand, SubjectStatus};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is known of one person, and what is asked of their data.
pub struct Case {
    /// What the ledger and the person's record say.
    pub facts: Facts,
    /// What for.
    pub purpose: Purpose,
    /// Which of their data.
    pub scope: DataScope,
}

/// The data that questions look at: what people did, and what it was about.
pub const SCOPES: [DataScope; 2] = [DataScope::Activity, DataScope::Topics];

/// `n` cases, the same for the same seed. Two in three people agreed, one in ten limits something, one in twenty is
/// merged or erased; everything else is drawn evenly.
pub fn cases(n: usize, seed: u64) -> Vec<Case> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let places: Vec<Residence> = Residence::all().collect();
    (0..n)
        .map(|_| {
            let state = if rng.random_ratio(2, 3) { ConsentState::Given } else { any(ConsentState::ALL, &mut rng) };
            let strength = Strength::from_bits(rng.random_range(0..8));
            let limits = if rng.random_ratio(1, 10) { Limits::NONE.with(any(LimitKind::ALL, &mut rng)) } else { Limits::NONE };
            let facts = Facts {
                status: if rng.random_ratio(1, 20) { any(SubjectStatus::ALL, &mut rng) } else { SubjectStatus::Active },
                age: any(AgeBand::ALL, &mut rng),
                residence: any(&places, &mut rng),
                consent: Consent { state, strength, by_class: rng.random_ratio(1, 10), superseded: false },
                limits,
            };
            Case { facts, purpose: any(Purpose::ALL, &mut rng), scope: any(&SCOPES, &mut rng) }
        })
        .collect()
}

fn any<T: Copy>(of: &[T], rng: &mut ChaCha8Rng) -> T {
    of.choose(rng).copied().unwrap_or(of[0])
}

/// The age of the youngest of a band, in years, if anything is known of it.
pub const fn youngest(age: AgeBand) -> Option<u8> {
    match age {
        AgeBand::Under13 => Some(0),
        AgeBand::From13To15 => Some(13),
        AgeBand::From16To17 => Some(16),
        AgeBand::From18To24 => Some(18),
        AgeBand::From25To34 => Some(25),
        AgeBand::From35To44 => Some(35),
        AgeBand::From45To54 => Some(45),
        AgeBand::From55To64 => Some(55),
        AgeBand::From65 => Some(65),
        AgeBand::Unknown => None,
    }
}

/// The limits by name.
pub fn limits(facts: &Facts) -> impl Iterator<Item = &'static str> {
    let limits = facts.limits;
    LimitKind::ALL.iter().filter(move |&&kind| limits.contains(kind)).map(|kind| kind.as_str())
}
