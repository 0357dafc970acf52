//! The log as outsiders see it: known vectors, random trees, tampering, and an independent verifier.
#![expect(clippy::unwrap_used, clippy::string_slice, clippy::cast_possible_truncation, reason = "tests")]

mod independent;
mod tampering;
mod trees;
