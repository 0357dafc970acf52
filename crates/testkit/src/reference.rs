//! The clean room as plain loops: slow, obvious, and written without looking at the engine.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, TimeDelta, Timelike};
use domain::catalog::{INTERESTS_JOINED, TableName};
use domain::lake::Arrival;
use domain::question::{Aggregate, Field, Fold, Grid, Inner, KeyValues, Plan, RowExpr, Value, encode_key, tree_shape};
use domain::record::{ActivityRecord, SubjectRecord};
use domain::subject::{AgeBand, FollowersBand};
use domain::{CreatorId, CreatorList, SubjectId, SubjectSet};
use dp::BoundingKey;

use crate::partner::rows_of;

/// One row of one table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Whose it is.
    pub subject: SubjectId,
    /// To which act it belongs, if to one: platform and native key.
    act: Option<(&'static str, String)>,
    /// The account that it is about.
    creator: Option<CreatorId>,
    /// What sorts the rows of a person: the lake's order.
    order: (i64, String),
    values: BTreeMap<&'static str, Value>,
}

impl Row {
    /// The value of a column; null where there is none.
    #[must_use]
    pub fn value(&self, column: &str) -> Value {
        self.values.get(column).cloned().unwrap_or(Value::Null)
    }

    /// The account that it is about, or that it describes, as a text.
    #[must_use]
    pub fn creator(&self) -> Option<String> {
        self.creator.map(|creator| creator.number().to_string())
    }

    /// The act that it belongs to, as a text that tells acts of one person apart.
    #[must_use]
    pub fn act(&self) -> Option<String> {
        self.act.as_ref().map(|(platform, key)| format!("{platform} {key}"))
    }
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
        // Nobody's: see `listed`.
        TableName::Creator => Vec::new(),
        TableName::Partner(_) => {
            let names = crate::catalog(table).columns.iter().skip(1).map(|column| column.name);
            rows_of(arrivals).into_iter().zip(0..).map(|((id, values), place)| row(id, (place, String::new()), names.clone().zip(values).collect())).collect()
        }
    }
}

/// The rows of the public list. They are nobody's, whatever they say.
#[must_use]
pub fn listed(creators: &CreatorList) -> Vec<Row> {
    let values = |creator: &domain::creator::Creator| ["name", "platform", "category"].map(|column| (column, creator.value(column))).to_vec();
    creators.all().iter().map(|creator| Row { creator: Some(creator.id), ..row(SubjectId(u32::MAX), (0, String::new()), values(creator)) }).collect()
}

fn row(subject: SubjectId, order: (i64, String), values: Vec<(&'static str, Value)>) -> Row {
    Row { subject, act: None, creator: None, order, values: values.into_iter().collect() }
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
    Row { act: Some((platform, act.native_key.to_string())), creator: act.creator, ..row(subject, order, values) }
}

/// What one group has of one aggregate, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A sum.
    Number(i128),
    /// Different values, by the bytes of their key.
    Distinct(BTreeSet<Vec<u8>>),
    /// How many values lie in each leaf of the tree of percentiles.
    Leaves(BTreeMap<u32, u64>),
}

impl Part {
    /// Nothing of an aggregate.
    #[must_use]
    pub fn nothing(aggregate: &Aggregate) -> Self {
        match aggregate {
            Aggregate::CountDistinct { .. } => Self::Distinct(BTreeSet::new()),
            Aggregate::Quantiles { .. } => Self::Leaves(BTreeMap::new()),
            _ => Self::Number(0),
        }
    }

    /// With what others have of the same aggregate.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => *a += b,
            (Self::Distinct(a), Self::Distinct(b)) => a.extend(b.iter().cloned()),
            (Self::Leaves(a), Self::Leaves(b)) => b.iter().for_each(|(leaf, count)| *a.entry(*leaf).or_default() += count),
            (a, b) => *a = b.clone(),
        }
    }
}

