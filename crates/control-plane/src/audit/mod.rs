//! The audit log: entries in the transaction of what they speak of, checkpoints, proofs, verification.

mod append;
pub(crate) mod journal;
mod publish;
mod verify;

use audit_log::{Hash, InclusionProof};
use serde::Serialize;

pub(crate) use append::{AuditWriter, frontier};
pub(crate) use publish::{LOG_FOLDER, leaves};

/// An entry with everything an outsider needs to check it.
#[derive(Debug, Clone, Serialize)]
pub struct EntryProof {
    /// Its place in the log.
    pub entry: u64,
    /// Its salt, in hexadecimal.
    pub salt: String,
    /// Its body, byte for byte.
    pub body: String,
    /// Its leaf.
    pub leaf: Hash,
    /// That the leaf is in the log of the checkpoint.
    pub proof: InclusionProof,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// What is wrong first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadFinding {
    /// The entry, when one can be named.
    pub entry: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// The result of recomputing everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Entries in the log.
    pub entries: u64,
    /// Root over them, as recomputed.
    pub root: String,
    /// Size of the newest checkpoint.
    pub checkpoint: Option<u64>,
    /// Whether everything is as it was recorded.
    pub verified: bool,
    /// The first thing that is not.
    pub bad: Option<BadFinding>,
}
