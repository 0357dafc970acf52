//! Rights of people, and where a request is in its life.

use super::terms;

terms! {
    /// A right under the GDPR.
    pub enum DataSubjectRight {
        /// Art. 7(3): to take consent back.
        Withdraw = eu_gdpr "A7-3",
        /// Art. 13: to be informed when data are collected.
        InformedDirectly = eu_gdpr "A13",
        /// Art. 14: to be informed when data come from elsewhere.
        InformedIndirectly = eu_gdpr "A14",
        /// Art. 15: access.
        Access = eu_gdpr "A15",
        /// Art. 16: rectification.
        Rectification = eu_gdpr "A16",
        /// Art. 17: erasure.
        Erasure = eu_gdpr "A17",
        /// Art. 18: restriction.
        Restriction = eu_gdpr "A18",
        /// Art. 19: that recipients are told.
        RecipientsTold = eu_gdpr "A19",
        /// Art. 20: portability.
        Portability = eu_gdpr "A20",
        /// Art. 21: objection.
        Objection = eu_gdpr "A21",
        /// Art. 22: no decision by machines alone.
        NoAutomatedDecision = eu_gdpr "A22",
        /// Art. 77: complaint to an authority.
        Complaint = eu_gdpr "A77",
    }
}

terms! {
    /// The state of a request, such as one to exercise a right.
    pub enum RequestStatus {
        /// It was made.
        Initiated = dpv "RequestInitiated",
        /// Its arrival was confirmed.
        Acknowledged = dpv "RequestAcknowledged",
        /// It will be carried out.
        Accepted = dpv "RequestAccepted",
        /// It takes longer.
        ActionDelayed = dpv "RequestActionDelayed",
        /// Somebody else has to do something first.
        RequiresAction = dpv "RequestRequiresAction",
        /// And did.
        RequiredActionPerformed = dpv "RequestRequiredActionPerformed",
        /// Somebody asks how far it is.
        StatusQuery = dpv "RequestStatusQuery",
        /// It was carried out.
        Fulfilled = dpv "RequestFulfilled",
        /// It was not carried out.
        Unfulfilled = dpv "RequestUnfulfilled",
        /// It was denied.
        Rejected = dpv "RequestRejected",
    }
}
