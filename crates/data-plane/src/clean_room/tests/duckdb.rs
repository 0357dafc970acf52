//! T-DP6: what is computed before noise is what DuckDB computes.
//!
//! Questions are made in pairs: in the SQL of the clean room, and with the same meaning for DuckDB. Bounds are so
//! wide that they cut nothing. Where the two differ by a documented rule, the pair says the same in two ways:
//!
//! | clean room | DuckDB |
//! | --- | --- |
//! | `a / b` is null where b is 0 | `a / nullif(b, 0)` |
//! | `width_bucket` | `CASE` |
//! | tables of one person are joined | joined by `subject_id` and, where both have it, `activity_id` |
//! | a person's first 64 interests are joined | `QUALIFY row_number() … <= 64` |
//! | values of averages, variances and expressions are clamped, fractions on a grid | `least(greatest(…))`, `round_even` |
//! | averages and variances are made of their parts | the sums and counts that they are made of |
//! | percentiles are found in a tree of counts | the counts of its leaves |
//!
//! | `ln` of what is not positive, and what is not finite, are null | `CASE` |
//!
//! Left out are `lower` and `upper` beyond ASCII (here by Unicode's full mapping: ß becomes SS).

use std::fs;
use std::path::Path;

use domain::catalog::{ColumnType, TableName};
use domain::question::{Grid, Key, Value, encode_key};
use serde_json::json;
use testkit::{Tables, called, catalog, python, table_names};

use super::*;

/// Data sets, and questions to each.
const WORLDS: u64 = 60;
const PER_WORLD: usize = 40;

/// The same text for both.
#[derive(Clone)]
struct Both {
    ours: String,
    duck: String,
}

impl Both {
    fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { ours: text.clone(), duck: text }
    }

    /// `form` with `{0}`, `{1}` … replaced.
    fn of(form: &str, parts: &[&Self]) -> Self {
        Self::two(form, form, parts)
    }

    fn two(ours: &str, duck: &str, parts: &[&Self]) -> Self {
        let fill = |form: &str, text: &dyn Fn(&Self) -> String| parts.iter().enumerate().fold(form.to_owned(), |form, (n, part)| form.replace(&format!("{{{n}}}"), &text(part)));
        Self { ours: fill(ours, &|part| part.ours.clone()), duck: fill(duck, &|part| part.duck.clone()) }
    }
}

/// A column and its type.
#[derive(Clone)]
struct Named {
    text: Both,
    ty: ColumnType,
    /// Whether `lower` and `upper` mean the same of it.
    ascii: bool,
}

/// What a question asks for, and what DuckDB is asked for instead.
struct Pair {
    prepared: Prepared,
    case: String,
    duck: String,
    /// The types of the keys in the order of DuckDB's columns, and the place of each in the plan.
    keys: Vec<(ColumnType, usize)>,
    /// How many numbers DuckDB gives after the keys.
    numbers: usize,
}

struct Maker<'a> {
    generator: &'a mut Generator,
    columns: Vec<Named>,
}

