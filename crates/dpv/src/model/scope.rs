//! What consent is about (27560: processing).

use super::node::{node, part};
use super::property::{
    BROADER, DESCRIPTION, HAS_APPLICABLE_LAW, HAS_ASSESSMENT, HAS_AUTHORITY, HAS_CONSENT_CONTROL, HAS_DATA_CONTROLLER, HAS_DATA_PROCESSOR, HAS_DATA_SOURCE, HAS_DATA_SUBJECT,
    HAS_DURATION, HAS_JURISDICTION, HAS_LEGAL_BASIS, HAS_LOCATION, HAS_NECESSITY, HAS_NOTICE, HAS_ORGANISATIONAL_MEASURE, HAS_PERSONAL_DATA, HAS_PROCESS, HAS_PROCESSING,
    HAS_PURPOSE, HAS_RECIPIENT, HAS_RIGHT, HAS_SERVICE, HAS_STORAGE_CONDITION, HAS_THIRD_PARTY, IDENTIFIER, IS_EXERCISED_AT, TITLE,
};
use super::{Duration, Entity, Notice, Text};
use crate::Iri;
use crate::iri::iri;

node! {
    /// A term of a vocabulary, or a thing of that kind which the document describes.
    pub struct Concept {
        /// Wider terms (`purpose_type`, `pii_type`).
        broader: Iri = [BROADER],
        /// What it is called.
        titles: Text = [TITLE],
        /// What it is.
        descriptions: Text = [DESCRIPTION],
        /// Other names of it (`pii_attribute_id`).
        identifiers: String = [IDENTIFIER],
        /// Whether it is needed (`pii_optional`).
        necessity: Iri = [HAS_NECESSITY],
    }
}

impl Concept {
    /// The term itself.
    #[must_use]
    pub fn term(iri: impl Into<Iri>) -> Self {
        Self { id: Some(iri.into()), ..Self::default() }
    }

    /// Everything that it says to be: its name, its types and its wider terms.
    pub fn terms(&self) -> impl Iterator<Item = &Iri> {
        self.id.iter().chain(&self.types).chain(&self.broader)
    }

    /// Whether it says to be of special categories of personal data (GDPR Art. 9; `special_pii_category`).
    #[must_use]
    pub fn is_special_category(&self) -> bool {
        self.terms().any(|term| term.as_str() == iri!(dpv "SpecialCategoryPersonalData"))
    }

    /// Whether it says to be sensitive personal data (`sensitive_pii_category`).
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.is_special_category() || self.terms().any(|term| term.as_str() == iri!(dpv "SensitivePersonalData"))
    }
}

part! {
    /// What is done with which data, why, by whom and under what conditions. What a record says holds for
    /// all its processes; what a process says holds for those within it.
    pub struct Scope {
        /// Why (`purpose`).
        purposes: Concept = [HAS_PURPOSE],
        /// Which data (`pii_information`).
        personal_data: Concept = [HAS_PERSONAL_DATA],
        /// What is done (`processing_method`).
        processing: Concept = [HAS_PROCESSING],
        /// Where the data come from (`collection_method`).
        data_sources: Concept = [HAS_DATA_SOURCE],
        /// Why it is lawful (`lawful_basis`).
        legal_bases: Concept = [HAS_LEGAL_BASIS],
        /// Whether all of it is needed.
        necessity: Iri = [HAS_NECESSITY],
        /// Where data are kept and for how long (`storage_locations`, `retention_period`).
        storage: StorageCondition = [HAS_STORAGE_CONDITION],
        /// Who decides (`pii_controllers`).
        controllers: Entity = [HAS_DATA_CONTROLLER],
        /// Who helps on instruction.
        processors: Entity = [HAS_DATA_PROCESSOR],
        /// Who receives data (`recipient_third_parties`).
        recipients: Entity = [HAS_RECIPIENT],
        /// Recipients who decide for themselves.
        third_parties: Entity = [HAS_THIRD_PARTY],
        /// Where to complain (`authority_party`).
        authorities: Entity = [HAS_AUTHORITY],
        /// Whose data they are (`pii_principal_id`).
        data_subjects: Entity = [HAS_DATA_SUBJECT],
        /// What it is a part of (`service`).
        services: Concept = [HAS_SERVICE],
        /// Whose law applies (`jurisdiction`).
        jurisdictions: Concept = [HAS_JURISDICTION],
        /// Which law applies.
        applicable_laws: Concept = [HAS_APPLICABLE_LAW],
        /// How consent is taken back or changed (`withdrawal_method`).
        controls: ConsentControl = [HAS_CONSENT_CONTROL],
        /// What a person may demand (`privacy_rights`).
        rights: Right = [HAS_RIGHT],
        /// What people were shown (`privacy_notice`).
        notices: Notice = [HAS_NOTICE],
        /// Codes of conduct and the like (`codes_of_conduct`).
        measures: Concept = [HAS_ORGANISATIONAL_MEASURE],
        /// Impact assessments (`impact_assessment`).
        assessments: Concept = [HAS_ASSESSMENT],
        /// What it consists of.
        processes: Process = [HAS_PROCESS],
    }
}

node! {
    /// A unit of purposes, data, operations and parties (`dpv:Process`).
    pub struct Process (scope: Scope) {
        /// What it is called.
        titles: Text = [TITLE],
    }
}

node! {
    /// Where data are kept, for how long, or when they are deleted.
    pub struct StorageCondition {
        /// Where.
        locations: Concept = [HAS_LOCATION],
        /// How long.
        durations: Duration = [HAS_DURATION],
    }
}

node! {
    /// A way to give, confirm or take back consent.
    pub struct ConsentControl {
        /// Where a person does it.
        exercised_at: Iri = [IS_EXERCISED_AT],
    }
}

node! {
    /// A right that a person has.
    pub struct Right {
        /// What it is called.
        titles: Text = [TITLE],
        /// What it is.
        descriptions: Text = [DESCRIPTION],
        /// Where a person exercises it.
        exercised_at: Iri = [IS_EXERCISED_AT],
    }
}

impl StorageCondition {
    /// Whether it says where data are kept.
    #[must_use]
    pub fn says_where(&self) -> bool {
        !self.locations.is_empty()
    }

    /// Whether it says how long data are kept.
    #[must_use]
    pub fn says_how_long(&self) -> bool {
        !self.durations.is_empty()
    }
}
