//! What a record or receipt lacks.
//!
//! The published schema (`dpv-27560.ttl`) names four profiles and constrains nothing. What must be there is said
//! in the DPV guide on 27560: its fields that MUST be present, their cardinalities, and its table of what the
//! GDPR demands besides, which the profiles `…-eu-gdpr` ask for. Each such demand is one [`Check`].
//!
//! Not checked: whether a transfer leaves the Union (it cannot be seen in a record), necessity (its absence
//! means "required"), and whether a state may follow another (27560 does not say).

mod event;
mod party;
mod scope;
mod shape;

use std::fmt;

use crate::iri::iri;
use crate::model::step;
use crate::vocabulary::Profile;
use crate::{ConsentReceipt, ConsentRecord, Iri};

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something that must be there is not.
    Missing,
    /// Something is there and is not as it must be.
    Wrong,
}

/// Declares the checks: code, kind, what is wrong, what to do.
macro_rules! checks {
    ($($variant:ident = $code:literal $kind:ident $what:literal, $advice:literal;)+) => {
        /// A demand on records or receipts. Codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check { $(#[doc = $what] $variant,)+ }

        impl Check {
            /// Every check, by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Whether something is missing or wrong.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// What is wrong.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }

            /// What to do.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }
    };
}

checks! {
    NoSchema = "V801" Missing "the schema version is missing", "add dct:conformsTo with the profile's IRI";
    UnknownSchema = "V802" Wrong "the schema version is not exactly one of the published profiles for this kind", "use dpv-27560:record or dpv-27560:receipt, or their eu-gdpr forms";
    NoIdentifier = "V803" Missing "the identifier is missing", "add dct:identifier, also when there is an @id";
    NoDataSubject = "V804" Missing "the data subject is missing", "add dpv:hasDataSubject";
    ManyDataSubjects = "V805" Wrong "there are several data subjects", "write one record for each person";
    NotTyped = "V806" Wrong "the node does not say that it is a record or a receipt", "add dpv:ConsentRecord or dpv:ConsentReceipt to its @type";
    NoNotice = "V810" Missing "the notice is missing", "add dpv:hasNotice to the record or to its events";
    NoNoticeLanguage = "V811" Missing "the notice's language is missing", "describe the notice, with dct:language";
    NoNoticeIdentifier = "V812" Missing "the notice cannot be told from others", "give the notice an @id or a dct:identifier of its version";
    NotAConsentNotice = "V813" Wrong "no notice is the one that consent was asked with", "give it the type dpv:ConsentNotice";
    NoProcess = "V820" Missing "it is not said what the consent is for", "add dpv:hasProcess";
    NoPurpose = "V821" Missing "the purpose is missing", "add dpv:hasPurpose to the process";
    NoPersonalData = "V822" Missing "the personal data are missing", "add dpv:hasPersonalData to the process";
    NoDataCategory = "V823" Wrong "personal data have no category", "use a term of pd:, or add skos:broader";
    NoStorageLocation = "V824" Missing "it is not said where data are kept", "add dpv:hasStorageCondition with dpv:hasLocation";
    NoRetention = "V825" Missing "it is not said how long data are kept", "add dpv:hasStorageCondition with dpv:hasDuration";
    NoController = "V826" Missing "the controller is missing", "add dpv:hasDataController";
    NoRecipient = "V827" Missing "the recipients are missing", "add dpv:hasRecipient; the controller itself can be one";
    NoWithdrawal = "V828" Missing "it is not said how consent is withdrawn", "add dpv:hasConsentControl with dpv:WithdrawConsent or dpv:ManageConsent";
    WithdrawalNowhere = "V829" Wrong "it is not said where consent is withdrawn or changed", "add dpv:isExercisedAt to the control";
    NoJurisdiction = "V830" Missing "the jurisdiction is missing", "add dpv:hasJurisdiction";
    NoRight = "V831" Missing "the rights are missing", "add dpv:hasRight";
    RightNowhere = "V832" Wrong "it is not said where a right is exercised", "add dpv:isExercisedAt to the right";
    NoLegalBasis = "V840" Missing "the legal basis is missing (GDPR Art. 13(1)(c))", "add dpv:hasLegalBasis, such as eu-gdpr:A6-1-a";
    BasisIsNoConsent = "V841" Wrong "no legal basis is consent", "a record of consent has a basis such as eu-gdpr:A6-1-a";
    SpecialWithoutExplicit = "V842" Wrong "special categories of data without explicit consent (GDPR Art. 9(2)(a))", "use eu-gdpr:A9-2-a, if consent was explicit";
    NoProcessing = "V843" Missing "the operations are missing (GDPR Art. 4(2), 30)", "add dpv:hasProcessing";
    NoDataSource = "V844" Missing "it is not said where data come from (GDPR Art. 13, 14(2)(f))", "add dpv:hasDataSource";
    NoComplaint = "V845" Missing "it is not said where to complain (GDPR Art. 13(2)(d))", "add dpv:hasAuthority, or the right eu-gdpr:A77";
    NotDescribed = "V850" Missing "a party is named and not described", "add it to dpv:hasEntity under the same @id";
    NoName = "V851" Missing "a party's name is missing", "add dpv:hasName";
    NoPartyIdentifier = "V852" Missing "a party's identifier is missing", "add dpv:hasIdentifier, also when there is an @id";
    NoContact = "V853" Missing "a party's contact is missing", "add schema:contactPoint";
    NoAddress = "V854" Missing "a party's postal address is missing", "add schema:contactPoint with a schema:PostalAddress";
    NoEvent = "V860" Missing "nothing is said of what happened to the consent", "add dpv:hasConsentStatus";
    NotOneStatus = "V861" Wrong "an event has not exactly one state", "give it one state of DPV, and no group of states";
    NoConsentType = "V862" Missing "the kind of consent is missing", "add a type such as dpv:ExpressedConsent to the event, or a legal basis that is consent";
    NoTime = "V863" Missing "the time of an event is missing", "add dpv:isIndicatedAtTime";
    NotATime = "V864" Wrong "a time is not in ISO 8601", "write it as 2026-01-31T12:00:00Z";
    NoValidity = "V865" Missing "the validity of an event is missing", "add dpv:hasDuration";
    NotADuration = "V866" Wrong "a duration's value does not fit its kind", "write P6M, a date, a number of times or an event, as the kind says";
    NoActor = "V867" Missing "it is not said who acted", "add dpv:isIndicatedBy";
    UnknownActor = "V868" Wrong "who acted is neither described nor a term of DPV", "add it to dpv:hasEntity, or use dpv:DataSubject";
    OtherShape = "V870" Wrong "a field has a value of a shape that is not read", "write identifiers, texts or nodes, as in the guide";
    NoMeaning = "V871" Wrong "a property has no meaning in JSON-LD and is passed over by its readers", "write it with its prefix, and keywords with their @";
    NoRecord = "V880" Missing "the receipt has no record", "add dpv:hasRecordOfActivity";
    NoCreation = "V881" Missing "the receipt's time is missing", "add dct:created";
}

/// One thing that is missing or wrong. It names a place and no value: findings can be shown to anybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which demand.
    pub check: Check,
    /// The node, as steps from the top of the record or receipt: `dpv:hasProcess[0]/dpv:hasRight[1]`; empty for
    /// the top itself.
    pub path: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "the top" } else { &self.path };
        write!(f, "{} at {place}: {}: {}", self.check.code(), self.check.what(), self.check.advice())
    }
}