impl Maker<'_> {
    fn upto(&mut self, n: usize) -> usize {
        self.generator.0.random_range(0..n)
    }

    fn one<'b>(&mut self, of: &[&'b str]) -> &'b str {
        of[self.upto(of.len())]
    }

    fn constant(&mut self, ty: ColumnType) -> Both {
        Both::same(match ty {
            ColumnType::Integer => self.upto(40).to_string(),
            ColumnType::Float => {
                let number = self.one(&["0.5", "2.25", "10.0"]);
                return Both { ours: number.to_owned(), duck: format!("CAST({number} AS DOUBLE)") };
            }
            ColumnType::Boolean => self.one(&["TRUE", "FALSE"]).to_owned(),
            ColumnType::Date => format!("DATE '2022-0{}-1{}'", 1 + self.upto(3), self.upto(9)),
            _ => self.one(&["'en'", "'de'", "'post'", "'rust'", "'image'", "'日本'", "'ß'", "'a'", "'%'"]).to_owned(),
        })
    }

    fn expr(&mut self, ty: ColumnType, depth: usize) -> Both {
        let of_type: Vec<Both> = self.columns.iter().filter(|column| column.ty == ty).map(|column| column.text.clone()).collect();
        if depth == 0 || self.upto(4) == 0 {
            return if of_type.is_empty() || self.upto(6) == 0 { self.constant(ty) } else { of_type[self.upto(of_type.len())].clone() };
        }
        let (a, b) = (self.expr(ty, depth - 1), self.expr(ty, depth - 1));
        if self.upto(4) == 0 {
            let condition = self.condition(depth - 1);
            return match self.upto(5) {
                0 => Both::of("CASE WHEN {0} THEN {1} ELSE {2} END", &[&condition, &a, &b]),
                1 => Both::of("CASE WHEN {0} THEN {1} END", &[&condition, &a]),
                2 => Both::of("coalesce({0}, {1})", &[&a, &b]),
                3 => Both::of("nullif({0}, {1})", &[&a, &b]),
                _ if ty == ColumnType::Boolean => a,
                _ => Both::of(&format!("{}({{0}}, {{1}})", self.one(&["greatest", "least"])), &[&a, &b]),
            };
        }
        match ty {
            ColumnType::Boolean => self.condition(depth - 1),
            ColumnType::Integer => match self.upto(10) {
                0 => Both::of("({0} + {1})", &[&a, &b]),
                1 => Both::of("({0} - {1})", &[&a, &b]),
                2 => Both::of(&format!("({{0}} * {})", self.upto(9)), &[&a]),
                3 => Both::two("({0} % {1})", "({0} % nullif({1}, 0))", &[&a, &b]),
                4 => Both::of("abs(-({0}))", &[&a]),
                5 => Both::two("sign({0})", "CAST(sign({0}) AS BIGINT)", &[&a]),
                6 => {
                    let text = self.expr(ColumnType::Text, depth - 1);
                    Both::of(self.one(&["length({0})", "strpos({0}, 'a')", "position('s' IN {0})"]), &[&text])
                }
                7 => {
                    let day = self.expr(ColumnType::Date, depth - 1);
                    Both::of(
                        self.one(&[
                            "extract(year FROM {0})",
                            "extract(quarter FROM {0})",
                            "extract(month FROM {0})",
                            "extract(week FROM {0})",
                            "extract(day FROM {0})",
                            "extract(isodow FROM {0})",
                        ]),
                        &[&day],
                    )
                }
                8 => {
                    let (low, high, parts) = (self.upto(5), 6 + self.upto(40), 1 + self.upto(6));
                    let bucket = format!(
                        "CASE WHEN {{0}} IS NULL THEN NULL WHEN {{0}} < {low} THEN 0 WHEN {{0}} >= {high} THEN {parts} + 1 ELSE ({{0}} - {low}) * {parts} // ({high} - {low}) + 1 END"
                    );
                    Both::two(&format!("width_bucket({{0}}, {low}, {high}, {parts})"), &bucket, &[&a])
                }
                _ => {
                    let (condition, day) = (self.condition(depth - 1), self.expr(ColumnType::Date, depth - 1));
                    if self.upto(2) == 0 { Both::two("CAST({0} AS integer)", "CAST({0} AS BIGINT)", &[&condition]) } else { Both::of("({0} - DATE '2022-01-05')", &[&day]) }
                }
            },
            ColumnType::Float => {
                let (x, y) = (self.expr(ColumnType::Integer, depth - 1), self.expr(ColumnType::Integer, depth - 1));
                match self.upto(9) {
                    5 => Both::two("exp({0})", "CASE WHEN isfinite(exp({0})) THEN exp({0}) END", &[&a]),
                    6 => {
                        let name = self.one(&["ln", "log10"]);
                        Both::two(&format!("{name}({{0}})"), &format!("CASE WHEN {{0}} > 0 THEN {name}({{0}}) END"), &[&a])
                    }
                    7 => Both::two("power({0}, {1})", "CASE WHEN isfinite(power({0}, {1})) THEN power({0}, {1}) END", &[&a, &b]),
                    8 => Both::two("power({0}, {1})", "CASE WHEN isfinite(power({0}, {1})) THEN power({0}, {1}) END", &[&x, &y]),
                    0 | 1 => Both::two("({0} / {1})", "({0} / nullif({1}, 0))", &[&x, &y]),
                    2 => Both::of("({0} + {1})", &[&a, &x]),
                    3 => Both::of(self.one(&["round({0})", "floor({0})", "ceil({0})", "trunc({0})", "sqrt(abs({0}))", "abs({0})"]), &[&a]),
                    _ => Both::two("CAST({0} AS float)", "CAST({0} AS DOUBLE)", &[&x]),
                }
            }
            ColumnType::Date => match self.upto(3) {
                0 => Both::two("date_trunc('{P}', {0})", "CAST(date_trunc('{P}', {0}) AS DATE)", &[&a]).part(self.one(&["year", "quarter", "month", "week", "day"])),
                1 => Both::of(&format!("({{0}} + {})", self.upto(50)), &[&a]),
                _ => Both::of(&format!("({{0}} - {})", self.upto(50)), &[&a]),
            },
            _ => match self.upto(9) {
                0 => {
                    let ascii: Vec<Both> = self.columns.iter().filter(|column| column.ascii).map(|column| column.text.clone()).collect();
                    if ascii.is_empty() { a } else { Both::of(&format!("{}({{0}})", self.one(&["lower", "upper"])), &[&ascii[self.upto(ascii.len())]]) }
                }
                1 => Both::of("({0} || {1})", &[&a, &b]),
                2 => Both::of(&format!("left({{0}}, {})", self.upto(4)), &[&a]),
                3 => Both::of(&format!("right({{0}}, {})", self.upto(4)), &[&a]),
                4 => Both::of(&format!("substr({{0}}, {}, {})", 1 + self.upto(3), self.upto(4)), &[&a]),
                5 => Both::of("replace({0}, 'a', {1})", &[&a, &b]),
                6 => Both::of("trim({0})", &[&a]),
                7 => Both::of(&format!("split_part({{0}}, 't', {})", 1 + self.upto(3)), &[&a]),
                _ => {
                    let ty = [ColumnType::Integer, ColumnType::Date, ColumnType::Boolean][self.upto(3)];
                    let x = self.expr(ty, depth - 1);
                    Both::two("CAST({0} AS text)", "CAST({0} AS VARCHAR)", &[&x])
                }
            },
        }
    }

    fn condition(&mut self, depth: usize) -> Both {
        if depth > 0 && self.upto(2) == 0 {
            let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.upto(6) {
                // Without parentheses: both read them by the same rules.
                0 => Both::of("({0} AND {1} OR NOT {0} AND {1})", &[&a, &b]),
                1 => Both::of("({0} OR {1} AND {0})", &[&a, &b]),
                2 => Both::of("(NOT {0})", &[&a]),
                3 => Both::of("(({0}) IS NOT TRUE)", &[&a]),
                4 => Both::of("(({0}) IS FALSE)", &[&a]),
                _ => Both::of("(({0}) IS NULL)", &[&a]),
            };
        }
        let ty = [ColumnType::Integer, ColumnType::Integer, ColumnType::Text, ColumnType::Date, ColumnType::Float][self.upto(5)];
        let (a, b, c) = (self.expr(ty, depth), self.expr(ty, 1), self.constant(ty));
        match self.upto(9) {
            0 => Both::of("{0} IS NOT NULL", &[&a]),
            1 => Both::of("{0} IN ({1}, NULL)", &[&a, &c]),
            2 => Both::of("{0} NOT IN ({1}, {1})", &[&a, &c]),
            3 => Both::of("{0} BETWEEN {1} AND {2}", &[&a, &b, &c]),
            4 => Both::of("{0} NOT BETWEEN {1} AND {2}", &[&a, &b, &c]),
            5 => Both::of("({0} IS DISTINCT FROM {1})", &[&a, &b]),
            6 if ty == ColumnType::Text => Both::of(self.one(&["{0} LIKE '%s%'", "{0} LIKE '_o%'", "{0} NOT LIKE '%a_'", "starts_with({0}, 'd')"]), &[&a]),
            _ => Both::of(&format!("{{0}} {} {{1}}", self.one(&["=", "<>", "<", "<=", ">", ">="])), &[&a, &b]),
        }
    }

    /// An aggregate, and what DuckDB is asked for with the grids of its plan.
    fn aggregate(&mut self) -> (String, Both, Both) {
        let filter = if self.upto(4) == 0 { self.condition(1) } else { Both::same("TRUE") };
        let whole = self.upto(2) == 0;
        let number = self.expr(if whole { ColumnType::Integer } else { ColumnType::Float }, 2);
        let (low, high) = (self.upto(5), 5 + self.upto(60));
        let number = Both::of(&format!("least(greatest({{0}}, {low}), {high})"), &[&number]);
        let counters: Vec<Both> =
            self.columns.iter().filter(|column| column.text.ours.ends_with("word_count") || column.text.ours.ends_with("_received")).map(|c| c.text.clone()).collect();
        let number = if counters.is_empty() || self.upto(2) == 0 { number } else { counters[self.upto(counters.len())].clone() };
        let ty = [ColumnType::Integer, ColumnType::Text, ColumnType::Date][self.upto(3)];
        let any = self.expr(ty, 2);
        let named = |name: &str, of: Both| (name.to_owned(), of, filter.clone());
        match self.upto(9) {
            0 => named("count(distinct subject_id)", Both::same("")),
            1 => named("count(*)", Both::same("")),
            2 => named("count", any),
            3 => named("count(distinct", any),
            4 | 5 => named("sum", number),
            6 => named("avg", number),
            7 if self.upto(2) == 0 => named("median", number),
            7 => named("var_pop", number),
            _ => named("stddev", number),
        }
    }
}

