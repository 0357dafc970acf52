//! Random questions in the accepted SQL: joins, aliases, conditions, averages, lists of keys.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta};
use domain::catalog::{Calendar, Column, ColumnType, Domain, Table, TableName};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::Generator;

/// A column and how the question writes it.
#[derive(Clone)]
struct Written {
    column: &'static Column,
    text: String,
}

impl Generator {
    /// A random question in the accepted SQL, as text.
    pub fn sql(&mut self) -> String {
        let (from, columns) = self.from();
        let groupable: Vec<&Written> = columns.iter().filter(|c| !matches!(c.column.ty, ColumnType::Id | ColumnType::Timestamp | ColumnType::Float)).collect();
        let many = self.0.random_range(0..3);
        let keys: Vec<Written> = groupable.sample(&mut self.0, many).map(|c| (*c).clone()).collect();
        let mut aggregates = vec!["count(*)".to_owned(), "count(distinct subject_id)".to_owned()];
        aggregates.extend(columns.iter().filter(|c| c.column.sum.is_some()).flat_map(|c| [format!("sum({})", c.text), format!("avg({})", c.text)]));
        let many = self.0.random_range(1..4);
        let chosen: Vec<String> = aggregates.sample(&mut self.0, many).cloned().collect();
        let select: Vec<String> = keys.iter().map(|k| k.text.clone()).chain(chosen).collect();
        let mut sql = format!("SELECT {} FROM {from}", select.join(", "));
        if self.0.random_ratio(2, 3) {
            sql += &format!(" WHERE {}", self.condition(&columns, 2));
        }
        if !keys.is_empty() {
            let keys: Vec<String> = keys.iter().map(|k| format!("{}{}", k.text, self.keys(k.column))).collect();
            sql += &format!(" GROUP BY {}", keys.join(", "));
        }
        sql
    }

    /// `FROM` with one table or several, and the columns that it gives.
    fn from(&mut self) -> (String, Vec<Written>) {
        let mut tables = TableName::ALL.to_vec();
        tables.shuffle(&mut self.0);
        tables.truncate(if self.0.random_ratio(1, 2) { 1 } else { self.0.random_range(2..5) });
        let named: Vec<(TableName, Option<&str>)> = tables.iter().map(|table| (*table, ["a", "T", "x_1", "\"S\""].choose(&mut self.0).copied())).collect();
        let mut from = String::new();
        let mut aliases: Vec<(TableName, String)> = Vec::new();
        for (table, alias) in named {
            // Each alias once; without one, the table's own name.
            let alias = alias.filter(|a| self.0.random_ratio(1, 2) && aliases.iter().all(|(_, other)| other != a));
            let called = alias.map_or_else(|| table.to_string(), str::to_owned);
            if !from.is_empty() {
                from += self.pick(&[" JOIN ", " INNER JOIN ", " join "]);
            }
            from += table.as_str();
            from += &alias.map_or_else(String::new, |a| format!(" AS {a}"));
            if !aliases.is_empty() {
                from += &self.tie(table, &called, &aliases);
            }
            aliases.push((table, called));
        }
        let of = |table: TableName| Table::of(table).columns;
        let columns = aliases.iter().flat_map(|(table, alias)| of(*table).iter().map(move |column| (*table, alias, column)));
        let shared = |name: &str| aliases.iter().filter(|(table, _)| Table::of(*table).column(name).is_some()).count() > 1;
        let written = columns.map(|(_, alias, column)| {
            let qualified = shared(column.name) || self.0.random_ratio(1, 3);
            Written { column, text: if qualified { format!("{alias}.{}", column.name) } else { column.name.to_owned() } }
        });
        let written = written.collect();
        (from, written)
    }

    /// The condition of a join of `table` with tables before it.
    fn tie(&mut self, table: TableName, called: &str, before: &[(TableName, String)]) -> String {
        let acts = [TableName::Activity, TableName::ActivityTag];
        let other_acts = before.iter().find(|(other, _)| acts.contains(&table) && acts.contains(other));
        if let Some((_, other)) = other_acts {
            return match self.0.random_range(0..4) {
                0 => " USING (activity_id)".to_owned(),
                1 => " USING (subject_id, activity_id)".to_owned(),
                2 => format!(" ON {other}.activity_id = {called}.activity_id"),
                _ => format!(" ON ({called}.subject_id = {other}.subject_id) AND {called}.activity_id = {other}.activity_id"),
            };
        }
        let other = before.choose(&mut self.0).map_or("", |(_, other)| other.as_str());
        if self.0.random_ratio(1, 2) { " USING (subject_id)".to_owned() } else { format!(" ON {other}.subject_id = {called}.subject_id") }
    }

