//! The log as outsiders see it: known vectors, random trees, tampering, and an independent verifier.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod independent;
mod tampering;
mod trees;
