//! One folder per platform.

pub(crate) mod csv;
pub(crate) mod ldbc;
pub(crate) mod mastodon;
