//! What is understood and what is refused.

use std::collections::BTreeSet;

use domain::catalog::TableName;
use domain::question::{Narrowing, PlanLimits, Value};

use testkit::{called, partner_tables, table_names};

use super::*;

mod golden;
mod nasty;

fn validate(question: &Question) -> Result<Prepared, Refusal> {
    super::validate(question, &partner_tables())
}

fn ask(sql: &str) -> Question {
    Question { sql: sql.to_owned(), params: Vec::new(), rho: "0.05".parse().unwrap(), narrowing: Narrowing::default() }
}

#[test]
fn nesting_and_length_are_limited() {
    let deep = format!("SELECT count(*) FROM activity WHERE {}hour = 1{}", "(".repeat(1_000), ")".repeat(1_000));
    assert_eq!(validate(&ask(&deep)).unwrap_err().code, RefusalCode::Limit);
    let long = format!("SELECT count(*) FROM activity WHERE hour IN ({})", vec!["1"; 20_000].join(","));
    assert_eq!(validate(&ask(&long)).unwrap_err().code, RefusalCode::Limit);
}

#[test]
fn bounds_can_be_narrowed_and_never_widened() {
    let with = |narrowing: Narrowing| validate(&Question { narrowing, ..ask("SELECT kind, sum(word_count) FROM activity GROUP BY kind") });
    assert_eq!(with(Narrowing { groups: Some(2), ..Narrowing::default() }).unwrap().plan.bounds.groups(), 2);
    for wide in [
        Narrowing { groups: Some(1_000), ..Narrowing::default() },
        Narrowing { groups: Some(0), ..Narrowing::default() },
        Narrowing { rows_per_group: Some(1_000), ..Narrowing::default() },
        Narrowing { sums: [("word_count".to_owned(), (0.0, 1e9))].into(), ..Narrowing::default() },
        Narrowing { sums: [("word_count".to_owned(), (5.0, 1.0))].into(), ..Narrowing::default() },
        Narrowing { sums: [("word_count".to_owned(), (f64::NAN, 1.0))].into(), ..Narrowing::default() },
    ] {
        assert_eq!(with(wide).unwrap_err().code, RefusalCode::Bound);
    }
}

#[test]
fn a_price_of_zero_is_refused() {
    let free = Question { rho: dp::Rho::ZERO, ..ask("SELECT count(*) FROM activity") };
    assert_eq!(validate(&free).unwrap_err().code, RefusalCode::Price);
}

/// What is proposed instead of a join that is refused is accepted itself.
#[test]
fn rewrites_of_joins_are_accepted() {
    for chosen in 1..1_usize << table_names().len() {
        let tables: Vec<_> = table_names().into_iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1).map(|(_, table)| table).collect();
        let from = from::rewrite(&tables.iter().map(|table| called(*table)).collect::<Vec<_>>()).replace("write FROM", "SELECT count(*) FROM");
        // What the list of creators belongs to comes with it.
        let needed = tables.contains(&TableName::Creator).then_some(TableName::Activity);
        let expected: BTreeSet<TableName> = tables.into_iter().chain(needed).collect();
        assert_eq!(validate(&ask(&from)).unwrap().plan.tables, expected.into_iter().collect::<Vec<_>>(), "{from}");
    }
}

#[test]
fn values_of_averages_can_be_narrowed_and_no_bound_is_ignored() {
    let with = |sql: &str, sums: &[(&str, f64, f64)], values: &[(&str, f64, f64)]| {
        let of = |bounds: &[(&str, f64, f64)]| bounds.iter().map(|(name, low, high)| ((*name).to_owned(), (*low, *high))).collect();
        validate(&Question { narrowing: Narrowing { sums: of(sums), values: of(values), ..Narrowing::default() }, ..ask(sql) })
    };
    let average = "SELECT avg(word_count) FROM activity";
    let narrowed = with(average, &[], &[("word_count", 0.0, 100.0)]).unwrap();
    assert!(narrowed.plan.aggregates.iter().any(|a| a.value_range() == Some((0.0, 100.0))));
    for wrong in [("word_count", 0.0, 201.0), ("word_count", -1.0, 10.0), ("word_count", 9.0, 1.0), ("word_count", f64::NAN, 1.0), ("likes_received", 0.0, 1.0)] {
        assert_eq!(with(average, &[], &[wrong]).unwrap_err().code, RefusalCode::Bound, "{wrong:?}");
    }
    assert_eq!(with(average, &[("word_count", 0.0, 100.0)], &[]).unwrap_err().code, RefusalCode::Bound, "the question has no sum");
    let clamped = with("SELECT sum(word_count) FROM activity", &[], &[("word_count", 0.0, 100.0)]).unwrap();
    assert!(clamped.plan.to_json().contains("\"values\":{\"low\":0,\"high\":100"), "single values of a sum can be clamped too");
    for (sums, values, sql) in [
        (&[("word_count", 0.0, 10.0)][..], &[][..], "SELECT sum(word_count + 1) FROM activity"),
        (&[("word_count", 0.0, 10.0)], &[], "SELECT count(*) FILTER (WHERE word_count > 1), avg(word_count) FROM activity"),
        (&[], &[("word_count", 0.0, 10.0)], "SELECT sum(likes_received) FILTER (WHERE word_count > 1) FROM activity"),
    ] {
        assert_eq!(with(sql, sums, values).unwrap_err().code, RefusalCode::Bound, "{sql}");
    }
    let narrowed = |values| with("SELECT avg(word_count * 2) FROM activity", &[], values).unwrap().plan.aggregates.iter().find_map(Aggregate::value_range);
    assert_eq!((narrowed(&[]), narrowed(&[("word_count", 0.0, 10.0)])), (Some((0.0, 400.0)), Some((0.0, 20.0))), "values of an expression follow");
    assert_eq!(with("SELECT count(word_count) FROM activity", &[], &[("word_count", 0.0, 100.0)]).unwrap_err().code, RefusalCode::Bound, "no values count");
}

