//! A synthetic town: people with lives, exports of what they did, and choices of their own.
//!
//! The same seed writes the same bytes. Nobody in it exists.

mod archive;
mod choices;
mod creators;
mod forum;
mod people;
mod rhythm;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::NaiveDate;
use domain::Purpose;
use domain::consent::ConsentAction;
use domain::record::AccountKey;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

pub(crate) use creators::creators;
use people::Person;

/// How large the town is and when it lives.
pub(crate) struct TownOptions {
    pub(crate) people: u32,
    pub(crate) seed: u64,
    pub(crate) today: NaiveDate,
}

/// What was written, and what people want.
pub(crate) struct Town {
    /// What to import, in order.
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) citizens: Vec<Citizen>,
}

/// One person, as the town hall knows them.
pub(crate) struct Citizen {
    pub(crate) account: AccountKey,
    /// Their choices, oldest first.
    pub(crate) choices: Vec<TownChoice>,
}

pub(crate) struct TownChoice {
    pub(crate) partner: TownPartner,
    pub(crate) purpose: Purpose,
    pub(crate) action: ConsentAction,
}

/// Who asks in this town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TownPartner {
    University,
    Retailer,
    AdAgency,
}

/// One person in this many has a Mastodon archive instead of a forum account …
const ARCHIVE_EVERY: u32 = 17;
/// … but no more than this many.
const ARCHIVES_MAX: u32 = 200;

/// Writes the exports of a town below `folder`.
pub(crate) fn build(folder: &Path, options: &TownOptions) -> anyhow::Result<Town> {
    fs::create_dir_all(folder.join("archives")).with_context(|| format!("making the folder {}", folder.display()))?;
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let mut forum = forum::Forum::create(folder)?;
    let mut citizens = Vec::new();
    let mut archives = Vec::new();
    for number in 0..options.people {
        let has_archive = number % ARCHIVE_EVERY == ARCHIVE_EVERY - 1 && number / ARCHIVE_EVERY < ARCHIVES_MAX;
        let person = Person::born(number, has_archive, options.today, &mut rng);
        let acts = person.acts(options.today, &mut rng);
        if has_archive {
            archives.push(archive::write(folder, &person, &acts)?);
        } else {
            forum.person(&person)?;
            forum.acts(&person, &acts)?;
        }
        citizens.push(Citizen { account: person.account.clone(), choices: choices::choices(&person, &mut rng) });
    }
    forum.damage()?;
    let mut sources = forum.finish()?;
    sources.extend(archives);
    Ok(Town { sources, citizens })
}

#[cfg(test)]
mod tests;
