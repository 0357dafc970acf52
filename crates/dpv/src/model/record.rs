//! Records, receipts and the notices that they name.

use super::node::node;
use super::property::{
    ALGORITHM, CHECKSUM, CHECKSUM_VALUE, CONFORMS_TO, COVERAGE, CREATED, DATE, HAS_CONSENT_STATUS, HAS_ENTITY, HAS_IDENTIFIER, HAS_NOTICE_STATUS, HAS_RECORD_OF_ACTIVITY,
    IDENTIFIER, LANGUAGE, PUBLISHER, RECIPIENT, URL, VERSION,
};
use super::{Concept, Entity, Event, Scope};
use crate::{Finding, Iri, ReadError, WriteError, check, document};

node! {
    /// What a controller keeps of a person's consent (27560, 6.3).
    pub struct ConsentRecord (scope: Scope) {
        /// Which schema it follows (`schema_version`).
        conforms_to: Iri = [CONFORMS_TO],
        /// Its identifier (`record_id`).
        identifiers: String = [IDENTIFIER, HAS_IDENTIFIER],
        /// When it was made.
        created: String = [CREATED],
        /// What happened, oldest first.
        events: Event = [HAS_CONSENT_STATUS],
        /// The parties, described.
        entities: Entity = [HAS_ENTITY],
    }
}

node! {
    /// What a person is given of records (27560, 6.4).
    pub struct ConsentReceipt {
        /// Which schema it follows (`schema_version`).
        conforms_to: Iri = [CONFORMS_TO],
        /// Its identifier (`receipt_id`).
        identifiers: String = [IDENTIFIER, HAS_IDENTIFIER],
        /// When it was made.
        created: String = [CREATED],
        /// Who gave it out.
        publishers: Entity = [PUBLISHER],
        /// Whom it is for.
        recipients: Entity = [RECIPIENT],
        /// The records (`content`).
        records: ConsentRecord = [HAS_RECORD_OF_ACTIVITY],
    }
}

node! {
    /// One version of a text that people were shown (`privacy_notice`).
    pub struct Notice {
        /// Its identifiers.
        identifiers: String = [IDENTIFIER],
        /// Its version.
        versions: String = [VERSION],
        /// The language of the text (`language`).
        languages: String = [LANGUAGE],
        /// When it was published.
        dates: String = [DATE],
        /// The time that it is for.
        coverage: String = [COVERAGE],
        /// Where it is read.
        urls: Iri = [URL],
        /// Whether it is in use.
        statuses: Iri = [HAS_NOTICE_STATUS],
        /// Hashes of the text.
        checksums: Checksum = [CHECKSUM],
    }
}

node! {
    /// A hash (SPDX `Checksum`).
    pub struct Checksum {
        /// How it is computed.
        algorithms: Concept = [ALGORITHM],
        /// The hash, in hexadecimal.
        values: String = [CHECKSUM_VALUE],
    }
}

impl ConsentRecord {
    /// The record as a document of its own.
    ///
    /// # Guarantee
    /// The same record gives the same bytes (RFC 8785), and [`crate::read`] gives the same record back.
    ///
    /// # Errors
    /// When a value could not be read back as it is.
    pub fn to_json(&self) -> Result<String, WriteError> {
        document::write(self)
    }

    /// What is missing or wrong, by the DPV guide on 27560 and, under its profile, the GDPR.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        check::record(self)
    }
}

impl ConsentReceipt {
    /// The receipt as a document of its own.
    ///
    /// # Guarantee
    /// The same receipt gives the same bytes (RFC 8785), and [`crate::read`] gives the same receipt back.
    ///
    /// # Errors
    /// When a value could not be read back as it is.
    pub fn to_json(&self) -> Result<String, WriteError> {
        document::write(self)
    }

    /// What is missing or wrong in it and its records, by the DPV guide on 27560 and, under its profile,
    /// the GDPR.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        check::receipt(self)
    }

    /// The one receipt of a document that holds nothing else.
    ///
    /// # Errors
    /// When the document cannot be read or holds anything else.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        let mut document = document::read(text)?;
        match (document.receipts.pop(), document.receipts.is_empty() && document.records.is_empty() && document.others.is_empty()) {
            (Some(receipt), true) => Ok(receipt),
            _ => Err(ReadError::NoNodes),
        }
    }
}
