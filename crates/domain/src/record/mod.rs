//! Rows after a platform's words became ours: the canonical model.
//!
//! The actor owns a row. What a row says about another party was copied from the actor's own
//! source and is never looked up, refreshed or dropped because the other party changes.

mod activities;
mod activity;
mod batch;
mod features;
mod subject;

pub use activities::{Activities, Texts, Words};
pub use activity::{ActivityKind, ActivityRecord, Media, Visibility};
pub use batch::{Counts, NormalizedBatch, RejectedRecord, SourceEnd, SourceInfo, SourceKind};
pub use features::Features;
pub use subject::{AccountKey, Interest, InterestOrigin, SubjectRecord};
