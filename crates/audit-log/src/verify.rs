//! Walks claimed entries and names the first that is bad.

use crate::Hash;
use crate::entry::{Salt, entry_leaf};
use crate::tree::Frontier;

/// An entry as a store holds it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its place, from 0.
    pub index: u64,
    /// Its salt.
    pub salt: Salt,
    /// Its body.
    pub body: Vec<u8>,
    /// The leaf that the store keeps for it.
    pub leaf: Hash,
}

/// The first entry that is not what the log committed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {why}")]
pub struct BadEntry {
    /// Its place, from 0.
    pub index: u64,
    /// What is wrong.
    pub why: &'static str,
}

/// Recomputes every leaf and the tree.
///
/// # Guarantee
/// `Ok` means that the entries are numbered without gaps and each leaf is that of its salt and body;
/// whether they are *the* entries is for the caller to compare with a signed checkpoint.
///
/// # Errors
/// The first bad entry.
pub fn verify_entries(entries: impl IntoIterator<Item = Claimed>) -> Result<Frontier, BadEntry> {
    let mut frontier = Frontier::default();
    for entry in entries {
        let bad = |why| BadEntry { index: frontier.size().min(entry.index), why };
        if entry.index != frontier.size() {
            return Err(bad("entries are missing or out of order"));
        }
        if entry_leaf(&entry.salt, &entry.body) != entry.leaf {
            return Err(bad("the entry is not the one that the log committed to"));
        }
        frontier.push(entry.leaf);
    }
    Ok(frontier)
}
