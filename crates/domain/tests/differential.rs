//! Random laws, people and choices: the bits, the plain rule and the explained decision say the same of everybody,
//! and whatever is added can only narrow.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop when something is wrong, and say what they saw")]

use chrono::{DateTime, NaiveDate, TimeDelta};
use domain::consent::{
    Actor, AgreementStanding, Consent, ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, Covering, DataScope, EventOrder, Facts, LimitKey, LimitKind, Limits, PackedFacts,
    Recipient, Standing, Strength, compile, decide, permitted,
};
use domain::law::{
    AgeRule, Certainty, ConsentRule, Grounds, Law, Outcome, Prohibition, Requirement, Residence, RulePack, SensitiveRule, Sensitivity, Term, TermUnit, Use, ValidityRule, parse,
};
use domain::notice::NoticeRef;
use domain::subject::{AgeBand, SubjectStatus};
use domain::{PartnerName, Purpose, SubjectId, Timestamp};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LAWS: u32 = 240;
const USES: usize = 2;
const PEOPLE: usize = 2_200;

const REGIONS: &[&str] = &["EU", "EEA", "DE", "IS", "GB", "US", "US-CA", "US-TX", "CA", "CA-QC", "IN"];
const PLACES: &[&str] = &["unknown", "DE", "FR", "IS", "GB", "US", "US-CA", "US-TX", "US-WY", "CA", "CA-QC", "CA-ON", "IN", "BR"];

