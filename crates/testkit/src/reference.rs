//! The clean room as plain loops: slow, obvious, and written without looking at the engine.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, TimeDelta, Timelike};
use domain::catalog::TableName;
use domain::lake::Arrival;
use domain::question::{Aggregate, Plan, Value, encode_key};
use domain::record::{ActivityRecord, SubjectRecord};
use domain::subject::{AgeBand, FollowersBand};
use domain::{SubjectId, SubjectSet};
use dp::BoundingKey;

/// One row of one table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Whose it is.
    pub subject: SubjectId,
    /// What sorts the rows of a person: the lake's order.
    order: (i64, String),
    values: BTreeMap<&'static str, Value>,
}

impl Row {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Value {
        self.values.get(column).cloned().unwrap_or(Value::Null)
    }
}

/// The rows of `table` that arrivals lead to: the first act per owner and native key, the newest known
/// attributes of each person.
#[must_use]
pub fn rows(table: TableName, arrivals: &[Arrival]) -> Vec<Row> {
    match table {
        TableName::Activity => acts(arrivals).map(|(subject, platform, act)| activity(subject, platform, act)).collect(),
        TableName::ActivityTag => {
            acts(arrivals).flat_map(|(subject, _, act)| act.tags.iter().map(move |tag| row(subject, (0, tag.clone()), vec![("tag", Value::Text(tag.clone()))]))).collect()
        }
        TableName::Subject => people(arrivals).into_iter().map(|(subject, values)| row(subject, (0, String::new()), values.into_iter().collect())).collect(),
        TableName::SubjectInterest => {
            let all = subjects(arrivals).flat_map(|(id, s)| s.interests.iter().map(move |i| (id, i.topic.clone(), i.origin)));
            let all: BTreeSet<_> = all.collect();
            all.into_iter().map(|(id, topic, origin)| row(id, (0, topic.clone()), vec![("interest", Value::Text(topic)), ("origin", word(origin.as_str()))])).collect()
        }
    }
}

fn row(subject: SubjectId, order: (i64, String), values: Vec<(&'static str, Value)>) -> Row {
    Row { subject, order, values: values.into_iter().collect() }
}

fn word(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn acts(arrivals: &[Arrival]) -> impl Iterator<Item = (SubjectId, &'static str, &ActivityRecord)> {
    let mut seen = BTreeSet::new();
    arrivals.iter().flat_map(|a| a.batch.activities.iter().map(move |act| (a, act))).filter_map(move |(arrival, act)| {
        let subject = *arrival.ids.get(usize::try_from(act.owner).ok()?)?;
        let platform = arrival.batch.source.platform.as_str();
        seen.insert((subject, platform, act.native_key.as_str())).then_some((subject, platform, act))
    })
}

fn subjects(arrivals: &[Arrival]) -> impl Iterator<Item = (SubjectId, &SubjectRecord)> {
    arrivals.iter().flat_map(|a| a.ids.iter().copied().zip(&a.batch.subjects))
}

fn people(arrivals: &[Arrival]) -> BTreeMap<SubjectId, BTreeMap<&'static str, Value>> {
    let mut people: BTreeMap<SubjectId, BTreeMap<&'static str, Value>> = BTreeMap::new();
    for (id, s) in subjects(arrivals) {
        let person = people.entry(id).or_insert_with(|| [("age_band", word("unknown")), ("followers_band", word("unknown"))].into());
        let text = |t: &Option<String>| t.clone().map(Value::Text);
        let known = |w: &'static str| (w != "unknown").then(|| word(w));
        let month = s.joined.and_then(|at| at.date_naive().with_day(1)).map(Value::Date);
        let learned = [
            ("country", text(&s.country)),
            ("region", text(&s.region)),
            ("language", text(&s.language)),
            ("joined_month", month),
            ("age_band", known(AgeBand::as_str(s.age))),
            ("followers_band", known(FollowersBand::of(s.followers).as_str())),
        ];
        person.extend(learned.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }
    people
}

fn activity(subject: SubjectId, platform: &str, act: &ActivityRecord) -> Row {
    let text = |t: &Option<String>| t.clone().map_or(Value::Null, Value::Text);
    let count = |n: Option<u32>| n.map_or(Value::Null, |n| Value::Integer(n.into()));
    let mut values = vec![
        ("platform", word(platform)),
        ("kind", word(act.kind.as_str())),
        ("language", text(&act.language)),
        ("word_count", count(act.word_count)),
        ("media", word(act.media.as_str())),
        ("visibility", word(act.visibility.as_str())),
        ("link_domain", text(&act.link_domain)),
        ("container", text(&act.container)),
        ("likes_received", count(act.likes_received)),
        ("replies_received", count(act.replies_received)),
        ("shares_received", count(act.shares_received)),
    ];
    if let Some(at) = act.at {
        let day = at.date_naive();
        let back = TimeDelta::days(i64::from(day.weekday().number_from_monday()) - 1);
        values.extend([
            ("at", Value::Timestamp(at)),
            ("day", Value::Date(day)),
            ("week", Value::Date(day - back)),
            ("month", Value::Date(day.with_day(1).unwrap_or(day))),
            ("hour", Value::Integer(at.hour().into())),
            ("weekday", Value::Integer(day.weekday().number_from_monday().into())),
        ]);
    }
    row(subject, (act.at.map_or(i64::MIN, |t| t.timestamp_micros()), act.native_key.clone()), values)
}

/// Exact, bounded values by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceAnswer {
    /// Groups that somebody is in: the bytes of their key, and the values in the plan's order.
    pub groups: BTreeMap<Vec<u8>, Vec<i128>>,
    /// Eligible people with a matching row.
    pub participants: Vec<SubjectId>,
}

/// The clean room as plain loops.
#[derive(Debug)]
pub struct Reference<'a> {
    /// What to compute.
    pub plan: &'a Plan,
    /// Over whose rows.
    pub eligible: &'a SubjectSet,
    /// By which secret groups are chosen.
    pub key: &'a BoundingKey,
}

