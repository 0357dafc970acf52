//! Features as a pass of their own, killed wherever it is.

use std::process::Command;
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use testkit::{Generator, env_seed};

use crate::command::Deployment;
use crate::crash::{kill, start};

/// Enough for several buckets, and so for several steps.
const PEOPLE: u32 = 40_000;

const TEXT: &str = "Der Hafen war heute Morgen wegen des Sturms geschlossen und alle warteten #Hafen https://news.example/1";

fn import(d: &Deployment) {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..PEOPLE).map(|n| format!("p{n},k,post,{TEXT} {n}\n")).collect();
    let file = folder.path().join("acts.csv");
    std::fs::write(&file, format!("account,native_key,kind,text\n{rows}")).unwrap();
    let mapping = "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"account\"\nnative_key = \"native_key\"\nkind = \"kind\"\ntext = \"text\"\n";
    std::fs::write(file.with_extension("mapping.toml"), mapping).unwrap();
    d.ok(&["import", file.to_str().unwrap()]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
fn a_killed_pass_goes_on_and_ends_where_one_go_does() {
    let seed = env_seed(94);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new().with_partner("9");
    import(&d);
    d.everybody_gives(1_000, "aggregate_statistics");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    d.ok(&["backup", "create", copy.to_str().unwrap()]);
    let in_copy = |args: &[&str]| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_fairshare")).arg("--data").arg(&copy).arg("--json").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let planned = d.ok(&["lake", "features", "--dry-run"]);
    assert_eq!((&planned["version"], &planned["buckets"], &planned["rows"]), (&json!(1), &json!(5), &json!(PEOPLE)));
    assert_eq!(d.ok(&["lake", "features", "--dry-run"]), planned);
    // A kill after the first step leaves its buckets done and the rest to do.
    let mut child = start(&d, "$BIN --data $DATA --format json lake features");
    while d.ok(&["lake", "show"])["snapshot"]["cause"] != "features" {
        assert!(child.try_wait().unwrap().is_none(), "the pass ended before its first step was seen");
    }
    kill(&mut child);
    let mut left = d.ok(&["lake", "features", "--dry-run"])["buckets"].as_u64().unwrap();
    assert!((1..5).contains(&left), "{left} buckets are left");
    // Kills until a pass gets through; each goes on where the last was stopped. However slow the machine
    // is, they come late enough for a step in the end.
    let mut longest = 200;
    while left > 0 {
        let mut child = start(&d, "$BIN --data $DATA --format json lake features");
        let mut patience = rng.random_range(20..longest);
        while patience > 0 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(patience.min(20)));
            patience = patience.saturating_sub(20);
        }
        if child.try_wait().unwrap().is_none() {
            kill(&mut child);
        }
        let now = d.ok(&["lake", "features", "--dry-run"])["buckets"].as_u64().unwrap();
        assert!(now <= left, "a step was lost: {left} buckets became {now}");
        left = now;
        longest += longest / 4;
        assert!(longest < 3_600_000, "the pass never ends");
    }
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    d.ok(&["lake", "sweep"]);
    assert_eq!(in_copy(&["lake", "features"])["buckets"], 5);
    let (pieces, whole) = (d.ok(&["lake", "show"]), in_copy(&["lake", "show"]));
    assert_eq!(pieces["tables"], whole["tables"]);
    assert_eq!((&pieces["features"], &pieces["tables"][1]["rows"]), (&json!(1), &json!(PEOPLE)));
    // Again does nothing.
    assert_eq!(d.ok(&["lake", "features"])["snapshot"], json!(null));
    let n =
        d.query(&["--rho", "2"], "SELECT count(distinct subject_id) AS n FROM activity WHERE language = 'de' AND link_domain = 'news.example'")["rows"][0]["n"].as_i64().unwrap();
    assert!((n - 1_000).abs() < 30, "{n} people wrote German");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
