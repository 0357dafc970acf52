//! The law as data: rule packs, and what they ask together of one use of one person's data.
//!
//! A [`RulePack`] is a file that an operator can read, add and replace without a build. [`Law`] is what
//! all packs in force on a day say together: for a person's [`Residence`] and age, a purpose and a kind
//! of data, the strictest of what they ask ([`Outcome`]).
//!
//! None of this is legal advice. Every rule names its source and how sure we are of it.

mod clock;
mod compile;
mod day;
mod load;
mod outcome;
mod pack;
mod residence;
mod shipped;

pub use clock::{Deadline, NEVER, Term, TermUnit, earliest, longest};
pub use compile::{Asked, Law, Requirement, RuleInForce, Use};
pub use load::parse;
pub use outcome::Outcome;
pub use pack::*;
pub use residence::Residence;
pub use shipped::{SHIPPED, shipped};
