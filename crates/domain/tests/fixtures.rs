//! The cases beside the shipped rule packs (`rulepacks/fixtures`), and a check that they would notice the loss of
//! any rule that something is computed from.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests stop when something is wrong, and say what they saw")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::NaiveDate;
use domain::consent::{AgreementStanding, Consent, ConsentState, DataScope, Decision, Effect, Facts, LimitKind, Limits, PackedFacts, Strength, compile, decide, permitted};
use domain::law::{Law, Requirement, Residence, RulePack, Use, parse, shipped};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Purpose, Timestamp};
use serde::Deserialize;
use toml::value::Datetime;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    #[serde(default)]
    case: Vec<Case>,
    #[serde(default)]
    deadline: Vec<Due>,
    #[serde(default)]
    signal: Vec<Signal>,
}

/// A person, what they chose, and the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    residence: Residence,
    age: AgeBand,
    purpose: Purpose,
    scope: DataScope,
    on: Datetime,
    #[serde(default = "given")]
    consent: ConsentState,
    #[serde(default)]
    explicit: bool,
    #[serde(default)]
    parental: bool,
    #[serde(default)]
    two_step: bool,
    #[serde(default)]
    by_class: bool,
    #[serde(default)]
    limits: Vec<LimitKind>,
    expect: Answer,
    /// Rules that must speak; the first denies where the answer is no.
    rules: Vec<String>,
    /// Rules that must not.
    #[serde(default)]
    silent: Vec<String>,
    /// Rules of any kind that must stand in the packs that concern the person, and a part of their source.
    #[serde(default)]
    holds: BTreeMap<String, String>,
}

const fn given() -> ConsentState {
    ConsentState::Given
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Permit,
    Deny,
}

/// A term, and its end; without one, no pack may set any.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Due {
    name: String,
    residence: Residence,
    what: Clock,
    #[serde(default)]
    id: String,
    from: Datetime,
    due: Option<Datetime>,
    #[serde(default)]
    holds: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Clock {
    Right,
    Breach,
    Consent,
    Quiet,
    Evidence,
}

/// A signal, and what it closes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signal {
    name: String,
    residence: Residence,
    id: String,
    on: Datetime,
    closes: BTreeSet<Purpose>,
    #[serde(default)]
    holds: BTreeMap<String, String>,
}

fn all() -> BTreeMap<String, Fixtures> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../rulepacks/fixtures");
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (name.clone(), toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect()
}

