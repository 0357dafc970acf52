//! The control plane as its callers see it, on SQLite.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounting;
mod choices;
mod creators;
mod identity;
mod imports;
mod law;
mod letters;
mod links;
mod notices;
mod partner_tables;
mod receipts;
mod reconcile;
mod releases;
mod snapshots;
mod tampering;
mod world;
