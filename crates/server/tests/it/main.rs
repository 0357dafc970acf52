//! Consent pages over real HTTP on loopback, and letters through a real mail server.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod choosing;
mod http;
mod letters;
mod markup;
mod parents;
mod protection;
mod signals;
mod world;
