//! The rules of the packs that can deny somebody who agreed, apart from how anybody's engine writes them.
//!
//! Read here a second time, from the packs and not from our own compiled table, so that the peers test it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use chrono::NaiveDate;
use domain::Purpose;
use domain::law::{Law, Outcome, Residence, Rule as _, RulePack, Sensitivity};

/// What would cure a denial.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// Nothing.
    Never,
    /// A yes in so many words.
    Explicit,
    /// A parent's yes.
    Parental,
    /// A yes that was confirmed.
    TwoStep,
}

impl Cure {
    /// The attribute of a choice that cures.
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Never => None,
            Self::Explicit => Some("explicit"),
            Self::Parental => Some("parental"),
            Self::TwoStep => Some("two_step"),
        }
    }
}

/// Below which age a rule speaks.
#[derive(Clone)]
pub enum Below {
    /// Of everybody.
    Any,
    /// Below this many years.
    Years(u8),
    /// Below the age of the place, which [`World::parental_below`] tells.
    OfPlace,
}

/// Whether a rule about age speaks of people whose age nobody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Always: what is forbidden with minors is forbidden with people who may be.
    Always,
    /// When the purpose is advertising.
    Advertising,
    /// Never.
    Never,
}

/// One rule that can deny.
pub struct Rule {
    /// As reasons name it, `pack/kind.id`.
    pub id: String,
    /// The pack.
    pub law: String,
    /// The uses that it speaks of.
    pub purposes: Vec<Purpose>,
    /// From how sensitive data on.
    pub sensitivity: Sensitivity,
    /// Of people of at least so many years; nought for all.
    pub from: u8,
    /// And below so many.
    pub below: Below,
    /// What counts of unknown age.
    pub unknown: Unknown,
    /// What cures it.
    pub cure: Cure,
}

/// Everything that the peers are told of the law of a day.
pub struct World {
    /// The rules that can deny.
    pub rules: Vec<Rule>,
    /// The packs that concern whoever lives in a place.
    pub laws: BTreeMap<&'static str, Vec<String>>,
    /// The age below which a parent's yes is needed, where a law leaves it to the places.
    pub parental_below: BTreeMap<&'static str, u8>,
    /// The places whose every law lets a yes to a class cover those who join it.
    pub opens_classes: BTreeSet<&'static str>,
}

impl World {
    /// Reads `law`.
    pub fn new(law: &Law) -> Result<Self> {
        let mut world = Self { rules: Vec::new(), laws: BTreeMap::new(), parental_below: BTreeMap::new(), opens_classes: BTreeSet::new() };
        let (mut packs, mut of_places) = (BTreeMap::new(), None);
        for residence in Residence::all() {
            let here: Vec<&RulePack> = law.packs(residence).collect();
            world.laws.insert(residence.as_str(), here.iter().map(|pack| pack.id.clone()).collect());
            let opens = |pack: &&RulePack| pack.validity.iter().any(|rule| holds(pack, rule.since, law.day()) && rule.open_class && !rule.grounds.lawyer);
            if !here.is_empty() && here.iter().all(opens) {
                world.opens_classes.insert(residence.as_str());
            }
            packs.extend(here.into_iter().map(|pack| (&pack.id, pack)));
        }
        for pack in packs.into_values() {
            world.read(pack, law.day(), &mut of_places)?;
        }
        let (default, ages) = of_places.unwrap_or_default();
        world.parental_below = Residence::all().map(|place| (place.as_str(), ages.get(place.as_str()).copied().unwrap_or(default))).collect();
        Ok(world)
    }

    fn read(&mut self, pack: &RulePack, day: NaiveDate, of_places: &mut Option<(u8, BTreeMap<String, u8>)>) -> Result<()> {
        let rule = |kind: &str, id: &str, purposes: &[Purpose], below: Option<u8>, cure| Rule {
            id: format!("{}/{kind}.{id}", pack.id),
            law: pack.id.clone(),
            purposes: if purposes.is_empty() { Purpose::ALL.to_vec() } else { purposes.to_vec() },
            sensitivity: Sensitivity::None,
            from: 0,
            below: below.map_or(Below::Any, Below::Years),
            unknown: if cure == Cure::Never { Unknown::Always } else { Unknown::Advertising },
            cure,
        };
        let holds = |since| holds(pack, since, day);
        for consent in pack.consent.iter().filter(|rule| holds(rule.since())) {
            if let Some(cure) = cure(consent.outcome) {
                let unknown = Unknown::Advertising;
                self.rules.push(Rule { unknown, ..rule("consent", &consent.id, &consent.purposes, consent.age_below, cure) });
            }
        }
        for prohibition in pack.prohibition.iter().filter(|rule| holds(rule.since())) {
            let sensitivity = prohibition.sensitivity.unwrap_or(Sensitivity::None);
            self.rules.push(Rule { sensitivity, ..rule("prohibition", &prohibition.id, &prohibition.purposes, prohibition.age_below, Cure::Never) });
        }
        for age in pack.age.iter().filter(|rule| holds(rule.since())) {
            let (parental, parental_in) = (age.parental_below, &age.parental_below_in);
            if !parental_in.is_empty() {
                let of_place = (parental.unwrap_or(0), parental_in.clone());
                ensure!(!age.two_step && of_places.replace(of_place).is_none(), "more than one rule about age differs by place");
                self.rules.push(Rule { below: Below::OfPlace, ..rule("age", &age.id, &age.purposes, None, Cure::Parental) });
            } else if parental.is_some() {
                self.rules.push(rule("age", &age.id, &age.purposes, parental, Cure::Parental));
            }
            if age.two_step && age.opt_in_below.is_some() {
                let unknown = if parental.is_some() { Unknown::Never } else { Unknown::Advertising };
                self.rules.push(Rule { from: parental.unwrap_or(0), unknown, ..rule("age", &age.id, &age.purposes, age.opt_in_below, Cure::TwoStep) });
            }
        }
        for sensitive in pack.sensitive.iter().filter(|rule| holds(rule.since())) {
            if let Some(cure) = cure(sensitive.outcome) {
                self.rules.push(Rule { sensitivity: sensitive.sensitivity, ..rule("sensitive", &sensitive.id, &sensitive.purposes, None, cure) });
            }
        }
        Ok(())
    }
}

/// Whether a rule of `pack` that holds `since` a day, or since the pack does, holds on `day`.
fn holds(pack: &RulePack, since: Option<NaiveDate>, day: NaiveDate) -> bool {
    since.max(pack.in_force).is_none_or(|first| first <= day)
}

/// What an outcome asks beyond a yes. What asks no more than a yes denies nobody who agreed.
const fn cure(outcome: Outcome) -> Option<Cure> {
    match outcome {
        Outcome::OutOfScope | Outcome::NoticeOnly | Outcome::OptOut | Outcome::OptIn => None,
        Outcome::TwoStepOptIn => Some(Cure::TwoStep),
        Outcome::ExplicitOptIn => Some(Cure::Explicit),
        Outcome::ParentalOptIn => Some(Cure::Parental),
        Outcome::Prohibit => Some(Cure::Never),
    }
}