impl Both {
    fn part(self, part: &str) -> Self {
        Self { ours: self.ours.replace("{P}", part), duck: self.duck.replace("{P}", part) }
    }
}

fn columns(table: TableName, alias: &str) -> Vec<Named> {
    let named = |column: &'static domain::catalog::Column| {
        let ascii = matches!(column.name, "kind" | "media" | "platform" | "visibility" | "age_band" | "origin");
        Named { text: Both::same(format!("{alias}.{}", column.name)), ty: column.ty, ascii }
    };
    catalog(table).columns.iter().filter(|column| !matches!(column.ty, ColumnType::Id | ColumnType::Timestamp) && column.name != "sentiment").map(named).collect()
}

/// `FROM` with some of the tables, and its columns. `limited` says that few interests are joined anyhow.
fn from(generator: &mut Generator, among: &[TableName], limited: bool) -> (Both, Vec<Named>) {
    let mut chosen: Vec<TableName> = among.iter().copied().filter(|table| !table.is_public()).collect();
    chosen.shuffle(&mut generator.0);
    chosen.truncate(generator.0.random_range(1..4));
    let of_acts = chosen.iter().position(|table| *table == TableName::Activity).filter(|_| generator.0.random_ratio(1, 2));
    chosen.extend(of_acts.map(|_| TableName::Creator));
    let acts = |table: &TableName| matches!(table, TableName::Activity | TableName::ActivityTag);
    let limited = limited || chosen.iter().any(acts);
    let (mut text, mut all): (Both, Vec<Named>) = (Both::same(""), Vec::new());
    for (n, table) in chosen.iter().enumerate() {
        let alias = format!("t{n}");
        let first = "(SELECT * FROM subject_interest QUALIFY row_number() OVER (PARTITION BY subject_id ORDER BY interest, origin) <= 64)";
        let duck = if limited && *table == TableName::SubjectInterest { first.to_owned() } else { duck_name(*table) };
        let act = chosen.iter().take(n).position(|other| acts(other) && acts(table));
        let (join, on) = match act {
            _ if n == 0 => (Both::same(""), Both::same("")),
            Some(other) => (
                Both::same(" JOIN "),
                Both {
                    ours: format!(" ON {alias}.activity_id = t{other}.activity_id"),
                    duck: format!(" ON {alias}.activity_id = t{other}.activity_id AND {alias}.subject_id = t0.subject_id"),
                },
            ),
            None if table.is_public() => (Both::same(" JOIN "), Both::same(format!(" ON t{}.creator_id = {alias}.creator_id", of_acts.unwrap_or_default()))),
            None => (Both::same(" JOIN "), Both::same(format!(" ON t0.subject_id = {alias}.subject_id"))),
        };
        let named = Both { ours: format!("{} AS {alias}", called(*table)), duck: format!("{duck} AS {alias}") };
        text = Both::of("{0}{1}{2}{3}", &[&text, &join, &named, &on]);
        all.extend(columns(*table, &alias));
    }
    (text, all)
}

