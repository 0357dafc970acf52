//! Partners' own rows: upload, match within consent, joins, deletion, and that nobody learns who matched.

use std::fs;

use serde_json::{Value, json};

use crate::command::{Deployment, hashed, repository};

fn town() -> Deployment {
    let d = Deployment::new().with_partner("50");
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.everybody_gives(60, "aggregate_statistics");
    d.with_own_table(60)
}

fn number(row: &Value, column: &str) -> f64 {
    row[column].as_f64().unwrap()
}

#[test]
fn a_partners_rows_are_joined_with_those_of_people() {
    let d = town();
    let matched = d.query(&["--rho", "2"], "SELECT count(distinct subject_id) AS people FROM partner.crm");
    assert!((number(&matched["rows"][0], "people") - 60.0).abs() < 5.0, "{matched}");
    let by_tier = "SELECT tier, count(distinct a.subject_id) AS people, avg(spend) AS spend FROM activity a JOIN partner.crm AS c USING (subject_id)
        GROUP BY tier KEYS ('gold', 'silver') ORDER BY tier";
    let answer = d.query(&["--rho", "5"], by_tier);
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| (number(row, "people") - 30.0).abs() < 10.0), "{rows:?}");
    // One row of a person: they are in one tier, and what they spend is bounded by what was declared.
    let estimate = d.query(&["--estimate"], by_tier);
    assert_eq!(estimate["estimate"]["groups_per_person"], 1);
    let average = &estimate["estimate"]["averages"][0];
    assert_eq!((&average["low"], &average["high"]), (&json!(0.0), &json!(500.0)));
    let qualified =
        d.query(&["--rho", "1"], "SELECT sum(partner.crm.spend) FROM partner.crm JOIN subject ON partner.crm.subject_id = subject.subject_id WHERE country = 'Germany'");
    assert!(qualified["rows"][0]["sum"].is_number());
    let simulated = d.query(&["--simulate"], by_tier);
    assert_eq!((&simulated["simulated"], simulated["rows"].as_array().unwrap().len()), (&json!(true), 2));
    let overlap = d.ok(&["insight", "run", "overlap", "--table", "crm", "--partner", "acme", "--purpose", "aggregate_statistics", "--rho", "2"]);
    let row = &overlap["rows"][0];
    assert_eq!((&row["uploaded_rows"], overlap["release"]["redelivered"].as_bool()), (&json!(120), Some(true)), "the same question as the first: {overlap}");
    assert!((number(row, "match_rate") - 0.5).abs() < 0.05 && number(row, "match_rate_low") < number(row, "match_rate_high"), "{row}");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn an_upload_says_the_same_whoever_is_here() {
    let (few, many) = (Deployment::new().with_partner("50"), Deployment::new().with_partner("50"));
    for d in [&few, &many] {
        d.ok(&["import", &repository("samples/exports/forum")]);
        d.everybody_gives(60, "aggregate_statistics");
    }
    many.ok(&["subject", "contacts", &many.file("contacts.csv", "subject,email\n3,anna@town.example\n")]);
    let rows = format!("email_sha256,tier\n{},gold\nanna@town.example,gold\n", hashed("anna@town.example"));
    let said = |d: &Deployment| d.ok(&["table", "upload", "crm", &d.file("crm.csv", &rows), "--partner", "acme", "--column", "tier:text"]);
    let (a, b) = (said(&few), said(&many));
    assert_eq!(a, b);
    assert_eq!((&a["rows"], &a["rejected"]), (&json!(1), &json!(1)));
    assert!(a["reasons"][0].as_str().unwrap().contains("in clear"), "{a}");
}

#[test]
fn nobody_else_can_name_a_table_and_it_goes_when_it_is_deleted() {
    let d = town();
    d.ok(&["partner", "add", "other", "--legal-name", "Other Ltd"]);
    d.ok(&["partner", "approve", "other"]);
    d.ok(&["agreement", "add", "other-1", "--partner", "other", "--purpose", "aggregate_statistics", "--rho", "5"]);
    d.ok(&["agreement", "approve", "other-1"]);
    d.ok(&["agreement", "activate", "other-1"]);
    let sql = "SELECT count(distinct subject_id) FROM partner.crm";
    let refused = d.fails(4, &["query", "--partner", "other", "--purpose", "aggregate_statistics", sql]);
    assert!(refused.contains("Q103") && refused.contains("there is no table"), "{refused}");
    assert!(!refused.contains("partner.crm,"), "nor is it named: {refused}");
    assert!(d.fails(4, &["query", "--partner", "other", "--purpose", "aggregate_statistics", "SELECT count(*) FROM \"partner.1\""]).contains("Q103"));

    let names = |value: &Value| value["tables"].as_array().unwrap().iter().map(|t| t["table"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(names(&d.ok(&["table", "list", "--partner", "acme"])).contains(&"partner.crm".to_owned()));
    assert!(!names(&d.ok(&["table", "list"])).contains(&"partner.crm".to_owned()));
    let columns = d.ok(&["table", "show", "partner.crm", "--partner", "acme"]);
    assert_eq!(columns["columns"][2]["column"], "spend");
    d.fails(4, &["table", "upload", "crm", &d.file("again.csv", "email_sha256,tier\n"), "--partner", "acme", "--column", "tier:text"]);
    assert!(files(&d) > 0);
    let deleted = d.ok(&["table", "delete", "partner.crm", "--partner", "acme"]);
    assert_eq!((&deleted["files_waiting"], files(&d)), (&json!(false), 0));
    d.fails(4, &["query", "--partner", "acme", "--purpose", "aggregate_statistics", sql]);
    d.fails(3, &["table", "delete", "crm", "--partner", "acme"]);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// Files of partners' tables.
fn files(d: &Deployment) -> usize {
    fs::read_dir(d.path().join("lake/partner")).map_or(0, Iterator::count)
}

#[test]
fn whoever_is_erased_is_in_no_partners_table_either() {
    let d = town();
    let own = |d: &Deployment| d.ok(&["import", "trace", "--subject", "7"])["rows"].as_array().unwrap().iter().any(|row| row["table"].as_str().unwrap().starts_with("partner."));
    assert!(own(&d), "people are told of such rows");
    d.ok(&["subject", "erase", "7"]);
    let other: Vec<u8> = fs::read_dir(d.path().join("lake/partner")).unwrap().flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!other.is_empty());
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.ok(&["lake", "compact"]);
    let people = d.query(&["--rho", "10"], "SELECT count(distinct subject_id) AS people FROM partner.crm");
    assert!((number(&people["rows"][0], "people") - 59.0).abs() < 5.0, "{people}");
}
