//! The words of Fairshare and the rules that need no I/O.
//!
//! Everybody depends on this crate, so it knows no store, no engine, no network, no clock and no
//! randomness: time, facts and choices come in as arguments, decisions go out as values.
//!
//! Read it along one of three paths:
//! - a row's way: [`record`] → [`lake`] → [`catalog`] → [`question`] → [`release`];
//! - a decision's way: [`notice`] → [`consent`] → [`law`] → [`subject`] (the permitted set);
//! - the walls: [`port`] holds the traits through which the planes meet.

pub mod agreement;
pub mod audit;
pub mod catalog;
pub mod consent;
pub mod creator;
pub mod fault;
pub mod id;
pub mod lake;
pub mod law;
pub mod link;
pub mod mail;
pub mod notice;
pub mod partner_table;
pub mod party;
pub mod platform;
pub mod port;
pub mod purpose;
pub mod question;
pub mod record;
pub mod refusal;
pub mod release;
pub mod subject;
pub mod words;

pub use creator::{CreatorId, CreatorKey, CreatorList};
pub use fault::Fault;
pub use id::{AgreementName, NoticeName, PartnerClass, PartnerIdentifier, PartnerName, ReleaseId, SubjectId};
pub use platform::Platform;
pub use purpose::Purpose;
pub use refusal::{Refusal, RefusalCode};
pub use subject::SubjectSet;

/// An instant in UTC. Given as an argument everywhere; only the binary reads a clock.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
