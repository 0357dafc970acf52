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
        self.until.and_then(|day| day.and_hms_opt(0, 0, 0)).map_or(super::NEVER, |at| at.and_utc().min(super::NEVER))
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

#[cfg(test)]
mod tests {
    use super::super::{parse, shipped};
    use super::*;

    const USE: Use = Use { purpose: Purpose::SaleOrSharing, sensitivity: Sensitivity::Quasi };

    fn pack(id: &str, head: &str, rules: &str) -> RulePack {
        let rules =
            rules.replace("GROUNDS", "grounds = { source = \"Z\", certainty = \"high\" }").replace("LAWYER", "grounds = { source = \"Z\", certainty = \"low\", lawyer = true }");
        parse(&format!("schema = 1\nid = \"{id}\"\nversion = 1\ntitle = \"{id}\"\nreviewed = 2026-11-24\n{head}\n{rules}")).unwrap()
    }

    fn sale(outcome: &str, more: &str) -> String {
        format!("[[consent]]\nid = \"sale\"\npurposes = [\"sale_or_sharing\"]\noutcome = \"{outcome}\"\n{more}\n")
    }

    fn law(packs: impl IntoIterator<Item = RulePack>, day: &str) -> Law {
        Law::new(packs, day.parse().unwrap()).unwrap()
    }

    fn place(code: &str) -> Residence {
        code.parse().unwrap()
    }

    fn spoken(law: &Law, residence: &str, age: AgeBand) -> Vec<(String, Outcome)> {
        law.asked(place(residence), age, USE).rules.into_iter().map(|rule| (rule.rule, rule.outcome)).collect()
    }

    fn spoke(rule: &str, outcome: Outcome) -> (String, Outcome) {
        (rule.to_owned(), outcome)
    }

    #[test]
    fn all_rules_speak_the_strictest_first() {
        let packs = [
            pack("a", "regions = [\"DE\"]", &sale("opt_out", "GROUNDS")),
            pack("b", "regions = [\"EU\"]", &sale("explicit_opt_in", "GROUNDS")),
            pack("c", "regions = [\"EEA\"]", "[[prohibition]]\nid = \"no\"\npurposes = [\"sale_or_sharing\"]\nage_below = 18\nrule = \"no\"\nGROUNDS\n"),
        ];
        let law = law(packs, "2026-11-25");
        assert_eq!(spoken(&law, "DE", AgeBand::From65), [spoke("b/consent.sale", Outcome::ExplicitOptIn), spoke("a/consent.sale", Outcome::OptOut)]);
        assert_eq!(spoken(&law, "DE", AgeBand::Unknown)[0], spoke("c/prohibition.no", Outcome::Prohibit));
        assert_eq!(spoken(&law, "IS", AgeBand::From65), []);
        let demands = law.asked(place("DE"), AgeBand::From65, USE).demands();
        assert!(demands.contains(Outcome::ExplicitOptIn) && demands.contains(Outcome::FLOOR) && !demands.contains(Outcome::Prohibit));
    }

    #[test]
    fn the_fallback_counts_where_no_law_says_what_a_use_asks() {
        let children = "[[consent]]\nid = \"children\"\npurposes = [\"sale_or_sharing\"]\noutcome = \"parental_opt_in\"\nage_below = 13\nGROUNDS\n";
        let packs = [
            pack("home", "regions = [\"EEA\"]\nfallback = true", &sale("explicit_opt_in", "GROUNDS")),
            pack("state", "regions = [\"US-TX\"]", &sale("opt_out", "GROUNDS")),
            pack("children", "regions = [\"US\"]", children),
            pack("later", "regions = [\"IN\"]\nin_force = 2027-05-13", &sale("opt_out", "GROUNDS")),
        ];
        let packs_of = |law: &Law, code: &str| law.packs(place(code)).map(|pack| pack.id.clone()).collect::<Vec<_>>();
        let before = law(packs.clone(), "2027-05-12");
        assert_eq!(packs_of(&before, "unknown"), ["home"]);
        assert_eq!(packs_of(&before, "BR"), ["home"]);
        assert_eq!(packs_of(&before, "US-TX"), ["children", "state"]);
        // A law about children alone is no law of the place.
        assert_eq!(packs_of(&before, "US-WY"), ["children", "home"]);
        // Of whom only the country is known.
        assert_eq!(packs_of(&before, "US"), ["children", "state"]);
        // One that does not hold yet is none either.
        assert_eq!(spoken(&before, "IN", AgeBand::From65), [spoke("home/consent.sale", Outcome::ExplicitOptIn)]);
        assert_eq!(spoken(&law(packs, "2027-05-13"), "IN", AgeBand::From65), [spoke("later/consent.sale", Outcome::OptOut)]);
    }

