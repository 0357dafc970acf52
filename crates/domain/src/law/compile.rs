//! All packs together: what a use asks of a person, and which rules say so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Grounds, Outcome, Residence, Rule, RulePack, Sensitivity};
use crate::consent::Demands;
use crate::refusal::{Refusal, RefusalCode};
use crate::subject::AgeBand;
use crate::{Fault, Purpose, Timestamp};

/// A use of data: what for, and how much the data tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// What for.
    pub purpose: Purpose,
    /// How much the data that are looked at tell.
    pub sensitivity: Sensitivity,
}

/// What one rule says of a use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInForce {
    /// `pack/kind.id`.
    pub rule: String,
    /// The law and article.
    pub source: String,
    /// What it says.
    pub text: String,
    /// What it asks.
    pub outcome: Outcome,
}

/// What is asked of a use, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Rules that speak of the use, the strictest first.
    pub rules: Vec<RuleInForce>,
    /// Whether a yes to a class of recipients covers one that joined it.
    pub opens_classes: bool,
}

impl Asked {
    /// What the rules ask together; a yes at least.
    #[must_use]
    pub fn demands(&self) -> Demands {
        self.rules.iter().fold(Demands::FLOOR, |demands, rule| demands.with(rule.outcome))
    }
}

/// What a use asks of each kind of person: by residence and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    kinds: Vec<Asked>,
    by_kind: Vec<u16>,
}

impl Requirement {
    /// What is asked for somebody who lives there and is so old; nothing that is not in the table is permitted.
    #[must_use]
    pub fn of(&self, residence: Residence, age: AgeBand) -> Demands {
        self.asked(residence, age).map_or(Demands::PROHIBITED, Asked::demands)
    }

    /// The same with the rules that ask it.
    #[must_use]
    pub fn asked(&self, residence: Residence, age: AgeBand) -> Option<&Asked> {
        self.kinds.get(usize::from(*self.by_kind.get(slot(residence, age))?))
    }

    /// Whether a yes to a class of recipients covers one that joined it.
    #[must_use]
    pub fn opens_classes(&self, residence: Residence) -> bool {
        self.asked(residence, AgeBand::Unknown).is_some_and(|asked| asked.opens_classes)
    }
}

const fn slot(residence: Residence, age: AgeBand) -> usize {
    residence.index() * AgeBand::ALL.len() + age as usize
}

/// All packs that are approved, as they hold on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// With what they inherit, by id, without the abstract ones.
    packs: Vec<RulePack>,
    day: NaiveDate,
    until: Option<NaiveDate>,
}

impl Law {
    /// The law of `day` by these packs, of which there is one version each.
    ///
    /// # Errors
    /// [`RefusalCode::PackInheritance`] when packs inherit in a circle or from one that is missing;
    /// [`RefusalCode::PackRule`] when a pack is there twice.
    pub fn new(packs: impl IntoIterator<Item = RulePack>, day: NaiveDate) -> Result<Self, Refusal> {
        let mut by_id = BTreeMap::new();
        for pack in packs {
            let id = pack.id.clone();
            if by_id.insert(id.clone(), pack).is_some() {
                return Err(Refusal::new(RefusalCode::PackRule, format!("rule pack {id} is there twice")));
            }
        }
        // Also of those that only stand to be inherited from: a circle among them is one.
        let mut whole: Vec<RulePack> = by_id.values().map(|pack| inherited(pack, &by_id)).collect::<Result<_, _>>()?;
        whole.retain(|pack| !pack.is_abstract);
        let until = whole.iter().flat_map(days).filter(|&change| change > day).min();
        Ok(Self { packs: whole, day, until })
    }

    /// The day.
    #[must_use]
    pub const fn day(&self) -> NaiveDate {
        self.day
    }

    /// The day on which something else begins to hold, if one is known.
    #[must_use]
    pub const fn until(&self) -> Option<NaiveDate> {
        self.until
    }