/// Collects findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn need(&mut self, holds: bool, check: Check, path: &str) {
        if !holds {
            self.0.push(Finding { check, path: path.to_owned() });
        }
    }

    /// By code, then by place.
    fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_unstable();
        self.0
    }
}

/// Checks a record that stands alone.
pub(crate) fn record(record: &ConsentRecord) -> Vec<Finding> {
    let mut findings = Findings::default();
    shape::check(record, &mut findings);
    record_at(record, "", false, &mut findings);
    findings.sorted()
}

/// Checks a receipt with its records.
pub(crate) fn receipt(receipt: &ConsentReceipt) -> Vec<Finding> {
    let mut findings = Findings::default();
    let to = &mut findings;
    to.need(is_typed(&receipt.types, iri!(dpv "ConsentReceipt")), Check::NotTyped, "");
    let profile = header(&receipt.conforms_to, &receipt.identifiers, true, "", to);
    to.need(!receipt.created.is_empty(), Check::NoCreation, "");
    to.need(receipt.created.iter().all(|time| crate::time::is_time(time)), Check::NotATime, "");
    to.need(!receipt.records.is_empty(), Check::NoRecord, "");
    shape::check(receipt, to);
    for (n, record) in receipt.records.iter().enumerate() {
        record_at(record, &step("", "dpv:hasRecordOfActivity", n), profile.is_some_and(Profile::is_eu_gdpr), to);
    }
    findings.sorted()
}

fn record_at(record: &ConsentRecord, path: &str, eu_gdpr: bool, to: &mut Findings) {
    to.need(is_typed(&record.types, iri!(dpv "ConsentRecord")), Check::NotTyped, path);
    let profile = header(&record.conforms_to, &record.identifiers, false, path, to);
    to.need(record.created.iter().all(|time| crate::time::is_time(time)), Check::NotATime, path);
    scope::check(record, eu_gdpr || profile.is_some_and(Profile::is_eu_gdpr), path, to);
    party::check(record, path, to);
    event::check(record, path, to);
}

fn is_typed(types: &[Iri], kind: &str) -> bool {
    types.iter().any(|t| t.as_str() == kind)
}

/// Schema version and identifier. Returns the profile, when there is one.
fn header(conforms_to: &[Iri], identifiers: &[String], is_receipt: bool, path: &str, to: &mut Findings) -> Option<Profile> {
    to.need(!conforms_to.is_empty(), Check::NoSchema, path);
    to.need(!identifiers.is_empty(), Check::NoIdentifier, path);
    let profile = match conforms_to {
        [one] => Profile::from_iri(one.as_str()).filter(|profile| profile.is_receipt() == is_receipt),
        _ => None,
    };
    to.need(conforms_to.is_empty() || profile.is_some(), Check::UnknownSchema, path);
    profile
}
