//! Who takes part.

use std::collections::BTreeMap;

use super::{Check, Findings};
use crate::iri::iri;
use crate::model::{ADDRESS, ConsentRecord, Entity, HAS_IDENTIFIER, Scope, step};

pub(super) fn check(record: &ConsentRecord, path: &str, to: &mut Findings) {
    let mut named = Vec::new();
    collect(&record.scope, path, &mut named);
    let described = described(record);
    let known = |party: &Entity| party.is_described() || party.id.as_ref().is_some_and(|id| described.contains_key(id.as_str()));
    for (path, party) in &named {
        to.need(party.is_a_kind() || known(party), Check::NotDescribed, path);
    }
    let listed = record.entities.iter().enumerate().map(|(n, entity)| (step(path, "dpv:hasEntity", n), entity));
    named.extend(actors(record, path));
    let inline = named.into_iter().filter(|(_, party)| party.is_described());
    for (path, entity) in listed.chain(inline) {
        whole(entity, record, &path, to);
    }
}

/// The parties that a record describes, wherever it does, by name.
pub(super) fn described(record: &ConsentRecord) -> BTreeMap<&str, &Entity> {
    let mut named = Vec::new();
    collect(&record.scope, "", &mut named);
    named.extend(actors(record, ""));
    let inline = named.into_iter().map(|(_, party)| party).filter(|party| party.is_described());
    inline.chain(&record.entities).filter_map(|party| Some((party.id.as_ref()?.as_str(), party))).collect()
}

/// Those who acted, by name: a parent of whom no more is known than that needs none.
fn actors<'a>(record: &'a ConsentRecord, path: &str) -> Vec<(String, &'a Entity)> {
    let mut all = Vec::new();
    for (n, event) in record.events.iter().enumerate() {
        let path = step(path, "dpv:hasConsentStatus", n);
        for (property, parties) in [("dpv:isIndicatedBy", &event.indicated_by), ("dpv:isImplementedBy", &event.implemented_by)] {
            all.extend(parties.iter().enumerate().filter(|(_, party)| party.id.is_some()).map(|(n, party)| (step(&path, property, n), party)));
        }
    }
    all
}

fn collect<'a>(scope: &'a Scope, path: &str, named: &mut Vec<(String, &'a Entity)>) {
    let fields: [(&str, &[Entity]); 5] = [
        ("dpv:hasDataController", &scope.controllers),
        ("dpv:hasDataProcessor", &scope.processors),
        ("dpv:hasRecipient", &scope.recipients),
        ("dpv:hasThirdParty", &scope.third_parties),
        ("dpv:hasAuthority", &scope.authorities),
    ];
    for (property, parties) in fields {
        named.extend(parties.iter().enumerate().map(|(n, party)| (step(path, property, n), party)));
    }
    for (n, process) in scope.processes.iter().enumerate() {
        collect(&process.scope, &step(path, "dpv:hasProcess", n), named);
    }
}

/// A party's fields. Of data subjects a record needs no name and no way to reach them.
fn whole(entity: &Entity, record: &ConsentRecord, path: &str, to: &mut Findings) {
    let is_subject = |scope: &Scope| scope.data_subjects.iter().any(|subject| subject.id.is_some() && subject.id == entity.id);
    let subject = entity.types.iter().any(|kind| kind.as_str() == iri!(dpv "DataSubject")) || anywhere(&record.scope, &is_subject);
    if subject {
        return;
    }
    to.need(!entity.names.is_empty(), Check::NoName, path);
    to.need(!entity.identifiers.is_empty() || entity.other.get(HAS_IDENTIFIER).is_some(), Check::NoPartyIdentifier, path);
    to.need(!entity.contacts.is_empty(), Check::NoContact, path);
    to.need(entity.contacts.iter().any(|contact| contact.is_postal()) || entity.other.get(ADDRESS).is_some(), Check::NoAddress, path);
}

fn anywhere(scope: &Scope, holds: &impl Fn(&Scope) -> bool) -> bool {
    holds(scope) || scope.processes.iter().any(|process| anywhere(&process.scope, holds))
}
