//! Why a source cannot be read at all.

use std::path::{Path, PathBuf};

/// A source that cannot be read. Single bad records are not errors; they are rejected and kept.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file system says no.
    #[error("I601: cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// No reader knows it.
    #[error("I602: {path} is nothing that we recognise; name its platform with --platform, or give a CSV file with a mapping")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A platform whose reader comes later.
    #[error("I603: reading {platform} exports is not supported yet; supported: mastodon, ldbc, csv")]
    Unsupported {
        /// The platform.
        platform: domain::Platform,
    },
    /// An archive that could harm.
    #[error("I604: {path} is not a safe archive: {why}")]
    Unsafe {
        /// The archive.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Something that a reader cannot do without.
    #[error("I605: {path} has no {member}: {hint}")]
    Missing {
        /// The source.
        path: PathBuf,
        /// What is missing.
        member: String,
        /// What to do.
        hint: String,
    },
    /// A part that is not in its format.
    #[error("I606: {path} cannot be understood: {why}")]
    Malformed {
        /// The source or member.
        path: PathBuf,
        /// Why, with the place.
        why: String,
    },
    /// A mapping that does not fit.
    #[error("I607: the mapping {path} does not fit: {why}")]
    Mapping {
        /// The mapping.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl IngestError {
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Unreadable { path, cause }
    }

    pub(crate) fn malformed(path: impl Into<PathBuf>, why: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.into(), why: why.to_string() }
    }
}
