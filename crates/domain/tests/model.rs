//! The consent state machine beside a model of it: a list of events, from which everything is worked out anew.
//!
//! The model is written from the table of states, not from the code: a state and an event lead to a state; a yes counts
//! until something that covers it ends it. What is tested is what a store does: it keeps one standing for each
//! key, meets every event with it, and replays the key when an event comes late.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop when something is wrong, and say what they saw")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use chrono::{DateTime, TimeDelta};
use domain::consent::{
    Actor, AgreementStanding, Arrival, Consent, ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState, Covering, DataScope, EventOrder, Facts, Limits, Recipient,
    Standing, Strength, decide,
};
use domain::law::{Asked, Law, Outcome, Use, parse, shipped};
use domain::notice::NoticeRef;
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Purpose, SubjectId, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

const CASES: u32 = 2_000;
const STEPS: usize = 60;
static TRANSITIONS: AtomicUsize = AtomicUsize::new(0);
static PERMITS: AtomicUsize = AtomicUsize::new(0);

const RECIPIENTS: [&str; 3] = ["acme", "late", "class:university"];
const CLASS: usize = 2;
const PURPOSES: [Purpose; 2] = [Purpose::AggregateStatistics, Purpose::SaleOrSharing];
const SCOPES: [DataScope; 3] = [DataScope::Everything, DataScope::Activity, DataScope::Topics];
const PARTS: [DataScope; 2] = [DataScope::Activity, DataScope::Topics];

/// Who the person is: under the shipped packs, and under one that opens classes.
const PEOPLE: [(bool, &str, AgeBand); 6] = [
    (false, "DE", AgeBand::From25To34),
    (false, "DE", AgeBand::From13To15),
    (false, "US-CA", AgeBand::From13To15),
    (false, "unknown", AgeBand::From25To34),
    (true, "DE", AgeBand::From25To34),
    (true, "DE", AgeBand::Under13),
];

const OPEN: &str = r#"
schema = 1
id = "open"
version = 1
title = "A law that opens classes"
regions = ["DE"]
reviewed = 2026-11-24

[[consent]]
id = "all"
purposes = ["aggregate_statistics", "sale_or_sharing"]
outcome = "opt_in"
grounds = { source = "none", certainty = "high" }

[[age]]
id = "children"
parental_below = 13
grounds = { source = "none", certainty = "high" }

[[validity]]
id = "classes"
open_class = true
grounds = { source = "none", certainty = "high" }
"#;

/// What is asked of each person, purpose and part.
static ASKED: LazyLock<BTreeMap<(usize, usize, usize), Asked>> = LazyLock::new(|| {
    let day = "2026-11-25".parse().unwrap();
    let laws = [Law::new(shipped().unwrap(), day).unwrap(), Law::new([parse(OPEN).unwrap()], day).unwrap()];
    let mut asked = BTreeMap::new();
    for (who, (open, residence, age)) in PEOPLE.iter().enumerate() {
        for (p, &purpose) in PURPOSES.iter().enumerate() {
            for (d, part) in PARTS.iter().enumerate() {
                let usage = Use { purpose, sensitivity: part.sensitivity() };
                asked.insert((who, p, d), laws[usize::from(*open)].asked(residence.parse().unwrap(), *age, usage));
            }
        }
    }
    asked
});

/// Recipient, purpose, scope, as places in the lists above.
type Key = (usize, usize, usize);

/// An event, as the model keeps it.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    key: Key,
    day: i64,
    sequence: u32,
    action: ConsentAction,
    firm: Firm,
    /// Name and version. From version 3 on the notice names the class as open.
    notice: (usize, u32),
    until: Option<i64>,
}

/// From the mildest to the strictest, as the notes on events say.
const STRICTNESS: [ConsentAction; 9] = [
    ConsentAction::Request,
    ConsentAction::Defer,
    ConsentAction::Give,
    ConsentAction::Renew,
    ConsentAction::Expire,
    ConsentAction::Refuse,
    ConsentAction::Withdraw,
    ConsentAction::Revoke,
    ConsentAction::Invalidate,
];

type Order = (i64, u32, usize);

/// Explicit, parental, confirmed.
type Firm = (bool, bool, bool);

