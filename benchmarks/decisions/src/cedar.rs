//! The rules as Cedar policies: a partner (principal) does a purpose (action) with records of one kind of the people of
//! one place (resource), in the context of one person's facts.
//!
//! Records lie under the laws that concern the place, purposes of advertising in a group; policies and entities are
//! made once, and each policy carries the name of its rule, so that the diagnostics are the reasons. Use and place come
//! in few combinations, for which Cedar's own partial evaluation leaves only the policies that are about them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use anyhow::{Context as _, Result, bail, ensure};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PartialEntities, PartialEntityUid, PartialRequest, Policy, PolicyId, PolicySet, Request, Response,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use domain::Purpose;
use domain::consent::DataScope;
use domain::law::Sensitivity;

use crate::case::{Case, SCOPES, limits, youngest};
use crate::rule::{Below, Rule, Unknown, World};

const SCHEMA: &str = r#"
entity Law;
entity Records in [Law] = { "sensitivity": Long, "opens_classes": Bool, "parental_below": Long };
entity Partner;
action "advertising";
"#;

const CONTEXT: &str = r#"{
  "status": String, "age"?: Long,
  "consent": String, "explicit": Bool, "parental": Bool, "two_step": Bool, "by_class": Bool,
  "opt_out": Bool, "objection": Bool, "restriction": Bool
}"#;

