//! Choices: checked, kept for ever, and made usable as bitmaps in the same transaction.
//!
//! ```text
//! choice      what comes in, and whether it can be recorded
//! group       those that come at one time share a transaction
//! record      ledger, states, permitted sets and entries in one call
//! limit       opt-outs, objections and restrictions
//! standing    what permissions of some people depend on
//! permitted   the sets;  recompute   brings them up to date;  block   of everybody at once
//! decide      one person, with reasons
//! receipt     a person's own copy, signed
//! ```

mod block;
mod choice;
mod decide;
mod group;
mod history;
mod limit;
mod permitted;
mod receipt;
mod recompute;
mod record;
mod rows;
mod standing;
#[cfg(test)]
mod tests;

pub use choice::{Choice, Receipt};
pub use decide::{Case, Decided};
pub use limit::{Limit, RecordedLimit};
pub use receipt::{SignedReceipt, receipt_open};

pub(crate) use block::{Block, chunks};
pub(crate) use group::Group;
pub(crate) use history::{follow, history_of, replayed};
pub(crate) use limit::{copy_limits, follow_limit};
pub(crate) use permitted::{Bits, Chunk, NOBODY, PermittedSets, permitted_set};
pub(crate) use receipt::receipt_seed;
pub(crate) use recompute::{basis, freshen, recompute, recompute_all, set_basis};
pub(crate) use record::record;
pub(crate) use standing::{Rules, Standings, Whom, standings};

use history::history;
