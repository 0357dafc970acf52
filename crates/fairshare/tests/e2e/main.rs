//! The whole product: the real binary, real files, real kills.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod command;
mod consents;
mod crash;
mod creators;
mod erasure;
mod features;
mod identity;
mod imports;
mod insights;
mod main_job;
mod pages;
mod partner_tables;
mod questions;
mod s3;
mod samples;
mod signals;
mod snapshots;