/// The rules of the house: consent is needed, and what ends it.
const HOUSE: &[(&str, &str)] = &[
    ("consent.given", r#"permit (principal, action, resource) when { context.consent == "given" || context.consent == "renewed" };"#),
    ("subject.merged", r#"forbid (principal, action, resource) when { context.status == "merged" };"#),
    ("subject.active", r#"forbid (principal, action, resource) when { context.status == "erased" };"#),
    ("limit.opt_out", "forbid (principal, action, resource) when { context.opt_out };"),
    ("limit.objection", "forbid (principal, action, resource) when { context.objection };"),
    ("limit.restriction", "forbid (principal, action, resource) when { context.restriction };"),
    ("consent.recipient", "forbid (principal, action, resource) when { context.by_class && !resource.opens_classes };"),
];

/// Policies, entities and what requests are made of.
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    /// What is left of the policies for each use and place.
    residual: HashMap<(Purpose, &'static str, DataScope), PolicySet>,
    partner: EntityUid,
    actions: BTreeMap<Purpose, EntityUid>,
    records: HashMap<(&'static str, DataScope), EntityUid>,
}

impl Cedar {
    /// Writes, parses and validates the policies.
    pub fn new(world: &World) -> Result<Self> {
        let (schema, _) = Schema::from_cedarschema_str(&schema()?)?;
        let house = HOUSE.iter().map(|&(id, text)| (id.to_owned(), text.to_owned()));
        let rules = world.rules.iter().map(|rule| (unique(rule), policy(rule)));
        let policies = house.chain(rules).map(|(id, text)| Policy::parse(Some(PolicyId::new(id)), &text).with_context(|| text));
        let policies = PolicySet::from_policies(policies.collect::<Result<Vec<_>>>()?)?;
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        ensure!(checked.validation_passed(), "{checked}");

        let actions: BTreeMap<_, _> = Purpose::ALL.iter().map(|&purpose| Ok((purpose, uid("Action", purpose.as_str())?))).collect::<Result<_>>()?;
        let mut all = vec![Entity::new_no_attrs(uid("Partner", "acme")?, HashSet::new())];
        let laws: HashSet<&String> = world.laws.values().flatten().collect();
        for law in laws {
            all.push(Entity::new_no_attrs(uid("Law", law)?, HashSet::new()));
        }
        let mut records = HashMap::new();
        for (&place, laws) in &world.laws {
            for scope in SCOPES {
                let id = uid("Records", &format!("{place}/{scope}"))?;
                let parents = laws.iter().map(|law| uid("Law", law)).collect::<Result<_>>()?;
                let long = RestrictedExpression::new_long;
                let attributes = [
                    ("sensitivity", long(level(scope.sensitivity()))),
                    ("opens_classes", yes(world.opens_classes.contains(place))),
                    ("parental_below", long(world.parental_below.get(place).copied().unwrap_or(0).into())),
                ];
                all.push(Entity::new(id.clone(), attributes.map(|(name, value)| (name.to_owned(), value)).into(), parents)?);
                records.insert((place, scope), id);
            }
        }
        let entities = Entities::from_entities(all, Some(&schema))?;

        let partner = uid("Partner", "acme")?;
        let (mut residual, known) = (HashMap::new(), PartialEntities::from_concrete(entities.clone(), &schema)?);
        for (&purpose, action) in &actions {
            for (&(place, scope), records) in &records {
                let concrete = PartialEntityUid::from_concrete;
                let request = PartialRequest::new(concrete(partner.clone()), action.clone(), concrete(records.clone()), None, &schema)?;
                let left = policies.tpe(&request, &known, &schema)?;
                // The set keeps those that can hold for nobody, too.
                let idle: HashSet<&PolicyId> = left.false_permits().chain(left.false_forbids()).collect();
                let policies = left.policy_set();
                let policies = policies.policies().filter(|policy| !idle.contains(policy.id())).cloned();
                residual.insert((purpose, place, scope), PolicySet::from_policies(policies)?);
            }
        }
        Ok(Self { authorizer: Authorizer::new(), policies, entities, residual, partner, actions, records })
    }

    /// How many policies there are, and how many are left for a use and place on average.
    pub fn sizes(&self) -> (usize, usize) {
        let left: usize = self.residual.values().map(|policies| policies.policies().count()).sum();
        (self.policies.policies().count(), left / self.residual.len().max(1))
    }

    /// A case as a request.
    pub fn request(&self, case: &Case) -> Result<Request> {
        let facts = &case.facts;
        let strength = facts.consent.strength;
        let text = |word: &str| RestrictedExpression::new_string(word.to_owned());
        let mut pairs = vec![
            ("status", text(facts.status.as_str())),
            ("consent", text(facts.consent.state.as_str())),
            ("explicit", yes(strength.explicit)),
            ("parental", yes(strength.parental)),
            ("two_step", yes(strength.two_step)),
            ("by_class", yes(facts.consent.by_class)),
        ];
        pairs.extend(youngest(facts.age).map(|years| ("age", RestrictedExpression::new_long(years.into()))));
        let limited: Vec<&str> = limits(facts).collect();
        pairs.extend(["opt_out", "objection", "restriction"].map(|kind| (kind, yes(limited.contains(&kind)))));
        let context = Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)))?;
        let (Some(action), Some(records)) = (self.actions.get(&case.purpose), self.records.get(&(facts.residence.as_str(), case.scope))) else {
            bail!("a use that is not known");
        };
        // Without the schema: requests are made by us, and checking each costs time that a careful user saves.
        Ok(Request::new(self.partner.clone(), action.clone(), records.clone(), context, None)?)
    }

    /// By all policies.
    pub fn decides(&self, request: &Request) -> Response {
        self.authorizer.is_authorized(request, &self.policies, &self.entities)
    }

    /// By what is left of them for the use and the place.
    pub fn decides_by_kind(&self, case: &Case, request: &Request) -> Result<Response> {
        let policies = self.residual.get(&(case.purpose, case.facts.residence.as_str(), case.scope)).context("a use that is not known")?;
        Ok(self.authorizer.is_authorized(request, policies, &self.entities))
    }
}

/// Yes or no; an error of a policy is one of ours.
pub fn permits(response: &Response) -> Result<bool> {
    if let Some(error) = response.diagnostics().errors().next() {
        bail!("{error}");
    }
    Ok(response.decision() == Decision::Allow)
}

/// The rules that deny.
pub fn denials(response: &Response) -> Vec<String> {
    let name = |id: &PolicyId| -> String { AsRef::<str>::as_ref(id).split('#').next().unwrap_or_default().to_owned() };
    response.diagnostics().reason().map(name).collect()
}

fn schema() -> Result<String> {
    let mut schema = SCHEMA.to_owned();
    for purpose in Purpose::ALL {
        let group = if purpose.is_advertising() { " in [\"advertising\"]" } else { "" };
        writeln!(schema, "action \"{purpose}\"{group} appliesTo {{ principal: [Partner], resource: [Records], context: {CONTEXT} }};")?;
    }
    Ok(schema)
}

/// A rule about age may ask two things of two ages, and a policy has one name.
fn unique(rule: &Rule) -> String {
    format!("{}#{}", rule.id, rule.cure.attribute().unwrap_or("never"))
}

fn policy(rule: &Rule) -> String {
    let actions: Vec<String> = rule.purposes.iter().map(|purpose| format!("Action::\"{purpose}\"")).collect();
    let action = if rule.purposes.len() == Purpose::ALL.len() { "action".to_owned() } else { format!("action in [{}]", actions.join(", ")) };
    let mut when = Vec::new();
    if rule.sensitivity > Sensitivity::None {
        when.push(format!("resource.sensitivity >= {}", level(rule.sensitivity)));
    }
    when.extend(rule.cure.attribute().map(|attribute| format!("!context.{attribute}")));
    let unknown = match rule.unknown {
        Unknown::Always => "true",
        Unknown::Advertising => "action in Action::\"advertising\"",
        Unknown::Never => "false",
    };
    let below = match rule.below {
        Below::Any => None,
        Below::Years(years) => Some(years.to_string()),
        Below::OfPlace => Some("resource.parental_below".to_owned()),
    };
    if let Some(below) = below {
        let from = if rule.from > 0 { format!("context.age >= {} && ", rule.from) } else { String::new() };
        when.push(format!("(if context has age then {from}context.age < {below} else {unknown})"));
    }
    let when = if when.is_empty() { String::new() } else { format!(" when {{ {} }}", when.join(" && ")) };
    format!("forbid (principal, {action}, resource in Law::\"{}\"){when};", rule.law)
}

/// The lattice as numbers, from 0 to 3.
const fn level(sensitivity: Sensitivity) -> i64 {
    sensitivity as i64
}

fn yes(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(kind.parse()?, id.parse()?))
}
