//! Each check fails on a document that is broken in its way, and on nothing else.

use dpv::{Check, ConsentReceipt, Finding, Kind};
use serde_json::{Value, json};

use super::made;

/// A complete receipt as others would write it, for breaking.
fn whole() -> Value {
    serde_json::from_str(&made::receipt().to_json().unwrap()).unwrap()
}

fn findings(document: &Value) -> Vec<Finding> {
    ConsentReceipt::from_json(&document.to_string()).unwrap().check()
}

/// Removes or replaces what stands at a JSON pointer within the receipt's record; `top` is the receipt itself.
type Break = fn(&mut Value);

const BREAKS: &[(Check, Break)] = &[
    (Check::NoSchema, |r| remove(record(r), "dct:conformsTo")),
    (Check::UnknownSchema, |r| record(r)["dct:conformsTo"] = "https://w3id.org/dpv/schema/dpv-27560#receipt".into()),
    (Check::UnknownSchema, |r| r["dct:conformsTo"] = "https://w3id.org/dpv/schema/dpv-27560#other".into()),
    (Check::UnknownSchema, |r| r["dct:conformsTo"] = json!(["https://w3id.org/dpv/schema/dpv-27560#receipt", "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"])),
    (Check::NoIdentifier, |r| remove(record(r), "dct:identifier")),
    (Check::NoDataSubject, |r| remove(record(r), "dpv:hasDataSubject")),
    (Check::NoDataSubject, |r| record(r)["dpv:hasDataSubject"] = "dpv:DataSubject".into()),
    (Check::ManyDataSubjects, |r| process(r)["dpv:hasDataSubject"] = "urn:somebody:else".into()),
    (Check::NotTyped, |r| record(r)["@type"] = "dpv:OrganisationalMeasure".into()),
    (Check::NoNotice, |r| events(r).iter_mut().for_each(|event| remove(event, "dpv:hasNotice"))),
    (Check::NoNoticeLanguage, |r| remove(&mut events(r)[1]["dpv:hasNotice"], "dct:language")),
    (Check::NoNoticeIdentifier, |r| remove(&mut events(r)[1]["dpv:hasNotice"], "@id")),
    (Check::NotAConsentNotice, |r| events(r).iter_mut().for_each(|event| event["dpv:hasNotice"]["@type"] = "dpv:PrivacyNotice".into())),
    (Check::NoProcess, |r| {
        let process = process(r).clone();
        remove(record(r), "dpv:hasProcess");
        process.as_object().unwrap().iter().filter(|(key, _)| !key.starts_with('@')).for_each(|(key, value)| record(r)[key.as_str()] = value.clone());
    }),
    (Check::NoPurpose, |r| remove(process(r), "dpv:hasPurpose")),
    (Check::NoPersonalData, |r| remove(process(r), "dpv:hasPersonalData")),
    (Check::NoDataCategory, |r| process(r)["dpv:hasPersonalData"] = json!({ "@type": "dpv:PersonalData", "dct:description": "Something" })),
    (Check::NoStorageLocation, |r| remove(&mut process(r)["dpv:hasStorageCondition"][0], "dpv:hasLocation")),
    (Check::NoRetention, |r| remove(&mut process(r)["dpv:hasStorageCondition"][1], "dpv:hasDuration")),
    (Check::NoController, |r| remove(record(r), "dpv:hasDataController")),
    (Check::NoRecipient, |r| remove(process(r), "dpv:hasRecipient")),
    (Check::NoWithdrawal, |r| record(r)["dpv:hasConsentControl"]["@type"] = "dpv:ProvideConsent".into()),
    (Check::WithdrawalNowhere, |r| remove(&mut record(r)["dpv:hasConsentControl"], "dpv:isExercisedAt")),
    (Check::NoJurisdiction, |r| remove(record(r), "dpv:hasJurisdiction")),
    (Check::NoRight, |r| {
        remove(record(r), "dpv:hasRight");
        record(r)["dpv:hasAuthority"] = "dpv:Authority".into();
    }),
    (Check::RightNowhere, |r| remove(&mut record(r)["dpv:hasRight"][2], "dpv:isExercisedAt")),
    (Check::NoLegalBasis, |r| remove(process(r), "dpv:hasLegalBasis")),
    (Check::BasisIsNoConsent, |r| process(r)["dpv:hasLegalBasis"] = "eu-gdpr:A6-1-f".into()),
    (Check::SpecialWithoutExplicit, |r| process(r)["dpv:hasPersonalData"] = json!({ "@type": "dpv:SpecialCategoryPersonalData", "skos:broader": "pd:Religion" })),
    (Check::NoProcessing, |r| remove(process(r), "dpv:hasProcessing")),
    (Check::NoDataSource, |r| remove(process(r), "dpv:hasDataSource")),
    (Check::NoComplaint, |r| drop(record(r)["dpv:hasRight"].as_array_mut().unwrap().pop())),
    (Check::NotDescribed, |r| process(r)["dpv:hasRecipient"] = "https://unknown.example/".into()),
    (Check::NoName, |r| remove(&mut record(r)["dpv:hasEntity"][0], "dpv:hasName")),
    (Check::NoPartyIdentifier, |r| remove(&mut record(r)["dpv:hasEntity"][1], "dpv:hasIdentifier")),
    (Check::NoContact, |r| {
        remove(&mut record(r)["dpv:hasEntity"][0], "schema:contactPoint");
        record(r)["dpv:hasEntity"][0]["schema:address"] = "1 Road".into();
    }),
    (Check::NoAddress, |r| drop(record(r)["dpv:hasEntity"][0]["schema:contactPoint"].as_array_mut().unwrap().remove(0))),
    (Check::NoEvent, |r| {
        let notice = events(r)[0]["dpv:hasNotice"].clone();
        remove(record(r), "dpv:hasConsentStatus");
        record(r)["dpv:hasNotice"] = notice;
    }),
    (Check::NotOneStatus, |r| events(r)[0]["@type"] = "dpv:ExpressedConsent".into()),
    (Check::NotOneStatus, |r| events(r)[0]["@type"] = json!(["dpv:ConsentGiven", "dpv:ConsentRefused"])),
    (Check::NotOneStatus, |r| events(r)[0]["@type"] = "dpv:ConsentStatusValidForProcessing".into()),
    (Check::NotOneStatus, |r| events(r)[0]["@type"] = "dpv:ConsentTerminated".into()),
    (Check::NoConsentType, |r| {
        process(r)["dpv:hasLegalBasis"] = "eu-gdpr:A6-1-f".into();
        events(r)[1]["@type"] = "dpv:ConsentWithdrawn".into();
    }),
    (Check::NoTime, |r| remove(&mut events(r)[2], "dpv:isIndicatedAtTime")),
    (Check::NotATime, |r| events(r)[2]["dpv:isIndicatedAtTime"] = "last Tuesday".into()),
    (Check::NotATime, |r| events(r)[2]["dpv:hasNotice"]["dct:date"] = "2026".into()),
    (Check::NotATime, |r| r["dct:created"] = "05/06/2026".into()),
    (Check::NoValidity, |r| remove(&mut events(r)[0], "dpv:hasDuration")),
    (Check::NotADuration, |r| events(r)[0]["dpv:hasDuration"] = "a while".into()),
    (Check::NotADuration, |r| events(r)[0]["dpv:hasDuration"] = json!({ "@type": "dpv:TemporalDuration", "rdf:value": "2026-01-01" })),
    (Check::NotADuration, |r| events(r)[0]["dpv:hasDuration"] = json!({ "@type": "dpv:UntilTimeDuration", "rdf:value": "P6M" })),
    (Check::NotADuration, |r| events(r)[0]["dpv:hasDuration"] = json!({ "@type": "dpv:FixedOccurrencesDuration", "rdf:value": "twice" })),
    (Check::NotADuration, |r| events(r)[0]["dpv:hasDuration"] = json!({ "@type": "dpv:UntilEventDuration", "rdf:value": " " })),
    (Check::NotADuration, |r| process(r)["dpv:hasStorageCondition"][1]["dpv:hasDuration"] = json!({ "@type": "dpv:TemporalDuration" })),
    (Check::NoActor, |r| remove(&mut events(r)[0], "dpv:isIndicatedBy")),
    (Check::UnknownActor, |r| events(r)[0]["dpv:isIndicatedBy"] = "urn:somebody:else".into()),
    (Check::OtherShape, |r| record(r)["dpv:hasService"] = json!([5])),
    (Check::OtherShape, |r| events(r)[0]["dpv:hasIndicationMethod"] = json!({ "@value": 5 })),
    (Check::NoMeaning, |r| record(r)["note"] = "seen by nobody".into()),
    (Check::NoMeaning, |r| record(r)["https://b.example/x"] = json!([{ "y": 1 }])),
    (Check::NoRecord, |r| remove(r, "dpv:hasRecordOfActivity")),
    (Check::NoCreation, |r| remove(r, "dct:created")),
];

