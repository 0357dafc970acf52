//! The accounts that an import adds or corrects: one after the other, and found by a table of their
//! places, which for millions of them takes half the memory of a map.

use std::hash::BuildHasher;

use domain::SubjectId;
use domain::record::AccountKey;
use hashbrown::{DefaultHashBuilder, HashTable};

/// A line about an account that is to be written.
#[derive(Debug)]
pub(super) struct NewAccount {
    pub(super) key: AccountKey,
    pub(super) subject: SubjectId,
    /// The name that the account shows.
    pub(super) handle: Option<Box<str>>,
    /// Whether a source of the person's own, or of the controller's, names it.
    pub(super) enrolled: bool,
}

/// One line per account.
#[derive(Debug, Default)]
pub(super) struct NewAccounts {
    all: Vec<NewAccount>,
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl NewAccounts {
    pub(super) fn get_mut(&mut self, key: &AccountKey) -> Option<&mut NewAccount> {
        let Self { all, places, hasher } = self;
        let place = *places.find(hasher.hash_one(key), |place| all.get(*place).is_some_and(|account| account.key == *key))?;
        all.get_mut(place)
    }

    pub(super) fn contains(&self, key: &AccountKey) -> bool {
        self.places.find(self.hasher.hash_one(key), |place| self.all.get(*place).is_some_and(|account| account.key == *key)).is_some()
    }

    /// Adds an account that is not there yet.
    pub(super) fn insert(&mut self, account: NewAccount) {
        let Self { all, places, hasher } = self;
        let hash = |place: &usize| all.get(*place).map_or(0, |account| hasher.hash_one(&account.key));
        places.insert_unique(hasher.hash_one(&account.key), all.len(), hash);
        all.push(account);
    }

    pub(super) fn into_all(self) -> Vec<NewAccount> {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use domain::Platform;

    use super::*;

    #[test]
    fn accounts_are_found_by_platform_and_name() {
        let key = |n: u32| AccountKey { platform: if n.is_multiple_of(2) { Platform::Csv } else { Platform::Mastodon }, native_id: (n / 2).to_string() };
        let mut accounts = NewAccounts::default();
        for n in 0..1_000 {
            assert!(!accounts.contains(&key(n)));
            accounts.insert(NewAccount { key: key(n), subject: SubjectId(n), handle: None, enrolled: true });
        }
        for n in 0..1_000 {
            assert_eq!(accounts.get_mut(&key(n)).map(|account| account.subject), Some(SubjectId(n)));
        }
        assert_eq!(accounts.into_all().len(), 1_000);
    }
}