#[test]
fn averages_share_what_is_equal_and_show_their_parts() {
    let prepared = validate(&ask("SELECT avg(word_count) AS words, avg(likes_received), count(*) AS words_count FROM activity HAVING avg(word_count) > 1")).unwrap();
    let paid: Vec<String> = prepared.plan.aggregates.iter().map(ToString::to_string).collect();
    assert_eq!(paid, ["count(*)", "count(likes_received)", "count(word_count)", "sum(likes_received - 100)", "sum(word_count - 100)"]);
    let names: Vec<&str> = prepared.view.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["words", "words_centered_sum", "words_count_2", "avg", "avg_centered_sum", "avg_count", "words_count"]);
    let estimate = prepared.estimate().unwrap();
    assert_eq!(estimate.averages.len(), 2);
    let widths: Vec<f64> = estimate.averages[0].half_widths.iter().map(|w| w.half_width_95).collect();
    assert!(widths.is_sorted_by(|a, b| a >= b) && widths[0] <= 100.0 && widths[3] > 0.0, "{widths:?}");
}

#[test]
fn a_person_is_in_no_more_groups_than_they_can_be() {
    let groups = |sql: &str| validate(&ask(sql)).unwrap().plan.bounds.groups();
    let joined = "FROM activity a JOIN activity_tag USING (activity_id) JOIN subject s USING (subject_id) GROUP BY";
    assert_eq!(groups(&format!("SELECT count(*) {joined} tag")), 16, "the contract of acts");
    assert_eq!(groups(&format!("SELECT count(*) {joined} country, age_band")), 1, "a person has one country and one age");
    assert_eq!(groups(&format!("SELECT count(*) {joined} country, tag KEYS ('rust', 'sun')")), 2);
    assert_eq!(groups(&format!("SELECT count(*) {joined} country, tag")), 16);
}

/// What is folded into a constant is a constant: no check is passed by writing it as an expression.
#[test]
fn patterns_and_texts_are_limited_however_they_are_written() {
    let code = |sql: &str| validate(&ask(sql)).unwrap_err().code;
    assert_eq!(code("SELECT count(*) FROM activity WHERE link_domain LIKE ('a\\' || '%')"), RefusalCode::Expression);
    assert_eq!(code("SELECT count(*) FROM activity WHERE link_domain LIKE replace('aaaaaaaaaa', 'a', '%bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb%')"), RefusalCode::Limit);
    assert_eq!(code(&format!("SELECT count(*) FROM activity WHERE language = '{}'", "x".repeat(2_000))), RefusalCode::Limit);
    let text = Value::Text("x".repeat(900));
    let many = |uses: usize| Question { params: vec![text.clone()], ..ask(&format!("SELECT count(*) FROM activity WHERE language IN ({})", vec!["$1"; uses].join(","))) };
    assert!(validate(&many(20)).is_ok());
    assert_eq!(validate(&many(30)).unwrap_err().code, RefusalCode::Limit, "a text counts each time that it is used");
    let folds = |many: usize| {
        let made: Vec<String> = (0..many).map(|n| format!("sum(word_count + {n}) AS m{n}")).collect();
        let used: Vec<String> = (0..many).map(|n| format!("m{n}")).collect();
        validate(&ask(&format!("SELECT count(*) FROM (SELECT subject_id, {} FROM activity GROUP BY subject_id) t WHERE greatest({}) > 0", made.join(", "), used.join(", "))))
    };
    assert!(folds(PlanLimits::FOLDS).is_ok());
    assert_eq!(folds(PlanLimits::FOLDS + 1).unwrap_err().code, RefusalCode::Limit);
}
