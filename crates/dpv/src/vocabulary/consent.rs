//! States and kinds of consent, and what people can do with it.

use super::{LegalBasis, terms};

terms! {
    /// The state of a consent (27560: `event_state`). The last three are groups and nobody's state.
    pub enum ConsentStatus {
        /// Nothing is known.
        Unknown = dpv "ConsentUnknown",
        /// The person was asked.
        Requested = dpv "ConsentRequested",
        /// The person put the question off.
        RequestDeferred = dpv "ConsentRequestDeferred",
        /// The person said no.
        Refused = dpv "ConsentRefused",
        /// The person agreed.
        Given = dpv "ConsentGiven",
        /// The person agreed anew.
        RenewedGiven = dpv "RenewedConsentGiven",
        /// Its time is over.
        Expired = dpv "ConsentExpired",
        /// The person took it back.
        Withdrawn = dpv "ConsentWithdrawn",
        /// Somebody else ended it.
        Revoked = dpv "ConsentRevoked",
        /// It was found not to be valid.
        Invalidated = dpv "ConsentInvalidated",
        /// Group: all states.
        AnyStatus = dpv "ConsentStatus",
        /// Group: the states that permit processing.
        ValidForProcessing = dpv "ConsentStatusValidForProcessing",
        /// Group: the states that do not.
        InvalidForProcessing = dpv "ConsentStatusInvalidForProcessing",
    }
}

impl ConsentStatus {
    /// Whether it is a group of states and not a state.
    #[must_use]
    pub const fn is_group(self) -> bool {
        matches!(self, Self::AnyStatus | Self::ValidForProcessing | Self::InvalidForProcessing)
    }

    /// Whether DPV holds the state to be valid for processing. No group is.
    #[must_use]
    pub const fn is_valid_for_processing(self) -> bool {
        matches!(self, Self::Given | Self::RenewedGiven)
    }
}

terms! {
    /// The kind of a consent (27560: `event_type`).
    pub enum ConsentType {
        /// Any.
        Consent = dpv "Consent",
        /// Without being informed.
        Uninformed = dpv "UninformedConsent",
        /// After being informed.
        Informed = dpv "InformedConsent",
        /// By doing something else.
        Implied = dpv "ImpliedConsent",
        /// By an act that was meant so (GDPR Art. 4(11)).
        Expressed = dpv "ExpressedConsent",
        /// By an act that meant nothing else (GDPR Art. 9(2)(a)).
        ExplicitlyExpressed = dpv "ExplicitlyExpressedConsent",
    }
}

impl ConsentType {
    /// The kind of consent that a legal basis is: itself, or what the GDPR's bases are in DPV.
    #[must_use]
    pub fn of_basis(iri: &str) -> Option<Self> {
        Self::from_iri(iri).or_else(|| LegalBasis::from_iri(iri)?.consent_type())
    }
}

terms! {
    /// What people can do with a consent, and controllers.
    pub enum ConsentControlKind {
        /// Any.
        Control = dpv "ConsentControl",
        /// A controller obtains it.
        Obtain = dpv "ObtainConsent",
        /// A person gives it.
        Provide = dpv "ProvideConsent",
        /// A person says no.
        Refuse = dpv "RefuseConsent",
        /// A person confirms it.
        Reaffirm = dpv "ReaffirmConsent",
        /// A person takes it back.
        Withdraw = dpv "WithdrawConsent",
        /// A person gives, confirms or takes it back.
        Manage = dpv "ManageConsent",
    }
}