impl Reference<'_> {
    /// The exact, bounded answer over `rows`.
    #[must_use]
    pub fn answer(&self, rows: &[Row]) -> ReferenceAnswer {
        let mut by_person: BTreeMap<SubjectId, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let matches = self.plan.filter.as_ref().is_none_or(|f| f.evaluate(&|c| row.get(c)) == Some(true));
            if matches && self.eligible.contains(row.subject) {
                by_person.entry(row.subject).or_default().push(row);
            }
        }
        let mut answer = ReferenceAnswer { groups: BTreeMap::new(), participants: by_person.keys().copied().collect() };
        for (subject, rows) in by_person {
            for (key, contribution) in self.contribution(subject, rows) {
                let values = answer.groups.entry(key).or_insert_with(|| vec![0; self.plan.aggregates.len()]);
                values.iter_mut().zip(contribution).for_each(|(value, add)| *value += add);
            }
        }
        answer
    }

    /// What one person adds: at most c groups, each aggregate within its bound.
    fn contribution(&self, subject: SubjectId, mut rows: Vec<&Row>) -> Vec<(Vec<u8>, Vec<i128>)> {
        let bounds = &self.plan.bounds;
        rows.sort_by(|a, b| a.order.cmp(&b.order));
        rows.truncate(usize::try_from(bounds.rows_at_scan()).unwrap_or(usize::MAX));
        let mut groups: BTreeMap<Vec<u8>, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let key: Vec<Value> = self.plan.keys.iter().map(|k| row.get(k)).collect();
            groups.entry(encode_key(&key)).or_default().push(row);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if groups.len() > usize::try_from(bounds.groups()).unwrap_or(usize::MAX) {
            groups.sort_by_key(|(key, _)| (self.key.rank(subject.0, self.key.tag(key)), key.clone()));
            groups.truncate(usize::try_from(bounds.groups()).unwrap_or(usize::MAX));
        }
        let values = |rows: &[&Row]| self.plan.aggregates.iter().map(|a| self.value(a, rows)).collect();
        groups.into_iter().map(|(key, rows)| (key, values(&rows))).collect()
    }

    fn value(&self, aggregate: &Aggregate, rows: &[&Row]) -> i128 {
        match aggregate {
            Aggregate::CountSubjects => 1,
            Aggregate::CountRows => i128::try_from(rows.len()).unwrap_or(i128::MAX).min(self.plan.bounds.rows_per_group().into()),
            Aggregate::Sum { column, low, high, .. } => {
                let known: Vec<i128> = rows.iter().filter_map(|r| aggregate.grid_value(&r.get(column))).collect();
                if known.is_empty() { 0 } else { known.iter().sum::<i128>().clamp((*low).into(), (*high).into()) }
            }
        }
    }
}