/// A subquery that aggregates per subject, called `alias`. With several rows per person where it is `keyed`, and else
/// now and then over rows of such a subquery.
fn subquery(generator: &mut Generator, alias: &str, keyed: bool) -> (Both, Vec<Named>) {
    let (from, columns) = if !keyed && generator.0.random_ratio(1, 2) { subquery(generator, "t0", true) } else { from(generator, &table_names(), false) };
    let mut maker = Maker { generator, columns };
    let condition = if maker.upto(2) == 0 { maker.condition(1) } else { Both::same("TRUE") };
    let (value, text) = (maker.expr(ColumnType::Integer, 1), maker.expr(ColumnType::Text, 1));
    let having = ["", " HAVING count(*) > 1"][maker.upto(2)];
    let keys: Vec<(Both, ColumnType)> = (0..if keyed { 1 + maker.upto(2) } else { 0 })
        .map(|_| {
            let ty = [ColumnType::Integer, ColumnType::Text, ColumnType::Date, ColumnType::Date, ColumnType::Boolean][maker.upto(5)];
            let depth = maker.upto(2);
            (maker.expr(ty, depth), ty)
        })
        .collect();
    let by = |text: &dyn Fn(usize) -> String| (0..keys.len()).map(text).collect::<String>();
    let form = format!(
        "(SELECT t0.subject_id{}, count(*) AS n, sum({{1}}) AS s, max({{1}}) AS m, count(distinct {{2}}) FILTER (WHERE {{3}}) AS d FROM {{0}} WHERE {{4}} GROUP BY t0.subject_id{}{having}) {alias}",
        by(&|n| format!(", {{{}}} AS k{n}", n + 5)),
        by(&|n| format!(", k{n}")),
    );
    let only = if maker.upto(3) == 0 { maker.condition(1) } else { Both::same("TRUE") };
    let parts: Vec<&Both> = [&from, &value, &text, &only, &condition].into_iter().chain(keys.iter().map(|key| &key.0)).collect();
    let text = Both::of(&form, &parts);
    let named = |name: String, ty| {
        // DuckDB's sums are wider than its whole numbers, its numbers of days narrower.
        let duck = if ty == ColumnType::Integer { format!("CAST({alias}.{name} AS BIGINT)") } else { format!("{alias}.{name}") };
        Named { text: Both { ours: format!("{alias}.{name}"), duck }, ty, ascii: false }
    };
    let made = ["n", "s", "m", "d"].map(|name| named(name.to_owned(), ColumnType::Integer));
    (text, keys.iter().enumerate().map(|(n, key)| named(format!("k{n}"), key.1)).chain(made).collect())
}

