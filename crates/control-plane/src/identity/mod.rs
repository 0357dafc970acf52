//! Ids that are one person's, or are not after all.
//!
//! ```text
//! merge_begin, split_begin    whether it can be done; nothing changes
//! (the lake)                  files in which the acts lie under the other id; nothing is visible yet
//! identity_commit             one transaction: losses, choices, caps, ids, snapshot, record
//! ```
//!
//! Accounts stay with the id that they had: the other id only leads to the one that counts. So a split
//! gives back what a merge brought together.

mod act;
mod verify;

pub use act::{IdentityChange, IdentityChanged};
pub(crate) use verify::first_wrong;

use sha2::{Digest, Sha256};

/// Bytes of the salt of an act's evidence.
const SALT: usize = 16;

/// What an act's row says of its evidence: nothing without the salt, which goes with the words.
fn evidence_digest(salt: &[u8], text: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(text).finalize())
}
