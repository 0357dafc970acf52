//! Complete records from plain facts: one person, one purpose, one recipient, with its whole history.

use crate::iri::iri;
use crate::vocabulary::{ConsentControlKind, ConsentStatus, ConsentType, DataSubjectRight, LegalBasis, NoticeStatus, Profile, PurposeMapping};
use crate::{Checksum, Concept, ConsentControl, ConsentReceipt, ConsentRecord, Contact, Duration, Entity, Event, Iri, Notice, Process, Right, Scope, StorageCondition, Text};
use chrono::{DateTime, SecondsFormat, Utc};

/// A party by name, as people must be told of it (GDPR Art. 13(1)(a)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its IRI.
    pub id: Iri,
    /// Its identifier.
    pub identifier: String,
    /// Its legal name.
    pub name: String,
    /// Its postal address.
    pub address: String,
    /// Its address for electronic mail, if any.
    pub email: Option<String>,
}

/// A version of a notice that events refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeVersion {
    /// The IRI of this version.
    pub id: Iri,
    /// Its version.
    pub version: String,
    /// BCP 47 tag of its language.
    pub language: String,
    /// Where it is read, if anywhere.
    pub url: Option<Iri>,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

/// How long a state is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// Until a time.
    Until(DateTime<Utc>),
    /// Until something happens, in words for people.
    UntilEvent(String),
}

/// One change of the consent's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEvent {
    /// The state from then on.
    pub status: ConsentStatus,
    /// When.
    pub at: DateTime<Utc>,
    /// How long.
    pub validity: Validity,
    /// Who acted: the person when none is named.
    pub actor: Option<Iri>,
    /// By what act, in words for people.
    pub method: String,
    /// What the person was shown.
    pub notice: NoticeVersion,
}

/// The rights that a person must be told of when processing rests on consent (GDPR Art. 13(2)(b) to (d)).
const RIGHTS: &[DataSubjectRight] = &[
    DataSubjectRight::Withdraw,
    DataSubjectRight::Access,
    DataSubjectRight::Rectification,
    DataSubjectRight::Erasure,
    DataSubjectRight::Restriction,
    DataSubjectRight::Portability,
    DataSubjectRight::Complaint,
];

/// Everything that a complete record is made of.
///
/// # Guarantee
/// [`ConsentHistory::record`] and [`ConsentHistory::receipt`] pass all checks of the profile for the GDPR, when:
/// no list and no text is empty, data have a category (and consent is explicit where it is special), no event's
/// state is a group of states, and whoever acted is the person or one of the parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentHistory {
    /// The record's IRI.
    pub id: Iri,
    /// The record's identifier.
    pub identifier: String,
    /// What the person is called in it: an identifier that the controller knows, and no name.
    pub subject: Iri,
    /// Who decides.
    pub controller: Party,
    /// Who receives.
    pub recipient: Party,
    /// Further parties that acted.
    pub others: Vec<Party>,
    /// What for.
    pub purpose: &'static PurposeMapping,
    /// The categories of data.
    pub personal_data: Vec<Concept>,
    /// What is done with them.
    pub processing: Vec<Iri>,
    /// Where they come from.
    pub data_sources: Vec<Iri>,
    /// The kind of consent that was asked for: explicit, or at least expressed.
    pub explicit: bool,
    /// Where data are kept.
    pub storage_locations: Vec<Iri>,
    /// How long they are kept.
    pub retention: Validity,
    /// Whose law applies.
    pub jurisdictions: Vec<Iri>,
    /// Where consent is withdrawn.
    pub withdrawal_url: Iri,
    /// Where rights are exercised, complaints among them.
    pub rights_url: Iri,
    /// What happened, oldest first.
    pub events: Vec<ConsentEvent>,
}

/// A time as all documents of ours write it: UTC, to the millisecond.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Validity {
    fn duration(&self) -> Duration {
        let (kind, value) = match self {
            Self::Until(at) => (iri!(dpv "UntilTimeDuration"), time(*at)),
            Self::UntilEvent(event) => (iri!(dpv "UntilEventDuration"), event.clone()),
        };
        Duration { kinds: vec![kind.into()], value: Some(value), ..Duration::default() }
    }
}

impl Party {
    fn entity(&self, role: &str) -> Entity {
        let postal = Contact { types: vec![iri!(schema "PostalAddress").into()], street_addresses: vec![self.address.as_str().into()], ..Contact::default() };
        let mail = self.email.iter().map(|email| Contact { types: vec![iri!(schema "ContactPoint").into()], emails: vec![email.clone()], ..Contact::default() });
        Entity {
            id: Some(self.id.clone()),
            types: vec![role.into()],
            names: vec![self.name.as_str().into()],
            identifiers: vec![self.identifier.clone()],
            contacts: std::iter::once(postal).chain(mail).collect(),
            ..Entity::default()
        }
    }
}

fn named(id: &Iri) -> Entity {
    Entity { id: Some(id.clone()), ..Entity::default() }
}

fn terms(iris: &[Iri]) -> Vec<Concept> {
    iris.iter().cloned().map(Concept::term).collect()
}