impl Told {
    fn order(&self) -> Order {
        (self.day, self.sequence, STRICTNESS.iter().position(|a| *a == self.action).unwrap())
    }

    fn is_yes(&self) -> bool {
        matches!(self.action, ConsentAction::Give | ConsentAction::Renew)
    }

    /// Whether it ends also what others of its kind gave.
    fn is_end(&self) -> bool {
        matches!(self.action, ConsentAction::Refuse | ConsentAction::Withdraw | ConsentAction::Revoke | ConsentAction::Invalidate)
    }

    fn opens_class(&self) -> bool {
        self.notice.1 >= 3
    }

    /// Of two events of one order the smaller counts.
    fn among_equals(&self) -> (Option<(Firm, i64)>, (usize, u32)) {
        (self.is_yes().then(|| (self.firm, self.until.unwrap_or(i64::MAX))), self.notice)
    }
}

#[derive(Debug, Clone)]
struct Model {
    who: usize,
    now: i64,
    /// Notices before this version have to be asked again.
    floor: u32,
    /// In the order in which they arrived.
    told: Vec<Told>,
}

#[derive(Debug, Clone)]
enum Step {
    Tell(Told),
    /// Something arrives again.
    Again(usize),
    Days(i64),
    Floor(u32),
}

/// Where one key stands, worked out from its events.
#[derive(Debug, Clone)]
struct Worked {
    state: ConsentState,
    yes: Option<Told>,
    end: Option<Order>,
    refused: Option<i64>,
    /// The text of the yes; of the last event while there is none.
    text: (usize, u32),
}

impl Model {
    /// The table of states: from, event, to.
    fn table(from: ConsentState, action: ConsentAction) -> ConsentState {
        use ConsentAction as A;
        use ConsentState as S;
        match from {
            S::Given | S::Renewed => match action {
                A::Give => S::Given,
                A::Renew => S::Renewed,
                A::Refuse | A::Withdraw => S::Withdrawn,
                A::Revoke => S::Revoked,
                A::Expire => S::Expired,
                A::Invalidate => S::Invalidated,
                A::Request | A::Defer => from,
            },
            _ => match action {
                A::Give => S::Given,
                A::Request => S::Requested,
                A::Refuse => S::Refused,
                A::Withdraw => S::Withdrawn,
                A::Defer if from == S::Requested => S::Deferred,
                A::Invalidate if from == S::Expired || from == S::Withdrawn => S::Invalidated,
                _ => from,
            },
        }
    }

    fn history(&self, key: Key) -> Vec<&Told> {
        let mut history: Vec<&Told> = Vec::new();
        for told in self.told.iter().filter(|t| t.key == key) {
            match history.iter().position(|t| t.order() == told.order()) {
                Some(same) if told.among_equals() < history[same].among_equals() => history[same] = told,
                Some(_) => {}
                None => history.push(told),
            }
        }
        history.sort_by_key(|t| t.order());
        history
    }

    fn work_out(&self, key: Key) -> Option<Worked> {
        let history = self.history(key);
        let text = history.first()?.notice;
        let mut worked = Worked { state: ConsentState::Unknown, yes: None, end: None, refused: None, text };
        for told in history {
            let from = worked.at(told.day);
            let fits = told.action != ConsentAction::Renew || (told.notice.0 == worked.text.0 && told.notice.1 >= worked.text.1);
            let to = if fits { Self::table(from, told.action) } else { from };
            let had_effect = told.is_yes() && fits && to.is_valid();
            if had_effect {
                worked.yes = Some(told.clone());
            }
            if told.is_end() {
                worked.end = Some(told.order());
            }
            if matches!(told.action, ConsentAction::Refuse | ConsentAction::Withdraw) {
                worked.refused = Some(told.day);
            }
            if had_effect || worked.yes.is_none() {
                worked.text = told.notice;
            }
            worked.state = to;
        }
        Some(worked)
    }

    /// The keys that speak of a use.
    fn covering(partner: usize, purpose: usize, part: DataScope) -> Vec<Key> {
        let scopes = (0..SCOPES.len()).filter(|&s| SCOPES[s] == DataScope::Everything || SCOPES[s] == part);
        scopes.flat_map(|s| [(partner, purpose, s), (CLASS, purpose, s)]).collect()
    }

