//! Rule packs of a deployment: brought in by one person, approved by another, in force from then on.

mod act;
mod in_force;
mod preview;

pub use act::RulePackInfo;
pub use preview::Preview;

pub(crate) use act::adopt;
pub(crate) use in_force::{InForce, LawCache};
