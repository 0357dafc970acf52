//! Consents, law and signals, from the command line.

use serde_json::{Value, json};

use crate::command::{Deployment, repository};

const GIVE: [&str; 9] = ["consent", "record", "--partner", "acme", "--notice", "acme", "--action", "give", "--purpose"];

fn give(d: &Deployment, purpose: &str, extra: &[&str]) -> Value {
    d.ok(&[&GIVE[..], &[purpose, "--subject", "1"], extra].concat())
}

fn decided(d: &Deployment, extra: &[&str]) -> Value {
    let output = d.run(&[&["decide", "--subject", "1", "--partner", "acme", "--purpose", "aggregate_statistics"], extra].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rules(decided: &Value) -> Vec<&str> {
    decided["reasons"].as_array().unwrap().iter().filter(|r| r["effect"] == "deny").map(|r| r["rule"].as_str().unwrap()).collect()
}

/// Forty people of the forum, of whom 1 is an adult in France.
fn forum() -> Deployment {
    let d = Deployment::new().with_partner("5");
    d.ok(&["import", &repository("samples/exports/forum")]);
    d
}

#[test]
fn a_decision_names_every_rule_its_source_and_what_would_change_it() {
    let d = forum();
    assert_eq!(rules(&decided(&d, &[])).first(), Some(&"consent.given"));
    give(&d, "aggregate_statistics", &[]);
    // A plain yes opens what a person did, not what it was about.
    let all = decided(&d, &[]);
    assert_eq!(all["decision"], "deny");
    assert_eq!(all["data"], json!({ "activity": "permit", "profile": "permit", "topics": "deny" }));
    assert_eq!(all["residence"], "FR");
    let why = all["reasons"].as_array().unwrap().iter().find(|r| r["effect"] == "deny").unwrap();
    assert!(why["rule"].as_str().unwrap().starts_with("eu-gdpr/sensitive.") && why["source"].as_str().unwrap().contains("Art. 9"), "{why}");
    assert_eq!(why["remedy"], "an explicit yes");
    assert_eq!(decided(&d, &["--scope", "activity"])["decision"], "permit");
    // Nobody is counted with hashtags, whoever asks.
    let receipt = give(&d, "aggregate_statistics", &["--explicit"]);
    assert!(receipt["valid_until"].as_str().is_some(), "two years, as the European pack has it: {receipt}");
    assert_eq!(decided(&d, &[])["decision"], "permit");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn signals_close_and_only_the_person_opens_again() {
    let d = forum();
    for purpose in ["aggregate_statistics", "ad_measurement"] {
        give(&d, purpose, &["--explicit"]);
    }
    let gpc = d.ok(&["signal", "record", "gpc", "1", "--subject", "1"]);
    assert!(gpc["closed"].as_array().unwrap().contains(&json!("sale_or_sharing")), "{gpc}");
    assert_eq!(d.ok(&["signal", "record", "gpc", "0", "--subject", "1"])["closed"], json!([]), "no signal says nothing");
    let limits = d.ok(&["limit", "show", "1"]);
    assert!(limits["limits"].as_array().unwrap().iter().any(|l| l["purpose"] == "targeted_advertising"), "{limits}");
    d.ok(&["limit", "set", "--subject", "1", "--kind", "restriction"]);
    assert_eq!(rules(&decided(&d, &[])), ["limit.restriction"]);
    assert!(d.fails(4, &["limit", "lift", "--subject", "1", "--kind", "restriction", "--source", "gpc"]).contains("C408"));
    d.ok(&["limit", "lift", "--subject", "1", "--kind", "restriction"]);
    assert_eq!(decided(&d, &[])["decision"], "permit");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn a_rule_pack_is_checked_proposed_previewed_and_approved_by_two() {
    let d = forum();
    give(&d, "aggregate_statistics", &["--explicit"]);
    let packs = d.ok(&["rule-pack", "list"]);
    assert_eq!(packs["rule_packs"].as_array().unwrap().len(), domain::law::SHIPPED.len());
    let shipped = domain::law::SHIPPED.iter().find(|(id, _)| *id == "eu-gdpr").unwrap().1;
    let file = d.path().join("eu-gdpr.toml");
    let forbidden = "\n[[prohibition]]\nid = \"no-statistics\"\npurposes = [\"aggregate_statistics\"]\nrule = \"a test forbids it\"\ngrounds = { source = \"a test\", certainty = \"low\", seen = \"memory\" }\n";
    std::fs::write(&file, shipped.replacen("version = 1", "version = 2", 1) + forbidden).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(d.ok(&["rule-pack", "check", file])["version"], 2);
    d.ok(&["rule-pack", "propose", file, "--by", "ada"]);
    let preview = d.ok(&["rule-pack", "preview", "eu-gdpr", "2"]);
    assert_eq!((&preview["people_closed_about"], &preview["people_opened_about"]), (&json!(10), &json!(0)), "rounded up to tens");
    assert_eq!(decided(&d, &[])["decision"], "permit", "nothing has changed yet");
    assert!(d.fails(4, &["rule-pack", "approve", "eu-gdpr", "2", "--by", "ada"]).contains("L605"));
    assert_eq!(d.ok(&["rule-pack", "approve", "eu-gdpr", "2", "--by", "bob"])["people_closed_about"], 10);
    assert_eq!(rules(&decided(&d, &[])), ["eu-gdpr/prohibition.no-statistics"]);
    std::fs::write(d.path().join("bad.toml"), shipped.replacen("outcome = \"opt_in\"", "outcome = \"maybe\"", 1)).unwrap();
    let said = d.fails(4, &["rule-pack", "check", d.path().join("bad.toml").to_str().unwrap()]);
    assert!(said.contains("L600") && said.contains("maybe") && said.contains("line"), "{said}");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn existing_consents_are_taken_over_once_with_what_they_lack() {
    let d = forum();
    let text = d.path().join("old.txt");
    std::fs::write(&text, "May Acme count you?").unwrap();
    d.ok(&["notice", "publish", "old", "--text", text.to_str().unwrap(), "--purpose", "aggregate_statistics", "--partner", "acme", "--shown-from", "2024-01-01T00:00:00Z"]);
    let file = d.path().join("old.ndjson");
    let row = |subject: u32, action: &str, at: &str, more: Value| {
        let mut row = json!({ "subject": subject, "recipient": "acme", "purpose": "aggregate_statistics", "action": action, "notice": "old@1", "at": at });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{row}\n")
    };
    let rows = [
        row(1, "withdraw", "2025-06-01T00:00:00Z", json!({})),
        row(1, "give", "2025-01-01T00:00:00Z", json!({ "explicit": true, "language": "de", "evidence": "form 17", "actor": "subject" })),
        row(2, "give", "2023-12-31T00:00:00Z", json!({})),
        row(5, "give", "2026-01-01T00:00:00Z", json!({ "explicit": true })),
        row(9_999, "give", "2026-01-01T00:00:00Z", json!({})),
    ];
    std::fs::write(&file, rows.concat()).unwrap();
    let done = d.ok(&["consent", "import", file.to_str().unwrap()]);
    assert_eq!((&done["recorded"], &done["late"], &done["duplicates"], &done["rejected"]), (&json!(3), &json!(1), &json!(0), &json!(2)), "{done}");
    assert_eq!(done["missing"], json!({ "actor": 1, "evidence": 1, "language": 1 }));
    let rejects = std::fs::read_to_string(done["rejects_file"].as_str().unwrap()).unwrap();
    assert!(rejects.contains("\"line\":3") && rejects.contains("C401") && rejects.contains("\"line\":5"), "{rejects}");
    assert_eq!(rules(&decided(&d, &[])).first(), Some(&"consent.given"), "the withdrawal came first, and counts");
    let again = d.ok(&["consent", "import", file.to_str().unwrap()]);
    assert_eq!((&again["recorded"], &again["duplicates"]), (&json!(0), &json!(3)), "{again}");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn hashtags_are_asked_of_those_alone_who_opened_them() {
    let d = forum();
    let csv = |explicit: &dyn Fn(u32) -> &'static str| (0..60).map(|s| format!("{s},acme,aggregate_statistics,give,acme,{}\n", explicit(s))).collect::<String>();
    let file = d.path().join("some.csv");
    std::fs::write(&file, format!("subject,partner,purpose,action,notice,explicit\n{}", csv(&|s| if s < 30 { "yes" } else { "no" }))).unwrap();
    d.ok(&["consent", "import", file.to_str().unwrap()]);
    let people = |from: &str| {
        let sql = format!("SELECT count(distinct subject_id) AS n FROM {from}");
        d.query(&["--rho", "1"], &sql)["rows"][0]["n"].as_f64().unwrap()
    };
    let (acts, tags) = (people("activity"), people("activity_tag"));
    assert!(acts > tags + 5.0, "{acts} people with what they did, {tags} with what it was about");
}
