//! Arrivals → rows by bucket.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Timelike};
use domain::lake::Arrival;
use domain::record::{ActivityRecord, SubjectRecord};
use domain::{Fault, SubjectId, Timestamp};
use sha2::{Digest, Sha256};

/// An act's id: the same for the same owner, platform and native key, whatever file it came from.
pub(super) type ActivityId = [u8; 16];

/// One act with its owner's id; `arrival` says which source it came from.
pub(super) struct ActivityRow<'a> {
    pub(super) subject: SubjectId,
    pub(super) id: ActivityId,
    pub(super) arrival: usize,
    pub(super) platform: &'static str,
    pub(super) record: &'a ActivityRecord,
}

/// One person as a source describes them.
pub(super) struct SubjectRow<'a> {
    pub(super) subject: SubjectId,
    pub(super) record: &'a SubjectRecord,
}

/// What arrives in one bucket.
#[derive(Default)]
pub(super) struct BucketRows<'a> {
    pub(super) activities: Vec<ActivityRow<'a>>,
    pub(super) subjects: Vec<SubjectRow<'a>>,
}

/// Sorts arrivals into buckets, keeping their order within each.
pub(super) fn by_bucket(arrivals: &[Arrival], bucket_size: u32) -> Result<BTreeMap<u32, BucketRows<'_>>, Fault> {
    let mut buckets: BTreeMap<u32, BucketRows<'_>> = BTreeMap::new();
    let bucket_of = |subject: SubjectId| subject.0.checked_div(bucket_size).ok_or_else(|| Fault::broken("the lake has no bucket size"));
    for (arrival, Arrival { batch, ids }) in arrivals.iter().enumerate() {
        if ids.len() != batch.subjects.len() {
            return Err(Fault::broken("people and ids of an arrival do not match"));
        }
        for (record, &subject) in batch.subjects.iter().zip(ids) {
            buckets.entry(bucket_of(subject)?).or_default().subjects.push(SubjectRow { subject, record });
        }
        for record in &batch.activities {
            let owner = usize::try_from(record.owner).unwrap_or(usize::MAX);
            let &subject = ids.get(owner).ok_or_else(|| Fault::broken("an act without an owner"))?;
            let platform = batch.source.platform.as_str();
            let id = activity_id(platform, &record.native_key);
            buckets.entry(bucket_of(subject)?).or_default().activities.push(ActivityRow { subject, id, arrival, platform, record });
        }
    }
    Ok(buckets)
}

/// 128 bits of SHA-256 over platform and key. Uniqueness matters within one owner only, so that a
/// forged collision can touch nobody but its author.
fn activity_id(platform: &str, native_key: &str) -> ActivityId {
    let digest = Sha256::new().chain_update(platform).chain_update([0]).chain_update(native_key).finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// The parts of an instant that are columns, all in UTC.
pub(super) struct Calendar {
    pub(super) day: NaiveDate,
    pub(super) week: NaiveDate,
    pub(super) month: NaiveDate,
    pub(super) hour: i64,
    pub(super) weekday: i64,
}

impl Calendar {
    pub(super) fn of(at: Timestamp) -> Self {
        let day = at.date_naive();
        let since_monday = u64::from(day.weekday().num_days_from_monday());
        Self {
            day,
            week: day.checked_sub_days(Days::new(since_monday)).unwrap_or(day),
            month: day.with_day(1).unwrap_or(day),
            hour: i64::from(at.hour()),
            weekday: i64::from(day.weekday().number_from_monday()),
        }
    }
}
