//! The main job from the command line.

use serde_json::json;

use crate::command::{Deployment, repository};

#[test]
fn from_an_export_to_a_private_answer_that_can_be_proven() {
    let d = Deployment::new().with_partner("5");
    let forum = repository("samples/exports/forum");
    let imported = d.ok(&["import", &forum]);
    assert_eq!((&imported["totals"]["rejected"], &imported["totals"]["duplicates"]), (&json!(2), &json!(0)));
    let rejects = std::fs::read_to_string(imported["rejects_file"].as_str().unwrap()).unwrap();
    assert!(rejects.contains("`yesterday` is not a time") && rejects.contains("line 296"));
    // The same again is all duplicates.
    let again = d.ok(&["import", &forum]);
    assert_eq!((&again["totals"]["duplicates"], &again["totals"]["posts"], &again["snapshot"]), (&json!(294), &json!(0), &json!(null)));

    d.everybody_gives(60, "aggregate_statistics");
    let sql = "SELECT kind, count(*) AS n, count(distinct subject_id) AS people FROM activity GROUP BY kind ORDER BY n DESC LIMIT 3";
    let before = d.ok(&["budget", "show"]);
    let estimate = d.query(&["--rho", "1", "--estimate"], sql);
    assert_eq!(d.ok(&["budget", "show"]), before, "an estimate costs nothing");
    assert_eq!(estimate["fits"], 5);
    let first = d.query(&["--rho", "1"], sql);
    assert_eq!(first["rows"].as_array().unwrap().len(), 3);
    let row = &first["rows"][0];
    assert!(row["n_low"].as_i64() < row["n"].as_i64() && row["n"].as_i64() < row["n_high"].as_i64(), "{row}");
    assert_eq!(first["cost"]["rho"], 1.0);
    let again = d.query(&["--rho", "1"], sql);
    assert_eq!((&again["release"]["redelivered"], &again["rows"], &again["budget"]), (&json!(true), &first["rows"], &first["budget"]));
    let fresh = d.query(&["--rho", "1", "--fresh"], sql);
    assert_eq!(fresh["budget"]["left"]["rho"], 3.0);

    assert_eq!(d.ok(&["decide", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"])["decision"], "permit");
    d.ok(&["consent", "record", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "withdraw", "--notice", "acme"]);
    let denied = d.run(&["decide", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    assert_eq!(denied.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&denied.stdout).contains("withdrew"));

    let report = d.ok(&["audit", "verify"]);
    assert_eq!((&report["verified"], &report["bad"]), (&json!(true), &json!(null)));
}

#[test]
fn a_changed_byte_of_the_lake_is_found_and_exits_6() {
    let d = Deployment::new();
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    d.ok(&["audit", "verify"]);
    let folder = d.path().join("lake/activity");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let packs = domain::law::SHIPPED.len();
    assert!(d.fails(6, &["audit", "verify"]).contains(&format!("NOT VERIFIED at entry {}", packs + 1)));
}

#[test]
fn refusals_and_errors_have_their_exit_codes_and_say_what_to_do() {
    let d = Deployment::new().with_partner("0.1");
    let query = |purpose: &'static str, sql: &'static str| vec!["query", "--partner", "acme", "--purpose", purpose, sql];
    let count = "SELECT count(*) FROM activity";
    assert!(d.fails(4, &query("aggregate_statistics", count)).contains("A204"), "nothing imported yet");
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    assert!(d.fails(4, &query("aggregate_statistics", "SELECT * FROM activity")).contains("Q109"));
    assert!(d.fails(4, &query("ai_training", count)).contains("A202"));
    assert!(d.fails(2, &query("nonsense", count)).contains("not a purpose"));
    assert!(d.fails(3, &["query", "--partner", "nobody", "--purpose", "aggregate_statistics", count]).contains("nobody"));
    d.ok(&[&["query", "--rho", "0.1"], query("aggregate_statistics", count).get(1..).unwrap()].concat());
    assert!(d.fails(5, &query("aggregate_statistics", "SELECT sum(word_count) FROM activity")).contains("B300"));
    assert!(d.fails(7, &["init"]).contains("already"));
    assert!(d.fails(3, &["subject", "show", "nobody"]).contains("nobody"));
    assert!(d.fails(1, &["import", "/no/such/file"]).contains("I601"));
    assert!(d.fails(4, &["agreement", "activate", "acme-1"]).contains("active"));
}

#[test]
fn nobody_permitted_still_gets_noise() {
    let d = Deployment::new().with_partner("1");
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    let answer = d.query(&["--rho", "0.05"], "SELECT weekday, count(*) AS n FROM activity GROUP BY weekday");
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().any(|r| r["n"] != 0), "eight draws with σ above 100 that are all zero");
}

#[test]
fn the_demo_does_the_main_job() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("town");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fairshare")).arg("--data").arg(&data).args(["demo", "--subjects", "300", "--no-serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let last: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&last["subjects"], &last["partners"], &last["releases"]), (&json!(300), &json!(3), &json!(4)));
    assert!(last["activities"].as_u64().unwrap() > 3_000);
    for part in ["expected accuracy", "about", "free:", "refused B300", "They withdraw", "Verified"] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
}

