//! We broke: the other side of a [`crate::Refusal`].

use std::error::Error;

/// A failure of ours. Partners see one uniform sentence; the cause goes to the operator.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Fault {
    doing: String,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// What every partner is told, whatever happened: the text must not depend on any data.
    pub const PUBLIC_TEXT: &'static str = "the query could not be answered; it stays charged and the operator was told";

    /// Says what we were doing when `cause` stopped us.
    pub fn new(doing: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), cause: Some(cause.into()) }
    }

    /// A broken invariant of our own, without a deeper cause.
    pub fn broken(what: impl Into<String>) -> Self {
        Self { doing: what.into(), cause: None }
    }
}
