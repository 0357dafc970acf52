//! `kill -9` at random points of choices and releases. What was acknowledged is the truth.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use testkit::{Generator, env_seed};

use crate::command::{Deployment, repository};

/// Kills per run.
const KILLS: u32 = 50;

/// A shell that runs commands one after the other until it is killed with everything it started.
fn start(d: &Deployment, script: &str) -> Child {
    use std::os::unix::process::CommandExt;
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("BIN", env!("CARGO_BIN_EXE_fairshare"))
        .env("DATA", d.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// Kills a process group that this test started.
fn kill(child: &mut Child) -> Vec<Value> {
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-9", "--", &group]).status().unwrap().success());
    let stdout = child.stdout.take().unwrap();
    let acknowledged = BufReader::new(stdout).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect();
    child.wait().unwrap();
    acknowledged
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
fn fifty_kills_lose_no_acknowledged_choice_and_unspend_nothing() {
    let seed = env_seed(99);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let (mut choices, mut releases): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut spent = 0.0;
    for round in 0..KILLS {
        // Compact JSON, one acknowledgement per line.
        let script = if round % 2 == 0 {
            let subject = rng.random_range(0..60);
            format!(
                "while :; do for a in give withdraw refuse; do $BIN --data $DATA --format ndjson consent record --subject {subject} --partner acme --purpose aggregate_statistics --action $a --notice acme; done; done"
            )
        } else {
            format!(
                "n=0; while :; do n=$((n+1)); $BIN --data $DATA --format json query --partner acme --purpose aggregate_statistics --rho 0.001 \"SELECT count(*) AS n FROM activity WHERE word_count > $n AND word_count < {}\" | tr -d '\\n'; echo; done",
                1_000 + round
            )
        };
        let mut child = start(&d, &script);
        std::thread::sleep(Duration::from_millis(rng.random_range(5..400)));
        let acknowledged = kill(&mut child);
        if round % 2 == 0 {
            choices.extend(acknowledged)
        } else {
            releases.extend(acknowledged)
        }
        // Spent never falls.
        let now = d.ok(&["budget", "show"])["budgets"].as_array().unwrap().iter().find(|b| b["scope"] == "deployment").unwrap()["rho_spent"].as_f64().unwrap();
        assert!(now >= spent - 1e-12, "round {round}: {spent} became {now}");
        spent = now;
    }
    eprintln!("{} choices and {} releases were acknowledged", choices.len(), releases.len());
    assert!(choices.len() > 20 && releases.len() > 10, "the kills came too early to test anything");
    // Every acknowledged choice is in the ledger, at its place.
    for choice in &choices {
        let history = d.ok(&["consent", "history", &choice["subject"].to_string()]);
        let found = history["events"].as_array().unwrap().iter().find(|e| e["seq"] == choice["seq"]);
        assert_eq!(found.unwrap()["action"], choice["action"]);
    }
    // Everything that was sent was paid for.
    let listed = d.ok(&["release", "list"]);
    let listed = listed["releases"].as_array().unwrap();
    for release in &releases {
        let id = &release["release"]["id"];
        assert_eq!(listed.iter().find(|r| r["release"] == *id).unwrap()["state"], "answered");
    }
    let sum: f64 = listed.iter().map(|r| r["rho"].as_f64().unwrap()).sum();
    assert!((sum - spent).abs() < 1e-9, "{sum} in releases, {spent} spent");
    // No entry is missing, and states, bitmaps and budgets are what the ledger says.
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
fn a_killed_import_leaves_nothing_visible_and_runs_again() {
    let seed = env_seed(98);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new();
    let script = format!("$BIN --data $DATA --format json import '{}' | tr -d '\\n'; echo", repository("samples/exports/forum"));
    let mut visible = false;
    for _ in 0..12 {
        let mut child = start(&d, &script);
        std::thread::sleep(Duration::from_millis(rng.random_range(1..60)));
        let acknowledged = kill(&mut child);
        let people = d.ok(&["subject", "list"])["subjects"].as_array().unwrap().len();
        assert!(people == 0 || people == 50, "half an import: {people}");
        assert!(!visible || people == 50, "an import that was visible is gone");
        assert!(acknowledged.is_empty() || people == 50);
        visible = people == 50;
    }
    let last = d.ok(&["import", &repository("samples/exports/forum")]);
    assert_eq!(
        last["totals"]["duplicates"].as_u64().unwrap()
            + last["totals"]["posts"].as_u64().unwrap()
            + last["totals"]["likes"].as_u64().unwrap()
            + last["totals"]["replies"].as_u64().unwrap(),
        294
    );
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