/// Exact, bounded values by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceAnswer {
    /// Groups that somebody is in: the bytes of their key, and what they have, in the plan's order.
    pub groups: BTreeMap<Vec<u8>, Vec<Part>>,
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
    /// The public list, as [`listed`] gives it.
    pub creators: &'a [Row],
}

/// One row of each table of a question, and one of each of its subqueries.
#[derive(Clone, Default)]
struct Joined<'a> {
    rows: BTreeMap<TableName, &'a Row>,
    made: Vec<(usize, Fold, Value)>,
}

impl Joined<'_> {
    fn get(&self, field: &Field) -> Value {
        match field {
            Field::Column(column) => self.rows.get(&column.table()).and_then(|row| row.values.get(column.name())).cloned().unwrap_or(Value::Null),
            Field::Fold(place, fold) => self.made.iter().find(|(of, made, _)| of == place && *made == **fold).map_or(Value::Null, |(_, _, value)| value.clone()),
        }
    }

    /// Whether a row of another table speaks of the same act, where both speak of one.
    fn fits(&self, table: TableName, other: &Row) -> bool {
        if table == TableName::Creator {
            return self.rows.get(&TableName::Activity).is_some_and(|act| act.creator == other.creator);
        }
        self.rows.values().all(|row| row.act.is_none() || other.act.is_none() || row.act == other.act)
    }
}

/// One person's rows, by table.
type Own<'a> = BTreeMap<TableName, Vec<&'a Row>>;

impl<'list> Reference<'list> {
    /// The tables that the plan and its subqueries read.
    #[must_use]
    pub fn tables(plan: &Plan) -> Vec<TableName> {
        plan.tables.iter().copied().chain(plan.inner().iter().flat_map(Inner::all_tables)).collect()
    }

    /// The exact, bounded answer over the plan's tables.
    #[must_use]
    pub fn answer(&self, tables: &Tables) -> ReferenceAnswer {
        let mut people: BTreeMap<SubjectId, Own<'_>> = BTreeMap::new();
        for (&table, rows) in tables {
            for row in rows.iter().filter(|row| self.eligible.contains(row.subject)) {
                people.entry(row.subject).or_default().entry(table).or_default().push(row);
            }
        }
        let mut answer = ReferenceAnswer { groups: BTreeMap::new(), participants: Vec::new() };
        for (subject, mut own) in people {
            own.values_mut().for_each(|rows| rows.sort_by(|a, b| a.order.cmp(&b.order)));
            let rows: Vec<Joined<'_>> = self.from(&self.plan.tables, &self.plan.inner(), subject, &own).into_iter().filter(|row| self.matches(row)).collect();
            if rows.is_empty() {
                continue;
            }
            answer.participants.push(subject);
            for (key, contribution) in self.contribution(subject, rows) {
                let values = answer.groups.entry(key).or_insert_with(|| self.plan.aggregates.iter().map(Part::nothing).collect());
                values.iter_mut().zip(&contribution).for_each(|(value, add)| value.merge(add));
            }
        }
        answer
    }