    /// The first instant at which this law may not be the law any more.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let day = self.until.unwrap_or(NaiveDate::MAX);
        day.and_hms_opt(0, 0, 0).map_or(Timestamp::MAX_UTC, |at| at.and_utc())
    }

    /// The packs that concern somebody who lives there: the packs of the place, or those that count for
    /// whoever has none.
    pub fn packs(&self, residence: Residence) -> impl Iterator<Item = &RulePack> {
        let concerned = move |pack: &&RulePack| pack.regions.iter().any(|region| residence.is_concerned_by(region));
        // A law about children alone is not the law of a place, nor is one that does not hold yet.
        let has_law = self.packs.iter().any(|pack| concerned(&pack) && self.holding(pack, &pack.consent).any(|rule| rule.age_below.is_none()));
        self.packs.iter().filter(move |pack| concerned(pack) || (!has_law && pack.fallback))
    }

    /// What is asked of a use of the data of somebody who lives there and is so old, and by which rules.
    ///
    /// # Guarantee
    /// The strictest rule of all packs that concern the person counts. A rule that waits for a lawyer never
    /// lowers what is asked below a yes. Nothing lowers it below [`Outcome::FLOOR`].
    #[must_use]
    pub fn asked(&self, residence: Residence, age: AgeBand, usage: Use) -> Asked {
        let mut rules: Vec<RuleInForce> = self.packs(residence).flat_map(|pack| self.spoken(pack, residence, age, usage)).collect();
        // Stable: among equals the order of the packs.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.outcome));
        Asked { rules, opens_classes: self.opens_classes(residence) }
    }

    /// The same for every kind of person at once.
    ///
    /// # Errors
    /// A fault when there are more kinds of answers than the table can number.
    pub fn requirement(&self, usage: Use) -> Result<Requirement, Fault> {
        let (mut kinds, mut by_kind) = (Vec::<Asked>::new(), Vec::with_capacity(Residence::COUNT * AgeBand::ALL.len()));
        for residence in Residence::all() {
            for &age in AgeBand::ALL {
                let asked = self.asked(residence, age, usage);
                let known = kinds.iter().position(|kind| *kind == asked);
                let place = known.unwrap_or(kinds.len());
                if known.is_none() {
                    kinds.push(asked);
                }
                by_kind.push(u16::try_from(place).map_err(|e| Fault::new("compiling the law", e))?);
            }
        }
        Ok(Requirement { kinds, by_kind })
    }

    fn spoken(&self, pack: &RulePack, residence: Residence, age: AgeBand, Use { purpose, sensitivity }: Use) -> Vec<RuleInForce> {
        let (title, unknown_is_minor) = (&pack.title, purpose.is_advertising());
        let may_be_below = |years: u8| age.may_be_below(years, unknown_is_minor);
        let mut rules = Vec::new();
        for rule in self.holding(pack, &pack.consent).filter(|rule| rule.purposes.contains(&purpose) && rule.age_below.is_none_or(may_be_below)) {
            let text = format!("{title} asks {} for {purpose}", in_words(rule.outcome));
            rules.push(in_force(pack, rule, text, rule.outcome));
        }
        for rule in self.holding(pack, &pack.prohibition).filter(|rule| rule.purposes.contains(&purpose)) {
            // What is forbidden with minors is forbidden with people who may be.
            if rule.age_below.is_none_or(|years| age.may_be_below(years, true)) && rule.sensitivity.is_none_or(|least| sensitivity >= least) {
                rules.push(in_force(pack, rule, rule.rule.clone(), Outcome::Prohibit));
            }
        }
        for rule in self.holding(pack, &pack.age).filter(|rule| speaks_of(&rule.purposes, purpose)) {
            let parental = rule.parental_below_in.get(residence.as_str()).copied().or(rule.parental_below);
            let (text, outcome) = if let Some(years) = parental.filter(|&years| may_be_below(years)) {
                (format!("{title} asks a parent's consent below {years}"), Outcome::ParentalOptIn)
            } else if let Some(years) = rule.opt_in_below.filter(|&years| may_be_below(years)) {
                let outcome = if rule.two_step { Outcome::TwoStepOptIn } else { Outcome::OptIn };
                (format!("{title} asks {} of people below {years} themselves", in_words(outcome)), outcome)
            } else {
                continue;
            };
            rules.push(in_force(pack, rule, text, outcome));
        }
        for rule in self.holding(pack, &pack.sensitive).filter(|rule| sensitivity >= rule.sensitivity && speaks_of(&rule.purposes, purpose)) {
            let text = format!("{title} asks {} for data that may reveal {}", in_words(rule.outcome), rule.categories.join(", "));
            rules.push(in_force(pack, rule, text, rule.outcome));
        }
        rules
    }

    /// Those of a pack's rules that hold on the day.
    fn holding<'a, R: Rule>(&self, pack: &RulePack, rules: &'a [R]) -> impl Iterator<Item = &'a R> {
        let (first, day) = (pack.in_force, self.day);
        rules.iter().filter(move |rule| rule.since().max(first).is_none_or(|first| first <= day))
    }

    /// For how long a yes of somebody who lives there counts, at most: until the earliest end that a pack sets.
    #[must_use]
    pub fn consent_ends(&self, residence: Residence, given: Timestamp) -> Option<Timestamp> {
        super::earliest(given, self.packs(residence).flat_map(|pack| self.holding(pack, &pack.validity)).filter_map(|rule| rule.term))
    }

    /// Until when nobody who lives there may be asked again after a no: the latest end that a pack sets.
    #[must_use]
    pub fn quiet_until(&self, residence: Residence, refused: Timestamp) -> Option<Timestamp> {
        super::longest(refused, self.packs(residence).flat_map(|pack| self.holding(pack, &pack.validity)).filter_map(|rule| rule.quiet))
    }

    /// How long evidence about somebody who lives there is kept at least: the longest that a pack asks.
    #[must_use]
    pub fn evidence_kept_until(&self, residence: Residence, from: Timestamp) -> Option<Timestamp> {
        super::longest(from, self.packs(residence).flat_map(|pack| self.holding(pack, &pack.record)).filter_map(|rule| rule.keep))
    }

    /// By when a request to use `right` is answered: the earliest that a pack sets. Packs without a rule of
    /// that name do not count.
    #[must_use]
    pub fn answer_due(&self, residence: Residence, right: &str, received: Timestamp) -> Option<Timestamp> {
        let rules = self.packs(residence).flat_map(|pack| self.holding(pack, &pack.right)).filter(|rule| rule.id == right || rule.rights.iter().any(|r| r == right));
        super::earliest(received, rules.map(|rule| rule.respond.term()))
    }

    /// By when a breach that concerns somebody who lives there is told `to` authority, subjects, controller or
    /// register: the earliest that a pack sets.
    #[must_use]
    pub fn breach_due(&self, residence: Residence, to: &str, aware: Timestamp) -> Option<Timestamp> {
        let rules = self.packs(residence).flat_map(|pack| self.holding(pack, &pack.breach)).filter(|rule| rule.to.iter().any(|t| t == to));
        super::earliest(aware, rules.map(|rule| rule.deadline.term()))
    }

    /// The purposes that a machine's `signal` closes for somebody who lives there: those of all packs.
    #[must_use]
    pub fn closed_by(&self, residence: Residence, signal: &str) -> BTreeSet<Purpose> {
        let rules = self.packs(residence).flat_map(|pack| self.holding(pack, &pack.signal)).filter(|rule| rule.id == signal);
        rules.flat_map(|rule| rule.purposes.iter().copied()).collect()
    }

    /// Open only where every pack that concerns the person says so.
    fn opens_classes(&self, residence: Residence) -> bool {
        let mut packs = self.packs(residence).peekable();
        packs.peek().is_some() && packs.all(|pack| self.holding(pack, &pack.validity).any(|rule| rule.open_class && !rule.grounds.lawyer))
    }
}

