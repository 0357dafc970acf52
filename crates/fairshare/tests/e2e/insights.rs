//! Ready-made questions.

use serde_json::{Value, json};

use crate::command::{Deployment, repository};

/// What each insight is asked with.
const ASKED: [(&str, &[&str]); 10] = [
    ("audience", &["--kind", "post"]),
    ("top-tags", &["--top", "5"]),
    ("trends", &["--tag", "sea", "--tag", "#Bread", "--from", "2026-01-01", "--to", "2026-03-31", "--by", "month"]),
    ("share-of-voice", &["--tag", "sea", "--tag", "bread", "--country", "Germany"]),
    ("posting-times", &["--platform", "mastodon"]),
    ("engagement", &[]),
    ("activity-levels", &["--from", "2020-01-01", "--table", "crm"]),
    ("top-creators", &["--platform", "csv"]),
    ("creator-reactions", &["--category", "News"]),
    ("overlap", &["--table", "crm"]),
];

fn town() -> Deployment {
    let d = Deployment::new().with_partner("50");
    d.ok(&["creator", "add", "--platform", "csv", "--account", "herald", "--name", "The Herald", "--category", "news", "--basis", "organisation"]);
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.everybody_gives(60, "aggregate_statistics");
    d
}

fn run(d: &Deployment, insight: &str, options: &[&str]) -> Value {
    d.ok(&[&["insight", "run", insight, "--partner", "acme", "--purpose", "aggregate_statistics", "--rho", "0.5"], options].concat())
}

#[test]
fn every_insight_is_listed_priced_and_answered_as_a_question() {
    let d = town().with_own_table(60);
    let listed = d.ok(&["insight", "list"]);
    let names: Vec<&str> = listed["insights"].as_array().unwrap().iter().map(|i| i["insight"].as_str().unwrap()).collect();
    assert_eq!(names, ASKED.map(|(name, _)| name));
    for (insight, options) in ASKED {
        let estimate = run(&d, insight, &[options, &["--estimate"]].concat());
        assert!(estimate["estimate"]["aggregates"].as_array().is_some_and(|all| !all.is_empty()), "{insight}");
        let answer = run(&d, insight, options);
        assert_eq!((&answer["insight"]["name"], &answer["cost"]["rho"]), (&json!(insight), &json!(0.5)), "{insight}");
        // The same as the question that it says it is.
        let shown = run(&d, insight, &[options, &["--show-sql"]].concat());
        let params: Vec<String> = shown["params"].as_array().unwrap().iter().flat_map(|value| ["--param".to_owned(), format!("'{}'", value.as_str().unwrap())]).collect();
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        let again = d.query(&[&["--rho", "0.5"], params.as_slice()].concat(), shown["sql"].as_str().unwrap());
        assert_eq!((&again["release"]["id"], &again["release"]["redelivered"]), (&answer["release"]["id"], &json!(true)), "{insight}");
    }
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn trends_and_shares_say_what_the_noise_lets_one_see() {
    let d = town();
    let trends = run(&d, "trends", ASKED[2].1);
    let rows = trends["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6, "two hashtags, three months, whoever uses them");
    assert!(rows.iter().enumerate().all(|(place, row)| row["z"].is_number() != (place % 3 == 0) && row["movement"].is_string()), "{rows:?}");
    assert!(trends["insight"]["notes"].as_array().unwrap().len() > 1);
    let shares = run(&d, "share-of-voice", &["--tag", "sea", "--tag", "bread"]);
    for row in shares["rows"].as_array().unwrap().iter().filter(|row| row["share"].is_number()) {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(0.0 <= number("share_low") && number("share_low") <= number("share") && number("share") <= number("share_high") && number("share_high") <= 1.0, "{row}");
    }
    assert_eq!(run(&d, "posting-times", &[])["rows"].as_array().unwrap().len(), 7 * 24);
}

#[test]
fn options_that_would_be_ignored_and_missing_ones_are_refused() {
    let d = Deployment::new().with_partner("50");
    let refused = |insight: &str, options: &[&str]| d.fails(2, &[&["insight", "run", insight, "--partner", "acme", "--purpose", "aggregate_statistics"], options].concat());
    assert!(refused("audience", &["--tag", "sea"]).contains("takes no --tag"));
    assert!(refused("trends", &["--tag", "sea"]).contains("--from"));
    assert!(refused("share-of-voice", &[]).contains("--tag"));
    assert!(refused("posting-times", &["--from", "2026-02-01", "--to", "2026-01-01"]).contains("--from is after --to"));
    assert!(refused("weather", &[]).contains("audience"), "says what there is");
}

#[test]
fn the_data_dictionary_shows_bounds_and_functions() {
    let d = Deployment::new();
    let contract = d.ok(&["table", "contract", "activity"]);
    let words = contract["contract"].as_array().unwrap().iter().find(|row| row["column"] == "word_count").unwrap();
    assert_eq!((&words["groups_per_person"], &words["rows_per_group"], &words["sum_to"], &words["value_to"]), (&json!(16), &json!(50), &json!(2_000.0), &json!(200.0)));
    let functions = d.ok(&["table", "functions"]);
    assert!(functions["functions"].as_array().unwrap().iter().any(|f| f["written"].as_str().is_some_and(|written| written.contains("width_bucket"))));
}

#[test]
fn every_example_of_the_page_on_insights_runs() {
    let d = town().with_own_table(60).with_survey();
    let page = std::fs::read_to_string(repository("docs/insights.md")).unwrap();
    let examples: Vec<&str> = page.lines().filter(|line| line.contains(" $as")).filter_map(|line| line.strip_prefix("insight ")).collect();
    assert_eq!(examples.len(), ASKED.len() + 1, "each, and one of the people of a table");
    for example in examples {
        // The page asks the demo's town as its university.
        let words: Vec<&str> = example.split(' ').filter(|word| *word != "$as").collect();
        assert!(page.contains(&format!("| `{}` |", words[0])), "{example}");
        run(&d, words[0], &words[1..]);
    }
}
