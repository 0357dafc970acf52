//! A complete history, made for the tests.

use chrono::{DateTime, Utc};
use dpv::vocabulary::{ConsentStatus, PurposeMapping};
use dpv::{Concept, ConsentEvent, ConsentHistory, ConsentReceipt, Iri, NoticeVersion, Party, Validity};

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn party(name: &str) -> Party {
    Party {
        id: Iri::new(format!("https://{name}.example/#party")),
        identifier: format!("XX-{name}"),
        name: format!("{name} Ltd"),
        address: "1 Market Square, 1000 Town".into(),
        email: Some(format!("privacy@{name}.example")),
    }
}

fn notice(version: u32) -> NoticeVersion {
    NoticeVersion {
        id: Iri::new(format!("https://town.example/notices/acme/{version}")),
        version: version.to_string(),
        language: "en".into(),
        url: Some("https://town.example/notices/acme".into()),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        published_at: at("2026-01-01T00:00:00Z"),
    }
}

fn event(status: ConsentStatus, time: &str, version: u32) -> ConsentEvent {
    ConsentEvent {
        status,
        at: at(time),
        validity: Validity::UntilEvent("the person chooses otherwise".into()),
        actor: None,
        method: "a switch on the page of choices".into(),
        notice: notice(version),
    }
}

pub(crate) fn history() -> ConsentHistory {
    ConsentHistory {
        id: "https://town.example/consent/records/17".into(),
        identifier: "17".into(),
        subject: "urn:uuid:5f0c7a51-5d5a-4b53-8b1a-2f4a8f6e9d10".into(),
        controller: party("town"),
        recipient: party("acme"),
        others: Vec::new(),
        purpose: PurposeMapping::of("aggregate_statistics").unwrap(),
        personal_data: vec![Concept::term("https://w3id.org/dpv/pd#SocialMediaCommunication")],
        processing: vec!["https://w3id.org/dpv#Store".into(), "https://w3id.org/dpv#Aggregate".into(), "https://w3id.org/dpv#Anonymise".into()],
        data_sources: vec!["https://w3id.org/dpv#DataSubjectDataSource".into()],
        explicit: false,
        storage_locations: vec!["https://w3id.org/dpv/loc#IE".into()],
        retention: Validity::UntilEvent("the person erases their data".into()),
        jurisdictions: vec!["https://w3id.org/dpv/loc#EU".into()],
        withdrawal_url: "https://town.example/you/choices".into(),
        rights_url: "https://town.example/you/rights".into(),
        events: vec![
            event(ConsentStatus::Given, "2026-02-03T04:05:06.789Z", 1),
            event(ConsentStatus::Withdrawn, "2026-03-04T05:06:07Z", 1),
            event(ConsentStatus::Given, "2026-04-05T06:07:08Z", 2),
        ],
    }
}

pub(crate) fn receipt() -> ConsentReceipt {
    history().receipt("https://town.example/consent/receipts/99".into(), "99".into(), at("2026-05-06T07:08:09Z"))
}
