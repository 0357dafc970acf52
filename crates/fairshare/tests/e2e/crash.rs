//! `kill -9` at random points of choices and releases. What was acknowledged is the truth.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use testkit::{Generator, env_seed};

use crate::command::{Deployment, repository};
use crate::imports::{acts, csv, rows};

/// Kills per run: of choices and releases, and of everything that changes the lake.
const KILLS: u32 = 110;
const LAKE_KILLS: u32 = 90;
const IDENTITY_KILLS: u32 = 30;

/// A shell that runs commands one after the other until it is killed with everything it started.
pub(crate) fn start(d: &Deployment, script: &str) -> Child {
    use std::os::unix::process::CommandExt;
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("BIN", env!("CARGO_BIN_EXE_fairshare"))
        .env("DATA", d.path())
        .envs(d.env())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// Kills a process group that this test started.
pub(crate) fn kill(child: &mut Child) -> Vec<Value> {
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-9", "--", &group]).status().unwrap().success());
    let stdout = child.stdout.take().unwrap();
    let acknowledged = BufReader::new(stdout).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect();
    child.wait().unwrap();
    acknowledged
}

/// How long commands may run before they are killed: at random, longer after kills that came too early and shorter after
/// those that came too late, so that however slow the machine is, both happen.
struct Patience {
    longest_ms: u64,
}

impl Patience {
    /// Runs a script until it is killed, and gives what it acknowledged.
    #[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
    fn run(&self, d: &Deployment, script: &str, rng: &mut ChaCha20Rng) -> Vec<Value> {
        let mut child = start(d, script);
        std::thread::sleep(Duration::from_millis(rng.random_range(1..self.longest_ms)));
        kill(&mut child)
    }

    fn learn(&mut self, came_too_early: bool) {
        self.longest_ms = if came_too_early { self.longest_ms + self.longest_ms / 4 } else { self.longest_ms - self.longest_ms / 8 }.clamp(20, 60_000);
    }
}

#[test]
fn kills_lose_no_acknowledged_choice_and_unspend_nothing() {
    let seed = env_seed(99);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let (mut choices, mut releases): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut patience = Patience { longest_ms: 300 };
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
        let acknowledged = patience.run(&d, &script, &mut rng);
        if acknowledged.is_empty() {
            patience.learn(true);
        }
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

/// Imports, compactions and erasures in turn, each killed somewhere. The lake is whole after every one:
/// each file is the one that its snapshot names, nobody's acknowledged erasure is undone, and whoever
/// was not erased has all their rows.
#[test]
fn kills_leave_a_good_lake() {
    let seed = env_seed(97);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let sources = tempfile::tempdir().unwrap();
    let mapping = "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"account\"\nnative_key = \"native_key\"\nkind = \"kind\"\n";
    // Of each kind of command.
    let mut patience = [250; 3].map(|longest_ms| Patience { longest_ms });
    // What was acknowledged: rows of each import, erased people.
    let (mut erased, mut next_erased, mut imports) = (std::collections::BTreeSet::new(), 0, 0);
    for round in 0..LAKE_KILLS {
        let script = match round % 3 {
            0 => {
                imports += 1;
                let file = sources.path().join(format!("acts{imports}.csv"));
                let rows: String = (0..40).map(|n| format!("late{},r{imports}-{n},post\n", n % 7)).collect();
                std::fs::write(&file, format!("account,native_key,kind\n{rows}")).unwrap();
                std::fs::write(file.with_extension("mapping.toml"), mapping).unwrap();
                format!("$BIN --data $DATA --format json import '{}' | tr -d '\\n'; echo", file.display())
            }
            1 => "$BIN --data $DATA --format json lake compact | tr -d '\\n'; echo".to_owned(),
            _ => {
                next_erased += 1;
                format!("$BIN --data $DATA --format json subject erase {} | tr -d '\\n'; echo", next_erased - 1)
            }
        };
        let patience = &mut patience[round as usize % 3];
        let acknowledged = patience.run(&d, &script, &mut rng);
        patience.learn(acknowledged.is_empty());
        for said in acknowledged {
            if let Some(subject) = said["subject"].as_u64() {
                erased.insert(subject);
            }
        }
        if round % 6 == 5 {
            assert_eq!(d.ok(&["audit", "verify"])["verified"], true, "round {round}");
        }
    }
    eprintln!("{} erasures were acknowledged", erased.len());
    assert!(!erased.is_empty() && erased.len() < 30, "the kills came too early or too late to test anything");
    for subject in &erased {
        assert_eq!(d.ok(&["subject", "show", &subject.to_string()])["status"], "erased");
    }
    // Everything again: what was there is a duplicate, what was lost with a kill arrives now.
    for import in 1..=imports {
        d.ok(&["import", sources.path().join(format!("acts{import}.csv")).to_str().unwrap()]);
    }
    d.ok(&["lake", "sweep"]);
    let shown = d.ok(&["lake", "show"]);
    let everybody = d.ok(&["subject", "list", "--limit", "1000"]);
    let active = everybody["subjects"].as_array().unwrap().iter().filter(|s| s["status"] == "active").count();
    assert_eq!(shown["tables"][2]["rows"], active, "people in the lake");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// Undos, merges and splits, each killed somewhere: the lake holds exactly the rows of the imports that
/// count, and each act on ids happened or did not.
#[test]
#[expect(clippy::disallowed_methods, reason = "the moment of a kill is a moment in real time")]
fn kills_of_undos_merges_and_splits_leave_a_good_lake() {
    let seed = env_seed(95);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new();
    let sources = tempfile::tempdir().unwrap();
    d.ok(&["import", &csv(sources.path(), "first", "activity", &acts(&["ann", "bob"], "a", 20))]);
    let (mut done, mut merged) = (0, false);
    for round in 0..IDENTITY_KILLS {
        let script = if round % 2 == 0 {
            let import = d.ok(&["import", &csv(sources.path(), &format!("r{round}"), "activity", &acts(&["bob", "cid"], &format!("r{round}"), 9))]);
            assert_eq!(import["totals"]["posts"], 18);
            format!("$BIN --data $DATA import undo {}", round / 2 + 2)
        } else if merged {
            "$BIN --data $DATA subject split csv:bob --evidence x".to_owned()
        } else {
            "$BIN --data $DATA subject merge csv:ann csv:bob --evidence x".to_owned()
        };
        let mut child = start(&d, &script);
        std::thread::sleep(Duration::from_millis(rng.random_range(20..160)));
        kill(&mut child);
        assert_eq!(d.ok(&["audit", "verify"])["verified"], true, "round {round}: {script}");
        let imports = d.ok(&["import", "list"])["imports"].clone();
        let counts = imports.as_array().unwrap().iter().filter(|i| i["state"] == "committed").map(|i| i["rows"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(rows(&d, 0), counts, "round {round}: {script}");
        let now = d.ok(&["subject", "show", "csv:bob"])["subject"] == 0;
        done += u32::from(now != merged);
        merged = now;
    }
    let undone = d.ok(&["import", "list"])["imports"].as_array().unwrap().iter().filter(|i| i["state"] == "undone").count();
    eprintln!("{done} merges and splits and {undone} undos of {IDENTITY_KILLS} were done");
    d.ok(&["lake", "sweep"]);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// A process that cannot write any further than so far: at every length of a file the command fails
/// with a sentence, and what was there before is still there.
#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let d = Deployment::new();
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    let (mut failed, mut blocks) = (0, 1_u32);
    loop {
        // Blocks of 512 bytes per file; the signal is ignored, so that the write itself fails.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; $BIN --data $DATA --format json import '{}'", repository("samples/exports/forum"));
        let output = Command::new("bash").arg("-c").arg(script).env("BIN", env!("CARGO_BIN_EXE_fairshare")).env("DATA", d.path()).output().unwrap();
        assert_eq!(d.ok(&["audit", "verify"])["verified"], true, "{blocks} blocks");
        if output.status.success() {
            break;
        }
        failed += 1;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("error:") && !said.contains("panicked") && !said.contains("internal fault"), "{blocks} blocks: {said}");
        // All or nothing; where only the checkpoint could not be published, the message says so.
        let rows = d.ok(&["lake", "show"])["tables"][0]["rows"].as_u64().unwrap();
        assert!(rows == 6 || rows == 300 && said.contains("recorded"), "{blocks} blocks: {rows} rows, {said}");
        blocks += 1 + blocks / 6;
    }
    assert!(failed > 5, "the disk was never full");
    assert_eq!(d.ok(&["subject", "list"])["subjects"].as_array().unwrap().len(), 50);
}

/// Two processes work on one deployment: both are right, neither waits for ever.
#[test]
fn two_processes_share_a_deployment() {
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let choices = (0..25).map(|s| {
        vec!["consent", "record", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "give", "--notice", "acme", "--subject"]
            .into_iter()
            .map(str::to_owned)
            .chain([s.to_string()])
            .collect::<Vec<_>>()
    });
    let asks = (0..12).map(|n| {
        ["query", "--partner", "acme", "--purpose", "aggregate_statistics", "--rho", "0.01", &format!("SELECT count(*) AS n FROM activity WHERE word_count > {n}")]
            .map(str::to_owned)
            .to_vec()
    });
    let run = |commands: Vec<Vec<String>>| {
        commands.iter().for_each(|c| {
            d.ok(&c.iter().map(String::as_str).collect::<Vec<_>>());
        })
    };
    let (choices, asks): (Vec<_>, Vec<_>) = (choices.collect(), asks.collect());
    std::thread::scope(|scope| {
        scope.spawn(|| run(choices));
        scope.spawn(|| run(asks));
    });
    assert_eq!(d.ok(&["release", "list"])["releases"].as_array().unwrap().len(), 12);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// A backup that is put back into a deployment whose log went on is locked: nothing is answered, spent
/// or chosen with it, and the published log stays as it is. Brought up to its log it forgets nothing.
#[test]
fn a_restored_backup_that_is_behind_its_log_is_locked_and_reconciled() {
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let people = d.ok(&["lake", "show"])["tables"][2]["rows"].as_u64().unwrap();
    d.everybody_gives(50, "aggregate_statistics");
    d.query(&["--rho", "0.1"], "SELECT count(*) AS n FROM activity");
    let backup = tempfile::tempdir().unwrap();
    let folder = backup.path().join("copy");
    d.ok(&["backup", "create", folder.to_str().unwrap()]);
    // A copy by itself is whole and usable.
    let copied = Command::new(env!("CARGO_BIN_EXE_fairshare")).arg("--data").arg(&folder).args(["--json", "audit", "verify"]).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    // Life goes on: a withdrawal, a release, an erasure, new people.
    d.ok(&["consent", "record", "--subject", "3", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "withdraw", "--notice", "acme"]);
    d.query(&["--rho", "0.2"], "SELECT sum(word_count) AS n FROM activity");
    d.ok(&["subject", "erase", "7"]);
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    let budgets = d.ok(&["budget", "show"]);
    put_back(&d, &folder, false);
    let checkpoint = std::fs::read(d.path().join("log/checkpoint")).unwrap();
    let files = || std::fs::read_dir(d.path().join("lake/activity")).unwrap().count();
    let before = files();
    for command in [
        vec!["lake", "sweep"],
        vec!["query", "--partner", "acme", "--purpose", "aggregate_statistics", "SELECT count(*) AS n FROM activity"],
        vec!["consent", "record", "--subject", "3", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "give", "--notice", "acme"],
        vec!["import", &repository("samples/exports/forum")],
        vec!["subject", "erase", "4"],
        vec!["audit", "checkpoint"],
    ] {
        assert!(d.fails(7, &command).contains("fairshare backup reconcile"), "{command:?}");
    }
    assert_eq!(std::fs::read(d.path().join("log/checkpoint")).unwrap(), checkpoint);
    assert_eq!(files(), before);
    assert_eq!(d.run(&["audit", "verify"]).status.code(), Some(6));
    // What can be read still can.
    d.ok(&["budget", "show"]);
    // Without the journal nothing happens.
    std::fs::rename(d.path().join("journal"), d.path().join("elsewhere")).unwrap();
    assert!(d.fails(7, &["backup", "reconcile"]).contains("the journal lacks the entries"));
    std::fs::rename(d.path().join("elsewhere"), d.path().join("journal")).unwrap();
    let done = d.ok(&["backup", "reconcile"]);
    assert_eq!((&done["reconciled"], &done["choices"], &done["releases"]), (&Value::Bool(true), &1.into(), &1.into()), "{done}");
    // The lake was not put back: its newest files are there, without whoever is known by number only.
    assert_eq!((&done["snapshot"], &done["lost_people"]), (&Value::Null, &1.into()), "{done}");
    reconciled(&d, &budgets);
    let rows = d.ok(&["lake", "show"])["tables"][0]["rows"].as_u64().unwrap();
    // Their sources make them new people.
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    assert_eq!(d.ok(&["lake", "show"])["tables"][0]["rows"], rows + 6);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    assert_eq!(d.ok(&["backup", "reconcile"])["reconciled"], false);
    // The whole copy, lake and all: newer files are gone, and whoever was erased is not in the older ones.
    put_back(&d, &folder, true);
    let done = d.ok(&["backup", "reconcile"]);
    assert!(done["snapshot"].is_u64() && done["import_again"] == serde_json::json!([2, 3]), "{done}");
    reconciled(&d, &budgets);
    let shown = d.ok(&["lake", "show"]);
    assert_eq!(shown["snapshot"]["id"], d.ok(&["lake", "show"])["visible"]);
    assert_eq!(shown["tables"][2]["rows"], people - 1, "people in the lake: {shown}");
    d.query(&["--rho", "0.1"], "SELECT count(*) AS n FROM activity WHERE word_count > 2");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// Puts the store of a copy back, or everything of it but the log and the journal.
fn put_back(d: &Deployment, copy: &std::path::Path, with_lake: bool) {
    for name in ["control.sqlite-wal", "control.sqlite-shm"] {
        let _ = std::fs::remove_file(d.path().join(name));
    }
    std::fs::copy(copy.join("control.sqlite"), d.path().join("control.sqlite")).unwrap();
    if with_lake {
        std::fs::remove_dir_all(d.path().join("lake")).unwrap();
        assert!(Command::new("cp").arg("-r").arg(copy.join("lake")).arg(d.path().join("lake")).status().unwrap().success());
    }
}

/// What the log knows holds.
fn reconciled(d: &Deployment, budgets: &Value) {
    assert_eq!(d.ok(&["budget", "show"]), *budgets);
    let decided = d.run(&["decide", "--subject", "3", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    assert_eq!(serde_json::from_slice::<Value>(&decided.stdout).unwrap()["decision"], "deny");
    assert_eq!(d.ok(&["subject", "show", "7"])["status"], "erased");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// Older files that are put back get every later act on them again: an undone import's rows stay away, and
/// nobody's rows come back under an id that they were split from.
#[test]
fn acts_on_rows_outlive_the_files_of_a_backup() {
    let d = Deployment::new();
    d.ok(&["import", &repository("samples/exports/forum")]);
    d.ok(&["import", &repository("samples/exports/mastodon/ada")]);
    d.ok(&["subject", "merge", "1", "2", "--evidence", "a letter"]);
    let backup = tempfile::tempdir().unwrap();
    let folder = backup.path().join("copy");
    d.ok(&["backup", "create", folder.to_str().unwrap()]);
    d.ok(&["subject", "split", "2", "--evidence", "a mistake"]);
    d.ok(&["subject", "merge", "4", "5", "--evidence", "another letter"]);
    d.ok(&["import", "undo", "2"]);
    let state = || {
        let traces = [1, 2, 4, 5].map(|subject: u32| d.ok(&["import", "trace", "--subject", &subject.to_string()]));
        (d.ok(&["lake", "show"])["tables"].as_array().unwrap().iter().map(|table| table["rows"].clone()).collect::<Vec<_>>(), traces)
    };
    let before = state();
    put_back(&d, &folder, true);
    let done = d.ok(&["backup", "reconcile"]);
    assert!(done["snapshot"].is_u64() && done["import_again"] == serde_json::json!([]), "{done}");
    assert_eq!(state(), before);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

/// A reconciliation that is killed leaves the store locked as it was, or up to its log.
#[test]
fn a_killed_reconciliation_is_done_or_not_begun() {
    let seed = env_seed(96);
    eprintln!("seed {seed}");
    let mut rng = Generator::new(seed).0;
    let d = Deployment::new().with_partner("9");
    d.ok(&["import", &repository("samples/exports/forum")]);
    let backup = tempfile::tempdir().unwrap();
    let folder = backup.path().join("copy");
    d.ok(&["backup", "create", folder.to_str().unwrap()]);
    d.everybody_gives(50, "aggregate_statistics");
    d.ok(&["subject", "erase", "7"]);
    d.ok(&["consent", "record", "--subject", "3", "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "withdraw", "--notice", "acme"]);
    let budgets = d.ok(&["budget", "show"]);
    let (mut locked, mut done) = (0, 0);
    let mut patience = Patience { longest_ms: 120 };
    for round in 0..24 {
        put_back(&d, &folder, false);
        patience.run(&d, "$BIN --data $DATA --format json backup reconcile", &mut rng);
        let state = d.run(&["audit", "checkpoint"]).status.code();
        patience.learn(state != Some(0));
        match state {
            Some(0) => done += 1,
            Some(7) => {
                locked += 1;
                d.ok(&["backup", "reconcile"]);
            }
            other => panic!("round {round}: {other:?}"),
        }
        reconciled(&d, &budgets);
    }
    eprintln!("{locked} were locked, {done} were done");
    assert!(locked > 0 && done > 0, "the kills came too early or too late to test anything");
}
