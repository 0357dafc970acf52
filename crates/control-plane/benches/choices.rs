//! Acknowledged choices per second, beside bare SQLite with the same settings, batch sizes and disk.
//!
//! `cargo bench -p control-plane --bench choices`. Bare SQLite is measured twice: inserting a row and
//! nothing else, and keeping a ledger that can be asked (a row with its index by person, and the state
//! that follows from it). Neither has bitmaps, receipts or entries of the log. Rounds alternate, so
//! that a noisy machine is noisy for all; the table gives the best round of each, and its CPU time
//! where the system tells. Latencies are those of the best round, from the call to the acknowledgement. A word
//! after `--` chooses the lines that have it: `… --bench choices -- "16 writers"`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints, and stops when something is wrong"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_plane::{Choice, ControlPlane, NewNotice, Secrets, Settings};
use domain::agreement::PartnerAct;
use domain::consent::{ConsentAction, ConsentKey, ConsentMethod, DataScope};
use domain::lake::{Manifest, SnapshotClock, Staged};
use domain::notice::{NoticeRef, NoticeTerms, Wording};
use domain::record::{AccountKey, Counts, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord};
use domain::subject::AgeBand;
use domain::{Platform, Purpose, SubjectId, SubjectSet};
use dp::{Cost, Delta};
use rusqlite::{Connection, params_from_iter};
use testkit::{ManualClock, SeededEntropy};

