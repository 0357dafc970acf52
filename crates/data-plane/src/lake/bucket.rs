//! One bucket: what was there ∪ what arrives, per owner and native key.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, FixedSizeBinaryBuilder, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use datafusion::arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use datafusion::arrow::datatypes::{Date32Type, UInt32Type};
use datafusion::arrow::error::ArrowError;
use domain::Fault;
use domain::catalog::TableName;
use domain::lake::Manifest;
use domain::record::Counts;
use domain::subject::{AgeBand, FollowersBand};

use super::files::{self, Written};
use super::rows::{ActivityId, ActivityRow, BucketRows, Calendar, SubjectRow};
use crate::schema::{ACTIVITY_ID_BYTES, schema};

/// Writes the files of a bucket that change, and counts what was new.
pub(super) fn merge(root: &Path, base: &Manifest, bucket: u32, rows: &BucketRows<'_>, counts: &mut [Counts]) -> Result<Vec<Written>, Fault> {
    let old = |table: TableName| {
        let file = base.files(table).iter().find(|f| f.bucket == bucket);
        file.map(|f| files::read(&root.join(&f.path), table)).transpose()
    };
    let mut written = Vec::new();
    let old_activities = old(TableName::Activity)?;
    let new = new_activities(old_activities.as_ref(), &rows.activities, counts)?;
    if !new.is_empty() {
        written.push(append(root, TableName::Activity, bucket, old_activities, activity_batch(&new))?);
        let tags = tag_batch(&new);
        if tags.as_ref().map_or(1, RecordBatch::num_rows) > 0 {
            written.push(append(root, TableName::ActivityTag, bucket, old(TableName::ActivityTag)?, tags)?);
        }
    }
    written.extend(merge_subjects(root, bucket, old(TableName::Subject)?, &rows.subjects)?);
    written.extend(merge_interests(root, bucket, old(TableName::SubjectInterest)?, &rows.subjects)?);
    Ok(written)
}

fn arrow(error: ArrowError) -> Fault {
    Fault::new("building rows for the lake", error)
}

/// The acts whose owner and native key are not there yet. The first of equals in a source wins.
fn new_activities<'a>(old: Option<&RecordBatch>, rows: &'a [ActivityRow<'a>], counts: &mut [Counts]) -> Result<Vec<&'a ActivityRow<'a>>, Fault> {
    let mut seen: HashSet<(u32, ActivityId)> = HashSet::new();
    if let Some(old) = old {
        let subjects = column(old, "subject_id")?.as_primitive::<UInt32Type>();
        let ids = column(old, "activity_id")?.as_fixed_size_binary();
        for (subject, id) in subjects.values().iter().zip(ids.iter().flatten()) {
            seen.insert((*subject, id.try_into().map_err(|e| Fault::new("reading an act's id", e))?));
        }
    }
    let mut new = Vec::new();
    for row in rows {
        let counts = counts.get_mut(row.arrival).ok_or_else(|| Fault::broken("an act of no source"))?;
        if seen.insert((row.subject.0, row.id)) {
            counts.count(row.record.kind);
            new.push(row);
        } else {
            counts.duplicates += 1;
        }
    }
    Ok(new)
}