struct World {
    rng: ChaCha8Rng,
    acme: PartnerName,
    recipients: [Recipient; 4],
    notice: NoticeRef,
    places: Vec<Residence>,
    rules: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let acme: PartnerName = "acme".parse().unwrap();
        let recipients = ["acme", "class:university", "other", "class:bank"].map(|text| text.parse().unwrap());
        let places = PLACES.iter().map(|code| code.parse().unwrap()).collect();
        Self { rng: ChaCha8Rng::seed_from_u64(seed), acme, recipients, notice: NoticeRef { name: "main".parse().unwrap(), version: 1 }, places, rules: 0 }
    }

    fn any<T: Copy>(&mut self, pool: &[T]) -> T {
        *pool.choose(&mut self.rng).unwrap()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    fn maybe<T>(&mut self, n: u32, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(n).then(|| make(self))
    }

    fn day(&mut self) -> NaiveDate {
        NaiveDate::from_ymd_opt(2018, 1, 1).unwrap() + TimeDelta::days(self.rng.random_range(0..13 * 365))
    }

    fn years(&mut self) -> u8 {
        self.any(&[12, 13, 14, 16, 18, 21])
    }

    /// Few purposes, so that rules meet uses.
    fn purpose(&mut self) -> Purpose {
        self.any(&[Purpose::AggregateStatistics, Purpose::TargetedAdvertising, Purpose::SaleOrSharing, Purpose::DirectMarketing])
    }

    fn purposes(&mut self, least: usize) -> Vec<Purpose> {
        let n = self.rng.random_range(least..4);
        (0..n).map(|_| self.purpose()).collect()
    }

    /// Ids are new, but for a few that packs share with the packs they inherit from.
    fn id(&mut self) -> String {
        self.rules += 1;
        if self.one_in(6) { format!("shared{}", self.rng.random_range(0..3)) } else { format!("r{}", self.rules) }
    }

    fn grounds(&mut self) -> Grounds {
        Grounds { source: "somewhere".into(), certainty: Certainty::High, seen: None, lawyer: self.one_in(4), reviewed: None, note: None }
    }

    fn consent_rule(&mut self) -> ConsentRule {
        ConsentRule {
            id: self.id(),
            grounds: self.grounds(),
            since: self.maybe(4, Self::day),
            purposes: self.purposes(1),
            outcome: self.any(&Outcome::ALL[..Outcome::ALL.len() - 1]),
            age_below: self.maybe(3, Self::years),
            basis: Vec::new(),
            requirements: Vec::new(),
        }
    }

    fn prohibition(&mut self) -> Prohibition {
        Prohibition {
            id: self.id(),
            grounds: self.grounds(),
            since: self.maybe(3, Self::day),
            purposes: self.purposes(1),
            age_below: self.maybe(2, Self::years),
            sensitivity: self.maybe(2, |w| w.any(Sensitivity::ALL)),
            rule: "no".into(),
        }
    }

    fn age_rule(&mut self) -> AgeRule {
        let parental_below_in = if self.one_in(2) { [(self.any(&["DE", "FR", "US-TX"]).to_owned(), self.years())].into() } else { std::collections::BTreeMap::new() };
        AgeRule {
            id: self.id(),
            grounds: self.grounds(),
            since: self.maybe(4, Self::day),
            parental_below: self.maybe(2, Self::years),
            parental_below_in,
            opt_in_below: Some(self.years()),
            two_step: self.one_in(2),
            purposes: self.purposes(0),
            rule: None,
        }
    }

    fn sensitive_rule(&mut self) -> SensitiveRule {
        SensitiveRule {
            id: self.id(),
            grounds: self.grounds(),
            since: self.maybe(4, Self::day),
            purposes: self.purposes(0),
            sensitivity: self.any(Sensitivity::ALL),
            outcome: self.any(&Outcome::ALL[..Outcome::ALL.len() - 1]),
            categories: vec!["something".into()],
            inference: None,
        }
    }

    fn validity_rule(&mut self) -> ValidityRule {
        let term = self.maybe(2, |w| Term { n: w.rng.random_range(1..30), unit: TermUnit::Month });
        ValidityRule { id: self.id(), grounds: self.grounds(), since: None, requirements: Vec::new(), term, quiet: None, open_class: !self.one_in(4), proof: None }
    }

    fn packs(&mut self) -> Vec<RulePack> {
        let count = self.rng.random_range(1..7);
        let mut packs = Vec::<RulePack>::new();
        for n in 0..count {
            let text = format!("schema = 1\nid = \"p{n}\"\nversion = 1\ntitle = \"Pack {n}\"\nregions = []\nreviewed = 2026-11-24\nfallback = true\n");
            let mut pack = parse(&text).unwrap();
            pack.fallback = self.one_in(3);
            pack.is_abstract = self.one_in(5);
            pack.inherits = if self.one_in(3) { packs.choose(&mut self.rng).map(|parent| parent.id.clone()) } else { None };
            pack.in_force = self.maybe(4, Self::day);
            let regions = self.rng.random_range(0..4);
            pack.regions = (0..regions).map(|_| self.any(REGIONS).to_owned()).collect();
            pack.consent = self.several(3, Self::consent_rule);
            pack.prohibition = if self.one_in(3) { vec![self.prohibition()] } else { Vec::new() };
            pack.age = self.several(2, Self::age_rule);
            pack.sensitive = self.several(2, Self::sensitive_rule);
            pack.validity = if self.one_in(4) { Vec::new() } else { vec![self.validity_rule()] };
            packs.push(pack);
        }
        packs.shuffle(&mut self.rng);
        packs
    }

    fn several<T>(&mut self, below: usize, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        let n = self.rng.random_range(0..below);
        (0..n).map(|_| make(self)).collect()
    }

    fn instant(&mut self) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + self.rng.random_range(0..20))
    }

    fn strength(&mut self) -> Strength {
        // Mostly firm, so that some are permitted what asks for it.
        let mut flag = || !self.rng.random_ratio(1, 3);
        Strength { explicit: flag(), parental: flag(), two_step: flag() }
    }

    /// What somebody chose, in the order in which it arrived.
    fn history(&mut self, purpose: Purpose) -> Vec<ConsentEvent> {
        let n = self.rng.random_range(0..6);
        let mut events = Vec::with_capacity(n);
        for seq in 0..n {
            let recipient = if self.one_in(2) { 0 } else { self.rng.random_range(0..4) };
            let key = ConsentKey {
                subject: SubjectId(1),
                recipient: self.recipients[recipient].clone(),
                purpose: if self.one_in(6) { Purpose::AiTraining } else { purpose },
                scope: if self.one_in(2) { DataScope::Everything } else { self.any(DataScope::ALL) },
            };
            let action = if self.one_in(2) { ConsentAction::Give } else { self.any(ConsentAction::ALL) };
            events.push(ConsentEvent {
                seq: seq as u64,
                key,
                order: EventOrder { at: self.instant(), sequence: self.rng.random_range(0..2), action },
                actor: Actor::Subject,
                method: ConsentMethod::Page,
                strength: self.strength(),
                notice: self.notice.clone(),
                language: String::new(),
                evidence: None,
                valid_until: self.maybe(4, Self::instant),
                recorded_at: DateTime::UNIX_EPOCH,
            });
        }
        events
    }

    fn consent(&mut self, purpose: Purpose, part: DataScope, now: Timestamp) -> Consent {
        let (events, open_class) = (self.history(purpose), self.one_in(2));
        let mut covering = Vec::new();
        // The partner `acme` is a university.
        for recipient in &self.recipients[..2] {
            for &scope in &[DataScope::Everything, part] {
                let of_key: Vec<ConsentEvent> =
                    events.iter().filter(|e| e.key.recipient == *recipient && e.key.scope == scope && e.key.purpose == purpose && e.order.at <= now).cloned().collect();
                if let Some(standing) = Standing::replay(&of_key) {
                    covering.push(Covering { recipient: recipient.clone(), scope, standing, superseded: false, open_class });
                }
                if part == DataScope::Everything {
                    break;
                }
            }
        }
        for c in &mut covering {
            c.superseded = self.rng.random_ratio(1, 10);
        }
        covering.shuffle(&mut self.rng);
        Consent::of(&covering, part, now)
    }

    fn limits(&mut self, purpose: Purpose) -> Limits {
        let n = if self.one_in(3) { self.rng.random_range(1..3) } else { 0 };
        let keys: Vec<LimitKey> = (0..n)
            .map(|_| LimitKey {
                subject: SubjectId(1),
                kind: self.any(LimitKind::ALL),
                purpose: self.maybe(2, Self::purpose),
                partner: self.maybe(2, |w| if w.one_in(2) { w.acme.clone() } else { "other".parse().unwrap() }),
            })
            .collect();
        Limits::covering(&keys, &self.acme, purpose)
    }

    fn person(&mut self, Use { purpose, .. }: Use, part: DataScope, now: Timestamp) -> Facts {
        let residence = if self.one_in(8) { Residence::all().nth(self.rng.random_range(0..Residence::COUNT)).unwrap() } else { *self.places.choose(&mut self.rng).unwrap() };
        Facts {
            status: if self.one_in(20) { self.any(SubjectStatus::ALL) } else { SubjectStatus::Active },
            age: self.any(AgeBand::ALL),
            residence,
            consent: self.consent(purpose, part, now),
            limits: self.limits(purpose),
        }
    }

    /// One more rule in one of the packs, of a kind that decides, under a name of its own.
    fn stricter(&mut self, packs: &[RulePack]) -> Vec<RulePack> {
        let (mut packs, kind) = (packs.to_vec(), self.rng.random_range(0..4));
        let id = "added".to_owned();
        let at = self.rng.random_range(0..packs.len());
        match kind {
            0 => packs[at].consent.push(ConsentRule { id, ..self.consent_rule() }),
            1 => packs[at].prohibition.push(Prohibition { id, ..self.prohibition() }),
            2 => packs[at].age.push(AgeRule { id, ..self.age_rule() }),
            _ => packs[at].sensitive.push(SensitiveRule { id, ..self.sensitive_rule() }),
        }
        packs
    }
}