#[test]
fn a_fault_says_one_sentence_to_the_partner_and_the_cause_to_the_operator() {
    let d = Deployment::new().with_partner("1");
    d.ok(&["import", &repository("samples/exports/forum")]);
    // The lake's files go missing under a paid query.
    std::fs::remove_dir_all(d.path().join("lake")).unwrap();
    let said = d.fails(1, &["query", "--partner", "acme", "--purpose", "aggregate_statistics", "SELECT count(*) FROM activity"]);
    assert_eq!(said.trim(), "error: the query could not be answered; it stays charged and the operator was told");
    assert!(std::fs::read_to_string(d.path().join("faults.log")).unwrap().contains("opening the lake"));
    assert_eq!(d.ok(&["release", "list"])["releases"][0]["state"], "abandoned");
    assert_eq!(d.ok(&["budget", "show"])["budgets"][0]["rho_spent"], 0.05);
}

#[test]
fn a_person_sees_which_releases_counted_them_and_drops_out_at_their_cap() {
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.everybody_gives(50, "aggregate_statistics");
    d.query(&["--rho", "0.2"], "SELECT count(*) AS n FROM activity");
    let active = (0..50).find(|s| d.ok(&["subject", "meter", &s.to_string()])["loss"]["rho"] == 0.2).unwrap().to_string();
    let set = d.ok(&["subject", "cap", &active, "--rho", "0.3"]);
    assert_eq!((&set["cap"]["rho"], &set["chosen"], &set["year"]), (&json!(0.3), &json!(true), &set["year"]));
    d.query(&["--rho", "0.2"], "SELECT sum(word_count) AS n FROM activity");
    let meter = d.ok(&["subject", "meter", &active]);
    assert_eq!((&meter["loss"]["rho"], meter["releases"].as_array().unwrap().len()), (&json!(0.2), 1));
    assert_eq!(meter["releases"][0]["partner"], "acme");
    assert!(!meter.to_string().contains("word_count"), "a meter never shows what was asked");
    // Another question: this one again for less is free.
    d.query(&["--rho", "0.1"], "SELECT sum(likes_received) AS n FROM activity");
    assert_eq!(d.ok(&["subject", "meter", &active])["loss"]["rho"], 0.3);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn a_file_of_choices_leaves_out_only_what_is_wrong() {
    let d = Deployment::new().with_partner("1");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let file = d.path().join("choices.csv");
    let line = |subject: &str, purpose: &str| format!("{subject},acme,{purpose},give,acme,yes\n");
    let lines =
        [line("1", "aggregate_statistics"), line("99999", "aggregate_statistics"), line("2", "contextual_nonsense"), line("3", "aggregate_statistics"), "too,few\n".to_owned()];
    std::fs::write(&file, format!("subject,partner,purpose,action,notice,explicit\n{}", lines.concat())).unwrap();
    let done = d.ok(&["consent", "import", file.to_str().unwrap()]);
    assert_eq!((&done["recorded"], &done["rejected"]), (&2.into(), &3.into()));
    let decided = d.ok(&["decide", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    assert_eq!(decided["decision"], "permit", "{decided}");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
