//! The lake and the clean room: the only crate that knows the query engine and the file format.
//!
//! A question's way through the clean room is the order of its modules: *validate* (no data yet) →
//! paid for (by the control plane, outside) → *filter* by consent → *bound* one person's influence →
//! *aggregate* exactly → *noise*. Each stage's type is made by the stage before it and by nothing
//! else; the exact answer is private to this crate and cannot be printed, serialised or named
//! outside.

mod clean_room;
mod lake;
mod schema;

pub use clean_room::DataFusionCleanRoom;
pub use lake::{NoLocation, ParquetLake, S3Access, S3Location};