#[derive(Default)]
struct Count {
    triples: usize,
    permits: usize,
    narrowed: usize,
}

/// One law, and one use by many people.
fn check(world: &mut World, count: &mut Count, case: &str) {
    let packs = world.packs();
    let law = Law::new(packs.clone(), world.day()).unwrap();
    let stricter = Law::new(world.stricter(&packs), law.day()).unwrap();
    for _ in 0..USES {
        let (part, now) = (world.any(DataScope::ALL), world.instant());
        let usage = Use { purpose: world.purpose(), sensitivity: part.sensitivity() };
        let requirement = law.requirement(usage).unwrap();
        let people: Vec<Facts> = (0..PEOPLE).map(|_| world.person(usage, part, now)).collect();
        let packed: Vec<PackedFacts> = people.iter().map(PackedFacts::new).collect();
        let bits = compile(&packed, &requirement);
        assert_eq!(bits.len(), people.len().div_ceil(8));
        for (i, facts) in people.iter().enumerate() {
            let permit = bits[i / 8] >> (i % 8) & 1 != 0;
            agree(facts, permit, &requirement, &law, usage, case);
            count.triples += 1;
            count.permits += usize::from(permit);
        }
        narrows(world, count, &people, &bits, &law, &stricter, usage, case);
    }
}