/// `FROM` with tables, subqueries or both.
fn any_from(generator: &mut Generator) -> (Both, Vec<Named>) {
    let few = [TableName::Subject, TableName::SubjectInterest];
    let ((from, mut columns), joined) = match generator.0.random_range(0..12) {
        0 | 1 => return subquery(generator, "t0", true),
        11 => return subquery(generator, "t0", false),
        // Acts are not joined to several rows of a subquery.
        2 | 3 => (from(generator, &few, true), Some(true)),
        4..=6 => (from(generator, &table_names(), false), Some(false)),
        _ => (from(generator, &table_names(), false), None),
    };
    let Some(keyed) = joined else { return (from, columns) };
    let (text, made) = subquery(generator, "q", keyed);
    columns.extend(made);
    (Both::of("{0} JOIN {1} ON t0.subject_id = q.subject_id", &[&from, &text]), columns)
}

/// A question in both dialects; none where it groups by what is the same for every row.
fn pair(generator: &mut Generator) -> Option<Pair> {
    let (from, columns) = any_from(generator);
    let mut maker = Maker { generator, columns };
    let (name, of, filter) = maker.aggregate();
    let filter = if name == "count(distinct subject_id)" { Both::same("TRUE") } else { filter };
    let condition = if maker.upto(2) == 0 { Both::same("TRUE") } else { maker.condition(2) };
    let mut keys: Vec<(Both, ColumnType)> = Vec::new();
    for _ in 0..maker.upto(3) {
        let ty = [ColumnType::Integer, ColumnType::Text, ColumnType::Date, ColumnType::Boolean][maker.upto(4)];
        let depth = maker.upto(3);
        let key = maker.expr(ty, depth);
        // A number alone would be that of an output column.
        if key.ours.parse::<u32>().is_err() {
            keys.push((key, ty));
        }
    }
    let ask =
        |sql: &str| validate::validate(&Question { sql: sql.to_owned(), params: Vec::new(), rho: "0.1".parse().unwrap(), narrowing: Narrowing::default() }, &partner_tables());
    let written = match name.as_str() {
        "count(*)" | "count(distinct subject_id)" => name.replace("subject_id", "t0.subject_id"),
        "count(distinct" => format!("count(distinct {})", of.ours),
        name => format!("{name}({})", of.ours),
    };
    let filtered = if filter.ours == "TRUE" { written } else { format!("{written} FILTER (WHERE {})", filter.ours) };
    let grouped = |keys: &[(Both, ColumnType)]| {
        if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.iter().map(|(key, _)| key.ours.clone()).collect::<Vec<_>>().join(", ")) }
    };
    let sql = format!("SELECT {filtered} FROM {} WHERE {}{}", from.ours, condition.ours, grouped(&keys));
    let mut prepared = match ask(&sql) {
        Ok(prepared) => prepared,
        Err(refusal) if refusal.message.ends_with("is the same for every row") => return None,
        Err(refusal) => panic!("{sql}: {refusal}"),
    };
    // Where each key is in the plan.
    let alone = |key: &(Both, ColumnType)| -> Key { ask(&format!("SELECT count(*) FROM {}{}", from.ours, grouped(std::slice::from_ref(key)))).unwrap().plan.keys[0].clone() };
    let keys_in_plan = keys.iter().map(|key| (key.1, prepared.plan.keys.iter().position(|other| other.of == alone(key).of).unwrap())).collect();
    prepared.plan.bounds = dp::ContributionBounds::new(10_000, 1_000_000, 1_000_000).unwrap();
    for aggregate in &mut prepared.plan.aggregates {
        if let Aggregate::Sum { sums, .. } = aggregate {
            *sums = Grid { low: i64::MIN / 4, high: i64::MAX / 4, ..*sums };
        }
    }
    let known = if filter.duck == "TRUE" { of.duck.clone() } else { format!("CASE WHEN {} THEN {} END", filter.duck, if of.duck.is_empty() { "1" } else { &of.duck }) };
    let numbers: Vec<String> = prepared.plan.aggregates.iter().map(|aggregate| number(aggregate, &known)).collect();
    let by = (1..=keys.len()).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {by}") };
    let select: Vec<String> = keys.iter().map(|(key, _)| key.duck.clone()).chain(numbers.iter().cloned()).collect();
    // Without GROUP BY, DuckDB has a row where there are none.
    let duck = format!("SELECT {} FROM {} WHERE {}{by} HAVING count(*) > 0", select.join(", "), from.duck, condition.duck);
    Some(Pair { prepared, case: sql, duck, keys: keys_in_plan, numbers: numbers.len() })
}

