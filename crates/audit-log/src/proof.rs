//! Inclusion and consistency proofs (RFC 6962, 2.1.1 and 2.1.2; verification as in RFC 9162, 2.1.3.2
//! and 2.1.4.2).

use serde::{Deserialize, Serialize};

use crate::Hash;
use crate::tree::{node_hash, root_of};

/// That a leaf is in a tree: the hashes beside its path, from the leaf upwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// Place of the leaf, from 0.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// The hashes.
    pub hashes: Vec<Hash>,
}

/// That a larger tree begins with all leaves of a smaller one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// Leaves in the smaller tree.
    pub old_size: u64,
    /// Leaves in the larger tree.
    pub new_size: u64,
    /// The hashes.
    pub hashes: Vec<Hash>,
}

/// A proof that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Its numbers or its length make no sense.
    #[error("the proof has the wrong shape")]
    Shape,
    /// It leads to another root.
    #[error("the proof does not lead to this root")]
    Root,
}

/// The largest power of two below `n`, for n ≥ 2.
const fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// Proves that leaf `index` is in the tree of `leaves`; `None` when there is no such leaf.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Option<InclusionProof> {
    let place = usize::try_from(index).ok().filter(|i| *i < leaves.len())?;
    let mut hashes = Vec::new();
    path(leaves, place, &mut hashes);
    Some(InclusionProof { index, size: leaves.len() as u64, hashes })
}

fn path(leaves: &[Hash], place: usize, hashes: &mut Vec<Hash>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if place < left.len() {
        path(left, place, hashes);
        hashes.push(root_of(right));
    } else {
        path(right, place - left.len(), hashes);
        hashes.push(root_of(left));
    }
}

/// Checks that `leaf` is in the tree with root `root`.
///
/// # Guarantee
/// `Ok` means that the tree of `proof.size` leaves with that root holds `leaf` at `proof.index`,
/// unless SHA-256 is broken.
///
/// # Errors
/// When the proof does not prove it.
pub fn verify_inclusion(leaf: &Hash, proof: &InclusionProof, root: &Hash) -> Result<(), ProofError> {
    if proof.index >= proof.size {
        return Err(ProofError::Shape);
    }
    let (mut place, mut last) = (proof.index, proof.size - 1);
    let mut hash = *leaf;
    for beside in &proof.hashes {
        if last == 0 {
            return Err(ProofError::Shape);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(beside, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Shape);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Proves that the tree of `leaves` begins with its first `old_size` leaves; `None` when it has fewer
/// or `old_size` is 0.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], old_size: u64) -> Option<ConsistencyProof> {
    let old = usize::try_from(old_size).ok().filter(|m| *m > 0 && *m <= leaves.len())?;
    let mut hashes = Vec::new();
    if old < leaves.len() {
        subproof(leaves, old, true, &mut hashes);
    }
    Some(ConsistencyProof { old_size, new_size: leaves.len() as u64, hashes })
}

fn subproof(leaves: &[Hash], old: usize, whole: bool, hashes: &mut Vec<Hash>) {
    if old == leaves.len() {
        if !whole {
            hashes.push(root_of(leaves));
        }
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        subproof(left, old, whole, hashes);
        hashes.push(root_of(right));
    } else {
        subproof(right, old - left.len(), false, hashes);
        hashes.push(root_of(left));
    }
}

/// Checks that the tree with `new_root` begins with all leaves of the tree with `old_root`.
///
/// # Guarantee
/// `Ok` means that nothing which the old root vouched for was changed, moved or taken away, unless
/// SHA-256 is broken.
///
/// # Errors
/// When the proof does not prove it.
pub fn verify_consistency(proof: &ConsistencyProof, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
    let ConsistencyProof { old_size, new_size, hashes } = proof;
    if *old_size == 0 || old_size > new_size {
        return Err(ProofError::Shape);
    }
    if old_size == new_size {
        return match (hashes.is_empty(), old_root == new_root) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::Root),
            (false, _) => Err(ProofError::Shape),
        };
    }
    let mut hashes = hashes.iter();
    let first = if old_size.is_power_of_two() { old_root } else { hashes.next().ok_or(ProofError::Shape)? };
    let (mut place, mut last) = (old_size - 1, new_size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for beside in hashes {
        if last == 0 {
            return Err(ProofError::Shape);
        }
        if place & 1 == 1 || place == last {
            old = node_hash(beside, &old);
            new = node_hash(beside, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, beside);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Shape);
    }
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