    /// The yes that counts for a use, if one does: its firmness, and whether it speaks to the class.
    fn yes(&self, partner: usize, purpose: usize, part: DataScope) -> Option<(Firm, bool)> {
        let all: Vec<(Key, Worked)> = Self::covering(partner, purpose, part).into_iter().filter_map(|key| Some((key, self.work_out(key)?))).collect();
        let end = all.iter().filter_map(|(_, w)| w.end).max();
        let mut yeses = Vec::new();
        for (key, worked) in &all {
            let Some(yes) = worked.yes.as_ref().filter(|yes| end.is_none_or(|end| yes.order() > end)) else { continue };
            let by_class = key.0 == CLASS;
            if by_class && worked.text.1 < 3 {
                continue;
            }
            let stands = worked.at(self.now).is_valid() && worked.text.1 >= self.floor;
            yeses.push((yes.order(), !stands, by_class, std::cmp::Reverse(yes.firm)));
        }
        let stands = |yes: Option<&(Order, bool, bool, std::cmp::Reverse<Firm>)>| yes.filter(|(_, fell, ..)| !fell).map(|(_, _, by_class, firm)| (firm.0, *by_class));
        let newest = yeses.iter().max();
        let named = yeses.iter().filter(|(_, _, by_class, _)| !by_class).max();
        match newest {
            Some((_, _, true, _)) => stands(named).or_else(|| stands(newest)),
            _ => stands(newest),
        }
    }
}

impl Worked {
    fn at(&self, day: i64) -> ConsentState {
        let over = self.yes.as_ref().and_then(|yes| yes.until).is_some_and(|until| until <= day);
        if self.state.is_valid() && over { ConsentState::Expired } else { self.state }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        (0..PEOPLE.len()).prop_map(|who| Self { who, now: 4, floor: 1, told: Vec::new() }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let key = (0..RECIPIENTS.len(), prop_oneof![4 => Just(0_usize), 1 => Just(1)], 0..SCOPES.len());
        let action = prop_oneof![3 => Just(ConsentAction::Give), 2 => prop::sample::select(ConsentAction::ALL)];
        let firm = (prop::bool::weighted(0.7), prop::bool::weighted(0.7), any::<bool>());
        let notice = (prop_oneof![9 => Just(0_usize), 1 => Just(1)], 1..5_u32);
        // Now or late; days are few, so that many events fall on one.
        let now = state.now;
        let day = prop_oneof![1 => Just(now), 1 => (now - 6).max(0)..=now];
        let until = prop_oneof![3 => Just(None), 1 => (0..12_i64).prop_map(move |days| Some(now + days - 3))];
        let tell = (key, day, 0..2_u32, action, firm, notice, until)
            .prop_map(|(key, day, sequence, action, firm, notice, until)| Step::Tell(Told { key, day, sequence, action, firm, notice, until }));
        prop_oneof![10 => tell, 3 => any::<usize>().prop_map(Step::Again), 3 => (1..4_i64).prop_map(Step::Days), 1 => (1..4_u32).prop_map(Step::Floor)].boxed()
    }

    /// Nothing is told of the future.
    fn preconditions(state: &Self, step: &Step) -> bool {
        !matches!(step, Step::Tell(told) if told.day > state.now)
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match step {
            Step::Tell(told) => state.told.push(told.clone()),
            Step::Again(n) if !state.told.is_empty() => state.told.push(state.told[n % state.told.len()].clone()),
            Step::Again(_) => {}
            Step::Days(days) => state.now += days,
            Step::Floor(version) => state.floor = state.floor.max(*version),
        }
        state
    }
}

fn at(day: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day)
}

/// The same event in the product's words.
fn event(told: &Told, seq: usize) -> ConsentEvent {
    let (recipient, purpose, scope) = told.key;
    let (explicit, parental, two_step) = told.firm;
    ConsentEvent {
        seq: seq as u64,
        key: ConsentKey { subject: SubjectId(1), recipient: RECIPIENTS[recipient].parse().unwrap(), purpose: PURPOSES[purpose], scope: SCOPES[scope] },
        order: EventOrder { at: at(told.day), sequence: told.sequence, action: told.action },
        actor: Actor::Subject,
        method: ConsentMethod::Page,
        strength: Strength { explicit, parental, two_step },
        notice: NoticeRef { name: ["main", "other"][told.notice.0].parse().unwrap(), version: told.notice.1 },
        language: String::new(),
        evidence: None,
        valid_until: told.until.map(at),
        recorded_at: DateTime::UNIX_EPOCH,
    }
}