/// What DuckDB is asked for instead of a paid aggregate of `x`.
fn number(aggregate: &Aggregate, x: &str) -> String {
    // In grid units, clamped.
    let grid = |x: &str, values: &Option<Grid>, denominator: u32| {
        let units = if denominator == 1 { format!("CAST({x} AS BIGINT)") } else { format!("CAST(round_even(({x}) * {denominator}.0, 0) AS BIGINT)") };
        // NULL stays NULL: DuckDB's greatest and least take no notice of it.
        values.map_or(units.clone(), |Grid { low, high, .. }| format!("CASE WHEN {units} < {low} THEN {low} WHEN {units} > {high} THEN {high} ELSE {units} END"))
    };
    let whole = |sum: String| format!("CAST(coalesce({sum}, 0) AS BIGINT)");
    match aggregate {
        Aggregate::CountSubjects => "count(distinct t0.subject_id)".to_owned(),
        Aggregate::CountRows => "count(*)".to_owned(),
        Aggregate::CountKnown { .. } => format!("count({x})"),
        Aggregate::CountDistinct { .. } => format!("count(distinct {x})"),
        Aggregate::Sum { sums, values, .. } => whole(format!("sum({})", grid(x, values, sums.denominator))),
        Aggregate::CenteredSum { values, .. } => whole(format!("sum(2 * ({}) - {})", grid(x, &Some(*values), values.denominator), values.low + values.high)),
        Aggregate::CenteredSquares { values, .. } => {
            let (centered, width) = (format!("2 * ({}) - {}", grid(x, &Some(*values), values.denominator), values.low + values.high), values.high - values.low);
            whole(format!("sum(2 * ({centered}) * ({centered}) - {})", width * width))
        }
        Aggregate::Quantiles { values, .. } => format!("list({}) FILTER (({x}) IS NOT NULL)", grid(x, &Some(*values), values.denominator)),
    }
}

