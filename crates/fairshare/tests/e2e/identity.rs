//! Two accounts of one person, merged and split on the command line.

use serde_json::{Value, json};

use crate::command::Deployment;
use crate::erasure::files_with;
use crate::imports::{acts, csv, rows};

const EVIDENCE: &str = "letter of Maria Canary";

fn verified(d: &Deployment) {
    let report = d.ok(&["audit", "verify"]);
    assert_eq!(report["verified"], true, "{report}");
}

#[test]
fn merging_and_splitting_from_beginning_to_end() {
    let d = Deployment::new().with_partner("9");
    let folder = tempfile::tempdir().unwrap();
    let people = ["ann", "bob", "cid", "dan"];
    d.ok(&["import", &csv(folder.path(), "first", "activity", &acts(&people, "a", 5))]);
    d.everybody_gives(4, "aggregate_statistics");
    d.query(&["--rho", "0.5"], "SELECT kind, count(*) FROM activity GROUP BY kind");
    d.ok(&["subject", "cap", "csv:bob", "--rho", "4", "--delta", "1e-5"]);
    assert!(d.fails(2, &["subject", "merge", "csv:ann", "csv:bob"]).contains("--evidence"));
    let merged = d.ok(&["subject", "merge", "csv:ann", "csv:bob", "--evidence", EVIDENCE]);
    assert_eq!((&merged["keep"], &merged["other"], &merged["loss"], &merged["cap_lowered_to"], &merged["withdrawn"]), (&json!(0), &json!(1), &json!(2.0), &json!(4.0), &json!([])));
    let shown = d.ok(&["subject", "show", "csv:bob"]);
    assert_eq!((&shown["subject"], &shown["merged"], shown["accounts"].as_array().unwrap().len()), (&json!(0), &json!([1]), 2));
    assert_eq!(d.ok(&["subject", "list"])["subjects"][1]["merged_into"], 0);
    assert_eq!(rows(&d, 0), 20);
    verified(&d);
    // One person now, under whichever name; later rows as well.
    d.ok(&["import", &csv(folder.path(), "later", "activity", &acts(&["bob"], "b", 3))]);
    let traced = d.ok(&["import", "trace", "--subject", "csv:bob"]);
    let arrived: Vec<(&Value, &Value)> = traced["rows"].as_array().unwrap().iter().filter(|r| r["table"] == "activity").map(|r| (&r["arrived_as"], &r["rows"])).collect();
    assert_eq!(arrived, [(&json!(null), &json!(5)), (&json!(1), &json!(5)), (&json!(1), &json!(3))]);
    d.ok(&["consent", "record", "--subject", "csv:bob", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "withdraw", "--notice", "acme"]);
    assert_eq!(d.run(&["decide", "--subject", "csv:ann", "--partner", "acme", "--purpose", "aggregate_statistics"]).status.code(), Some(4));
    assert!(d.fails(4, &["subject", "merge", "csv:cid", "csv:bob", "--evidence", "x"]).contains("subject split 1"));
    let split = d.ok(&["subject", "split", "csv:bob", "--evidence", "two letters"]);
    assert_eq!((&split["subject"], &split["withdrawn"], &split["loss"]), (&json!(1), &json!(["acme aggregate_statistics"]), &json!(2.0)));
    assert_eq!(d.ok(&["subject", "show", "csv:bob"])["subject"], 1);
    let of_bob = d.ok(&["import", "trace", "--subject", "csv:bob"]);
    let acts_of_bob: u64 = of_bob["rows"].as_array().unwrap().iter().filter(|r| r["table"] == "activity").map(|r| r["rows"].as_u64().unwrap()).sum();
    assert_eq!((acts_of_bob, rows(&d, 0)), (8, json!(23)));
    verified(&d);
    // Merged once more and erased: nothing of either stays.
    d.ok(&["subject", "merge", "csv:ann", "csv:bob", "--evidence", EVIDENCE]);
    assert!(!files_with(&d.path(), EVIDENCE).is_empty());
    assert_eq!(d.ok(&["subject", "erase", "csv:bob"])["subject"], 0);
    assert_eq!((rows(&d, 0), rows(&d, 1), rows(&d, 2)), (json!(10), json!(10), json!(2)));
    assert_eq!(files_with(&d.path(), EVIDENCE), Vec::<String>::new());
    d.fails(3, &["subject", "show", "csv:bob"]);
    assert!(d.fails(4, &["import", "trace", "--subject", "1"]).contains("erased"));
    verified(&d);
}
