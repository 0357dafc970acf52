//! A public list of creators, and accounts of which some are on it.

use std::sync::Arc;

use domain::creator::Creator;
use domain::{CreatorId, CreatorKey, CreatorList, Platform};

/// Name, platform and category of each account on the list, which is called `c0`, `c1` …
const LISTED: [(Option<&str>, Platform, &str); 6] = [
    (Some("The Daily"), Platform::Csv, "news"),
    (Some("Radio One"), Platform::Mastodon, "news"),
    (Some("Bread & Co"), Platform::Csv, "food"),
    // A name twice, a name that is not shown any more, and one that is anything but plain.
    (Some("The Daily"), Platform::Bluesky, "politics"),
    (None, Platform::Csv, "food"),
    (Some("'; drop --%_日本"), Platform::Csv, "rust"),
];

/// The key under which accounts have their numbers in tests.
#[must_use]
pub const fn creator_key() -> CreatorKey {
    CreatorKey::from_bytes([7; 16])
}

/// The account called `c{number}`.
pub(crate) fn account(number: u32) -> CreatorId {
    creator_key().id(Platform::Csv, &format!("c{number}"))
}

/// The list that questions of tests are understood by.
#[must_use]
pub fn creators() -> Arc<CreatorList> {
    let creator = |(number, (name, platform, category)): (u32, &(Option<&str>, Platform, &str))| Creator {
        id: account(number),
        name: name.map(str::to_owned),
        platform: *platform,
        category: (*category).to_owned(),
    };
    Arc::new(CreatorList::new((0..).zip(&LISTED).map(creator)))
}
