//! The whole product: the real binary, real files, real kills.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod command;
mod crash;
mod main_job;
mod samples;
