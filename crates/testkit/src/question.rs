//! Random questions in the accepted SQL: joins, subqueries, expressions with every function, aggregates,
//! lists of keys.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta};
use domain::catalog::{Calendar, Column, ColumnType, Domain, TableName};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::{Generator, called, catalog, table_names};

/// A column and how the question writes it.
#[derive(Clone)]
pub(crate) struct Written {
    /// Of a table, or the same as a key of a subquery.
    column: Option<&'static Column>,
    ty: ColumnType,
    text: String,
}

/// What is grouped by: its text, the column that it is, if it is one, and its type.
type Key = (String, Option<&'static Column>, ColumnType);

/// Subqueries of a question, with those in subqueries.
const MOST_SUBQUERIES: usize = 4;

impl Generator {
    /// A random question in the accepted SQL, as text.
    pub fn sql(&mut self) -> String {
        let (from, columns) = self.from(MOST_SUBQUERIES);
        let mut keys: Vec<Key> = Vec::new();
        for _ in 0..self.0.random_range(0..3) {
            let key = if self.0.random_ratio(2, 3) { self.column_key(&columns) } else { self.expression_key(&columns) };
            // A key once: with different lists twice is refused.
            keys.extend(key.filter(|key| keys.iter().all(|other| other.0 != key.0)));
        }
        let many = self.0.random_range(1..4);
        let aggregates: Vec<String> = (0..many).map(|_| self.aggregate(&columns)).collect();
        let select: Vec<String> = keys.iter().map(|k| k.0.clone()).chain(aggregates).collect();
        let mut sql = format!("SELECT {} FROM {from}", select.join(", "));
        if self.0.random_ratio(1, 2) {
            sql += &format!(" WHERE {}", self.condition(&columns, 2));
        }
        if !keys.is_empty() {
            let keys: Vec<String> = keys.into_iter().map(|(text, column, _)| format!("{text}{}", column.map(|column| self.keys(column)).unwrap_or_default())).collect();
            sql += &format!(" GROUP BY {}", keys.join(", "));
        }
        sql
    }

    fn column_key(&mut self, columns: &[Written]) -> Option<Key> {
        let groupable: Vec<&Written> = columns.iter().filter(|c| !matches!(c.ty, ColumnType::Id | ColumnType::Timestamp | ColumnType::Float)).collect();
        groupable.choose(&mut self.0).map(|c| (c.text.clone(), c.column, c.ty))
    }

    fn expression_key(&mut self, columns: &[Written]) -> Option<Key> {
        let ty = *[ColumnType::Integer, ColumnType::Text, ColumnType::Date, ColumnType::Boolean].choose(&mut self.0)?;
        let text = self.expression(columns, ty, 2);
        // One column at least: what is the same for every row makes no groups.
        let names = columns.iter().any(|c| c.ty != ColumnType::Id && text.contains(&c.text));
        (names && !text.contains("NULL")).then_some((text, None, ty))
    }

    /// An aggregate over the columns.
    fn aggregate(&mut self, columns: &[Written]) -> String {
        let summable: Vec<&Written> = columns.iter().filter(|c| c.column.is_some_and(|c| c.sum.is_some())).collect();
        let number = match summable.choose(&mut self.0) {
            Some(column) if self.0.random_ratio(2, 3) => column.text.clone(),
            _ => {
                let ty = if self.0.random_ratio(1, 2) { ColumnType::Integer } else { ColumnType::Float };
                format!("least(greatest({}, {}), {})", self.expression(columns, ty, 2), self.0.random_range(-9..5), self.0.random_range(5..90))
            }
        };
        let filter = if self.0.random_ratio(1, 5) { format!(" FILTER (WHERE {})", self.condition(columns, 1)) } else { String::new() };
        match self.0.random_range(0..12) {
            0 | 1 => "count(distinct subject_id)".to_owned(),
            2 => format!("count(*){filter}"),
            3 => {
                let ty = *[ColumnType::Text, ColumnType::Integer, ColumnType::Date, ColumnType::Timestamp].choose(&mut self.0).unwrap_or(&ColumnType::Text);
                format!("count({}){filter}", self.expression(columns, ty, 1))
            }
            4 => {
                let ty = *[ColumnType::Text, ColumnType::Integer, ColumnType::Float, ColumnType::Timestamp].choose(&mut self.0).unwrap_or(&ColumnType::Text);
                format!("count(distinct {}){filter}", self.expression(columns, ty, 1))
            }
            5 | 6 => format!("sum({number}){filter}"),
            7 => format!("avg({number}){filter}"),
            8 => format!("{}({number}){filter}", self.pick(&["variance", "var_pop", "stddev", "stddev_pop", "var_samp", "stddev_samp"])),
            9 => format!("median({number}){filter}"),
            10 => format!("percentile_cont(0.{}) WITHIN GROUP (ORDER BY {number}){filter}", self.0.random_range(0..100)),
            _ => format!("percentile_cont(ARRAY[0.1, 0.{}]) WITHIN GROUP (ORDER BY {number})", self.0.random_range(20..100)),
        }
    }

    /// An expression of that type.
    pub(crate) fn expression(&mut self, columns: &[Written], ty: ColumnType, depth: u32) -> String {
        let of_type: Vec<&Written> = columns.iter().filter(|c| c.ty == ty).collect();
        if depth == 0 || self.0.random_ratio(1, 4) {
            return match of_type.choose(&mut self.0) {
                Some(column) if self.0.random_ratio(4, 5) => column.text.clone(),
                _ => self.constant(ty),
            };
        }
        let of = |g: &mut Self, ty| g.expression(columns, ty, depth - 1);
        if self.0.random_ratio(1, 5) {
            let (a, b) = (of(self, ty), of(self, ty));
            return match self.0.random_range(0..4) {
                0 => format!("CASE WHEN {} THEN {a} ELSE {b} END", of(self, ColumnType::Boolean)),
                1 => format!("coalesce({a}, {b})"),
                2 => format!("nullif({a}, {b})"),
                _ if ty == ColumnType::Boolean => a,
                _ => format!("{}({a}, {b})", self.pick(&["greatest", "least"])),
            };
        }
        let number = if self.0.random_ratio(1, 2) { ColumnType::Integer } else { ColumnType::Float };
        let part = self.pick(&["year", "quarter", "month", "week", "day", "hour", "minute"]);
        match ty {
            ColumnType::Boolean => self.condition(columns, depth - 1),
            ColumnType::Integer => match self.0.random_range(0..9) {
                0 | 1 => format!("({} {} {})", of(self, ty), self.pick(&["+", "-", "*", "%"]), of(self, ty)),
                2 => format!("-({})", of(self, ty)),
                3 => format!("{}({})", self.pick(&["abs", "sign"]), of(self, ty)),
                4 => format!("length({})", of(self, ColumnType::Text)),
                5 => format!("strpos({}, {})", of(self, ColumnType::Text), of(self, ColumnType::Text)),
                6 => {
                    let when = if self.0.random_ratio(1, 2) { ColumnType::Date } else { ColumnType::Timestamp };
                    let part = if self.0.random_ratio(1, 7) { "isodow" } else { part };
                    format!("extract({part} from {})", of(self, when))
                }
                7 => format!("width_bucket({}, {}, {}, {})", of(self, number), self.0.random_range(-5..2), self.0.random_range(5..50), self.0.random_range(1..9)),
                _ if self.0.random_ratio(1, 2) => format!("({} - {})", of(self, ColumnType::Date), of(self, ColumnType::Date)),
                _ => {
                    let from = *[ColumnType::Text, ColumnType::Float, ColumnType::Boolean].choose(&mut self.0).unwrap_or(&ColumnType::Text);
                    format!("cast({} as integer)", of(self, from))
                }
            },
            ColumnType::Float => match self.0.random_range(0..8) {
                0 | 1 => format!("({} / {})", of(self, number), of(self, number)),
                2 => format!("({} {} {})", of(self, ty), self.pick(&["+", "-", "*", "%"]), of(self, number)),
                3..=6 => format!("{}({})", self.pick(&["round", "floor", "ceil", "trunc", "sqrt", "ln", "log10", "exp", "abs", "sign"]), of(self, ty)),
                _ if self.0.random_ratio(1, 2) => format!("power({}, {})", of(self, number), self.0.random_range(-2..4)),
                _ => format!("({})::float8", of(self, if number == ColumnType::Float { ColumnType::Text } else { ColumnType::Integer })),
            },
            ColumnType::Text | ColumnType::Id => {
                let (text, count) = (of(self, ColumnType::Text), self.0.random_range(-2..5));
                match self.0.random_range(0..8) {
                    0 => format!("{}({text})", self.pick(&["lower", "upper", "trim"])),
                    1 => format!("substr({text}, {count}, {})", self.0.random_range(0..4)),
                    2 => format!("{}({text}, {count})", self.pick(&["left", "right"])),
                    3 => format!("replace({text}, {}, {})", of(self, ColumnType::Text), self.constant(ColumnType::Text)),
                    4 => format!("({text} || {})", of(self, ColumnType::Text)),
                    5 => format!("split_part({text}, 'a', {})", self.0.random_range(1..4)),
                    6 => {
                        let from = *[ColumnType::Integer, ColumnType::Date, ColumnType::Boolean].choose(&mut self.0).unwrap_or(&ColumnType::Date);
                        format!("cast({} as text)", of(self, from))
                    }
                    _ => text,
                }
            }
            ColumnType::Date => match self.0.random_range(0..3) {
                0 => format!("date_trunc('{part}', {})", of(self, ty)),
                1 => format!("({} {} {})", of(self, ty), self.pick(&["+", "-"]), self.0.random_range(0..90)),
                _ => format!("cast({} as date)", of(self, if number == ColumnType::Float { ColumnType::Timestamp } else { ColumnType::Text })),
            },
            ColumnType::Timestamp => match self.0.random_range(0..2) {
                0 => format!("date_trunc('{part}', {})", of(self, ty)),
                _ => format!("cast({} as timestamp)", of(self, ColumnType::Date)),
            },
        }
    }

    /// A constant of that type.
    fn constant(&mut self, ty: ColumnType) -> String {
        match ty {
            ColumnType::Boolean => self.pick(&["TRUE", "FALSE"]).to_owned(),
            ColumnType::Integer => format!("{}", if self.0.random_ratio(1, 8) { i64::MAX } else { self.0.random_range(0..40) }),
            ColumnType::Float => self.pick(&["0.5", "2.25", "1e9", "0.001"]).to_owned(),
            ColumnType::Date => format!("DATE '{}'", (DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + self.0.random_range(0..62))).date_naive()),
            ColumnType::Timestamp => "TIMESTAMP '2022-01-20T10:00:00Z'".to_owned(),
            ColumnType::Text | ColumnType::Id => {
                let word =
                    if self.0.random_ratio(1, 2) { self.text() } else { self.pick(&["en", "de", "post", "like", "image", "public", "18_24", "12", "2022-01-20"]).to_owned() };
                format!("'{}'", word.replace('\'', "''").replace('\u{0}', ""))
            }
        }
    }

    /// `FROM` with tables, subqueries or both, and the columns that these give; `most` subqueries are left to be
    /// written.
    fn from(&mut self, most: usize) -> (String, Vec<Written>) {
        // Rows of acts are not joined to several rows that a subquery makes of a person.
        let mut keyed = most > 0 && self.0.random_ratio(1, 4);
        let tables = if keyed { vec![TableName::Subject, TableName::SubjectInterest] } else { table_names() };
        let (mut from, mut columns) = if most > 0 && self.0.random_ratio(if keyed { 3 } else { 1 }, 8) { (String::new(), Vec::new()) } else { self.tables(&tables) };
        let first = from.split_whitespace().next().unwrap_or_default().to_owned();
        let many = if from.is_empty() { self.0.random_range(1..3) } else { usize::from(keyed).max(self.0.random_range(0..8) / 6) };
        let many = many.min(most);
        for number in 0..many {
            let (text, made) = self.subquery(std::mem::take(&mut keyed), (most - many) / many);
            let alias = format!("q{number}");
            if from.is_empty() {
                from = format!("{text} AS {alias}");
            } else if self.0.random_ratio(1, 2) || number > 0 || first == "creator" || from.contains(" AS ") || from.contains(" JOIN ") {
                from += &format!(" JOIN {text} AS {alias} USING (subject_id)");
            } else {
                from += &format!(" JOIN {text} AS {alias} ON {first}.subject_id = {alias}.subject_id");
            }
            columns.extend(made.into_iter().map(|column| Written { text: format!("{alias}.{}", column.text), ..column }));
        }
        (from, columns)
    }

    /// A subquery that aggregates per subject, and its columns; `most` subqueries are left to be written in it.
    fn subquery(&mut self, keyed: bool, most: usize) -> (String, Vec<Written>) {
        // In a subquery fewer are left, so that no key is called like a column that it is made of.
        let level = most;
        let most = if self.0.random_ratio(1, 3) { most } else { 0 };
        let (from, columns) = self.from(most);
        let (mut made, mut select, mut group) = (Vec::new(), vec!["subject_id".to_owned()], vec!["subject_id".to_owned()]);
        for number in 0..if keyed { self.0.random_range(1..3) } else { 0 } {
            let key = if self.0.random_ratio(2, 3) { self.column_key(&columns) } else { self.expression_key(&columns) };
            let Some((text, column, ty)) = key else { continue };
            if select.iter().all(|other| *other != text) {
                let name = format!("k{level}_{number}");
                // By its name, its number or what it is.
                group.push(match self.0.random_range(0..3) {
                    0 => name.clone(),
                    1 => (select.len() + 1).to_string(),
                    _ => text.clone(),
                });
                select.push(format!("{text} AS {name}"));
                made.push(Written { column, ty, text: name });
            }
        }
        for number in 0..self.0.random_range(1..4) {
            let ty = *[ColumnType::Integer, ColumnType::Float, ColumnType::Date, ColumnType::Timestamp].choose(&mut self.0).unwrap_or(&ColumnType::Integer);
            let of = self.expression(&columns, ty, 1);
            let numeric = matches!(ty, ColumnType::Integer | ColumnType::Float);
            let (text, ty) = match self.0.random_range(0..6) {
                0 => ("count(*)".to_owned(), ColumnType::Integer),
                1 => (format!("count({of})"), ColumnType::Integer),
                2 => (format!("count(distinct {of})"), ColumnType::Integer),
                3 if numeric => (format!("sum({of})"), ty),
                4 if numeric => (format!("avg({of})"), ColumnType::Float),
                _ => (format!("{}({of})", self.pick(&["min", "max"])), ty),
            };
            let only = if self.0.random_ratio(1, 4) { format!(" FILTER (WHERE {})", self.condition(&columns, 1)) } else { String::new() };
            select.push(format!("{text}{only} AS m{number}"));
            made.push(Written { column: None, ty, text: format!("m{number}") });
        }
        let filter = if self.0.random_ratio(1, 3) { format!(" WHERE {}", self.condition(&columns, 1)) } else { String::new() };
        let having = if self.0.random_ratio(1, 3) { format!(" HAVING count(*) > {}", self.0.random_range(0..4)) } else { String::new() };
        (format!("(SELECT {} FROM {from}{filter} GROUP BY {}{having})", select.join(", "), group.join(", ")), made)
    }

    /// `FROM` with one table or several, and the columns that it gives.
    fn tables(&mut self, among: &[TableName]) -> (String, Vec<Written>) {
        let mut tables: Vec<TableName> = among.iter().copied().filter(|table| !table.is_public()).collect();
        tables.shuffle(&mut self.0);
        tables.truncate(if self.0.random_ratio(1, 2) { 1 } else { self.0.random_range(2..5) });
        // The list of creators anywhere beside acts, but for a place where nothing ties it to what is there.
        if let Some(acts) = tables.iter().position(|table| *table == TableName::Activity)
            && self.0.random_ratio(1, 3)
        {
            let place = if acts == 0 { self.0.random_range(0..=tables.len()) } else { self.0.random_range(acts + 1..=tables.len()) };
            // Before acts it stands alone with them.
            tables.insert(place, TableName::Creator);
        }
        let named: Vec<(TableName, Option<&str>)> = tables.iter().map(|table| (*table, ["a", "T", "x_1", "\"S\""].choose(&mut self.0).copied())).collect();
        let mut from = String::new();
        let mut aliases: Vec<(TableName, String)> = Vec::new();
        for (table, alias) in named {
            // Each alias once; without one, the table's own name.
            let alias = alias.filter(|a| self.0.random_ratio(1, 2) && aliases.iter().all(|(_, other)| other != a));
            let called = alias.map_or_else(|| called(table).rsplit('.').next().unwrap_or_default().to_owned(), str::to_owned);
            if !from.is_empty() {
                from += self.pick(&[" JOIN ", " INNER JOIN ", " join "]);
            }
            from += &crate::called(table);
            from += &alias.map_or_else(String::new, |a| format!(" AS {a}"));
            if !aliases.is_empty() {
                from += &self.tie(table, &called, &aliases);
            }
            aliases.push((table, called));
        }
        let of = |table: TableName| catalog(table).columns;
        let columns = aliases.iter().flat_map(|(table, alias)| of(*table).iter().map(move |column| (*table, alias, column)));
        let shared = |name: &str| aliases.iter().filter(|(table, _)| catalog(*table).column(name).is_some()).count() > 1;
        let written = columns.filter(|(_, _, column)| column.ty != ColumnType::Id).map(|(_, alias, column)| {
            let qualified = shared(column.name) || self.0.random_ratio(1, 3);
            let text = if qualified { format!("{alias}.{}", column.name) } else { column.name.to_owned() };
            Written { column: Some(column), ty: column.ty, text }
        });
        let written = written.collect();
        (from, written)
    }

    /// The condition of a join of `table` with tables before it.
    fn tie(&mut self, table: TableName, called: &str, before: &[(TableName, String)]) -> String {
        let is_public = |(other, _): &&(TableName, String)| other.is_public();
        let other = if table.is_public() { before.iter().find(|(other, _)| *other == TableName::Activity) } else { before.iter().find(is_public).filter(|_| before.len() == 1) };
        if let Some((_, other)) = other {
            return if self.0.random_ratio(1, 2) { " USING (creator_id)".to_owned() } else { format!(" ON {called}.creator_id = {other}.creator_id") };
        }
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
        let private: Vec<&(TableName, String)> = before.iter().filter(|(other, _)| !other.is_public()).collect();
        let other = private.choose(&mut self.0).map_or("", |(_, other)| other.as_str());
        if self.0.random_ratio(1, 2) { " USING (subject_id)".to_owned() } else { format!(" ON {other}.subject_id = {called}.subject_id") }
    }

    /// Now and then, what the question says about the keys of a column.
    fn keys(&mut self, column: &Column) -> String {
        if self.0.random_ratio(1, 2) {
            return String::new();
        }
        if column.ty == ColumnType::Text && column.domain.is_none() && self.0.random_ratio(1, 6) {
            let of = self.pick(&["name", "category", "lower(category)"]);
            let condition = self.pick(&["", " WHERE category = 'news'", " WHERE name LIKE '%a%' OR platform = 'csv'"]);
            return format!(" KEYS (SELECT {of} FROM creator{condition})");
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
            return match self.0.random_range(0..5) {
                0 => format!("({a} AND {b})"),
                1 => format!("({a} OR {b})"),
                2 => format!("(({a}) IS {} {})", self.pick(&["", "NOT"]), self.pick(&["TRUE", "FALSE", "UNKNOWN"])),
                _ => format!("NOT ({a})"),
            };
        }
        let ty = match columns.choose(&mut self.0) {
            Some(column) if column.ty != ColumnType::Boolean => column.ty,
            _ => return "TRUE".to_owned(),
        };
        let depth = u32::from(self.0.random_ratio(1, 3));
        let tested = self.expression(columns, ty, depth);
        let constant = |g: &mut Self| {
            // Days may be written as texts.
            let text = g.constant(ty);
            if g.0.random_ratio(1, 2) && tested.chars().all(|c| c.is_ascii_alphanumeric() || "._\"".contains(c)) {
                text.replace("DATE ", "").replace("TIMESTAMP ", "")
            } else {
                text
            }
        };
        match self.0.random_range(0..9) {
            0 => format!("{tested} IS NULL"),
            1 => format!("{tested} IS NOT NULL"),
            2 => format!("{tested} IN ({}, {})", constant(self), constant(self)),
            3 => format!("{tested} BETWEEN {} AND {}", constant(self), constant(self)),
            4 if ty == ColumnType::Text => format!("{tested} LIKE '{}'", self.pick(&["%a%", "r_st", "%", "_", "de%", "%ot%"])),
            5 if ty == ColumnType::Text => format!("starts_with({tested}, {})", constant(self)),
            6 => format!("({tested} IS {}DISTINCT FROM {})", self.pick(&["", "NOT "]), self.expression(columns, ty, 0)),
            7 => format!("{tested} {} {}", self.pick(&["=", "<>", "<", ">="]), self.expression(columns, ty, 1)),
            _ => {
                let op = self.pick(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{tested} {op} {}", constant(self))
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
