//! The control plane as its callers see it, on SQLite.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod choices;
mod releases;
mod tampering;
mod world;
