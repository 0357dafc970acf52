//! Choices: checked, kept for ever, and made usable as bitmaps in the same transaction.

mod decide;
mod group;
mod permitted;
mod record;

pub use decide::Decided;
pub use record::{Choice, Receipt};

pub(crate) use group::Group;
pub(crate) use permitted::{people_of, permitted_set, recompute};
pub(crate) use record::{record, state};