fn duck_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Id | ColumnType::Text => "VARCHAR",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Integer => "BIGINT",
        ColumnType::Float => "DOUBLE",
        ColumnType::Date => "DATE",
        ColumnType::Timestamp => "TIMESTAMP",
    }
}

/// What DuckDB calls a table.
fn duck_name(table: TableName) -> String {
    called(table).replace('.', "_")
}

/// Writes one file of rows per table.
fn write_rows(folder: &Path, tables: &Tables, eligible: &SubjectSet) {
    for (table, rows) in tables {
        let mut text = String::new();
        for row in rows.iter().filter(|row| table.is_public() || eligible.contains(row.subject)) {
            let value = |column: &domain::catalog::Column| match column.name {
                "subject_id" => json!(row.subject.0.to_string()),
                "activity_id" => json!(row.act()),
                "creator_id" => json!(row.creator()),
                name => row.value(name).to_json(),
            };
            let object: serde_json::Map<String, serde_json::Value> = catalog(*table).columns.iter().map(|column| (column.name.to_owned(), value(column))).collect();
            text += &format!("{}\n", serde_json::Value::Object(object));
        }
        fs::write(folder.join(format!("{}.json", duck_name(*table))), text).unwrap();
    }
}

/// DuckDB's answer by the bytes of the keys.
fn answered(pair: &Pair, rows: &serde_json::Value) -> Option<BTreeMap<Vec<u8>, Vec<Vec<i128>>>> {
    // A text is an error.
    let rows = rows.as_array()?;
    let row = |row: &serde_json::Value| {
        let cells = row.as_array().unwrap();
        let mut key = vec![Value::Null; pair.prepared.plan.keys.len()];
        for ((ty, place), cell) in pair.keys.iter().zip(cells) {
            key[*place] = match (ty, cell) {
                (_, serde_json::Value::Null) => Value::Null,
                (ColumnType::Boolean, cell) => Value::Boolean(cell.as_bool().unwrap()),
                (ColumnType::Integer, cell) => Value::Integer(cell.as_i64().unwrap()),
                (ColumnType::Date, cell) => Value::Date(cell.as_str().unwrap().parse().unwrap()),
                (_, cell) => Value::Text(cell.as_str().unwrap().to_owned()),
            };
        }
        let given = &cells[cells.len() - pair.numbers..];
        (encode_key(&key), pair.prepared.plan.aggregates.iter().zip(given).map(|(aggregate, cell)| counted(aggregate, cell)).collect())
    };
    Some(rows.iter().map(row).collect())
}

/// A number, or each leaf with its count.
fn numbers(parts: &[Part]) -> Vec<Vec<i128>> {
    let number = |part: &Part| match part {
        Part::Number(number) => vec![*number],
        Part::Distinct(values) => vec![i128::try_from(values.len()).unwrap()],
        Part::Leaves(leaves) => leaves.iter().flat_map(|(leaf, count)| [i128::from(*leaf), i128::from(*count)]).collect(),
    };
    parts.iter().map(number).collect()
}

