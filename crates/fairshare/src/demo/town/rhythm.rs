//! When people are awake, and how much they do.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use rand::{Rng, RngExt};

/// Activity by hour for most people: two humps and a dip at night.
const DAY: [u32; 24] = [4, 2, 1, 1, 1, 3, 8, 16, 22, 20, 17, 18, 24, 20, 16, 16, 18, 22, 28, 34, 38, 34, 22, 10];

/// An instant in the year before `today`: later months are busier, weekends a little, and night-owls
/// live six hours later than others.
pub(super) fn instant(today: NaiveDate, night_owl: bool, rng: &mut impl Rng) -> DateTime<Utc> {
    let day = loop {
        // The larger of two draws is more often recent: the town grows.
        let back = rng.random_range(0..365_u64).min(rng.random_range(0..365_u64));
        let day = today.checked_sub_days(Days::new(back + 1)).unwrap_or(today);
        let weekend = day.weekday().number_from_monday() > 5;
        if weekend || rng.random_ratio(4, 5) {
            break day;
        }
    };
    let total: u32 = DAY.iter().sum();
    let mut left = rng.random_range(0..total);
    let hour = DAY
        .iter()
        .position(|weight| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        })
        .unwrap_or(0);
    let hour = (u32::try_from(hour).unwrap_or(0) + if night_owl { 6 } else { 0 }) % 24;
    let time = day.and_hms_opt(hour, rng.random_range(0..60), rng.random_range(0..60)).unwrap_or_default();
    time.and_utc()
}

/// How many things a person does: most do little, a few a lot (a power law between 1 and 3,000).
pub(super) fn how_many(rng: &mut impl Rng) -> u32 {
    let luck: f64 = rng.random_range(0.000_4..1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 3,000")]
    let acts = (9.0 / luck.powf(0.78)).min(3_000.0) as u32;
    acts.max(1)
}

/// A place in a list in which early places are much more common (Zipf).
pub(super) fn popular(len: usize, rng: &mut impl Rng) -> usize {
    let luck: f64 = rng.random_range(0.0..1.0);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
    let place = ((len as f64 + 1.0).powf(luck) - 1.0).floor() as usize;
    place.min(len.saturating_sub(1))
}
