//! The public list of creators, from the import to the answer.

use serde_json::json;

use crate::command::{Deployment, repository};
use crate::erasure::files_with;

const MAPPING: &str =
    "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"who\"\nnative_key = \"id\"\nkind = { constant = \"like\" }\ncreator = \"whose\"\n";

/// Twelve people like the posts of `whose`, three of them the club's as well, and all of them somebody's who is not listed.
fn liked(d: &Deployment, whose: &str) {
    let mut rows = "id,who,whose\n".to_owned();
    for person in 0..12 {
        rows.push_str(&format!("h{person},p{person},{whose}\ns{person},p{person},somebody\n"));
        if person < 3 {
            rows.push_str(&format!("c{person},p{person},club\n"));
        }
    }
    let csv = d.path().with_file_name("likes.csv");
    std::fs::write(&csv, rows).unwrap();
    std::fs::write(csv.with_extension("mapping.toml"), MAPPING).unwrap();
    d.ok(&["import", csv.to_str().unwrap()]);
}

const PEOPLE: &str = "SELECT creator.name, count(distinct subject_id) AS people FROM activity JOIN creator USING (creator_id) GROUP BY creator.name KEYS TABLE creator ORDER BY 1";

#[test]
fn acts_are_counted_by_whom_they_are_about() {
    let d = Deployment::new().with_partner("50");
    let csv = d.path().with_file_name("creators.csv");
    std::fs::write(
        &csv,
        "platform,account,name,category,basis\ncsv,herald,The Herald,news,organisation\ncsv,club,\"Club, The\",sports,organisation\ncsv,nobody,Nobody,news,organisation\n",
    )
    .unwrap();
    assert_eq!(d.ok(&["creator", "add", "--csv", csv.to_str().unwrap()])["added"], 3);
    liked(&d, "herald");
    d.everybody_gives(12, "aggregate_statistics");
    let listed = d.ok(&["creator", "list"]);
    let names: Vec<&str> = listed["creators"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Club, The", "Nobody", "The Herald"]);
    let answer = d.query(&["--rho", "2"], PEOPLE);
    let people = |name: &str| answer["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).map(|row| row["people"].as_f64().unwrap());
    for (name, expected) in [("The Herald", 12.0), ("Club, The", 3.0), ("Nobody", 0.0)] {
        assert!((people(name).unwrap() - expected).abs() <= 5.0, "{name}: {answer}");
    }
    assert_eq!(answer["cost"]["delta_spent"], json!(0.0), "{answer}");
    // Acts about accounts that are not listed are nobody's here.
    let all = d.query(&["--rho", "2", "--bound", "rows=4"], "SELECT count(*) AS acts FROM activity JOIN creator USING (creator_id)");
    assert!((all["rows"][0]["acts"].as_f64().unwrap() - 15.0).abs() < 20.0, "{all}");
    assert_eq!(d.query(&["--rho", "2"], PEOPLE)["release"]["redelivered"], true);
    d.ok(&["creator", "withdraw", "--platform", "csv", "--account", "club"]);
    let after = d.query(&["--rho", "2"], PEOPLE);
    assert_eq!((&after["release"]["redelivered"], after["rows"].as_array().unwrap().len()), (&json!(false), 2), "another list, another question");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn whoever_enrolled_is_named_only_with_their_yes() {
    let d = Deployment::new().with_partner("5");
    d.ok(&["import", &repository("samples/exports/forum")]);
    assert_eq!(d.ok(&["subject", "show", "1"])["accounts"], json!(["Person 2 (csv:u2)"]));
    let add = ["creator", "add", "--platform", "csv", "--account", "u2", "--name", "A Member", "--category", "people", "--basis", "consent", "--evidence", "said so"];
    assert!(d.fails(4, &add).contains("C413"));
    let text = d.path().with_file_name("naming.txt");
    std::fs::write(&text, "May we name you?").unwrap();
    d.ok(&["notice", "publish", "naming", "--text", text.to_str().unwrap(), "--purpose", "public_naming", "--open-class", "everybody"]);
    let record = |action: &str| {
        let choice = ["consent", "record", "--subject", "1", "--partner", "class:everybody", "--purpose", "public_naming", "--notice", "naming", "--explicit", "--action", action];
        d.ok(&choice);
    };
    record("give");
    d.ok(&add);
    let listed = d.ok(&["creator", "list"])["creators"][0].clone();
    assert_eq!(listed["name"], "A Member");
    // In questions and answers, which are kept, people have labels.
    liked(&d, "u2");
    d.everybody_gives(60, "aggregate_statistics");
    let answer = d.query(&["--rho", "2"], PEOPLE);
    assert_eq!((answer["rows"].as_array().unwrap().len(), &answer["rows"][0]["name"]), (1, &listed["in_answers"]), "{answer}");
    assert!(!files_with(&d.path(), "A Member").is_empty());
    d.ok(&["subject", "erase", "1"]);
    assert_eq!(d.ok(&["creator", "list"])["creators"], json!([]));
    assert_eq!(files_with(&d.path(), "A Member"), Vec::<String>::new());
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn usage_and_tables_say_what_is_public() {
    let d = Deployment::new();
    d.fails(2, &["creator", "add", "--name", "x"]);
    d.fails(3, &["creator", "withdraw", "--platform", "csv", "--account", "x"]);
    let tables = d.ok(&["table", "list"]);
    let public: Vec<&str> = tables["tables"].as_array().unwrap().iter().filter(|t| t["public"] == true).map(|t| t["table"].as_str().unwrap()).collect();
    assert_eq!(public, ["creator"]);
    assert_eq!(d.ok(&["table", "show", "creator"])["columns"].as_array().unwrap().len(), 4);
}
