//! Why processing is lawful.

use super::{ConsentType, terms};

terms! {
    /// A legal basis of the GDPR (Art. 6(1) and 9(2)).
    pub enum LegalBasis {
        /// Art. 6(1)(a): consent.
        A6Consent = eu_gdpr "A6-1-a",
        /// Art. 6(1)(a): consent that is explicit.
        A6ExplicitConsent = eu_gdpr "A6-1-a-explicit-consent",
        /// Art. 6(1)(a): consent that is not explicit.
        A6NonExplicitConsent = eu_gdpr "A6-1-a-non-explicit-consent",
        /// Art. 6(1)(b): a contract.
        A6Contract = eu_gdpr "A6-1-b",
        /// Art. 6(1)(c): a legal obligation.
        A6LegalObligation = eu_gdpr "A6-1-c",
        /// Art. 6(1)(d): vital interests.
        A6VitalInterest = eu_gdpr "A6-1-d",
        /// Art. 6(1)(e): a task in the public interest.
        A6PublicTask = eu_gdpr "A6-1-e",
        /// Art. 6(1)(f): legitimate interests.
        A6LegitimateInterest = eu_gdpr "A6-1-f",
        /// Art. 9(2)(a): explicit consent to special categories of data.
        A9ExplicitConsent = eu_gdpr "A9-2-a",
    }
}

impl LegalBasis {
    /// The kind of consent that it is, if any (DPV: the wider term of the basis).
    #[must_use]
    pub const fn consent_type(self) -> Option<ConsentType> {
        match self {
            Self::A6Consent | Self::A6NonExplicitConsent => Some(ConsentType::Expressed),
            Self::A6ExplicitConsent | Self::A9ExplicitConsent => Some(ConsentType::ExplicitlyExpressed),
            Self::A6Contract | Self::A6LegalObligation | Self::A6VitalInterest | Self::A6PublicTask | Self::A6LegitimateInterest => None,
        }
    }
}
