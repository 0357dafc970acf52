//! The clean room as plain loops: slow, obvious, and written without looking at the engine.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, TimeDelta, Timelike};
use domain::catalog::{ColumnName, INTERESTS_JOINED, TableName};
use domain::lake::Arrival;
use domain::question::{Aggregate, KeyValues, Plan, Value, encode_key};
use domain::record::{ActivityRecord, SubjectRecord};
use domain::subject::{AgeBand, FollowersBand};
use domain::{SubjectId, SubjectSet};
use dp::BoundingKey;

/// One row of one table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Whose it is.
    pub subject: SubjectId,
    /// To which act it belongs, if to one: platform and native key.
    act: Option<(&'static str, String)>,
    /// What sorts the rows of a person: the lake's order.
    order: (i64, String),
    values: BTreeMap<&'static str, Value>,
}

/// The rows of some tables.
pub type Tables = BTreeMap<TableName, Vec<Row>>;

/// The rows of `tables` that arrivals lead to: the first act per owner and native key, the newest known
/// attributes of each person.
#[must_use]
pub fn tables(tables: &[TableName], arrivals: &[Arrival]) -> Tables {
    tables.iter().map(|&table| (table, rows(table, arrivals))).collect()
}

fn rows(table: TableName, arrivals: &[Arrival]) -> Vec<Row> {
    match table {
        TableName::Activity => acts(arrivals).map(|(subject, platform, act)| activity(subject, platform, &act)).collect(),
        TableName::ActivityTag => {
            let tagged = acts(arrivals).flat_map(|(subject, platform, act)| {
                let key = act.native_key.into_owned();
                act.tags.into_iter().map(move |tag| (subject, platform, key.clone(), tag.into_owned()))
            });
            let row = |(subject, platform, key, tag): (_, _, String, String)| Row { act: Some((platform, key)), ..row(subject, (0, tag.clone()), vec![("tag", Value::Text(tag))]) };
            tagged.map(row).collect()
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
    Row { subject, act: None, order, values: values.into_iter().collect() }
}

fn word(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn acts(arrivals: &[Arrival]) -> impl Iterator<Item = (SubjectId, &'static str, ActivityRecord<'_>)> {
    let mut seen = BTreeSet::new();
    arrivals.iter().flat_map(|a| a.batch.activities.iter().map(move |act| (a, act))).filter_map(move |(arrival, act)| {
        let subject = *arrival.ids.get(usize::try_from(act.owner).ok()?)?;
        let platform = arrival.batch.source.platform.as_str();
        seen.insert((subject, platform, act.native_key.to_string())).then_some((subject, platform, act))
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

fn activity(subject: SubjectId, platform: &'static str, act: &ActivityRecord<'_>) -> Row {
    let text = |t: &Option<Cow<'_, str>>| t.as_deref().map_or(Value::Null, |t| Value::Text(t.to_owned()));
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
    let order = (act.at.map_or(i64::MIN, |t| t.timestamp_micros()), act.native_key.to_string());
    Row { act: Some((platform, act.native_key.to_string())), ..row(subject, order, values) }
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

/// One row of each table of a question.
#[derive(Clone)]
struct Joined<'a>(BTreeMap<TableName, &'a Row>);

impl Joined<'_> {
    fn get(&self, column: ColumnName) -> Value {
        self.0.get(&column.table()).and_then(|row| row.values.get(column.name())).cloned().unwrap_or(Value::Null)
    }

    /// Whether a row of another table speaks of the same act, where both speak of one.
    fn fits(&self, other: &Row) -> bool {
        self.0.values().all(|row| row.act.is_none() || other.act.is_none() || row.act == other.act)
    }
}

impl Reference<'_> {
    /// The exact, bounded answer over the plan's tables.
    #[must_use]
    pub fn answer(&self, tables: &Tables) -> ReferenceAnswer {
        let mut people: BTreeMap<SubjectId, BTreeMap<TableName, Vec<&Row>>> = BTreeMap::new();
        for &table in &self.plan.tables {
            for row in tables.get(&table).into_iter().flatten().filter(|row| self.eligible.contains(row.subject)) {
                people.entry(row.subject).or_default().entry(table).or_default().push(row);
            }
        }
        let mut answer = ReferenceAnswer { groups: BTreeMap::new(), participants: Vec::new() };
        for (subject, tables) in people {
            let rows: Vec<Joined<'_>> = self.joined(tables).into_iter().filter(|row| self.matches(row)).collect();
            if rows.is_empty() {
                continue;
            }
            answer.participants.push(subject);
            for (key, contribution) in self.contribution(subject, rows) {
                let values = answer.groups.entry(key).or_insert_with(|| vec![0; self.plan.aggregates.len()]);
                values.iter_mut().zip(contribution).for_each(|(value, add)| *value += add);
            }
        }
        answer
    }

    /// All combinations of one person's rows that belong together.
    fn joined<'a>(&self, mut tables: BTreeMap<TableName, Vec<&'a Row>>) -> Vec<Joined<'a>> {
        tables.values_mut().for_each(|rows| rows.sort_by(|a, b| a.order.cmp(&b.order)));
        // The first rows of the largest table are looked at, and the first interests are joined to them.
        let largest = [TableName::ActivityTag, TableName::Activity, TableName::SubjectInterest, TableName::Subject];
        let Some(largest) = largest.into_iter().find(|table| self.plan.tables.contains(table)) else { return Vec::new() };
        let mut joined = vec![Joined(BTreeMap::new())];
        for &table in &self.plan.tables {
            let most = match table {
                table if table == largest => self.plan.bounds.rows_at_scan(),
                TableName::SubjectInterest => INTERESTS_JOINED,
                TableName::Activity | TableName::ActivityTag | TableName::Subject => u32::MAX,
            };
            let rows: Vec<&Row> = tables.remove(&table).unwrap_or_default().into_iter().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
            let with = |base: &Joined<'a>, row: &'a Row| {
                let mut wider = base.clone();
                wider.0.insert(table, row);
                wider
            };
            joined = joined.iter().flat_map(|base| rows.iter().filter(|row| base.fits(row)).map(|row| with(base, row)).collect::<Vec<_>>()).collect();
        }
        joined
    }

    /// Whether a row satisfies `WHERE` and has listed keys only.
    fn matches(&self, row: &Joined<'_>) -> bool {
        let listed = self.plan.keys.iter().all(|key| match &key.values {
            KeyValues::Listed(values) => values.contains(&row.get(key.column)),
            KeyValues::Unknown | KeyValues::Domain => true,
        });
        listed && self.plan.filter.as_ref().is_none_or(|f| f.evaluate(&|c| row.get(c)) == Some(true))
    }

    /// What one person adds: at most c groups, each aggregate within its bound.
    fn contribution(&self, subject: SubjectId, rows: Vec<Joined<'_>>) -> Vec<(Vec<u8>, Vec<i128>)> {
        let bounds = &self.plan.bounds;
        let mut groups: BTreeMap<Vec<u8>, Vec<Joined<'_>>> = BTreeMap::new();
        for row in rows {
            let key: Vec<Value> = self.plan.keys.iter().map(|k| row.get(k.column)).collect();
            groups.entry(encode_key(&key)).or_default().push(row);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        if groups.len() > usize::try_from(bounds.groups()).unwrap_or(usize::MAX) {
            groups.sort_by_key(|(key, _)| (self.key.rank(subject.0, self.key.tag(key)), key.clone()));
            groups.truncate(usize::try_from(bounds.groups()).unwrap_or(usize::MAX));
        }
        let values = |rows: &[Joined<'_>]| self.plan.aggregates.iter().map(|a| self.value(a, rows)).collect();
        groups.into_iter().map(|(key, rows)| (key, values(&rows))).collect()
    }

    fn value(&self, aggregate: &Aggregate, rows: &[Joined<'_>]) -> i128 {
        let most = i128::from(self.plan.bounds.rows_per_group());
        let known = |column: ColumnName| rows.iter().map(|row| row.get(column)).filter(|value| *value != Value::Null).collect::<Vec<_>>();
        match aggregate {
            Aggregate::CountSubjects => 1,
            Aggregate::CountRows => length(rows).min(most),
            Aggregate::CountKnown { column } => length(&known(*column)).min(most),
            Aggregate::Sum { column, low, high, .. } => {
                let known: Vec<i128> = known(*column).iter().filter_map(|value| aggregate.grid_value(value)).collect();
                if known.is_empty() { 0 } else { known.iter().sum::<i128>().clamp((*low).into(), (*high).into()) }
            }
            Aggregate::CenteredSum { column, low, high, denominator } => {
                let (low, high) = (i128::from(*low), i128::from(*high));
                let values: Vec<i128> = known(*column).iter().map(|value| grid(value, *denominator).clamp(low, high)).collect();
                // Twice the distance of each value from the middle of low and high.
                let sum: i128 = values.iter().map(|x| (x - low) - (high - x)).sum();
                let count = length(&values);
                if count <= most { sum } else { sum * most / count }
            }
        }
    }
}

fn length<T>(list: &[T]) -> i128 {
    i128::try_from(list.len()).unwrap_or(i128::MAX)
}

/// A number in steps of 1/denominator.
fn grid(value: &Value, denominator: u32) -> i128 {
    match value {
        Value::Integer(x) => i128::from(*x) * i128::from(denominator),
        #[expect(clippy::cast_possible_truncation, reason = "values of a test; casts of floats saturate")]
        Value::Float(x) => (x * f64::from(denominator)).round_ties_even() as i128,
        Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Date(_) | Value::Timestamp(_) => 0,
    }
}