impl PurposeMapping {
    /// Our purpose under its wider term in DPV, so that nobody takes the two for the same where they are not.
    fn concept(&self) -> Concept {
        Concept {
            types: vec![iri!(dpv "Purpose").into()],
            broader: self.term.map(|(term, _)| term.into()).into_iter().collect(),
            identifiers: vec![self.word.to_owned()],
            ..Concept::default()
        }
    }
}

impl NoticeVersion {
    fn notice(&self) -> Notice {
        let checksum = Checksum {
            types: vec![iri!(spdx "Checksum").into()],
            algorithms: vec![Concept::term(iri!(spdx "checksumAlgorithm_sha256"))],
            values: vec![self.sha256.clone()],
            ..Checksum::default()
        };
        Notice {
            id: Some(self.id.clone()),
            types: vec![iri!(dpv "ConsentNotice").into()],
            versions: vec![self.version.clone()],
            languages: vec![self.language.clone()],
            dates: vec![time(self.published_at)],
            urls: self.url.iter().cloned().collect(),
            statuses: vec![NoticeStatus::Communicated.into()],
            checksums: vec![checksum],
            ..Notice::default()
        }
    }
}

impl ConsentHistory {
    /// The record, under the profile for the GDPR.
    #[must_use]
    pub fn record(&self) -> ConsentRecord {
        let mut entities = vec![self.controller.entity(iri!(dpv "DataController"))];
        if self.recipient.id != self.controller.id {
            entities.push(self.recipient.entity(iri!(dpv "ThirdParty")));
        }
        entities.extend(self.others.iter().map(|party| party.entity(iri!(dpv "LegalEntity"))));
        ConsentRecord {
            id: Some(self.id.clone()),
            types: vec![iri!(dpv "ConsentRecord").into()],
            conforms_to: vec![Profile::RecordEuGdpr.into()],
            identifiers: vec![self.identifier.clone()],
            scope: self.scope(),
            events: self.events.iter().map(|event| self.event(event)).collect(),
            entities,
            ..ConsentRecord::default()
        }
    }

    /// What holds for the whole record, and its one process.
    fn scope(&self) -> Scope {
        let mut basis = vec![if self.explicit { LegalBasis::A6ExplicitConsent } else { LegalBasis::A6Consent }];
        if self.explicit && self.personal_data.iter().any(Concept::is_special_category) {
            basis.push(LegalBasis::A9ExplicitConsent);
        }
        let locations = StorageCondition { types: vec![iri!(dpv "StorageLocation").into()], locations: terms(&self.storage_locations), ..StorageCondition::default() };
        let retention = StorageCondition { types: vec![iri!(dpv "StorageDuration").into()], durations: vec![self.retention.duration()], ..StorageCondition::default() };
        let process = Process {
            types: vec![iri!(dpv "Process").into()],
            scope: Scope {
                purposes: vec![self.purpose.concept()],
                personal_data: self.personal_data.clone(),
                processing: terms(&self.processing),
                data_sources: terms(&self.data_sources),
                legal_bases: basis.into_iter().map(Concept::term).collect(),
                recipients: vec![named(&self.recipient.id)],
                storage: vec![locations, retention],
                ..Scope::default()
            },
            ..Process::default()
        };
        Scope {
            data_subjects: vec![Entity { types: vec![iri!(dpv "DataSubject").into()], ..named(&self.subject) }],
            controllers: vec![named(&self.controller.id)],
            jurisdictions: terms(&self.jurisdictions),
            controls: vec![ConsentControl { types: vec![ConsentControlKind::Withdraw.into()], exercised_at: vec![self.withdrawal_url.clone()], ..ConsentControl::default() }],
            rights: RIGHTS
                .iter()
                .map(|right| Right { types: vec![iri!(dpv "DataSubjectRight").into(), (*right).into()], exercised_at: vec![self.rights_url.clone()], ..Right::default() })
                .collect(),
            processes: vec![process],
            ..Scope::default()
        }
    }

    fn event(&self, event: &ConsentEvent) -> Event {
        let kind = if self.explicit { ConsentType::ExplicitlyExpressed } else { ConsentType::Expressed };
        Event {
            types: vec![event.status.into(), kind.into()],
            times: vec![time(event.at)],
            durations: vec![event.validity.duration()],
            indicated_by: vec![event.actor.as_ref().map_or_else(|| named(&iri!(dpv "DataSubject").into()), named)],
            methods: vec![Text::from(event.method.as_str())],
            notices: vec![event.notice.notice()],
            ..Event::default()
        }
    }

    /// The person's copy of the record.
    #[must_use]
    pub fn receipt(&self, id: Iri, identifier: String, created_at: DateTime<Utc>) -> ConsentReceipt {
        ConsentReceipt {
            id: Some(id),
            types: vec![iri!(dpv "ConsentReceipt").into()],
            conforms_to: vec![Profile::ReceiptEuGdpr.into()],
            identifiers: vec![identifier],
            created: vec![time(created_at)],
            publishers: vec![named(&self.controller.id)],
            recipients: vec![named(&self.subject)],
            records: vec![self.record()],
            ..ConsentReceipt::default()
        }
    }
}