fn remove(node: &mut Value, property: &str) {
    assert!(node.as_object_mut().unwrap().remove(property).is_some(), "{property} was not there");
}

fn record(receipt: &mut Value) -> &mut Value {
    &mut receipt["dpv:hasRecordOfActivity"]
}

fn process(receipt: &mut Value) -> &mut Value {
    &mut record(receipt)["dpv:hasProcess"]
}

fn events(receipt: &mut Value) -> &mut Vec<Value> {
    record(receipt)["dpv:hasConsentStatus"].as_array_mut().unwrap()
}

#[test]
fn each_check_fails_on_what_it_is_for_and_nothing_else_does() {
    assert_eq!(findings(&whole()), []);
    for check in Check::ALL {
        assert!(BREAKS.iter().any(|(broken, _)| broken == check), "{check:?} is never tried");
    }
    // What cannot be broken alone.
    let follows = |check: Check| match check {
        Check::NoConsentType => &[Check::BasisIsNoConsent][..],
        _ => &[],
    };
    for (n, (check, break_it)) in BREAKS.iter().enumerate() {
        let mut document = whole();
        break_it(&mut document);
        let found: Vec<_> = findings(&document).iter().map(|finding| finding.check).collect();
        assert!(found.contains(check), "break {n}: {check:?} is not found but {found:?}");
        assert!(found.iter().all(|other| other == check || follows(*check).contains(other)), "break {n} of {check:?}: {found:?}");
    }
}

