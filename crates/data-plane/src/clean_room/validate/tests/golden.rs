//! Golden files: `tests/golden/accepted.txt` holds questions with what is understood of them, `refused.txt`
//! with code, place, message and hint.
//!
//! A question ends at an empty line. Comments before it say what comes with it: `-- params: [1, "de"]`,
//! `-- bounds: groups=4 word_count=0..500 value:word_count=0..60`.

use std::collections::BTreeSet;
use std::fmt::Write;

use domain::RefusalCode;
use domain::question::{Inner, Key, KeyValues, Plan, Released, ViewExpr};

use super::*;

const ACCEPTED: &str = "tests/golden/accepted.txt";
const REFUSED: &str = "tests/golden/refused.txt";

/// A question as the files write it.
pub(super) fn question(written: &str) -> Question {
    let mut question = ask(written);
    for line in written.lines() {
        if let Some(params) = line.strip_prefix("-- params: ") {
            let params: Vec<serde_json::Value> = serde_json::from_str(params).unwrap();
            question.params = params.iter().map(value).collect();
        }
        if let Some(bounds) = line.strip_prefix("-- bounds: ") {
            bounds.split(' ').for_each(|bound| narrow(&mut question.narrowing, bound));
        }
        if let Some(rho) = line.strip_prefix("-- rho: ") {
            question.rho = rho.parse().unwrap();
        }
    }
    question
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Boolean(*truth),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Integer),
        serde_json::Value::String(text) if text == "infinite" => Value::Float(f64::INFINITY),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        other => panic!("{other} is no parameter"),
    }
}

fn narrow(narrowing: &mut Narrowing, bound: &str) {
    let (name, to) = bound.split_once('=').unwrap();
    let ends = || {
        let (low, high) = to.split_once("..").unwrap();
        (low.parse().unwrap(), high.parse().unwrap())
    };
    match name {
        "groups" => narrowing.groups = Some(to.parse().unwrap()),
        "rows" => narrowing.rows_per_group = Some(to.parse().unwrap()),
        "rows_overall" => narrowing.rows_overall = Some(to.parse().unwrap()),
        name => match name.strip_prefix("value:") {
            Some(name) => narrowing.values.insert(name.to_owned(), ends()),
            None => narrowing.sums.insert(name.to_owned(), ends()),
        }
        .map_or((), |_| panic!("{name} is bounded twice")),
    }
}

