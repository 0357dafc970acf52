//! Consent records and receipts, read, checked, written and signed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod checks;
mod examples;
mod made;
mod notes;
mod reading;
mod round_trip;
mod vocabulary;
