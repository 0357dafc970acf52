//! Which of a person's groups survive bounding: drawn by a keyed hash.
//!
//! A deterministic draw can be replayed and does not depend on how data is laid out. The key is
//! secret, so that nobody can craft rows that always win; the person is part of the input, so that
//! different people lose different groups.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// The secret of one window. Has no way to be printed.
#[derive(Clone)]
pub struct BoundingKey([u8; 16]);

impl std::fmt::Debug for BoundingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoundingKey(secret)")
    }
}

impl BoundingKey {
    /// The key made of these secret bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// What stands for a group when people's groups are ranked.
    #[must_use]
    pub fn tag(&self, group: &[u8]) -> GroupTag {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(b"group");
        hasher.write(group);
        GroupTag(hasher.finish())
    }

    /// The rank of a person's group: the smallest ranks survive.
    ///
    /// # Guarantee
    /// A function of the key, this person and this group alone: for every key, bounding is a map of
    /// one person's rows, so that sensitivity bounds hold with certainty.
    #[must_use]
    pub fn rank(&self, subject: u32, group: GroupTag) -> u64 {
        // The person's four bytes and the group's eight, put together as one number: written byte by byte
        // they cost as much as the hash, which people in many groups need millions of.
        let input = (u128::from(subject) | u128::from(group.0) << 32).to_le_bytes();
        SipHasher24::new_with_key(&self.0).hash(input.split_at(12).0)
    }
}

/// A group under one key. Two groups with one tag are drawn alike; no bound depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTag(u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_the_hash_of_the_person_and_then_the_group() {
        let key = [7; 16];
        for (subject, tag) in [(0, 0), (1, 2), (0x0403_0201, 0x0c0b_0a09_0807_0605), (u32::MAX, u64::MAX)] {
            let bytes = [subject.to_le_bytes().as_slice(), tag.to_le_bytes().as_slice()].concat();
            assert_eq!(BoundingKey::from_bytes(key).rank(subject, GroupTag(tag)), SipHasher24::new_with_key(&key).hash(&bytes));
        }
    }
}
