//! One folder per platform.

pub(crate) mod bluesky;
pub(crate) mod csv;
pub(crate) mod ldbc;
pub(crate) mod mastodon;
pub(crate) mod parquet;
