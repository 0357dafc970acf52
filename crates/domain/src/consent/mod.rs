//! What a person agreed to, and what follows from it.
//!
//! A choice is an event; the ledger keeps every event for ever; the state is their replay
//! ([`ConsentState::after`]); a decision ([`decide`]) is the state seen through the rules.

mod decide;
mod event;

pub use decide::{AgreementStanding, Decision, Facts, Reason, decide, permitted};
pub use event::{ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, ConsentState};
