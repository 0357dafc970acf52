//! What the consent is about, with what people were shown.

use std::collections::BTreeSet;

use super::{Check, Findings};
use crate::Iri;
use crate::iri::iri;
use crate::model::{Concept, ConsentControl, ConsentRecord, HAS_RECIPIENT, Notice, Process, Scope, step};
use crate::vocabulary::{ConsentControlKind, ConsentType, DataSubjectRight};

pub(super) fn check(record: &ConsentRecord, eu_gdpr: bool, path: &str, to: &mut Findings) {
    notices(record, path, to);
    to.need(!record.scope.processes.is_empty(), Check::NoProcess, path);
    subjects(record, path, to);
    walk(&record.scope, &mut Vec::new(), eu_gdpr, path, to);
}

fn notices(record: &ConsentRecord, path: &str, to: &mut Findings) {
    let mut all: Vec<(String, &Notice)> = Vec::new();
    collect(&record.scope, path, &mut all);
    for (n, event) in record.events.iter().enumerate() {
        let path = step(path, "dpv:hasConsentStatus", n);
        all.extend(event.notices.iter().enumerate().map(|(n, notice)| (step(&path, "dpv:hasNotice", n), notice)));
    }
    to.need(!all.is_empty(), Check::NoNotice, path);
    for (path, notice) in &all {
        to.need(!notice.languages.is_empty(), Check::NoNoticeLanguage, path);
        to.need(notice.id.is_some() || !notice.identifiers.is_empty(), Check::NoNoticeIdentifier, path);
        to.need(notice.dates.iter().all(|date| crate::time::is_time(date)), Check::NotATime, path);
    }
    // A notice that is only referred to may well be one.
    let asked_with = |notice: &Notice| notice.types.is_empty() || notice.types.iter().any(|kind| kind.as_str() == iri!(dpv "ConsentNotice"));
    to.need(all.is_empty() || all.iter().any(|(_, notice)| asked_with(notice)), Check::NotAConsentNotice, path);
}

fn collect<'a>(scope: &'a Scope, path: &str, all: &mut Vec<(String, &'a Notice)>) {
    all.extend(scope.notices.iter().enumerate().map(|(n, notice)| (step(path, "dpv:hasNotice", n), notice)));
    for (n, process) in scope.processes.iter().enumerate() {
        collect(&process.scope, &step(path, "dpv:hasProcess", n), all);
    }
}

fn subjects(record: &ConsentRecord, path: &str, to: &mut Findings) {
    let mut names = BTreeSet::new();
    let mut scopes = vec![&record.scope];
    while let Some(scope) = scopes.pop() {
        // The kind of a person (`dpv:DataSubject`) is nobody.
        let people = scope.data_subjects.iter().filter(|subject| !subject.is_a_kind());
        names.extend(
            people.map(|subject| subject.id.as_ref().map(Iri::as_str).or_else(|| subject.alternate_identifiers.first().or(subject.identifiers.first()).map(String::as_str))),
        );
        scopes.extend(scope.processes.iter().map(|process| &process.scope));
    }
    to.need(!names.is_empty(), Check::NoDataSubject, path);
    to.need(names.len() < 2, Check::ManyDataSubjects, path);
}

/// Goes down to the innermost processes: each must have everything, said by itself or around it.
fn walk<'a>(scope: &'a Scope, around: &mut Vec<&'a Scope>, eu_gdpr: bool, path: &str, to: &mut Findings) {
    own(scope, path, to);
    around.push(scope);
    if scope.processes.is_empty() {
        whole(around, path, to);
        if eu_gdpr {
            gdpr(around, path, to);
        }
    }
    for (n, Process { scope, .. }) in scope.processes.iter().enumerate() {
        walk(scope, around, eu_gdpr, &step(path, "dpv:hasProcess", n), to);
    }
    around.pop();
}