#[test]
fn what_the_gdpr_demands_is_asked_for_under_its_profiles_only() {
    let gdpr = [Check::NoLegalBasis, Check::BasisIsNoConsent, Check::SpecialWithoutExplicit, Check::NoProcessing, Check::NoDataSource, Check::NoComplaint];
    for (check, break_it) in BREAKS.iter().filter(|(check, _)| gdpr.contains(check)) {
        let mut document = whole();
        break_it(&mut document);
        let record_profile = record(&mut document)["dct:conformsTo"].take();
        record(&mut document)["dct:conformsTo"] = "https://w3id.org/dpv/schema/dpv-27560#record".into();
        assert_ne!(findings(&document), [], "the receipt's profile asks for {check:?} in its records");
        record(&mut document)["dct:conformsTo"] = record_profile;
        document["dct:conformsTo"] = "https://w3id.org/dpv/schema/dpv-27560#receipt".into();
        assert_ne!(findings(&document), [], "the record's own profile still asks for {check:?}");
        record(&mut document)["dct:conformsTo"] = "https://w3id.org/dpv/schema/dpv-27560#record".into();
        assert_eq!(findings(&document), [], "{check:?}");
    }
}

#[test]
fn one_person_may_be_named_twice() {
    let mut document = whole();
    let subject = record(&mut document)["dpv:hasDataSubject"]["@id"].clone();
    record(&mut document)["dpv:hasDataSubject"]["dct:identifier"] = "member 5".into();
    process(&mut document)["dpv:hasDataSubject"] = subject;
    assert_eq!(findings(&document), []);
}

#[test]
fn of_people_a_record_needs_no_address() {
    let mut document = whole();
    let subject = record(&mut document)["dpv:hasDataSubject"]["@id"].clone();
    let entities = record(&mut document)["dpv:hasEntity"].as_array_mut().unwrap();
    entities.push(json!({ "@id": subject, "dct:identifier": "member 5" }));
    entities.push(json!({ "@id": "urn:a:child", "@type": "dpv:DataSubject" }));
    assert_eq!(findings(&document), []);
    record(&mut document)["dpv:hasEntity"].as_array_mut().unwrap().push(json!({ "@id": "urn:an:office" }));
    assert_eq!(findings(&document).len(), 4);
}

#[test]
fn each_innermost_process_has_everything_itself_or_around_it() {
    let mut document = whole();
    let process = process(&mut document);
    let purpose = process["dpv:hasPurpose"].clone();
    remove(process, "dpv:hasPurpose");
    process["dpv:hasProcess"] = json!([{ "@type": "dpv:Process", "dpv:hasPurpose": purpose }, { "@type": "dpv:Process" }]);
    let found = findings(&document);
    assert_eq!(
        found.iter().map(|finding| (finding.check, finding.path.as_str())).collect::<Vec<_>>(),
        [(Check::NoPurpose, "dpv:hasRecordOfActivity[0]/dpv:hasProcess[0]/dpv:hasProcess[1]")]
    );
    assert_eq!(found[0].to_string(), "V821 at dpv:hasRecordOfActivity[0]/dpv:hasProcess[0]/dpv:hasProcess[1]: the purpose is missing: add dpv:hasPurpose to the process");
}

#[test]
fn every_check_is_in_the_document() {
    let document = include_str!("../../../../docs/receipts.md");
    for check in Check::ALL {
        let row = format!("| {} | {} | {} |", check.code(), check.what(), check.advice());
        assert!(document.contains(&row), "docs/receipts.md lacks\n{row}");
    }
}

#[test]
fn codes_are_in_order_and_told_apart() {
    let codes: Vec<_> = Check::ALL.iter().map(|check| check.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert!(Check::ALL.iter().any(|check| check.kind() == Kind::Wrong));
}
