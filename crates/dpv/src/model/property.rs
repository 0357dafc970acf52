//! The properties that the model has fields for.

use crate::iri::iri;

pub(crate) const IDENTIFIER: &str = iri!(dct "identifier");
pub(crate) const CONFORMS_TO: &str = iri!(dct "conformsTo");
pub(crate) const COVERAGE: &str = iri!(dct "coverage");
pub(crate) const CREATED: &str = iri!(dct "created");
pub(crate) const DATE: &str = iri!(dct "date");
pub(crate) const DESCRIPTION: &str = iri!(dct "description");
pub(crate) const LANGUAGE: &str = iri!(dct "language");
pub(crate) const PUBLISHER: &str = iri!(dct "publisher");
pub(crate) const TITLE: &str = iri!(dct "title");
pub(crate) const VERSION: &str = iri!(dcat "version");

pub(crate) const HAS_APPLICABLE_LAW: &str = iri!(dpv "hasApplicableLaw");
pub(crate) const HAS_ASSESSMENT: &str = iri!(dpv "hasAssessment");
pub(crate) const HAS_AUTHORITY: &str = iri!(dpv "hasAuthority");
pub(crate) const HAS_CONSENT_CONTROL: &str = iri!(dpv "hasConsentControl");
pub(crate) const HAS_CONSENT_STATUS: &str = iri!(dpv "hasConsentStatus");
pub(crate) const HAS_DATA_CONTROLLER: &str = iri!(dpv "hasDataController");
pub(crate) const HAS_DATA_PROCESSOR: &str = iri!(dpv "hasDataProcessor");
pub(crate) const HAS_DATA_SOURCE: &str = iri!(dpv "hasDataSource");
pub(crate) const HAS_DATA_SUBJECT: &str = iri!(dpv "hasDataSubject");
pub(crate) const HAS_DURATION: &str = iri!(dpv "hasDuration");
pub(crate) const HAS_ENTITY: &str = iri!(dpv "hasEntity");
pub(crate) const HAS_IDENTIFIER: &str = iri!(dpv "hasIdentifier");
pub(crate) const HAS_INDICATION_METHOD: &str = iri!(dpv "hasIndicationMethod");
pub(crate) const HAS_JURISDICTION: &str = iri!(dpv "hasJurisdiction");
pub(crate) const HAS_LEGAL_BASIS: &str = iri!(dpv "hasLegalBasis");
pub(crate) const HAS_LOCATION: &str = iri!(dpv "hasLocation");
pub(crate) const HAS_NAME: &str = iri!(dpv "hasName");
pub(crate) const HAS_NECESSITY: &str = iri!(dpv "hasNecessity");
pub(crate) const HAS_NOTICE: &str = iri!(dpv "hasNotice");
pub(crate) const HAS_NOTICE_STATUS: &str = iri!(dpv "hasNoticeStatus");
pub(crate) const HAS_ORGANISATIONAL_MEASURE: &str = iri!(dpv "hasOrganisationalMeasure");
pub(crate) const HAS_PERSONAL_DATA: &str = iri!(dpv "hasPersonalData");
pub(crate) const HAS_PROCESS: &str = iri!(dpv "hasProcess");
pub(crate) const HAS_PROCESSING: &str = iri!(dpv "hasProcessing");
pub(crate) const HAS_PURPOSE: &str = iri!(dpv "hasPurpose");
pub(crate) const HAS_RECIPIENT: &str = iri!(dpv "hasRecipient");
pub(crate) const HAS_RECORD_OF_ACTIVITY: &str = iri!(dpv "hasRecordOfActivity");
pub(crate) const HAS_RIGHT: &str = iri!(dpv "hasRight");
pub(crate) const HAS_SERVICE: &str = iri!(dpv "hasService");
pub(crate) const HAS_STORAGE_CONDITION: &str = iri!(dpv "hasStorageCondition");
pub(crate) const HAS_THIRD_PARTY: &str = iri!(dpv "hasThirdParty");
pub(crate) const IS_EXERCISED_AT: &str = iri!(dpv "isExercisedAt");
pub(crate) const IS_IMPLEMENTED_BY: &str = iri!(dpv "isImplementedBy");
pub(crate) const IS_INDICATED_AT_TIME: &str = iri!(dpv "isIndicatedAtTime");
pub(crate) const IS_INDICATED_BY: &str = iri!(dpv "isIndicatedBy");

pub(crate) const RDF_VALUE: &str = iri!(rdf "value");
pub(crate) const BROADER: &str = iri!(skos "broader");
pub(crate) const ADDRESS: &str = iri!(schema "address");
pub(crate) const CONTACT_POINT: &str = iri!(schema "contactPoint");
pub(crate) const CONTACT_TYPE: &str = iri!(schema "contactType");
pub(crate) const EMAIL: &str = iri!(schema "email");
pub(crate) const RECIPIENT: &str = iri!(schema "recipient");
pub(crate) const STREET_ADDRESS: &str = iri!(schema "streetAddress");
pub(crate) const TELEPHONE: &str = iri!(schema "telephone");
pub(crate) const URL: &str = iri!(schema "url");
pub(crate) const ALGORITHM: &str = iri!(spdx "algorithm");
pub(crate) const CHECKSUM: &str = iri!(spdx "checksum");
pub(crate) const CHECKSUM_VALUE: &str = iri!(spdx "checksumValue");

/// The properties whose texts are identifiers. The guide writes them as plain texts; documents of ours
/// say so in their context (`"@type": "@id"`), so that every JSON-LD reader sees the same.
pub(crate) const REFERENCES: &[&str] = &[
    CONFORMS_TO,
    PUBLISHER,
    HAS_APPLICABLE_LAW,
    HAS_ASSESSMENT,
    HAS_AUTHORITY,
    HAS_CONSENT_CONTROL,
    HAS_CONSENT_STATUS,
    HAS_DATA_CONTROLLER,
    HAS_DATA_PROCESSOR,
    HAS_DATA_SOURCE,
    HAS_DATA_SUBJECT,
    HAS_ENTITY,
    iri!(dpv "hasHumanInvolvement"),
    HAS_JURISDICTION,
    HAS_LEGAL_BASIS,
    HAS_LOCATION,
    HAS_NECESSITY,
    HAS_NOTICE,
    HAS_NOTICE_STATUS,
    HAS_ORGANISATIONAL_MEASURE,
    HAS_PERSONAL_DATA,
    HAS_PROCESS,
    HAS_PROCESSING,
    iri!(dpv "hasProcessingAutomation"),
    HAS_PURPOSE,
    HAS_RECIPIENT,
    HAS_RECORD_OF_ACTIVITY,
    HAS_RIGHT,
    iri!(dpv "hasScale"),
    HAS_SERVICE,
    HAS_STORAGE_CONDITION,
    HAS_THIRD_PARTY,
    IS_EXERCISED_AT,
    IS_IMPLEMENTED_BY,
    IS_INDICATED_BY,
    BROADER,
    CONTACT_POINT,
    RECIPIENT,
    URL,
    ALGORITHM,
    CHECKSUM,
];