/// What is wrong in one scope, whatever stands around it.
fn own(scope: &Scope, path: &str, to: &mut Findings) {
    for (n, data) in scope.personal_data.iter().enumerate() {
        let kinds = [iri!(dpv "PersonalData"), iri!(dpv "SensitivePersonalData"), iri!(dpv "SpecialCategoryPersonalData")];
        to.need(data.terms().any(|term| !kinds.contains(&term.as_str())), Check::NoDataCategory, &step(path, "dpv:hasPersonalData", n));
    }
    for (n, control) in scope.controls.iter().enumerate() {
        to.need(!control.exercised_at.is_empty(), Check::WithdrawalNowhere, &step(path, "dpv:hasConsentControl", n));
    }
    for (n, right) in scope.rights.iter().enumerate() {
        to.need(!right.exercised_at.is_empty(), Check::RightNowhere, &step(path, "dpv:hasRight", n));
    }
    for (n, storage) in scope.storage.iter().enumerate() {
        to.need(storage.durations.iter().all(super::event::fits), Check::NotADuration, &step(path, "dpv:hasStorageCondition", n));
    }
}

/// Whether any of the scopes says something.
fn says<'a, T: 'a>(around: &[&'a Scope], field: impl Fn(&'a Scope) -> &'a [T], holds: impl Fn(&T) -> bool) -> bool {
    around.iter().any(|scope| field(scope).iter().any(&holds))
}

fn any<T>(_: &T) -> bool {
    true
}

/// What the guide's fields that MUST be present demand.
fn whole(around: &[&Scope], path: &str, to: &mut Findings) {
    to.need(says(around, |s| &s.purposes, any), Check::NoPurpose, path);
    to.need(says(around, |s| &s.personal_data, any), Check::NoPersonalData, path);
    to.need(says(around, |s| &s.storage, |storage| storage.says_where()), Check::NoStorageLocation, path);
    to.need(says(around, |s| &s.storage, |storage| storage.says_how_long()), Check::NoRetention, path);
    to.need(says(around, |s| &s.controllers, any), Check::NoController, path);
    // A single operation can have recipients of its own.
    let within = |operation: &Concept| operation.other.get(HAS_RECIPIENT).is_some();
    let received = says(around, |s| &s.recipients, any) || says(around, |s| &s.third_parties, any) || says(around, |s| &s.processing, within);
    to.need(received, Check::NoRecipient, path);
    to.need(says(around, |s| &s.controls, withdraws), Check::NoWithdrawal, path);
    to.need(says(around, |s| &s.jurisdictions, any), Check::NoJurisdiction, path);
    to.need(says(around, |s| &s.rights, any), Check::NoRight, path);
}

fn withdraws(control: &ConsentControl) -> bool {
    let kinds = [ConsentControlKind::Withdraw.iri(), ConsentControlKind::Manage.iri()];
    control.id.iter().chain(&control.types).any(|kind| kinds.contains(&kind.as_str()))
}

/// What the guide's table says that the GDPR demands besides.
fn gdpr(around: &[&Scope], path: &str, to: &mut Findings) {
    let consent = |basis: &Concept| basis.terms().any(|term| ConsentType::of_basis(term.as_str()).is_some());
    let explicit = |basis: &Concept| basis.terms().any(|term| ConsentType::of_basis(term.as_str()) == Some(ConsentType::ExplicitlyExpressed));
    let stated = says(around, |s| &s.legal_bases, any);
    to.need(stated, Check::NoLegalBasis, path);
    to.need(!stated || says(around, |s| &s.legal_bases, consent), Check::BasisIsNoConsent, path);
    to.need(!says(around, |s| &s.personal_data, Concept::is_special_category) || says(around, |s| &s.legal_bases, explicit), Check::SpecialWithoutExplicit, path);
    to.need(says(around, |s| &s.processing, any), Check::NoProcessing, path);
    to.need(says(around, |s| &s.data_sources, any), Check::NoDataSource, path);
    let complaint = DataSubjectRight::Complaint.iri();
    let complains = says(around, |s| &s.rights, |right| right.id.iter().chain(&right.types).any(|kind| kind.as_str() == complaint));
    to.need(complains || says(around, |s| &s.authorities, any), Check::NoComplaint, path);
}