    /// Now and then, what the question says about the keys of a column.
    fn keys(&mut self, column: &Column) -> String {
        if self.0.random_ratio(1, 2) {
            return String::new();
        }
        let days = |g: &mut Self| (DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + g.0.random_range(0..62))).date_naive();
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''").replace('\u{0}', ""));
        let mut list: Vec<String> = match (column.domain, column.calendar) {
            (Some(Domain::Words(_)), _) if self.0.random_ratio(1, 3) => return " KEYS DOMAIN".to_owned(),
            (Some(Domain::Words(words)), _) => (0..3).map(|_| quoted(self.pick(words))).collect(),
            (Some(Domain::Range(low, high)), _) if self.0.random_ratio(1, 2) => return format!(" KEYS BETWEEN {low} AND {}", self.0.random_range(low..=high)),
            (Some(Domain::Range(low, high)), _) => (0..3).map(|_| self.0.random_range(low..=high).to_string()).collect(),
            (None, Some(_)) if self.0.random_ratio(1, 2) => {
                let from = days(self);
                // At least a month, so that a week or month begins in it.
                return format!(" keys between '{from}' and DATE '{}'", from + Days::new(31 + self.0.random_range(0..30)));
            }
            (None, Some(calendar)) => (0..3).map(|_| format!("'{}'", begin(calendar, days(self)))).collect(),
            (None, None) if column.ty == ColumnType::Integer => (0..3).map(|_| self.0.random_range(0..40).to_string()).collect(),
            (None, None) => (0..3).map(|_| quoted(&self.text())).collect(),
        };
        if column.nullable && self.0.random_ratio(1, 3) {
            list.push("NULL".to_owned());
        }
        format!(" KEYS ({})", list.join(", "))
    }

    fn condition(&mut self, columns: &[Written], depth: u32) -> String {
        if depth > 0 && self.0.random_ratio(1, 2) {
            let (a, b) = (self.condition(columns, depth - 1), self.condition(columns, depth - 1));
            return match self.0.random_range(0..3) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                _ => format!("NOT ({a})"),
            };
        }
        let columns: Vec<_> = columns.iter().filter(|c| c.column.ty != ColumnType::Id).collect();
        let Some(Written { column, text: name }) = columns.choose(&mut self.0) else { return "TRUE".to_owned() };
        let constant = |g: &mut Self| match column.ty {
            ColumnType::Integer => format!("{}", if g.0.random_ratio(1, 4) { i64::MAX } else { g.0.random_range(-3..40) }),
            ColumnType::Float => "0.5".to_owned(),
            ColumnType::Boolean => "TRUE".to_owned(),
            ColumnType::Date => format!("'{}'", (DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + g.0.random_range(0..62))).date_naive()),
            ColumnType::Timestamp => "'2022-01-20T10:00:00Z'".to_owned(),
            ColumnType::Text | ColumnType::Id => {
                let word = if g.0.random_ratio(1, 2) { g.text() } else { g.pick(&["en", "de", "post", "like", "image", "public", "18_24"]).to_owned() };
                format!("'{}'", word.replace('\'', "''").replace('\u{0}', ""))
            }
        };
        match self.0.random_range(0..6) {
            0 => format!("{name} IS NULL"),
            1 => format!("{name} IS NOT NULL"),
            2 => format!("{name} IN ({}, {})", constant(self), constant(self)),
            3 => format!("{name} BETWEEN {} AND {}", constant(self), constant(self)),
            4 if column.ty == ColumnType::Text => format!("{name} LIKE '{}'", self.pick(&["%a%", "r_st", "%", "_", "de%", "%ot%"])),
            _ => {
                let op = self.pick(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{name} {op} {}", constant(self))
            }
        }
    }
}

/// The day that stands for the week or month of `day`.
fn begin(calendar: Calendar, day: NaiveDate) -> NaiveDate {
    match calendar {
        Calendar::Days => day,
        Calendar::Weeks => day - Days::new(day.weekday().num_days_from_monday().into()),
        Calendar::Months => day.with_day(1).unwrap_or(day),
    }
}