/// Whether a rule for `purposes`, or for all when it names none, speaks of this one.
fn speaks_of(purposes: &[Purpose], purpose: Purpose) -> bool {
    purposes.is_empty() || purposes.contains(&purpose)
}

fn in_force<R: Rule>(pack: &RulePack, rule: &R, text: String, outcome: Outcome) -> RuleInForce {
    let Grounds { source, lawyer, .. } = rule.grounds();
    // Unconfirmed, it may ask more than the floor, never less.
    let outcome = if *lawyer { outcome.max(Outcome::FLOOR) } else { outcome };
    RuleInForce { rule: format!("{}/{}.{}", pack.id, R::KIND, rule.id()), source: source.clone(), text, outcome }
}

const fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::OutOfScope => "nothing",
        Outcome::NoticeOnly => "that people are told",
        Outcome::OptOut => "that people can opt out",
        Outcome::OptIn => "consent",
        Outcome::TwoStepOptIn => "a consent that was confirmed",
        Outcome::ExplicitOptIn => "explicit consent",
        Outcome::ParentalOptIn => "a parent's consent",
        Outcome::Prohibit => "that nobody does it",
    }
}

/// A pack with everything that it inherits.
fn inherited(pack: &RulePack, all: &BTreeMap<String, RulePack>) -> Result<RulePack, Refusal> {
    let (mut whole, mut seen) = (pack.clone(), BTreeSet::from([pack.id.as_str()]));
    let (mut by_way_of, mut parent) = (None, pack.inherits.as_deref());
    while let Some(id) = parent {
        let no = |text: String| Refusal::new(RefusalCode::PackInheritance, text);
        let next = all.get(id).ok_or_else(|| no(format!("rule pack {} inherits from {id}, which is not there", pack.id)))?;
        if !seen.insert(id) {
            let by_way_of = by_way_of.unwrap_or(id);
            let what = if id == pack.id { format!("from itself by way of {by_way_of}") } else { format!("in a circle by way of {id}") };
            return Err(no(format!("rule pack {} inherits {what}", pack.id)));
        }
        whole = whole.inheriting(next);
        (by_way_of, parent) = (Some(id), next.inherits.as_deref());
    }
    Ok(whole)
}

/// Days on which something of a pack begins to hold.
fn days(pack: &RulePack) -> Vec<NaiveDate> {
    let mut days: Vec<NaiveDate> = pack.in_force.into_iter().collect();
    fn since<R: Rule>(rules: &[R]) -> impl Iterator<Item = NaiveDate> {
        rules.iter().filter_map(Rule::since)
    }
    macro_rules! all { ($($kind:ident),+) => { $(days.extend(since(&pack.$kind));)+ }; }
    super::pack::each_kind!(all);
    days
}