const PEOPLE: u32 = 100_000;
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --benches` runs this too; it has nothing to test.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(compare());
}

async fn compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = deployment(&folder.path().join("deployment")).await;
    let bare = bare(&folder.path().join("bare.sqlite"));
    println!("| what | bare rows/s | bare ledger, choices/s | acknowledged choices/s | ratio to rows | to ledger | CPU µs: row | ledger | ours | p50 ms | p99 ms |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    for (name, writers, batch, requests) in
        [("one writer, one at a time", 1, 1, 3_000), ("16 writers, group commit", 16, 1, 30_000), ("batches of 16", 1, 16, 3_000), ("batches of 1,000", 1, 1_000, 100)]
    {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let (mut rows, mut ledger, mut ours) = (Speed::default(), Speed::default(), Speed::default());
        for round in 0..ROUNDS {
            // Choices that change what the round before said.
            let action = if round % 2 == 0 { ConsentAction::Give } else { ConsentAction::Withdraw };
            // Sixteen writers of bare SQLite would wait for one another: it gets the batches that a
            // perfect group commit would make of them.
            rows = rows.better(run_bare(&bare, writers * batch, requests / writers, false));
            ledger = ledger.better(run_bare(&bare, writers * batch, requests / writers, true));
            ours = ours.better(run_ours(&control, writers, batch, requests, action).await);
        }
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} |",
            rows.per_second,
            ledger.per_second,
            ours.per_second,
            ours.per_second / rows.per_second,
            ours.per_second / ledger.per_second,
            rows.cpu_micros,
            ledger.cpu_micros,
            ours.cpu_micros,
            ours.p50.as_secs_f64() * 1e3,
            ours.p99.as_secs_f64() * 1e3
        );
    }
    control.close().await;
}

#[derive(Default, Clone, Copy)]
struct Speed {
    per_second: f64,
    cpu_micros: f64,
    p50: Duration,
    p99: Duration,
}

impl Speed {
    fn of(rows: usize, wall: Duration, cpu: Duration) -> Self {
        let rows = rows as f64;
        Self { per_second: rows / wall.as_secs_f64(), cpu_micros: cpu.as_secs_f64() * 1e6 / rows, ..Self::default() }
    }

    fn better(self, other: Self) -> Self {
        if other.per_second > self.per_second { other } else { self }
    }
}

/// CPU time of this process so far, where `/proc` tells it.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// On this thread, with compiled statements: the least that SQLite asks for.
fn run_bare(bare: &Connection, batch: usize, commits: usize, ledger: bool) -> Speed {
    let (start, before) = (Instant::now(), cpu());
    let table = if ledger { "ledger" } else { "bare" };
    let insert = format!(
        "INSERT INTO {table} (subject_id, partner, purpose, action, notice, notice_version, method, at) VALUES (?, 'acme', 'aggregate_statistics', 'give', 'acme', 1, 'page', '2026-11-24T10:00:00.000000Z')"
    );
    let state = "INSERT INTO state (subject_id, partner, purpose, state) VALUES (?, 'acme', 'aggregate_statistics', 'given') ON CONFLICT DO UPDATE SET state = excluded.state";
    let execute = |sql: &str, values: &[i64]| bare.prepare_cached(sql).expect("a statement").execute(params_from_iter(values)).expect("a row");
    for n in 0..commits {
        execute("BEGIN IMMEDIATE", &[]);
        for m in 0..batch {
            let person = i64::from(u32::try_from(n * batch + m).expect("small").wrapping_mul(7_919) % PEOPLE);
            execute(&insert, &[person]);
            if ledger {
                execute(state, &[person]);
            }
        }
        execute("COMMIT", &[]);
    }
    Speed::of(batch * commits, start.elapsed(), cpu().saturating_sub(before))
}

async fn run_ours(control: &ControlPlane, writers: usize, batch: usize, requests: usize, action: ConsentAction) -> Speed {
    let (start, before) = (Instant::now(), cpu());
    let each = requests / writers;
    let tasks = (0..writers).map(|writer| {
        let control = control.clone();
        tokio::spawn(async move {
            let mut waited = Vec::with_capacity(each);
            for n in 0..each {
                let first = (writer * each + n) * batch;
                let choices: Vec<Choice> = (first..first + batch).map(|person| choice(u32::try_from(person).expect("small").wrapping_mul(7_919) % PEOPLE, action)).collect();
                let asked = Instant::now();
                control.consent_record(&choices).await.expect("acknowledged");
                waited.push(asked.elapsed());
            }
            waited
        })
    });
    let mut waited = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        waited.extend(task.await.expect("a writer"));
    }
    let speed = Speed::of(each * writers * batch, start.elapsed(), cpu().saturating_sub(before));
    waited.sort_unstable();
    let at = |hundredths: usize| waited.get(waited.len() * hundredths / 100).copied().unwrap_or_default();
    Speed { p50: at(50), p99: at(99), ..speed }
}

fn choice(person: u32, action: ConsentAction) -> Choice {
    let key = ConsentKey::new(SubjectId(person), "acme".parse().expect("a name"), Purpose::AggregateStatistics);
    Choice::now(key, action, NoticeRef { name: "acme".parse().expect("a name"), version: 1 }, ConsentMethod::Page)
}

fn bare(path: &Path) -> Connection {
    let bare = Connection::open(path).expect("a store");
    bare.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 16384; PRAGMA cache_size = -32768")
        .expect("settings");
    let columns = "id INTEGER PRIMARY KEY, subject_id INTEGER NOT NULL, partner TEXT NOT NULL, purpose TEXT NOT NULL, action TEXT NOT NULL, notice TEXT NOT NULL, notice_version INTEGER NOT NULL, method TEXT NOT NULL, at TEXT NOT NULL";
    let tables = format!(
        "CREATE TABLE bare ({columns}) STRICT; CREATE TABLE ledger ({columns}) STRICT; CREATE INDEX by_subject ON ledger (subject_id); \
         CREATE TABLE state (subject_id INTEGER NOT NULL, partner TEXT NOT NULL, purpose TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (subject_id, partner, purpose)) STRICT, WITHOUT ROWID"
    );
    bare.execute_batch(&tables).expect("tables");
    bare
}

async fn deployment(folder: &Path) -> ControlPlane {
    std::fs::create_dir_all(folder).expect("a folder");
    let cost = Cost { rho: "100".parse().expect("a price"), delta: Delta::LIFETIME };
    let settings = Settings { origin: "bench.example/log".into(), lifetime: cost, subject_cap: cost, rule_packs: Vec::new(), snapshot_clock: SnapshotClock::Import };
    let secrets = Secrets { log_seed: [1; 32], bounding: [2; 32], participants: [3; 32] };
    let clock = Arc::new(ManualClock::at("2026-11-24T10:00:00Z"));
    let control = ControlPlane::create(folder, settings, secrets, clock, Arc::new(SeededEntropy::new(1))).await.expect("a deployment");
    let source = SourceInfo { path: "people.csv".into(), kind: SourceKind::Table, platform: Platform::Csv, parser: "csv/1".into() };
    let subjects = (0..PEOPLE).map(|n| {
        let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Csv, native_id: format!("p{n}") });
        subject.age = AgeBand::From25To34;
        subject
    });
    let batch = NormalizedBatch { subjects: subjects.collect(), ..NormalizedBatch::new(source) };
    let mut import = control.import_begin().await.expect("an import");
    control.import_assign(&mut import, 0, &batch).await.expect("ids");
    import.end(0, "00".into(), &SubjectSet::new()).expect("an end");
    let staged = Staged { manifest: Manifest { schema: 1, bucket_size: 8_192, tables: std::collections::BTreeMap::new() }, counts: vec![Counts::default()] };
    control.import_commit(import, &staged).await.expect("a commit");
    let partner = "acme".parse().expect("a name");
    control.partner_add(&partner, "A legal person", None, cost).await.expect("a partner");
    control.partner_act(&partner, PartnerAct::Approve).await.expect("an approval");
    let terms = NoticeTerms { purposes: vec![Purpose::AggregateStatistics], partners: vec![partner], open_classes: Vec::new(), scopes: vec![DataScope::Everything] };
    let notice = NewNotice::new("acme".parse().expect("a name"), terms, Wording::new("en", "Your data", "May we?"));
    control.notice_publish(notice).await.expect("a notice");
    control
}
