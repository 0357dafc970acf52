//! What the audit log says: one entry for every act that matters.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

crate::words! {
    /// The kinds of entries.
    pub enum EntryKind("audit entry kind") {
        /// The deployment was created.
        DeploymentInitialized = "deployment_initialized",
        /// An older copy of the store was brought up to its log.
        DeploymentReconciled = "deployment_reconciled",
        /// Rows arrived.
        ImportCommitted = "import_committed",
        /// An import was taken back.
        ImportUndone = "import_undone",
        /// A snapshot of the lake became visible.
        SnapshotPublished = "snapshot_published",
        /// A person was erased.
        SubjectErased = "subject_erased",
        /// Two ids were merged, or split again.
        IdentityActed = "identity_acted",
        /// Somebody of the operator's staff looked at a person's rows.
        StaffRead = "staff_read",
        /// A notice was published.
        NoticePublished = "notice_published",
        /// A version of a notice got its words in a language.
        NoticeWorded = "notice_worded",
        /// A notice was shown to somebody.
        NoticeServed = "notice_served",
        /// It was written down who a controller or partner is.
        PartyDescribed = "party_described",
        /// How a person is reached was written down, or taken out again.
        ContactChanged = "contact_changed",
        /// A person chose.
        ConsentRecorded = "consent_recorded",
        /// A person, or a signal of theirs, limited what may be done.
        LimitRecorded = "limit_recorded",
        /// Something was done with a rule pack.
        RulePackActed = "rule_pack_acted",
        /// A person chose how much they may lose per year.
        CapChosen = "cap_chosen",
        /// Something was done with a partner.
        PartnerActed = "partner_acted",
        /// A partner's table was taken in.
        PartnerTableUploaded = "partner_table_uploaded",
        /// A partner's table was deleted.
        PartnerTableDeleted = "partner_table_deleted",
        /// Something was done with an agreement.
        AgreementActed = "agreement_acted",
        /// An account was listed as one that may be named, or taken off the list.
        CreatorActed = "creator_acted",
        /// A release was paid for; its answer is not known yet.
        ReleaseReserved = "release_reserved",
        /// The answer of a release was committed.
        ReleaseAnswered = "release_answered",
        /// A release was paid for and never answered.
        ReleaseAbandoned = "release_abandoned",
        /// A stored answer was sent again, for free.
        ReleaseRedelivered = "release_redelivered",
    }
}

/// The body of one entry. Holds no personal data: the row it speaks of is bound by a salted digest.
///
/// Its JSON, byte for byte, is what the log commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryBody {
    /// Version of this layout.
    pub schema: u32,
    /// What happened.
    pub kind: EntryKind,
    /// When, by the clock of the node that wrote it.
    pub at: Timestamp,
    /// The recorded row that the entry vouches for.
    pub row: RowRef,
}

/// A recorded row, bound to its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRef {
    /// Table of the control store.
    pub table: String,
    /// Primary key.
    pub id: i64,
    /// Salted digest of the row, in hexadecimal.
    pub digest: String,
}
