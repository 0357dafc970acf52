//! What happened to the consent.

use super::{Check, Findings, party};
use crate::iri::iri;
use crate::model::{ConsentRecord, Duration, Entity, Event, Scope, step};
use crate::time::{is_duration, is_time};
use crate::vocabulary::ConsentType;

pub(super) fn check(record: &ConsentRecord, path: &str, to: &mut Findings) {
    to.need(!record.events.is_empty(), Check::NoEvent, path);
    let described = party::described(record);
    let typed_around = says_type(&record.scope);
    let known = |actor: &Entity| match &actor.id {
        Some(id) => actor.is_a_kind() || described.contains_key(id.as_str()) || is_subject(&record.scope, actor) || actor.is_described(),
        None => actor.is_described(),
    };
    for (n, event) in record.events.iter().enumerate() {
        let path = step(path, "dpv:hasConsentStatus", n);
        to.need(is_one(event), Check::NotOneStatus, &path);
        to.need(typed_around || event.consent_types().next().is_some(), Check::NoConsentType, &path);
        to.need(!event.times.is_empty(), Check::NoTime, &path);
        to.need(event.times.iter().all(|time| is_time(time)), Check::NotATime, &path);
        to.need(!event.durations.is_empty(), Check::NoValidity, &path);
        to.need(event.durations.iter().all(fits), Check::NotADuration, &path);
        to.need(!event.indicated_by.is_empty(), Check::NoActor, &path);
        to.need(event.indicated_by.iter().chain(&event.implemented_by).all(known), Check::UnknownActor, &path);
    }
}

fn is_one(event: &Event) -> bool {
    let mut statuses = event.statuses();
    matches!((statuses.next(), statuses.next()), (Some(one), None) if !one.is_group())
}

fn says_type(scope: &Scope) -> bool {
    let here = scope.legal_bases.iter().any(|basis| basis.terms().any(|term| ConsentType::of_basis(term.as_str()).is_some()));
    here || scope.processes.iter().any(|process| says_type(&process.scope))
}

fn is_subject(scope: &Scope, actor: &Entity) -> bool {
    scope.data_subjects.iter().any(|subject| subject.id == actor.id) || scope.processes.iter().any(|process| is_subject(&process.scope, actor))
}

/// Whether a duration's value is of its kind; a kind that is not known can have any.
pub(super) fn fits(duration: &Duration) -> bool {
    let is = |kind: &str| duration.kinds.iter().any(|k| k.as_str() == kind);
    let value = duration.value.as_deref();
    if is(iri!(dpv "TemporalDuration")) {
        value.is_some_and(is_duration)
    } else if is(iri!(dpv "UntilTimeDuration")) {
        value.is_some_and(is_time)
    } else if is(iri!(dpv "UntilEventDuration")) {
        value.is_some_and(|event| !event.trim().is_empty())
    } else if is(iri!(dpv "FixedOccurrencesDuration")) {
        value.is_some_and(|times| times.parse::<u64>().is_ok())
    } else if duration.kinds.is_empty() {
        value.is_some_and(|plain| is_duration(plain) || is_time(plain))
    } else {
        true
    }
}