/// The same of what DuckDB gave.
fn counted(aggregate: &Aggregate, cell: &serde_json::Value) -> Vec<i128> {
    let Aggregate::Quantiles { values, .. } = aggregate else { return vec![cell.as_i64().unwrap().into()] };
    let shape = domain::question::tree_shape(values).unwrap();
    let mut leaves: BTreeMap<u32, u64> = BTreeMap::new();
    cell.as_array().into_iter().flatten().for_each(|value| *leaves.entry(shape.leaf(value.as_i64().unwrap())).or_default() += 1);
    numbers(&[Part::Leaves(leaves)]).remove(0)
}

#[test]
fn exact_answers_are_those_of_duckdb() {
    let Some(mut python) = python("duckdb") else { return };
    let seed = env_seed(99);
    eprintln!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let types = |table: TableName| -> serde_json::Map<String, serde_json::Value> {
        catalog(table).columns.iter().map(|column| (column.name.to_owned(), json!(duck_type(column.ty)))).collect()
    };
    let tables_json: serde_json::Map<String, serde_json::Value> = table_names().into_iter().map(|table| (duck_name(table), types(table).into())).collect();
    fs::write(folder.path().join("tables.json"), serde_json::Value::Object(tables_json).to_string()).unwrap();
    let (mut asked, mut some, mut keyed, mut nested) = (Vec::new(), 0, 0, 0);
    for n in 0..WORLDS {
        let mut generator = Generator::new(seed + n);
        let arrivals = data(&mut generator);
        let world = World::lay_out(&arrivals, 3, &mut ChaCha20Rng::seed_from_u64(seed ^ n));
        let eligible: SubjectSet = arrivals[0].ids.iter().copied().filter(|_| generator.0.random_ratio(4, 5)).collect();
        let key = BoundingKey::from_bytes(generator.0.random());
        let own = folder.path().join(format!("{n:03}"));
        fs::create_dir(&own).unwrap();
        let mut all = tables(&table_names(), &arrivals);
        all.insert(TableName::Creator, testkit::listed(&testkit::creators()));
        write_rows(&own, &all, &eligible);
        let pairs: Vec<Pair> = std::iter::repeat_with(|| pair(&mut generator)).flatten().take(PER_WORLD).collect();
        let texts: String = pairs.iter().map(|pair| format!("{}\n", json!(pair.duck))).collect();
        fs::write(own.join("questions.json"), texts).unwrap();
        for pair in pairs {
            let ours: BTreeMap<Vec<u8>, Vec<Vec<i128>>> = world.exact(&pair.prepared, &eligible, &key).groups.iter().map(|(key, parts)| (key.clone(), numbers(parts))).collect();
            some += u32::from(!ours.is_empty());
            let (several, inner) = shape(&pair.prepared.plan.per_subject);
            keyed += u32::from(several && !ours.is_empty());
            nested += u32::from(inner && !ours.is_empty());
            asked.push((n, pair, ours));
        }
    }
    let status = python.arg("tests/answers.py").arg(folder.path()).status().unwrap();
    assert!(status.success());
    let mut answers: Vec<serde_json::Value> = Vec::new();
    for n in 0..WORLDS {
        let text = fs::read_to_string(folder.path().join(format!("{n:03}")).join("answers.json")).unwrap();
        answers.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
    }
    assert_eq!(answers.len(), asked.len());
    let wrong: Vec<String> = asked
        .iter()
        .zip(&answers)
        .filter(|((_, pair, ours), answer)| answered(pair, answer).as_ref() != Some(ours))
        .map(|((n, pair, ours), answer)| format!("world {n}, FAIRSHARE_SEED={seed}\n{}\n{}\nours {ours:?}\nDuckDB {:?} {answer}", pair.case, pair.duck, answered(pair, answer)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), asked.len(), wrong.iter().take(6).cloned().collect::<Vec<_>>().join("\n\n"));
    assert!(
        asked.len() >= 2_000 && some > 1_500 && keyed > 300 && nested > 50,
        "{} questions, {some} with an answer, {keyed} of several rows of a subquery, {nested} nested",
        asked.len()
    );
}
