//! The Merkle tree of RFC 6962.

use sha2::{Digest, Sha256};

use crate::Hash;

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize().into())
}

/// The root of a log without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::from_bytes(Sha256::digest([]).into())
}

/// The root over these leaves, computed from nothing else.
#[must_use]
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The right edge of a tree: all that is needed to append and to know the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees that make up the tree, largest first.
    // INVARIANT (perfect): one hash for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

/// Bytes that are no frontier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not the frontier of a tree")]
pub struct FrontierError;

impl Frontier {
    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut size = self.size;
        // INVARIANT (perfect): equal subtrees merge, as ones carry in binary addition.
        while size & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            size >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// How many leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        peaks.next().map_or_else(empty_root, |last| peaks.fold(*last, |right, left| node_hash(left, &right)))
    }

    /// The frontier as bytes: size, then the hashes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        self.peaks.iter().for_each(|peak| bytes.extend_from_slice(peak.as_bytes()));
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the number of hashes does not fit the size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(FrontierError)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, rest) = hashes.as_chunks::<32>();
        let peaks: Vec<Hash> = hashes.iter().map(|h| Hash::from_bytes(*h)).collect();
        // INVARIANT (perfect)
        if !rest.is_empty() || u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(FrontierError);
        }
        Ok(Self { size, peaks })
    }
}