/// What a store keeps.
#[derive(Default)]
struct Store {
    standings: BTreeMap<Key, (Standing, Vec<ConsentEvent>)>,
    /// Whom the last step touched, and the uses that were permitted before it.
    touched: Option<Key>,
    before: BTreeSet<(usize, usize, usize)>,
}

impl Store {
    fn record(&mut self, told: &Told, seq: usize) {
        let event = event(told, seq);
        let Some((standing, ledger)) = self.standings.get_mut(&told.key) else {
            self.standings.insert(told.key, (Standing::first(&event), vec![event]));
            return;
        };
        match standing.meets(&event) {
            Arrival::Duplicate => return,
            Arrival::Next => *standing = standing.clone().after(&event),
            Arrival::Late => {}
        }
        let is_late = standing.last != event.order || standing.meets(&event) == Arrival::Late;
        ledger.push(event);
        if is_late {
            *standing = Standing::replay(ledger).unwrap();
        }
    }

    fn consent(&self, model: &Model, partner: usize, purpose: usize, part: DataScope) -> Consent {
        let covering: Vec<Covering> = Model::covering(partner, purpose, part)
            .into_iter()
            .filter_map(|key| {
                let (standing, _) = self.standings.get(&key)?;
                let recipient: Recipient = RECIPIENTS[key.0].parse().unwrap();
                let open_class = key.0 == CLASS && standing.notice.version >= 3;
                Some(Covering { recipient, scope: SCOPES[key.2], standing: standing.clone(), superseded: standing.notice.version < model.floor, open_class })
            })
            .collect();
        Consent::of(&covering, part, at(model.now))
    }

    fn facts(&self, model: &Model, (partner, purpose, part): (usize, usize, usize)) -> Facts {
        let (_, residence, age) = PEOPLE[model.who];
        Facts { status: SubjectStatus::Active, age, residence: residence.parse().unwrap(), consent: self.consent(model, partner, purpose, PARTS[part]), limits: Limits::NONE }
    }

    fn permits(&self, model: &Model, usage: (usize, usize, usize)) -> bool {
        let asked = &ASKED[&(model.who, usage.1, usage.2)];
        decide(&self.facts(model, usage), asked, &AgreementStanding::Covers).permit
    }
}

fn uses() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..CLASS).flat_map(|partner| (0..PURPOSES.len()).flat_map(move |purpose| (0..PARTS.len()).map(move |part| (partner, purpose, part))))
}

struct Machine;

impl StateMachineTest for Machine {
    type SystemUnderTest = Store;
    type Reference = Model;

    fn init_test(_: &Model) -> Store {
        Store::default()
    }

    fn apply(mut store: Store, model: &Model, step: Step) -> Store {
        TRANSITIONS.fetch_add(1, Relaxed);
        store.touched = None;
        if let Step::Tell(_) | Step::Again(_) = step
            && let Some(told) = model.told.last()
        {
            // Time and notices are as before, so only what the event covers may change.
            store.before = uses().filter(|&usage| store.permits(model, usage)).collect();
            store.touched = Some(told.key);
            store.record(told, model.told.len());
        }
        store
    }

    fn check_invariants(store: &Store, model: &Model) {
        if let Some(key) = store.touched {
            a_key_stands_where_the_model_says(store, model, key);
        }
        for usage in uses() {
            a_use_is_as_the_model_says(store, model, usage);
        }
    }

    fn teardown(store: Store) {
        // Stored is replayed.
        for (standing, ledger) in store.standings.values() {
            assert_eq!(Standing::replay(ledger).as_ref(), Some(standing));
        }
    }
}