    #[test]
    fn what_waits_for_a_lawyer_asks_a_yes_at_least() {
        for (outcome, expected) in [("out_of_scope", Outcome::OptIn), ("opt_out", Outcome::OptIn), ("explicit_opt_in", Outcome::ExplicitOptIn)] {
            let law = law([pack("a", "regions = [\"DE\"]", &sale(outcome, "LAWYER"))], "2026-11-25");
            assert_eq!(spoken(&law, "DE", AgeBand::From65), [spoke("a/consent.sale", expected)]);
        }
    }

    #[test]
    fn rules_begin_on_their_day_and_the_law_knows_the_next() {
        let packs = [
            pack("a", "regions = [\"DE\"]\nin_force = 2026-01-01", &sale("opt_in", "since = 2026-07-01\nGROUNDS")),
            // Earlier than its pack: the pack's day counts.
            pack("b", "regions = [\"DE\"]\nin_force = 2027-01-01", &sale("opt_out", "since = 2020-01-01\nGROUNDS")),
        ];
        let at = |day: &str| law(packs.clone(), day);
        let seen = |day: &str| (spoken(&at(day), "DE", AgeBand::From65).len(), at(day).until().map(|day| day.to_string()));
        assert_eq!(seen("2025-12-31"), (0, Some("2026-01-01".into())));
        assert_eq!(seen("2026-06-30"), (0, Some("2026-07-01".into())));
        assert_eq!(seen("2026-07-01"), (1, Some("2027-01-01".into())));
        assert_eq!(seen("2027-01-01"), (2, None));
        assert_eq!(at("2026-06-30").ends_at(), "2026-07-01T00:00:00Z".parse::<Timestamp>().unwrap());
        assert!(at("2027-01-01").ends_at() > "9999-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    }

    #[test]
    fn a_pack_takes_over_what_it_does_not_say() {
        let other = "[[consent]]\nid = \"other\"\npurposes = [\"sale_or_sharing\"]\noutcome = \"opt_in\"\nGROUNDS\n";
        let packs = [
            pack("base", "abstract = true", &(sale("opt_out", "GROUNDS") + other)),
            pack("middle", "abstract = true\ninherits = \"base\"", ""),
            pack("state", "regions = [\"US-TX\"]\ninherits = \"middle\"", &sale("two_step_opt_in", "GROUNDS")),
        ];
        let law = law(packs, "2026-11-25");
        assert_eq!(spoken(&law, "US-TX", AgeBand::From65), [spoke("state/consent.sale", Outcome::TwoStepOptIn), spoke("state/consent.other", Outcome::OptIn)]);
    }

    #[test]
    fn each_age_counts_by_itself() {
        let ages = |below: u8, more: &str| format!("[[age]]\nid = \"children\"\nparental_below = {below}\n{more}GROUNDS\n");
        let packs = [
            pack("a", "regions = [\"DE\"]", &ages(13, "opt_in_below = 18\ntwo_step = true\n")),
            pack("b", "regions = [\"EU\"]", &(ages(16, "") + "[age.parental_below_in]\nEE = 13\n")),
        ];
        let law = law(packs, "2026-11-25");
        let outcomes = |residence, age| spoken(&law, residence, age).into_iter().map(|(_, outcome)| outcome).collect::<Vec<_>>();
        assert_eq!(outcomes("DE", AgeBand::Under13), [Outcome::ParentalOptIn, Outcome::ParentalOptIn]);
        assert_eq!(outcomes("DE", AgeBand::From13To15), [Outcome::ParentalOptIn, Outcome::TwoStepOptIn]);
        assert_eq!(outcomes("DE", AgeBand::From16To17), [Outcome::TwoStepOptIn]);
        assert_eq!(outcomes("EE", AgeBand::From13To15), []);
        // Not for advertising: unknown is no child.
        assert_eq!(outcomes("DE", AgeBand::Unknown), []);
    }

    #[test]
    fn deadlines_end_with_the_first_and_evidence_with_the_last() {
        let rules = |days: u32| {
            format!(
                "[[validity]]\nid = \"v\"\nterm = {{ n = {days}, unit = \"day\" }}\nquiet = {{ n = {days}, unit = \"day\" }}\nGROUNDS\n\
                 [[record]]\nid = \"r\"\nkeep = {{ n = {days}, unit = \"day\" }}\nGROUNDS\n\
                 [[right]]\nid = \"all\"\nrights = [\"access\"]\nrespond = {{ n = {days}, unit = \"day\", from = \"receipt\" }}\nGROUNDS\n\
                 [[breach]]\nid = \"b\"\nto = [\"authority\", \"subjects\"]\ndeadline = {{ n = {days}, unit = \"day\", from = \"aware\" }}\nGROUNDS\n\
                 [[signal]]\nid = \"gpc\"\npurposes = [\"{}\"]\nGROUNDS\n",
                if days > 3 { "sale_or_sharing" } else { "ad_measurement" }
            )
        };
        let law = law([pack("a", "regions = [\"US-CA\"]", &rules(2)), pack("b", "regions = [\"US\"]", &rules(5))], "2026-11-25");
        let (california, from) = (place("US-CA"), "2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let on = |day: &str| Some(format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap());
        let (first, last) = (on("2026-11-03"), on("2026-11-06"));
        assert_eq!((law.consent_ends(california, from), law.quiet_until(california, from)), (first, last));
        assert_eq!((law.evidence_kept_until(california, from), law.breach_due(california, "subjects", from)), (last, first));
        assert_eq!((law.answer_due(california, "access", from), law.answer_due(california, "all", from)), (first, first));
        assert_eq!((law.answer_due(california, "erasure", from), law.breach_due(california, "controller", from)), (None, None));
        assert_eq!(law.closed_by(california, "gpc").into_iter().collect::<Vec<_>>(), [Purpose::AdMeasurement, Purpose::SaleOrSharing]);
        assert_eq!((law.consent_ends(place("US-TX"), from), law.consent_ends(place("DE"), from)), (last, None));
    }

    #[test]
    fn classes_are_open_where_every_pack_opens_them() {
        let open = |certain: &str| format!("[[validity]]\nid = \"v\"\nopen_class = true\n{certain}\n");
        let opens = |packs: Vec<RulePack>| law(packs, "2026-11-25").asked(place("DE"), AgeBand::From65, USE).opens_classes;
        let (a, b) = (pack("a", "regions = [\"DE\"]", &open("GROUNDS")), pack("b", "regions = [\"EU\"]", &open("GROUNDS")));
        assert!(opens(vec![a.clone()]) && opens(vec![a.clone(), b]));
        assert!(!opens(vec![]) && !opens(vec![pack("a", "regions = [\"DE\"]", &open("LAWYER"))]));
        assert!(!opens(vec![a, pack("b", "regions = [\"EU\"]", "")]));
    }

    #[test]
    fn the_table_holds_what_is_asked_of_everybody() {
        let law = law(shipped().unwrap(), "2026-11-25");
        for &purpose in Purpose::ALL {
            let usage = Use { purpose, sensitivity: Sensitivity::Special };
            let requirement = law.requirement(usage).unwrap();
            for residence in Residence::all() {
                for &age in AgeBand::ALL {
                    let asked = law.asked(residence, age, usage);
                    assert_eq!(requirement.asked(residence, age), Some(&asked));
                    assert_eq!((requirement.of(residence, age), requirement.opens_classes(residence)), (asked.demands(), asked.opens_classes));
                    // No shipped pack opens a class.
                    assert!(!asked.opens_classes && asked.demands().contains(Outcome::FLOOR));
                }
            }
        }
    }
}