/// The bit, the plain rule and the explained decision.
fn agree(facts: &Facts, permit: bool, requirement: &Requirement, law: &Law, usage: Use, case: &str) {
    let asked = requirement.asked(facts.residence, facts.age).unwrap();
    let rule = permitted(facts, requirement.of(facts.residence, facts.age), requirement.opens_classes(facts.residence));
    assert_eq!(permit, rule, "bits and rule: {case} {facts:?} {asked:?}");
    let decision = decide(facts, asked, &AgreementStanding::Covers);
    assert_eq!(permit, decision.permit, "rule and explanation: {case} {facts:?} {decision:?}");
    assert!(!decision.reasons.is_empty(), "{case} {facts:?}");
    assert!(!decide(facts, asked, &AgreementStanding::Lacks(String::new())).permit, "{case}");
    // Now and then: the table is the law.
    if facts.residence.index() % 16 == 1 {
        assert_eq!(*asked, law.asked(facts.residence, facts.age, usage), "{case}");
    }
}

/// A rule more, or a limit more, opens nothing.
#[expect(clippy::too_many_arguments, reason = "a test's parts")]
fn narrows(world: &mut World, count: &mut Count, people: &[Facts], bits: &[u8], law: &Law, stricter: &Law, usage: Use, case: &str) {
    let ids = |law: &Law, residence| law.packs(residence).map(|pack| pack.id.clone()).collect::<Vec<_>>();
    for (i, facts) in people.iter().enumerate().step_by(4) {
        let before = bits[i / 8] >> (i % 8) & 1 != 0;
        let limited = Facts { limits: facts.limits.with(world.any(LimitKind::ALL)), ..*facts };
        let asked = stricter.asked(facts.residence, facts.age, usage);
        let after = permitted(facts, asked.demands(), asked.opens_classes);
        assert!(!permitted(&limited, asked.demands(), asked.opens_classes), "{case} {limited:?}");
        // A place that gets a law of its own leaves the fallback, which may have asked more.
        if after && !before {
            assert_ne!(ids(law, facts.residence), ids(stricter, facts.residence), "{case} {facts:?}");
        }
        count.narrowed += usize::from(before && !after);
    }
}

#[test]
fn bits_rule_and_explanation_agree_and_whatever_is_added_narrows() {
    let seed = testkit::env_seed(20_261_125);
    println!("FAIRSHARE_SEED={seed}");
    let (mut world, mut count) = (World::new(seed), Count::default());
    for n in 0..LAWS {
        check(&mut world, &mut count, &format!("FAIRSHARE_SEED={seed} law {n}"));
    }
    let Count { triples, permits, narrowed } = count;
    println!("{triples} triples of rules, events and question; {permits} permitted; {narrowed} closed by one rule more");
    assert!(triples >= 1_000_000);
    // Neither answer is rare, or the test would say little.
    assert!(permits > triples / 100 && permits < triples / 2 && narrowed > 100, "{permits} {narrowed}");
}
