//! Imports that were made: listed, traced and taken back.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::Deployment;

/// Writes a CSV file with its mapping, every column under its own name; its path.
pub(crate) fn csv(folder: &Path, name: &str, table: &str, text: &str) -> String {
    let columns: String = text.lines().next().unwrap().split(',').map(|c| format!("{c} = \"{c}\"\n")).collect();
    std::fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    std::fs::write(folder.join(format!("{name}.mapping.toml")), format!("schema = 1\ntable = \"{table}\"\nplatform = \"csv\"\n[columns]\n{columns}")).unwrap();
    folder.join(format!("{name}.csv")).to_str().unwrap().to_owned()
}

/// So many acts of each account, with keys that begin with `key`.
pub(crate) fn acts(accounts: &[&str], key: &str, each: u32) -> String {
    let mut text = "account,native_key,kind,at,tags\n".to_owned();
    for account in accounts {
        for n in 0..each {
            text += &format!("{account},{key}{account}{n},post,2024-05-{:02}T10:00:00Z,tag\n", n + 1);
        }
    }
    text
}

pub(crate) fn rows(d: &Deployment, table: usize) -> Value {
    d.ok(&["lake", "show"])["tables"][table]["rows"].clone()
}

#[test]
fn imports_are_listed_traced_and_taken_back() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    let first = csv(folder.path(), "first", "activity", &acts(&["ann", "bob"], "a", 5));
    let second = csv(folder.path(), "second", "activity", &(acts(&["bob", "cid"], "b", 3) + "cid,bad,no such kind,2024-05-01T10:00:00Z,\n"));
    d.ok(&["import", &first]);
    d.ok(&["import", &second]);
    let list = d.ok(&["import", "list"])["imports"].clone();
    assert_eq!(
        list.as_array().unwrap().iter().map(|i| (&i["import"], &i["rows"], &i["people"], &i["state"])).collect::<Vec<_>>(),
        [(&json!(1), &json!(10), &json!(2), &json!("committed")), (&json!(2), &json!(6), &json!(2), &json!("committed"))]
    );
    let shown = d.ok(&["import", "show", "2"]);
    assert_eq!((&shown["sources"][0]["source"], &shown["sources"][0]["kind"], &shown["sources"][0]["posts"]), (&json!(1), &json!("table"), &json!(6)));
    assert!(shown["rejects_file"].as_str().unwrap().ends_with("import-2.ndjson") && shown["sources"][0]["path"].as_str().unwrap().ends_with("second.csv"));
    let entries = d.ok(&["audit", "verify"])["entries"].as_u64().unwrap();
    let traced = d.ok(&["import", "trace", "--subject", "csv:bob"]);
    let of = |table: &str, import: u32| traced["rows"].as_array().unwrap().iter().find(|r| r["table"] == table && r["import"] == import).unwrap().clone();
    assert_eq!((&of("activity", 1)["rows"], &of("activity", 2)["rows"], &of("activity_tag", 2)["rows"]), (&json!(5), &json!(3), &json!(3)));
    assert_eq!(of("activity", 2)["sha256"], shown["sources"][0]["sha256"]);
    let act = d.ok(&["import", "trace", "--subject", "csv:bob", "--key", "bbob1"]);
    assert_eq!(
        act["rows"].as_array().unwrap().iter().map(|r| (&r["table"], &r["rows"], &r["import"])).collect::<Vec<_>>(),
        [(&json!("activity"), &json!(1), &json!(2)), (&json!("activity_tag"), &json!(1), &json!(2))]
    );
    assert_eq!(d.ok(&["audit", "verify"])["entries"].as_u64().unwrap(), entries + 2, "two looks");

    let undone = d.ok(&["import", "undo", "2"]);
    assert_eq!((&undone["rows_imported"], &undone["people_without_rows"], &undone["files"]), (&json!(6), &json!(1), &json!("gone")));
    assert_eq!((rows(&d, 0), rows(&d, 1), rows(&d, 2)), (json!(10), json!(10), json!(2)));
    assert!(d.fails(4, &["import", "undo", "2"]).contains("before"));
    d.fails(3, &["import", "undo", "7"]);
    assert_eq!(d.ok(&["import", "list"])["imports"][1]["state"], "undone");
    assert_eq!(d.ok(&["import", "show", "2"])["rejects_file"], Value::Null);
    assert_eq!(d.ok(&["subject", "show", "csv:cid"])["subject"], 2, "the id stays");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    assert_eq!(d.ok(&["import", &second])["totals"]["posts"], 6, "it can come again");
    assert_eq!((rows(&d, 0), rows(&d, 2)), (json!(16), json!(3)));
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn a_file_that_is_called_list_can_be_imported() {
    let d = Deployment::new();
    let folder = tempfile::tempdir().unwrap();
    csv(folder.path(), "list", "activity", &acts(&["ann"], "a", 2));
    let output = d.command(&["import", "./list.csv"]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(d.run(&["import"]).status.code(), Some(2), "something must be named");
}
