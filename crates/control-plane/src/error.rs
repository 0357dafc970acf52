//! The ways in which an act can end without success.

use domain::{Fault, Refusal};

/// Why nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Something else is in the way.
    #[error("{0}")]
    Conflict(String),
    /// We broke.
    #[error(transparent)]
    Failed(#[from] Fault),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(store_fault(error))
    }
}

/// A fault of the control store.
pub(crate) fn store_fault(error: sqlx::Error) -> Fault {
    Fault::new("using the control store", error)
}

/// Something in the store that this program did not write.
pub(crate) fn unreadable(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::new(format!("reading {what} from the control store"), error)
}
