//! Data by the clock: what waits for midnight is not asked, and is erased and compacted all the same.

use serde_json::json;

use crate::command::Deployment;
use crate::erasure::{PEOPLE, files_with, late, write_sources};

#[test]
fn rows_wait_for_midnight_and_people_do_not() {
    let d = Deployment::with(&["--snapshot-clock", "daily"], Vec::new()).with_partner("50");
    let sources = tempfile::tempdir().unwrap();
    let [people, acts] = write_sources(sources.path());
    // The first import is visible at once.
    d.ok(&["import", &people]);
    let shown = d.ok(&["lake", "show"]);
    assert_eq!((&shown["snapshot"]["id"], &shown["visible"], &shown["snapshot_clock"]), (&json!(1), &json!(1), &json!("daily")));
    d.everybody_gives(PEOPLE, "aggregate_statistics");
    let output = d.run(&["import", &acts]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("00:00:00 UTC"), "{}", String::from_utf8_lossy(&output.stderr));
    d.ok(&["import", &late(sources.path())]);
    let shown = d.ok(&["lake", "show"]);
    assert_eq!((&shown["snapshot"]["id"], &shown["visible"], &shown["tables"][0]["rows"]), (&json!(3), &json!(1), &json!(601)));
    let count = |sql: &str| d.query(&["--rho", "4"], sql)["rows"][0]["n"].as_i64().unwrap();
    let acted = count("SELECT count(*) AS n FROM activity");
    assert!(acted.abs() < 290, "{acted} acts were asked before their tick");
    // An erasure reaches what is visible and what waits.
    d.ok(&["lake", "compact"]);
    assert_eq!(d.ok(&["subject", "erase", "7"])["files"], "gone");
    assert_eq!(files_with(&d.path(), "canary07"), Vec::<String>::new());
    let shown = d.ok(&["lake", "show"]);
    assert_ne!(shown["visible"], shown["snapshot"]["id"]);
    assert_eq!((&shown["tables"][0]["rows"], &shown["tables"][0]["files"], &shown["tables"][2]["rows"]), (&json!(29 * 20), &json!(1), &json!(29)));
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    // A copy has what waits too.
    let copy = sources.path().join("copy");
    d.ok(&["backup", "create", copy.to_str().unwrap()]);
    // The operator may not want to wait.
    let shown = d.ok(&["lake", "publish"]);
    assert_eq!(shown["visible"], shown["snapshot"]["id"]);
    assert_eq!(shown["snapshot"]["cause"], "publish");
    let acted = count("SELECT count(*) AS n FROM activity WHERE word_count >= 0");
    assert!((acted - 580).abs() < 290, "{acted} acts");
    d.ok(&["lake", "sweep"]);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    let verified = std::process::Command::new(env!("CARGO_BIN_EXE_fairshare")).arg("--data").arg(&copy).args(["--json", "audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
