//! Signals: what browsers, platforms and consent banners say for a person, read and written exactly.
//!
//! A signal is evidence. It can narrow what consent allows and never widens it; that it is absent says
//! nothing. This crate knows the forms that signals have and which purposes they narrow ([`meaning`]); which law
//! makes a signal binding, and what a decision is then, others know.

pub mod activitypub;
mod bits;
mod error;
pub mod gpc;
pub mod gpp;
mod ids;
mod json;
pub mod meaning;
mod ranges;
pub mod tcf;
pub mod user_intents;

pub use error::SignalError;
pub use ids::{IdSet, Ids};