/// The examples of a page: what stands between fences of TOML.
fn examples(page: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn day(at: &Datetime) -> NaiveDate {
    at.date.unwrap().to_string().parse().unwrap()
}

fn instant(at: &Datetime) -> Timestamp {
    at.to_string().parse().unwrap()
}

/// Packs, and the laws that were made of them.
struct Laws {
    packs: Vec<RulePack>,
    by_day: BTreeMap<NaiveDate, Law>,
}

impl Laws {
    const fn new(packs: Vec<RulePack>) -> Self {
        Self { packs, by_day: BTreeMap::new() }
    }

    fn of(&mut self, day: NaiveDate) -> Result<&Law, String> {
        if !self.by_day.contains_key(&day) {
            let law = Law::new(self.packs.clone(), day).map_err(|e| e.to_string())?;
            self.by_day.insert(day, law);
        }
        Ok(&self.by_day[&day])
    }

    /// What is wrong with a file, if anything.
    fn run(&mut self, fixtures: &Fixtures) -> Result<(), String> {
        for case in &fixtures.case {
            case.run(self.of(day(&case.on))?).map_err(|e| format!("{}: {e}", case.name))?;
        }
        for due in &fixtures.deadline {
            let law = self.of(day(&due.from))?;
            let (found, expected) = (due.of(law), due.due.as_ref().map(instant));
            if found != expected {
                return Err(format!("{}: {found:?} instead of {expected:?}", due.name));
            }
            stand(law, due.residence, &due.holds).map_err(|e| format!("{}: {e}", due.name))?;
        }
        for signal in &fixtures.signal {
            let law = self.of(day(&signal.on))?;
            let found = law.closed_by(signal.residence, &signal.id);
            if found != signal.closes {
                return Err(format!("{}: closes {found:?}", signal.name));
            }
            stand(law, signal.residence, &signal.holds).map_err(|e| format!("{}: {e}", signal.name))?;
        }
        Ok(())
    }
}

impl Case {
    fn usage(&self) -> Use {
        Use { purpose: self.purpose, sensitivity: self.scope.sensitivity() }
    }

    fn facts(&self) -> Facts {
        let Self { explicit, parental, two_step, by_class, consent: state, .. } = *self;
        Facts {
            status: SubjectStatus::Active,
            age: self.age,
            residence: self.residence,
            consent: Consent { state, strength: Strength { explicit, parental, two_step }, by_class, superseded: false },
            limits: self.limits.iter().fold(Limits::NONE, |limits, &kind| limits.with(kind)),
        }
    }

    fn run(&self, law: &Law) -> Result<(), String> {
        let (facts, asked) = (self.facts(), law.asked(self.residence, self.age, self.usage()));
        let Decision { permit, reasons } = decide(&facts, &asked, &AgreementStanding::Covers);
        if permit != (self.expect == Answer::Permit) {
            return Err(format!("permit is {permit}: {reasons:#?}"));
        }
        if permit != permitted(&facts, asked.demands(), asked.opens_classes) {
            return Err("`decide` and `permitted` disagree".into());
        }
        for rule in &self.rules {
            if !reasons.iter().any(|reason| reason.rule == *rule) {
                return Err(format!("{rule} says nothing: {reasons:#?}"));
            }
        }
        if !permit && !self.rules.first().is_some_and(|rule| reasons.iter().any(|reason| reason.rule == *rule && reason.effect == Effect::Deny)) {
            return Err(format!("the first rule does not deny: {reasons:#?}"));
        }
        if let Some(rule) = self.silent.iter().find(|rule| reasons.iter().any(|reason| reason.rule == **rule)) {
            return Err(format!("{rule} speaks"));
        }
        stand(law, self.residence, &self.holds)
    }
}

/// Whether all of these rules stand in the packs that concern somebody who lives there.
fn stand(law: &Law, residence: Residence, rules: &BTreeMap<String, String>) -> Result<(), String> {
    let stands = |rule: &str, part: &str| {
        let is_it = |pack: &RulePack| pack.rules().iter().any(|(kind, id, grounds)| format!("{}/{kind}.{id}", pack.id) == rule && grounds.source.contains(part));
        law.packs(residence).any(is_it)
    };
    match rules.iter().find(|(rule, part)| !stands(rule, part)) {
        Some((rule, _)) => Err(format!("{rule} stands nowhere")),
        None => Ok(()),
    }
}

impl Due {
    fn of(&self, law: &Law) -> Option<Timestamp> {
        let (residence, from) = (self.residence, instant(&self.from));
        match self.what {
            Clock::Right => law.answer_due(residence, &self.id, from),
            Clock::Breach => law.breach_due(residence, &self.id, from),
            Clock::Consent => law.consent_ends(residence, from),
            Clock::Quiet => law.quiet_until(residence, from),
            Clock::Evidence => law.evidence_kept_until(residence, from),
        }
    }
}

#[test]
fn every_case_comes_out_as_it_is_written() {
    let mut laws = Laws::new(shipped().unwrap());
    for (name, fixtures) in all() {
        laws.run(&fixtures).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn the_examples_of_the_documents_are_true() {
    let mut laws = Laws::new(shipped().unwrap());
    let mut cases = 0;
    for text in examples("consent.md") {
        let fixtures: Fixtures = toml::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        cases += fixtures.case.len();
        laws.run(&fixtures).unwrap_or_else(|e| panic!("docs/consent.md: {e}"));
    }
    assert!(cases >= 15, "{cases}");
    for text in examples("rule-packs.md") {
        let mut packs = shipped().unwrap();
        packs.push(parse(&text).unwrap());
        Law::new(packs, "2027-07-01".parse().unwrap()).unwrap();
    }
}

#[test]
fn bits_agree_with_every_case() {
    let packs = shipped().unwrap();
    // One law and one requirement for each day and use.
    let mut requirements: BTreeMap<(NaiveDate, String), Requirement> = BTreeMap::new();
    for case in all().values().flat_map(|fixtures| &fixtures.case) {
        let day = day(&case.on);
        let key = (day, format!("{:?}", case.usage()));
        let requirement = requirements.entry(key).or_insert_with(|| Law::new(packs.clone(), day).unwrap().requirement(case.usage()).unwrap());
        let bits = compile(&[PackedFacts::new(&case.facts())], requirement);
        assert_eq!(bits, [u8::from(case.expect == Answer::Permit)], "{}", case.name);
    }
}

#[test]
fn every_pack_has_cases_that_go_well_and_cases_that_do_not() {
    let files = all();
    let packs = shipped().unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), packs.iter().map(|pack| &pack.id).collect::<Vec<_>>());
    for (name, Fixtures { case, deadline, signal }) in &files {
        let answers = case.iter().map(|c| c.expect == Answer::Permit).chain(deadline.iter().map(|d| d.due.is_some())).chain(signal.iter().map(|s| !s.closes.is_empty()));
        assert_eq!(answers.collect::<BTreeSet<_>>().len(), 2, "{name}");
    }
}

/// Takes one rule away.
fn without(packs: &[RulePack], pack: &str, kind: &str, id: &str) -> Vec<RulePack> {
    let mut packs = packs.to_vec();
    for pack in packs.iter_mut().filter(|p| p.id == pack) {
        match kind {
            "consent" => pack.consent.retain(|rule| rule.id != id),
            "prohibition" => pack.prohibition.retain(|rule| rule.id != id),
            "age" => pack.age.retain(|rule| rule.id != id),
            "sensitive" => pack.sensitive.retain(|rule| rule.id != id),
            "validity" => pack.validity.retain(|rule| rule.id != id),
            "signal" => pack.signal.retain(|rule| rule.id != id),
            "right" => pack.right.retain(|rule| rule.id != id),
            "breach" => pack.breach.retain(|rule| rule.id != id),
            "record" => pack.record.retain(|rule| rule.id != id),
            other => panic!("nothing is computed from {other}"),
        }
    }
    packs
}

/// The kind and id of every rule that something is computed from.
fn computed(pack: &RulePack) -> Vec<(&'static str, String)> {
    let counts = |kind: &str, id: &str| match kind {
        "consent" | "prohibition" | "age" | "sensitive" | "signal" | "right" | "breach" => true,
        "validity" => pack.validity.iter().any(|rule| rule.id == id && (rule.term.is_some() || rule.quiet.is_some() || rule.open_class)),
        "record" => pack.record.iter().any(|rule| rule.id == id && rule.keep.is_some()),
        _ => false,
    };
    pack.rules().into_iter().filter(|(kind, id, _)| counts(kind, id)).map(|(kind, id, _)| (kind, id.to_owned())).collect()
}

#[test]
fn no_rule_can_go_unnoticed() {
    let (files, packs) = (all(), shipped().unwrap());
    let is_noticed = |packs: Vec<RulePack>| {
        let mut laws = Laws::new(packs);
        files.values().any(|fixtures| laws.run(fixtures).is_err())
    };
    assert!(!is_noticed(packs.clone()));
    let (mut rules, mut unnoticed) = (0, Vec::new());
    for pack in &packs {
        for (kind, id) in computed(pack) {
            rules += 1;
            if !is_noticed(without(&packs, &pack.id, kind, &id)) {
                unnoticed.push(format!("{}/{kind}.{id}", pack.id));
            }
        }
        if !is_noticed(packs.iter().filter(|p| p.id != pack.id).cloned().collect()) {
            unnoticed.push(pack.id.clone());
        }
    }
    assert_eq!(unnoticed, Vec::<String>::new());
    println!("{rules} rules and {} packs taken away one by one", packs.len());
}
