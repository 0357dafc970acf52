//! The schemas that records and receipts can follow.

use super::terms;

terms! {
    /// A profile of the DPV schema for ISO/IEC TS 27560:2023 (`schema_version`).
    pub enum Profile {
        /// Records.
        Record = profile "record",
        /// Records with what the GDPR demands.
        RecordEuGdpr = profile "record-eu-gdpr",
        /// Receipts.
        Receipt = profile "receipt",
        /// Receipts with what the GDPR demands.
        ReceiptEuGdpr = profile "receipt-eu-gdpr",
    }
}

impl Profile {
    /// Whether it demands what the GDPR demands.
    #[must_use]
    pub const fn is_eu_gdpr(self) -> bool {
        matches!(self, Self::RecordEuGdpr | Self::ReceiptEuGdpr)
    }

    /// Whether it is for receipts.
    #[must_use]
    pub const fn is_receipt(self) -> bool {
        matches!(self, Self::Receipt | Self::ReceiptEuGdpr)
    }
}