/// What is understood of subqueries, each with those in it below.
fn per_subject(all: &[Inner<'_>], indent: &str, out: &mut String) {
    for inner in all {
        let Inner { subquery, folds } = inner;
        let tables: Vec<String> = subquery.tables.iter().map(ToString::to_string).collect();
        let filter = subquery.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
        let keys = subquery.keys.iter().map(|key| format!(" by {key}")).collect::<Vec<_>>().join("");
        let folds: Vec<String> = folds.iter().map(ToString::to_string).collect();
        let from = if tables.is_empty() { "subqueries".to_owned() } else { tables.join(", ") };
        writeln!(out, "=> {indent}per subject{keys} from {from}{filter}: {}", folds.join(", ")).unwrap();
        per_subject(&inner.inner(), &format!("{indent}  "), out);
    }
}

/// What is understood of a question, in short.
fn understood(Prepared { plan, view, .. }: &Prepared) -> String {
    let mut out = String::new();
    let tables = |tables: &[domain::catalog::TableName]| tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    writeln!(out, "=> from {}", tables(&plan.tables)).unwrap();
    per_subject(&plan.inner(), "", &mut out);
    plan.filter.iter().for_each(|filter| writeln!(out, "=> where {filter}").unwrap());
    plan.keys.iter().for_each(|key| writeln!(out, "=> by {}", keyed(key)).unwrap());
    for aggregate in &plan.aggregates {
        let most = aggregate.per_group_max(&plan.bounds);
        writeln!(out, "=> paid: {aggregate} ±{most}/{}", aggregate.denominator()).unwrap();
    }
    writeln!(out, "=> bounds: {} groups, {} rows", plan.bounds.groups(), plan.bounds.rows_per_group()).unwrap();
    let columns: Vec<String> = view.columns.iter().map(|column| format!("{} = {}", column.name, shown(&column.expr, plan))).collect();
    writeln!(out, "=> shown: {}", columns.join(", ")).unwrap();
    view.having.iter().for_each(|having| writeln!(out, "=> having {}", shown(having, plan)).unwrap());
    for order in &view.order_by {
        let (direction, nulls) = (if order.descending { "desc" } else { "asc" }, if order.nulls_first { "first" } else { "last" });
        writeln!(out, "=> order by {} {direction} nulls {nulls}", shown(&order.expr, plan)).unwrap();
    }
    if view.limit.is_some() || view.offset > 0 {
        writeln!(out, "=> rows: {:?} from {}", view.limit, view.offset).unwrap();
    }
    out
}

fn keyed(Key { of, values }: &Key) -> String {
    match values {
        KeyValues::Unknown => format!("{of}: unknown"),
        KeyValues::Domain => format!("{of}: public, {}", KeyValues::of_domain(of).unwrap().len()),
        KeyValues::Listed(values) if values.len() > 6 => format!("{of}: listed, {} from {} to {}", values.len(), values[0], values[values.len() - 1]),
        KeyValues::Listed(values) => {
            let values: Vec<String> = values.iter().map(|value| format!("‹{value}›")).collect();
            format!("{of}: listed {}", values.join(" "))
        }
    }
}

/// An expression after the aggregates, by what its numbers are.
fn shown(expr: &ViewExpr, plan: &Plan) -> String {
    // Where the numbers of each aggregate begin.
    let name = |place: usize| {
        let mut next = 0;
        for aggregate in &plan.aggregates {
            if place < next + aggregate.numbers() {
                let level = (place - next) / 3;
                return match aggregate {
                    domain::question::Aggregate::Quantiles { of, at, .. } => format!("percentile({}, {of})", f64::from(at[level]) / 1e6),
                    other => other.to_string(),
                };
            }
            next += aggregate.numbers();
        }
        panic!("a number that nobody pays for")
    };
    let leaf = |released: &Released| match released {
        Released::Key(place) => plan.keys[*place].of.to_string(),
        Released::Number(place) | Released::Quantile(place) => name(*place),
        Released::Moments(moments) => {
            assert!(name(moments.count).starts_with("count("), "{}", name(moments.count));
            moments.squares.into_iter().for_each(|squares| assert!(name(squares).starts_with("sum(power("), "{}", name(squares)));
            format!("{:?} of {}", moments.statistic, name(moments.sum))
        }
    };
    expr.clone().map(&mut |released| Expr::Leaf(format!("[{}]", leaf(&released)))).to_string()
}

fn outcome(written: &str) -> (Option<RefusalCode>, String) {
    match validate(&question(written)) {
        Ok(prepared) => {
            prepared.estimate().unwrap();
            (None, understood(&prepared))
        }
        Err(refusal) => {
            let place = refusal.at.map_or_else(String::new, |p| format!(" at {}:{}", p.line, p.column));
            let hint = refusal.hint.unwrap_or_else(|| panic!("no hint: {written}"));
            (Some(refusal.code), format!("=> {}{place}: {}\n=> hint: {hint}\n", refusal.code, refusal.message))
        }
    }
}

fn questions(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let question = |case: &str| case.lines().take_while(|line| !line.starts_with("=> ")).collect::<Vec<_>>().join("\n");
    text.split("\n\n").map(|case| question(case).trim().to_owned()).filter(|question| !question.is_empty()).collect()
}

/// What comes of the questions of a file, and the codes; the file is rewritten when `FAIRSHARE_BLESS=1`.
#[expect(clippy::disallowed_methods, reason = "blessing golden files is asked for by the environment")]
fn check(file: &str) -> Vec<Option<RefusalCode>> {
    let questions = questions(file);
    let different: BTreeSet<&String> = questions.iter().collect();
    let doubled = questions.len() - different.len();
    assert_eq!(doubled, 0, "questions of {file} that are there twice");
    let outcomes: Vec<(Option<RefusalCode>, String)> = questions.iter().map(|question| outcome(question)).collect();
    let now: Vec<String> = questions.iter().zip(&outcomes).map(|(question, (_, outcome))| format!("{question}\n{outcome}")).collect();
    if std::env::var("FAIRSHARE_BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(file, now.join("\n")).unwrap();
    } else {
        let golden = std::fs::read_to_string(file).unwrap();
        let golden: Vec<&str> = golden.split("\n\n").map(str::trim).collect();
        for (now, golden) in now.iter().zip(golden) {
            assert_eq!(now.trim(), golden, "run with FAIRSHARE_BLESS=1 and review the difference");
        }
    }
    outcomes.into_iter().map(|(code, _)| code).collect()
}

#[test]
fn accepted_questions_are_understood_as_the_golden_file_says() {
    let codes = check(ACCEPTED);
    let refused: Vec<String> = questions(ACCEPTED).into_iter().zip(&codes).filter(|(_, code)| code.is_some()).map(|(question, _)| question).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(codes.len() >= 300, "{}", codes.len());
}

#[test]
fn refused_questions_are_refused_as_the_golden_file_says() {
    let codes = check(REFUSED);
    let accepted: Vec<String> = questions(REFUSED).into_iter().zip(&codes).filter(|(_, code)| code.is_none()).map(|(question, _)| question).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
    assert!(codes.len() >= 200, "{}", codes.len());
    let docs = std::fs::read_to_string("../../docs/refusals.md").unwrap();
    for code in RefusalCode::ALL {
        assert!(docs.contains(&format!("| {code} |")), "docs/refusals.md has no {code}");
        assert!(!code.as_str().starts_with('Q') || codes.contains(&Some(*code)), "{REFUSED} has no {code}");
    }
}

/// Code and documents name the same examples.
#[test]
fn examples_of_the_documents_are_refused_with_their_code() {
    let docs = std::fs::read_to_string("../../docs/refusals.md").unwrap();
    let mut examples = 0;
    for line in docs.lines().filter(|line| line.starts_with("| Q")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [code, .., example] = cells.as_slice() else { panic!("{line}") };
        let Some(sql) = example.trim_end_matches('|').trim().strip_prefix('`').and_then(|sql| sql.strip_suffix('`')) else { continue };
        examples += 1;
        assert_eq!(validate(&ask(sql)).unwrap_err().code.as_str(), code.trim_start_matches("| "), "{sql}");
    }
    assert!(examples >= 11, "{examples}");
}

/// Whole clauses that refusals propose are accepted themselves.
#[test]
fn proposed_clauses_are_accepted() {
    let mut proposed = BTreeSet::new();
    for question in questions(REFUSED) {
        let (_, outcome) = outcome(&question);
        let hint = outcome.lines().find_map(|line| line.strip_prefix("=> hint: ")).unwrap().to_owned();
        for part in hint.split("; ").flat_map(|part| part.split(": ")) {
            let begins = ["write FROM ", "SELECT ", "write GROUP BY ", "write WITH ", "JOIN ", "percentile_cont("];
            proposed.extend(begins.iter().any(|begin| part.starts_with(begin)).then(|| part.strip_prefix("write ").unwrap_or(part).to_owned()));
        }
    }
    for part in &proposed {
        let part = part.replace(", … ", ", count(*) AS n FROM activity ");
        let table = if part.contains("spend") {
            "partner.crm"
        } else if part.contains("tag") {
            "activity_tag"
        } else {
            "activity"
        };
        let sql = match part.split(' ').next().unwrap() {
            "SELECT" => part.clone(),
            "FROM" => format!("SELECT count(*) {part}"),
            "JOIN" => format!("SELECT count(*) FROM activity {part}"),
            "GROUP" => {
                // Several ways to write it.
                for way in part.split(" or ").flat_map(|way| way.split(", GROUP BY")) {
                    let way = way.trim().trim_start_matches("GROUP BY").trim();
                    let table = match way.get(..3) {
                        Some("tag") => "activity_tag",
                        Some("cre") => "activity JOIN creator USING (creator_id)",
                        _ => "activity",
                    };
                    validate(&ask(&format!("SELECT count(*) FROM {table} GROUP BY {way}"))).unwrap_or_else(|refusal| panic!("{way}: {refusal}"));
                }
                continue;
            }
            "WITH" => format!("{part} SELECT count(*) FROM t"),
            _ => format!("SELECT {part} FROM {table}"),
        };
        validate(&ask(&sql)).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
    assert!(proposed.len() >= 8, "{proposed:#?}");
}