fn a_key_stands_where_the_model_says(store: &Store, model: &Model, key: Key) {
    let (standing, ledger) = &store.standings[&key];
    let worked = model.work_out(key).unwrap();
    let order = |o: EventOrder| (o.at, o.sequence, o.action);
    let model_order = |(day, sequence, action): Order| (at(day), sequence, STRICTNESS[action]);
    assert_eq!(standing.state_at(at(model.now)), worked.at(model.now));
    assert_eq!(standing.given.map(order), worked.yes.as_ref().map(|yes| model_order(yes.order())));
    assert_eq!(standing.ended.map(order), worked.end.map(model_order));
    assert_eq!(standing.refused_at, worked.refused.map(at));
    // (5) Stored is replayed; (3) in whatever order everything arrived, duplicates and all.
    assert_eq!(Standing::replay(ledger).as_ref(), Some(standing));
    let mut all: Vec<ConsentEvent> = model.told.iter().enumerate().filter(|(_, t)| t.key == key).map(|(seq, t)| event(t, seq)).collect();
    assert_eq!(Standing::replay(&all).as_ref(), Some(standing));
    all.reverse();
    assert_eq!(Standing::replay(&all).as_ref(), Some(standing));
    let middle = all.len() / 2;
    all.rotate_left(middle);
    let mut other = Store::default();
    for e in &all {
        let told = model.told.iter().find(|t| t.key == key && event(t, 0) == ConsentEvent { seq: 0, ..e.clone() }).unwrap();
        other.record(told, 0);
    }
    assert_eq!(&other.standings[&key].0, standing);
}

fn a_use_is_as_the_model_says(store: &Store, model: &Model, usage: (usize, usize, usize)) {
    let (partner, purpose, part) = usage;
    let consent = store.consent(model, partner, purpose, PARTS[part]);
    let yes = model.yes(partner, purpose, PARTS[part]);
    let Strength { explicit, parental, two_step } = consent.strength;
    assert_eq!(consent.state.is_valid().then_some(((explicit, parental, two_step), consent.by_class)), yes, "{usage:?} {consent:?}");
    let permit = store.permits(model, usage);
    PERMITS.fetch_add(usize::from(permit), Relaxed);
    let covering = Model::covering(partner, purpose, PARTS[part]);
    // (4) What was told of another recipient, purpose or scope changes nothing here.
    if store.touched.is_some_and(|key| !covering.contains(&key)) {
        assert_eq!(permit, store.before.contains(&usage), "{usage:?}");
    }
    if !permit {
        return;
    }
    // (1), (2) Somebody said yes, nothing that covers the use ended it since, and its time is not over.
    let asked = &ASKED[&(model.who, purpose, part)];
    let ends: Vec<&Told> = model.told.iter().filter(|t| covering.contains(&t.key) && (t.is_end() || t.action == ConsentAction::Expire)).collect();
    let stands = |yes: &&Told| {
        let ended = ends.iter().any(|end| end.order() > yes.order() && (end.is_end() || end.key == yes.key));
        covering.contains(&yes.key) && yes.is_yes() && yes.until.is_none_or(|until| until > model.now) && !ended
    };
    let mut witnesses = model.told.iter().filter(stands).filter(|yes| {
        // (6) A parent's, where the law asks one.
        let parental = !asked.demands().contains(Outcome::ParentalOptIn) || yes.firm.1;
        // (7) Who joined the class is covered only where the notice and every pack open it.
        parental && (yes.key.0 != CLASS || (yes.opens_class() && asked.opens_classes))
    });
    assert!(witnesses.next().is_some(), "{usage:?}");
}

#[test]
fn the_machine_does_what_the_model_says() {
    let seed = testkit::env_seed(20_261_125);
    println!("FAIRSHARE_SEED={seed}");
    let config = Config { cases: CASES, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new(config.clone());
    let steps = Model::sequential_strategy(STEPS..=STEPS);
    runner
        .run(&steps, |(initial, steps, seen)| {
            Machine::test_sequential(config.clone(), initial, steps, seen);
            Ok(())
        })
        .unwrap_or_else(|e| panic!("FAIRSHARE_SEED={seed}: {e}"));
    let (transitions, permits) = (TRANSITIONS.load(Relaxed), PERMITS.load(Relaxed));
    println!("{transitions} transitions, {permits} of the uses seen after them were permitted");
    assert!(transitions >= 100_000 && permits > 10_000);
}
