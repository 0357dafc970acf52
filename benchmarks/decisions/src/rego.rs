//! The rules as Rego, run by regorus: its compiled programs on its virtual machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use domain::Purpose;
use domain::consent::Facts;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{CompiledPolicy, Engine, Value};
use serde_json::json;

use crate::case::{Case, limits, youngest};
use crate::rule::{Below, Unknown, World};

const POLICY: &str = include_str!("policy.rego");

/// One entry point, compiled once.
pub struct Rego {
    machine: RegoVM,
    interpreted: CompiledPolicy,
}

impl Rego {
    /// Compiles `data.consent.{rule}` with the data of `world`.
    pub fn new(world: &World, rule: &str) -> Result<Self> {
        let entry = format!("data.consent.{rule}");
        let data = Value::from(data(world));
        let mut engine = Engine::new();
        engine.add_policy("policy.rego".to_owned(), POLICY.to_owned())?;
        engine.add_data(data.clone())?;
        let interpreted = engine.compile_with_entrypoint(&entry.as_str().into())?;
        let mut machine = RegoVM::new();
        machine.load_program(Compiler::compile_from_policy(&interpreted, &[&entry])?);
        machine.set_data(data)?;
        Ok(Self { machine, interpreted })
    }

    /// What the rule says, by the virtual machine.
    pub fn decides(&mut self, input: &Value) -> Result<Value> {
        self.machine.set_input(input.clone());
        Ok(self.machine.execute_entry_point_by_index(0)?)
    }

    /// The same by the interpreter.
    pub fn interprets(&self, input: &Value) -> Result<Value> {
        self.interpreted.eval_with_input(input.clone())
    }
}

/// The keys and words of inputs, made once and shared by all of them.
pub struct Words(BTreeMap<&'static str, Value>);

impl Words {
    /// All of them.
    pub fn new(world: &World) -> Self {
        let keys = ["purpose", "residence", "sensitivity", "status", "age", "consent", "by_class", "limits", "choice", "explicit", "parental", "two_step"];
        let words = [Purpose::WORDS, domain::subject::SubjectStatus::WORDS, domain::consent::ConsentState::WORDS, domain::consent::LimitKind::WORDS];
        let all = keys.into_iter().chain(words.into_iter().flatten().copied()).chain(world.laws.keys().copied());
        Self(all.map(|word| (word, Value::from(word))).collect())
    }

    fn of(&self, word: &'static str) -> Value {
        self.0.get(word).cloned().unwrap_or_else(|| Value::from(word))
    }

    /// A case as an input.
    pub fn input(&self, case: &Case) -> Value {
        let Facts { status, age, residence, consent, .. } = case.facts;
        let object = |pairs: &[(&'static str, Value)]| Value::from(pairs.iter().map(|(key, value)| (self.of(key), value.clone())).collect::<BTreeMap<_, _>>());
        let strength = consent.strength;
        object(&[
            ("purpose", self.of(case.purpose.as_str())),
            ("residence", self.of(residence.as_str())),
            ("sensitivity", Value::from(case.scope.sensitivity() as u32)),
            ("status", self.of(status.as_str())),
            ("age", Value::from(youngest(age).map_or(-1, i64::from))),
            ("consent", self.of(consent.state.as_str())),
            ("by_class", Value::from(consent.by_class)),
            ("limits", Value::from(limits(&case.facts).map(|kind| self.of(kind)).collect::<Vec<_>>())),
            ("choice", object(&[("explicit", Value::from(strength.explicit)), ("parental", Value::from(strength.parental)), ("two_step", Value::from(strength.two_step))])),
        ])
    }
}

/// The denials of a `decision`.
pub fn denials(decision: &Value) -> Result<Vec<String>> {
    let denials = decision["denials"].as_set()?.iter();
    denials.map(|rule| Ok(rule.as_string()?.to_string())).collect()
}

/// Whether a `decision` permits.
pub fn permits(decision: &Value) -> Result<bool> {
    Ok(*decision["permit"].as_bool().context("a decision without an answer")?)
}

/// The data documents: rules by purpose and place, and the places.
fn data(world: &World) -> serde_json::Value {
    let mut rules = BTreeMap::new();
    for &purpose in Purpose::ALL {
        let of_places: &mut BTreeMap<_, Vec<_>> = rules.entry(purpose.as_str()).or_default();
        for (&place, laws) in &world.laws {
            let here = world.rules.iter().filter(|rule| rule.purposes.contains(&purpose) && laws.contains(&rule.law));
            let rule = here.map(|rule| {
                let below = match rule.below {
                    Below::Any => None,
                    Below::Years(years) => Some(years),
                    Below::OfPlace => world.parental_below.get(place).copied(),
                };
                let unknown = match rule.unknown {
                    Unknown::Always => true,
                    Unknown::Advertising => purpose.is_advertising(),
                    Unknown::Never => false,
                };
                let mut document = json!({ "id": rule.id, "sensitivity": rule.sensitivity as u8, "from": rule.from, "unknown": unknown });
                // What is not said is undefined, and what is undefined does not hold.
                if let Some(below) = below {
                    document["below"] = below.into();
                }
                if let Some(cure) = rule.cure.attribute() {
                    document["cure"] = cure.into();
                }
                document
            });
            of_places.insert(place, rule.collect());
        }
    }
    let places: BTreeMap<_, _> = world.laws.keys().map(|&place| (place, json!({ "opens_classes": world.opens_classes.contains(place) }))).collect();
    json!({ "rules": rules, "places": places })
}
