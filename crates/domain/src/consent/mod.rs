//! What a person agreed to, and what follows from it.
//!
//! A choice is an event; the ledger keeps every event for ever; where a consent stands is their replay
//! ([`Standing`]); what covers a use is the newest of them ([`Consent::of`]); a decision ([`decide`]) is that
//! seen through the law ([`crate::law`]) and through what the person limits ([`Limits`]).

mod bulk;
mod decide;
mod event;
mod limit;
mod state;

pub use bulk::{Bits, PackedFacts, compile};
pub use decide::{AgreementStanding, Decision, Demands, Effect, Facts, Reason, decide, permitted};
pub use event::{Actor, ConsentAction, ConsentEvent, ConsentKey, ConsentMethod, DataScope, EventOrder, Recipient, Strength};
pub use limit::{CannotLift, LimitAct, LimitEvent, LimitKey, LimitKind, LimitSource, Limits};
pub use state::{Arrival, Consent, ConsentState, Covering, Standing};
