//! One person's life.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use domain::Platform;
use domain::record::{AccountKey, ActivityKind};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::words::{DISTRICTS, EVERYDAY, FIRST, GROUPS, HOSTS, LAST, TEXTS, TOPICS};
use super::{creators, rhythm};

/// Somebody.
pub(super) struct Person {
    pub(super) account: AccountKey,
    pub(super) handle: String,
    pub(super) name: String,
    pub(super) district: &'static str,
    pub(super) country: &'static str,
    pub(super) language: &'static str,
    pub(super) born: Option<NaiveDate>,
    pub(super) joined: DateTime<Utc>,
    pub(super) followers: u32,
    /// Topics of interest, by place.
    pub(super) topics: Vec<usize>,
    /// From 0 (shares everything) to 99 (shares nothing).
    pub(super) privacy_minded: u32,
    night_owl: bool,
}

/// Something somebody did.
pub(super) struct Act {
    pub(super) kind: ActivityKind,
    pub(super) at: DateTime<Utc>,
    pub(super) text: String,
    pub(super) tags: Vec<&'static str>,
    pub(super) media: &'static str,
    pub(super) link: Option<&'static str>,
    pub(super) group: Option<&'static str>,
    pub(super) likes: u32,
    /// The account that it is about.
    pub(super) whose: Option<String>,
}

fn pick<T: Copy>(list: &[T], rng: &mut impl Rng, otherwise: T) -> T {
    list.choose(rng).copied().unwrap_or(otherwise)
}

impl Person {
    /// Person number `number`.
    pub(super) fn born(number: u32, has_archive: bool, today: NaiveDate, rng: &mut impl Rng) -> Self {
        let (first, last) = (pick(FIRST, rng, "Ada"), pick(LAST, rng, "Vos"));
        let handle = format!("{}{}{number}", first.to_lowercase(), last.to_lowercase().chars().next().unwrap_or('x'));
        let (district, common, country) = pick(DISTRICTS, rng, ("Harbour", "en", "Netherlands"));
        let language = if rng.random_ratio(3, 4) { common } else { pick(TEXTS, rng, ("en", &[])).0 };
        let country = if rng.random_ratio(2, 3) { country } else { pick(DISTRICTS, rng, ("", "", "Netherlands")).2 };
        // About one in seventeen is a minor.
        let age = if rng.random_ratio(1, 17) { rng.random_range(13..18) } else { rng.random_range(18..80) };
        let born = NaiveDate::from_ymd_opt(today.year() - age - 1, rng.random_range(1..13), rng.random_range(1..29));
        let account = if has_archive {
            AccountKey { platform: Platform::Mastodon, native_id: format!("https://social.wendelhaven.example/users/{handle}") }
        } else {
            AccountKey { platform: Platform::Csv, native_id: format!("m{number}") }
        };
        let topics = (0..rng.random_range(1..4)).map(|_| rhythm::popular(TOPICS.len(), rng)).collect();
        let joined = today.checked_sub_days(Days::new(rng.random_range(400..3_000))).and_then(|d| d.and_hms_opt(rng.random_range(6..23), 0, 0)).unwrap_or_default().and_utc();
        Self {
            account,
            handle,
            name: format!("{first} {last}"),
            district,
            country,
            language,
            born: born.filter(|_| rng.random_ratio(24, 25)),
            joined,
            followers: rhythm::how_many(rng) * rng.random_range(1..12),
            topics,
            privacy_minded: rng.random_range(0..100),
            night_owl: rng.random_ratio(1, 9),
        }
    }

    /// Everything that the person did in the last year.
    pub(super) fn acts(&self, today: NaiveDate, rng: &mut impl Rng) -> Vec<Act> {
        (0..rhythm::how_many(rng)).map(|_| self.act(today, rng)).collect()
    }

    fn act(&self, today: NaiveDate, rng: &mut impl Rng) -> Act {
        let at = rhythm::instant(today, self.night_owl, rng);
        let kind = match rng.random_range(0..100) {
            0..=27 => ActivityKind::Post,
            28..=47 => ActivityKind::Reply,
            48..=56 => ActivityKind::Share,
            57..=87 => ActivityKind::Like,
            88..=93 => ActivityKind::View,
            94..=97 => ActivityKind::Follow,
            _ => ActivityKind::Join,
        };
        let written = matches!(kind, ActivityKind::Post | ActivityKind::Reply);
        let text = if written { self.text(rng) } else { String::new() };
        let tags = if kind == ActivityKind::Post { self.tags(at, rng) } else { Vec::new() };
        let media = if kind == ActivityKind::Post { pick(&["none", "none", "none", "image", "image", "video"], rng, "none") } else { "none" };
        let link = (written && rng.random_ratio(1, 8)).then(|| pick(HOSTS, rng, "townhall.example"));
        let group = (kind == ActivityKind::Join || (written && rng.random_ratio(1, 5))).then(|| pick(GROUPS, rng, "Swap and share"));
        let likes = if written { rhythm::how_many(rng) / 9 } else { 0 };
        let whose = creators::is_reaction(kind).then(|| creators::whose(rng));
        Act { kind, at, text, tags, media, link, group, likes, whose }
    }

    fn text(&self, rng: &mut impl Rng) -> String {
        let words = TEXTS.iter().find(|(language, _)| *language == self.language).map_or(&[] as &[&str], |(_, words)| words);
        (0..rng.random_range(3..28)).map(|_| pick(words, rng, "…")).collect::<Vec<_>>().join(" ")
    }

    /// Tags of the person's topics; football on weekends, mondays on Mondays.
    fn tags(&self, at: DateTime<Utc>, rng: &mut impl Rng) -> Vec<&'static str> {
        let mut tags = Vec::new();
        let weekday = at.weekday().number_from_monday();
        if rng.random_ratio(3, 5) {
            let topic = if weekday > 5 && rng.random_ratio(1, 3) { 0 } else { self.topics.choose(rng).copied().unwrap_or(0) };
            if let Some((_, of_topic)) = TOPICS.get(topic) {
                tags.extend(of_topic.get(rhythm::popular(of_topic.len(), rng)));
            }
        }
        if weekday == 1 && rng.random_ratio(1, 6) {
            tags.push("monday");
        }
        if rng.random_ratio(1, 4) {
            tags.extend(EVERYDAY.get(rhythm::popular(EVERYDAY.len(), rng)));
        }
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}
