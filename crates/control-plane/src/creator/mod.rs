//! Creators: which accounts may be named in public, since when, and until when.
//!
//! ```text
//! creator_act    an account was listed, or taken off: recorded, without its name
//! creator_name   the account and the name of whoever is listed; gone with the withdrawal
//! ```
//!
//! An account joins the public list, and leaves it, at a tick of the snapshot clock; its name is hidden at once.

mod act;
mod list;
mod naming;
mod verify;

use domain::CreatorKey;
use sha2::{Digest, Sha256};

pub use act::{CreatorInfo, NewCreator};
pub(crate) use act::{follow, withdraw_erased};
pub(crate) use list::{Cache, current};
pub(crate) use verify::first_wrong;

/// The key under which accounts have their numbers, of a deployment with this secret.
pub(crate) fn key(secret: &[u8; 32]) -> CreatorKey {
    let digest = Sha256::new().chain_update("fairshare creators v1").chain_update(secret).finalize();
    let mut key = [0; 16];
    key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    CreatorKey::from_bytes(key)
}

/// Whether the account that act `a` lists under name `n` is a person's, whom questions know by a label: their name must
/// not get into plans and answers, which are kept.
pub(crate) const OF_PERSON: &str = "(a.basis = 'consent' OR EXISTS (SELECT 1 FROM account c WHERE c.platform = a.platform AND c.native_id = n.native_id AND c.pseudonym = 0))";

/// The class of recipients to which a person's yes to being named speaks: `class:everybody`.
pub(crate) const EVERYBODY: &str = "everybody";