/// Old and new rows, sorted by all leading columns that tell rows apart, as the bucket's new file.
fn append(root: &Path, table: TableName, bucket: u32, old: Option<RecordBatch>, new: Result<RecordBatch, ArrowError>) -> Result<Written, Fault> {
    let new = new.map_err(arrow)?;
    let all = match old {
        Some(old) => concat_batches(&schema(table), [&old, &new]).map_err(arrow)?,
        None => new,
    };
    let order: &[&str] = match table {
        TableName::Activity => &["subject_id", "at", "activity_id"],
        TableName::ActivityTag => &["subject_id", "tag", "activity_id"],
        TableName::Subject => &["subject_id"],
        TableName::SubjectInterest => &["subject_id", "interest", "origin"],
    };
    let order = order.iter().map(|name| column(&all, name).map(|c| SortColumn { values: Arc::clone(c), options: None })).collect::<Result<Vec<_>, _>>()?;
    let indices = lexsort_to_indices(&order, None).map_err(arrow)?;
    let sorted = take_record_batch(&all, &indices).map_err(arrow)?;
    files::write(root, table, bucket, &sorted)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Fault> {
    batch.column_by_name(name).ok_or_else(|| Fault::broken(format!("the lake has no column {name}")))
}

fn activity_batch(rows: &[&ActivityRow<'_>]) -> Result<RecordBatch, ArrowError> {
    let times: Vec<Option<Calendar>> = rows.iter().map(|r| r.record.at.map(Calendar::of)).collect();
    let text = |get: &dyn Fn(&ActivityRow<'_>) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(|r| get(r)).collect::<StringArray>()) };
    let word = |get: &dyn Fn(&ActivityRow<'_>) -> &'static str| -> ArrayRef { Arc::new(rows.iter().map(|r| Some(get(r))).collect::<StringArray>()) };
    let number = |get: &dyn Fn(&ActivityRow<'_>) -> Option<u32>| -> ArrayRef { Arc::new(rows.iter().map(|r| get(r).map(i64::from)).collect::<Int64Array>()) };
    let date =
        |get: &dyn Fn(&Calendar) -> NaiveDate| -> ArrayRef { Arc::new(times.iter().map(|t| t.as_ref().map(|t| Date32Type::from_naive_date(get(t)))).collect::<Date32Array>()) };
    let clock = |get: &dyn Fn(&Calendar) -> i64| -> ArrayRef { Arc::new(times.iter().map(|t| t.as_ref().map(get)).collect::<Int64Array>()) };
    let columns = schema(TableName::Activity)
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "subject_id" => Ok(Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.subject.0))) as ArrayRef),
            "activity_id" => ids(rows.iter().map(|r| &r.id)),
            "platform" => Ok(word(&|r| r.platform)),
            "kind" => Ok(word(&|r| r.record.kind.as_str())),
            "at" => Ok(Arc::new(rows.iter().map(|r| r.record.at.map(|t| t.timestamp_micros())).collect::<TimestampMicrosecondArray>()) as ArrayRef),
            "day" => Ok(date(&|t| t.day)),
            "week" => Ok(date(&|t| t.week)),
            "month" => Ok(date(&|t| t.month)),
            "hour" => Ok(clock(&|t| t.hour)),
            "weekday" => Ok(clock(&|t| t.weekday)),
            "language" => Ok(text(&|r| r.record.language.clone())),
            "sentiment" => Ok(Arc::new(Float64Array::new_null(rows.len())) as ArrayRef),
            "word_count" => Ok(number(&|r| r.record.word_count)),
            "media" => Ok(word(&|r| r.record.media.as_str())),
            "visibility" => Ok(word(&|r| r.record.visibility.as_str())),
            "link_domain" => Ok(text(&|r| r.record.link_domain.clone())),
            "container" => Ok(text(&|r| r.record.container.clone())),
            "likes_received" => Ok(number(&|r| r.record.likes_received)),
            "replies_received" => Ok(number(&|r| r.record.replies_received)),
            "shares_received" => Ok(number(&|r| r.record.shares_received)),
            "native_key" => Ok(text(&|r| Some(r.record.native_key.clone()))),
            "text" => Ok(text(&|r| r.record.text.clone())),
            other => Err(ArrowError::SchemaError(format!("no value for column {other}"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema(TableName::Activity), columns)
}

fn ids<'a>(values: impl Iterator<Item = &'a ActivityId>) -> Result<ArrayRef, ArrowError> {
    let mut builder = FixedSizeBinaryBuilder::new(ACTIVITY_ID_BYTES);
    for id in values {
        builder.append_value(id)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn tag_batch(rows: &[&ActivityRow<'_>]) -> Result<RecordBatch, ArrowError> {
    let tagged = || rows.iter().flat_map(|r| r.record.tags.iter().map(move |tag| (r, tag)));
    let subjects: ArrayRef = Arc::new(UInt32Array::from_iter_values(tagged().map(|(r, _)| r.subject.0)));
    let ids = ids(tagged().map(|(r, _)| &r.id))?;
    let tags: ArrayRef = Arc::new(tagged().map(|(_, tag)| Some(tag.as_str())).collect::<StringArray>());
    RecordBatch::try_new(schema(TableName::ActivityTag), vec![subjects, ids, tags])
}

/// One person's attributes. A later source fills in and corrects; what it does not know stays.
#[derive(Clone, Default, PartialEq)]
struct Attributes {
    country: Option<String>,
    region: Option<String>,
    age_band: Option<String>,
    language: Option<String>,
    joined_month: Option<i32>,
    followers_band: Option<String>,
}

impl Attributes {
    fn learn(&mut self, row: &SubjectRow<'_>) {
        let record = row.record;
        let known = |word: &'static str, unknown: &str| (word != unknown).then(|| word.to_owned());
        let month = record.joined.map(|at| Date32Type::from_naive_date(Calendar::of(at).month));
        overwrite(&mut self.country, record.country.clone());
        overwrite(&mut self.region, record.region.clone());
        overwrite(&mut self.age_band, known(record.age.as_str(), AgeBand::Unknown.as_str()));
        overwrite(&mut self.language, record.language.clone());
        overwrite(&mut self.joined_month, month);
        overwrite(&mut self.followers_band, known(FollowersBand::of(record.followers).as_str(), FollowersBand::Unknown.as_str()));
    }
}

fn overwrite<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

fn merge_subjects(root: &Path, bucket: u32, old: Option<RecordBatch>, rows: &[SubjectRow<'_>]) -> Result<Option<Written>, Fault> {
    let mut people: BTreeMap<u32, Attributes> = BTreeMap::new();
    if let Some(old) = &old {
        let subjects = column(old, "subject_id")?.as_primitive::<UInt32Type>();
        let text = |name: &str| column(old, name).map(|c| c.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>());
        let (countries, regions, ages, languages, followers) = (text("country")?, text("region")?, text("age_band")?, text("language")?, text("followers_band")?);
        let months = column(old, "joined_month")?.as_primitive::<Date32Type>();
        let texts = countries.into_iter().zip(regions).zip(ages).zip(languages).zip(followers);
        for ((&subject, joined_month), ((((country, region), age), language), followers)) in subjects.values().iter().zip(months.iter()).zip(texts) {
            let age_band = age.filter(|a| a != AgeBand::Unknown.as_str());
            let followers_band = followers.filter(|f| f != FollowersBand::Unknown.as_str());
            people.insert(subject, Attributes { country, region, age_band, language, joined_month, followers_band });
        }
    }
    let before = people.clone();
    for row in rows {
        people.entry(row.subject.0).or_default().learn(row);
    }
    if people == before {
        return Ok(None);
    }
    let text = |get: &dyn Fn(&Attributes) -> Option<String>| -> ArrayRef { Arc::new(people.values().map(get).collect::<StringArray>()) };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(people.keys().copied())),
        text(&|p| p.country.clone()),
        text(&|p| p.region.clone()),
        text(&|p| Some(p.age_band.clone().unwrap_or_else(|| AgeBand::Unknown.as_str().to_owned()))),
        text(&|p| p.language.clone()),
        Arc::new(people.values().map(|p| p.joined_month).collect::<Date32Array>()),
        text(&|p| Some(p.followers_band.clone().unwrap_or_else(|| FollowersBand::Unknown.as_str().to_owned()))),
    ];
    let batch = RecordBatch::try_new(schema(TableName::Subject), columns).map_err(arrow)?;
    files::write(root, TableName::Subject, bucket, &batch).map(Some)
}

fn merge_interests(root: &Path, bucket: u32, old: Option<RecordBatch>, rows: &[SubjectRow<'_>]) -> Result<Option<Written>, Fault> {
    let mut interests: BTreeSet<(u32, String, String)> = BTreeSet::new();
    if let Some(old) = &old {
        let subjects = column(old, "subject_id")?.as_primitive::<UInt32Type>();
        let (topics, origins) = (column(old, "interest")?.as_string::<i32>(), column(old, "origin")?.as_string::<i32>());
        for ((&subject, topic), origin) in subjects.values().iter().zip(topics.iter().flatten()).zip(origins.iter().flatten()) {
            interests.insert((subject, topic.to_owned(), origin.to_owned()));
        }
    }
    let before = interests.len();
    for row in rows {
        interests.extend(row.record.interests.iter().map(|i| (row.subject.0, i.topic.clone(), i.origin.as_str().to_owned())));
    }
    if interests.len() == before {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(interests.iter().map(|i| i.0))),
        Arc::new(interests.iter().map(|i| Some(i.1.as_str())).collect::<StringArray>()),
        Arc::new(interests.iter().map(|i| Some(i.2.as_str())).collect::<StringArray>()),
    ];
    let batch = RecordBatch::try_new(schema(TableName::SubjectInterest), columns).map_err(arrow)?;
    files::write(root, TableName::SubjectInterest, bucket, &batch).map(Some)
}
