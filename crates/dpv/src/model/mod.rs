//! What a consent record and a receipt hold (ISO/IEC TS 27560, clauses 6.3 and 6.4), as plain data.
//!
//! All fields are lists, because DPV lets all of them be so; [`crate::Check`] knows how many there must be.

mod event;
mod node;
mod party;
mod property;
mod record;
mod scope;
mod text;

pub use event::{Duration, Event};
pub use node::Fields;
pub(crate) use node::{Node, step};
pub use party::{Contact, Entity};
pub(crate) use property::*;
pub use record::{Checksum, ConsentReceipt, ConsentRecord, Notice};
pub use scope::{Concept, ConsentControl, Process, Right, Scope, StorageCondition};
pub use text::Text;
