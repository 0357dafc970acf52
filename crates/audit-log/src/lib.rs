//! A tamper-evident log that outsiders verify: RFC 6962 Merkle tree, C2SP tiles, signed checkpoints.
//!
//! Pure: no files, no clock, no randomness. It knows nothing of what entries mean; to the log an entry
//! is a salted commitment. Whoever holds one signed checkpoint can prove that an entry is in the log
//! ([`InclusionProof`]) and that a later log still holds everything the earlier one did
//! ([`ConsistencyProof`]).

mod checkpoint;
mod entry;
mod hash;
mod note;
mod proof;
mod tile;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Salt, commitment, entry_leaf, leaf_hash, row_digest};
pub use hash::{Hash, HashError};
pub use note::{NoteError, Signer, Verifier};
pub use proof::{ConsistencyProof, InclusionProof, ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use tile::{Tile, WIDTH as TILE_WIDTH, entries_path, hash_tiles, tile_path, tile_root, tiles_for};
pub use tree::{Frontier, FrontierError, empty_root, node_hash, root_of};
pub use verify::{BadEntry, Claimed, verify_entries};
