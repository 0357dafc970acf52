//! Whom people of the town like, share, answer and follow: the few that may be named, and everybody else.

use control_plane::NewCreator;
use domain::Platform;
use domain::creator::CreatorBasis;
use domain::record::{AccountKey, ActivityKind};
use rand::{Rng, RngExt};

use super::rhythm;

/// Name, category, and account in the forum of those that may be named. They are also on Mastodon, under the same name.
const LISTED: [(&str, &str, &str); 8] = [
    ("Wendelhaven Herald", "news", "herald"),
    ("Harbour Radio", "news", "harbour-radio"),
    ("FC Wendelhaven", "sports", "fcw"),
    ("Old Mill Bakery", "food", "old-mill"),
    ("Market Hall", "food", "market-hall"),
    ("Town Hall", "government", "townhall"),
    ("Tidewater Ferries", "transport", "ferries"),
    ("Seaside Theatre", "culture", "theatre"),
];

/// Accounts of people who may not be named, besides.
const OTHERS: usize = 400;

/// What was done to something of somebody's: a like, a share, an answer, a follow.
pub(super) const fn is_reaction(kind: ActivityKind) -> bool {
    matches!(kind, ActivityKind::Like | ActivityKind::Share | ActivityKind::Reply | ActivityKind::Follow)
}

/// Whose account somebody reacts to: every third time one of those that may be named.
pub(super) fn whose(rng: &mut impl Rng) -> String {
    let listed = rng.random_ratio(1, 3).then(|| LISTED.get(rhythm::popular(LISTED.len(), rng))).flatten();
    listed.map_or_else(|| format!("m{}", rhythm::popular(OTHERS, rng)), |(_, _, account)| (*account).to_owned())
}

/// The address of that account on Mastodon.
pub(super) fn address(account: &str) -> String {
    format!("https://social.wendelhaven.example/users/{account}")
}

/// Those that may be named.
pub(crate) fn creators() -> Vec<NewCreator> {
    let listed = |(name, category, account): &(&str, &str, &str), platform: Platform| {
        let native_id = if platform == Platform::Mastodon { address(account) } else { (*account).to_owned() };
        let evidence = Some("an organisation of the town".to_owned());
        NewCreator { account: AccountKey { platform, native_id }, name: (*name).to_owned(), category: (*category).to_owned(), basis: CreatorBasis::Organisation, evidence }
    };
    LISTED.iter().flat_map(|creator| [Platform::Csv, Platform::Mastodon].map(|platform| listed(creator, platform))).collect()
}