    /// All combinations of one person's rows that belong together, each with every row of every subquery.
    fn from<'a>(&self, tables: &[TableName], inner: &[Inner<'_>], subject: SubjectId, own: &Own<'a>) -> Vec<Joined<'a>>
    where
        'list: 'a,
    {
        let several = inner.iter().any(|inner| !inner.subquery.keys.is_empty());
        let mut joined = self.joined(tables, several, own);
        for (place, inner) in inner.iter().enumerate() {
            let made = self.made(inner, subject, own);
            let with = |base: &Joined<'a>, row: &Vec<(Fold, Value)>| {
                let mut wider = base.clone();
                wider.made.extend(row.iter().map(|(fold, value)| (place, fold.clone(), value.clone())));
                wider
            };
            joined = joined.iter().flat_map(|base| made.iter().map(|row| with(base, row)).collect::<Vec<_>>()).collect();
        }
        joined
    }

    /// The rows that a subquery makes of one person: one for each combination of keys.
    fn made(&self, inner: &Inner<'_>, subject: SubjectId, own: &Own<'_>) -> Vec<Vec<(Fold, Value)>> {
        let Inner { subquery, folds } = inner;
        let mut groups: Vec<(Vec<u8>, Vec<Joined<'_>>)> = Vec::new();
        for row in self.from(&subquery.tables, &inner.inner(), subject, own) {
            if subquery.filter.as_ref().is_some_and(|filter| filter.evaluate(&|field| row.get(field)) != Value::Boolean(true)) {
                continue;
            }
            let key = encode_key(&subquery.keys.iter().map(|key| key.evaluate(&|field| row.get(field))).collect::<Vec<_>>());
            match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        // Of too many, those with the lowest ranks are made.
        let rank = |key: &Vec<u8>| (self.key.rank(subject.0, self.key.tag(key)), key.clone());
        let mut ranks: Vec<_> = groups.iter().map(|(key, _)| rank(key)).collect();
        ranks.sort();
        ranks.truncate(usize::try_from(subquery.rows).unwrap_or(usize::MAX));
        groups.retain(|(key, _)| ranks.last().is_some_and(|last| rank(key) <= *last));
        let value = |fold: &Fold, rows: &[Joined<'_>]| {
            let mut folding = fold.start();
            rows.iter().for_each(|row| folding.add(fold.of().map_or(Value::Boolean(true), |of| of.evaluate(&|field| row.get(field)))));
            folding.value()
        };
        groups.into_iter().map(|(_, rows)| folds.iter().map(|fold| (fold.clone(), value(fold, &rows))).collect()).collect()
    }

    /// All combinations of one person's rows that belong together. Without tables, one row without columns.
    /// `several` says that they are joined to several rows of a subquery.
    fn joined<'a>(&self, tables: &[TableName], several: bool, own: &Own<'a>) -> Vec<Joined<'a>>
    where
        'list: 'a,
    {
        // The first rows of the largest table are looked at, and the first interests are joined to them.
        let most_rows = [TableName::ActivityTag, TableName::Activity, TableName::SubjectInterest];
        let largest = most_rows.into_iter().find(|table| tables.contains(table));
        let largest = largest.or_else(|| tables.iter().copied().find(|table| matches!(table, TableName::Partner(_)))).or(Some(TableName::Subject));
        let largest = largest.filter(|_| !several);
        let mut joined = vec![Joined::default()];
        for &table in tables {
            let most = match table {
                table if Some(table) == largest => self.plan.bounds.rows_at_scan(),
                TableName::SubjectInterest | TableName::Partner(_) => INTERESTS_JOINED,
                TableName::Activity | TableName::ActivityTag | TableName::Subject | TableName::Creator => u32::MAX,
            };
            let of_person = own.get(&table).into_iter().flatten().copied().take(usize::try_from(most).unwrap_or(usize::MAX));
            let rows: Vec<&'a Row> = if table == TableName::Creator { self.creators.iter().collect() } else { of_person.collect() };
            let with = |base: &Joined<'a>, row: &'a Row| {
                let mut wider = base.clone();
                wider.rows.insert(table, row);
                wider
            };
            joined = joined.iter().flat_map(|base| rows.iter().filter(|row| base.fits(table, row)).map(|row| with(base, row)).collect::<Vec<_>>()).collect();
        }
        joined
    }

    /// Whether a row satisfies `WHERE` and has listed keys only.
    fn matches(&self, row: &Joined<'_>) -> bool {
        let listed = self.plan.keys.iter().all(|key| match &key.values {
            KeyValues::Listed(values) => values.contains(&key.of.evaluate(&|field| row.get(field))),
            KeyValues::Unknown | KeyValues::Domain => true,
        });
        listed && self.plan.filter.as_ref().is_none_or(|f| f.evaluate(&|field| row.get(field)) == Value::Boolean(true))
    }

    /// What one person adds: at most c groups, each aggregate within its bound.
    fn contribution(&self, subject: SubjectId, rows: Vec<Joined<'_>>) -> Vec<(Vec<u8>, Vec<Part>)> {
        let bounds = &self.plan.bounds;
        let mut groups: BTreeMap<Vec<u8>, Vec<Joined<'_>>> = BTreeMap::new();
        for row in rows {
            let key: Vec<Value> = self.plan.keys.iter().map(|k| k.of.evaluate(&|field| row.get(field))).collect();
            groups.entry(encode_key(&key)).or_default().push(row);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(key, _)| (self.key.rank(subject.0, self.key.tag(key)), key.clone()));
        groups.truncate(usize::try_from(bounds.groups()).unwrap_or(usize::MAX));
        // In that order groups use up the rows that count overall.
        let mut room = bounds.rows_overall().map_or(i128::MAX, i128::from);
        let mut contribution = Vec::new();
        for (key, rows) in groups {
            let most = i128::from(bounds.rows_per_group()).min(room);
            room -= length(&rows).min(most);
            contribution.push((key, self.plan.aggregates.iter().map(|a| self.part(a, subject, &rows, most)).collect()));
        }
        contribution
    }

    fn part(&self, aggregate: &Aggregate, subject: SubjectId, rows: &[Joined<'_>], most: i128) -> Part {
        let known = |of: &RowExpr| rows.iter().map(|row| of.evaluate(&|field| row.get(field))).filter(|value| *value != Value::Null).collect::<Vec<_>>();
        let weighed = |values: &[i128]| {
            let (sum, count) = (values.iter().sum::<i128>(), length(values));
            if count <= most { sum } else { sum * most / count }
        };
        let within =
            |of: &RowExpr, values: &Grid| known(of).iter().map(|value| grid(value, values.denominator).clamp(values.low.into(), values.high.into())).collect::<Vec<i128>>();
        // Twice the distance of a value from the middle of low and high.
        let distance = |x: &i128, values: &Grid| (x - i128::from(values.low)) - (i128::from(values.high) - x);
        Part::Number(match aggregate {
            Aggregate::CountSubjects => 1,
            Aggregate::CountRows => length(rows).min(most),
            Aggregate::CountKnown { of } => length(&known(of)).min(most),
            Aggregate::Sum { of, sums, values } => {
                let all: Vec<i128> = match values {
                    Some(values) => within(of, values),
                    None => known(of).iter().map(|value| grid(value, sums.denominator)).collect(),
                };
                if all.is_empty() { 0 } else { all.iter().sum::<i128>().clamp(sums.low.into(), sums.high.into()) }
            }
            Aggregate::CenteredSum { of, values } => weighed(&within(of, values).iter().map(|x| distance(x, values)).collect::<Vec<_>>()),
            Aggregate::CenteredSquares { of, values } => {
                let widest = i128::from(values.high) - i128::from(values.low);
                weighed(&within(of, values).iter().map(|x| 2 * distance(x, values) * distance(x, values) - widest * widest).collect::<Vec<_>>())
            }
            Aggregate::CountDistinct { of } => {
                let all: BTreeSet<Vec<u8>> = known(of).iter().map(|value| encode_key(std::slice::from_ref(value))).collect();
                let mut all: Vec<Vec<u8>> = all.into_iter().collect();
                if length(&all) > most {
                    all.sort_by_key(|value| (self.key.rank(subject.0, self.key.tag(value)), value.clone()));
                    all.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                }
                return Part::Distinct(all.into_iter().collect());
            }
            Aggregate::Quantiles { of, values, .. } => {
                let mut leaves: Vec<u32> = within(of, values).iter().filter_map(|x| Some(tree_shape(values).ok()?.leaf(i64::try_from(*x).ok()?))).collect();
                leaves.sort_unstable();
                let (all, most) = (leaves.len(), usize::try_from(most).unwrap_or(usize::MAX));
                let kept: Vec<u32> = if all <= most { leaves } else { (0..most).filter_map(|part| leaves.get((2 * part + 1) * all / (2 * most)).copied()).collect() };
                let mut counts = BTreeMap::new();
                kept.into_iter().for_each(|leaf| *counts.entry(leaf).or_default() += 1);
                return Part::Leaves(counts);
            }
        })
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
