//! What the log sees of an entry: a salted commitment, and nothing else.

use sha2::{Digest, Sha256};

use crate::Hash;

/// 32 random bytes, one draw per entry. Without it a commitment says nothing about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The salt with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// SHA-256(salt ‖ body): the public part of an entry.
///
/// # Guarantee
/// Binds its author to the body (finding another needs a collision) and hides it as long as the salt
/// is secret.
#[must_use]
pub fn commitment(salt: &Salt, body: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update(salt.0).chain_update(body).finalize().into())
}

/// Binds a recorded row into the body of its entry without revealing it.
#[must_use]
pub fn row_digest(salt: &Salt, row: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update(b"fairshare row v1\0").chain_update(salt.0).chain_update(row).finalize().into())
}

/// The hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962, 2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// The leaf of an entry: the leaf hash of its commitment.
#[must_use]
pub fn entry_leaf(salt: &Salt, body: &[u8]) -> Hash {
    leaf_hash(commitment(salt, body).as_bytes())
}
