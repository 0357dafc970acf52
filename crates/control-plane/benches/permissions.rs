//! Permissions of many people: worked out anew when a rule pack is approved, and moved on by one choice.
//!
//! `cargo bench -p control-plane --bench permissions`; `FAIRSHARE_BENCH_PEOPLE` (1,000,000),
//! `FAIRSHARE_BENCH_PAIRS` (10 pairs of purpose and partner) and `FAIRSHARE_BENCH_ANSWERS` (of how many of them each
//! person was asked; all) say how many. People and where their consents stand
//! are written straight into the store; what follows from them is then worked out as ever. The floor is SQLite's own
//! scan of the same rows. Memory is the peak of each step, where `/proc` tells it.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints, and stops when something is wrong"
)]

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_plane::{Choice, ControlPlane, NewNotice, Secrets, Settings};
use domain::agreement::PartnerAct;
use domain::consent::{ConsentAction, ConsentKey, ConsentMethod, DataScope};
use domain::lake::SnapshotClock;
use domain::law::SHIPPED;
use domain::notice::{NoticeRef, NoticeTerms, Wording};
use domain::{PartnerName, Purpose, SubjectId};
use dp::{Cost, Delta};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use testkit::{ManualClock, SeededEntropy};

/// The bench's own law: it closes advertising to whoever may be a minor, and changes the basis of everything.
const PACK: &str = r#"
schema = 1
id = "bench"
version = 1
title = "A law for measuring"
regions = ["DE"]
reviewed = 2026-11-24

[[consent]]
id = "statistics"
purposes = ["aggregate_statistics"]
outcome = "explicit_opt_in"
age_below = 25
grounds = { source = "none", certainty = "high" }
"#;

const PURPOSES: &[Purpose] = &[Purpose::AggregateStatistics, Purpose::AcademicResearch, Purpose::CommercialResearch, Purpose::ServiceImprovement, Purpose::AdMeasurement];

const CHOICES: u32 = 2_000;

fn main() {
    // `cargo test --benches` runs this too; it has nothing to test.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let number = |name: &str, otherwise: u32| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (people, pairs) = (number("FAIRSHARE_BENCH_PEOPLE", 1_000_000), number("FAIRSHARE_BENCH_PAIRS", 10));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let answers = number("FAIRSHARE_BENCH_ANSWERS", pairs).min(pairs);
    runtime.block_on(measure(people, pairs, answers));
}

async fn measure(people: u32, pairs: u32, answers: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let control = deployment(folder.path(), pairs).await;
    let mut raw = fill(&folder.path().join("control.sqlite"), people, pairs, answers).await;
    let rows = u64::from(people) * u64::from(answers);
    println!(
        "{people} people, {pairs} pairs, {answers} of them asked of each, {rows} standings\n\n| what | CPU s | wall s | peak MB | standings per CPU s |\n| --- | ---: | ---: | ---: | ---: |"
    );
    step("the floor: SQLite scans the standings", rows, async {
        sqlx::query("SELECT sum(strength) FROM consent_state").fetch_one(&mut raw).await.expect("a scan");
    })
    .await;
    control.rule_pack_propose(PACK, "one").await.expect("a proposal");
    let preview = step("preview of a pack (two laws)", rows, async { control.rule_pack_preview("bench", 1).await.expect("a preview") }).await;
    step("approval of a pack (preview, then everything anew)", rows, async { control.rule_pack_approve("bench", 1, "two").await.expect("an approval") }).await;
    println!("\n{preview:?}");
    let kept = sqlx::query("SELECT sum(length(bits)), max(chunk) + 1 FROM permitted_chunk").fetch_one(&mut raw).await.expect("sets");
    println!("{} bytes of permitted sets for each pair", kept.get::<i64, _>(0) / i64::from(pairs));
    one_choice(&control, people).await;
    raw.close().await.expect("closed");
    control.close().await;
}

/// Runs one step, and prints what it took.
async fn step<T>(what: &str, rows: u64, work: impl Future<Output = T>) -> T {
    // The peak is of this step.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (start, before) = (Instant::now(), cpu());
    let done = work.await;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu().saturating_sub(before).as_secs_f64());
    println!("| {what} | {cpu:.2} | {wall:.2} | {} | {:.0} |", peak_mb(), rows as f64 / cpu);
    done
}

/// From the call to the acknowledgement, with everybody's sets in place.
async fn one_choice(control: &ControlPlane, people: u32) {
    let (before, mut waited) = (cpu(), Vec::new());
    for n in 0..CHOICES {
        let key = ConsentKey::new(SubjectId(n.wrapping_mul(7_919) % people), partner(0), Purpose::AggregateStatistics);
        let notice = NoticeRef { name: "bench".parse().expect("a name"), version: 1 };
        let start = Instant::now();
        control.consent_record(&[Choice::now(key, ConsentAction::Withdraw, notice, ConsentMethod::Page)]).await.expect("acknowledged");
        waited.push(start.elapsed());
    }
    let cpu = cpu().saturating_sub(before);
    waited.sort_unstable();
    let at = |hundredths: usize| waited.get(waited.len() * hundredths / 100).copied().unwrap_or_default();
    println!("one choice at a time: p50 {:?}, p99 {:?}, CPU {:?}", at(50), at(99), cpu / CHOICES);
}

/// CPU time of this process so far, where `/proc` tells it.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    peak.unwrap_or(0) / 1024
}

fn partner(n: u32) -> PartnerName {
    format!("partner{n}").parse().expect("a name")
}

async fn deployment(folder: &Path, pairs: u32) -> ControlPlane {
    let cost = Cost { rho: "100".parse().expect("a price"), delta: Delta::LIFETIME };
    let rule_packs = SHIPPED.iter().map(|(_, text)| (*text).to_owned()).collect();
    let settings = Settings { origin: "bench.example/log".into(), lifetime: cost, subject_cap: cost, rule_packs, snapshot_clock: SnapshotClock::Import };
    let secrets = Secrets { log_seed: [1; 32], bounding: [2; 32], participants: [3; 32] };
    let clock = Arc::new(ManualClock::at("2026-11-24T10:00:00Z"));
    let control = ControlPlane::create(folder, settings, secrets, clock, Arc::new(SeededEntropy::new(1))).await.expect("a deployment");
    let partners: Vec<PartnerName> = (0..partners(pairs)).map(partner).collect();
    for partner in &partners {
        control.partner_add(partner, "A legal person", None, cost).await.expect("a partner");
        control.partner_act(partner, PartnerAct::Approve).await.expect("an approval");
    }
    let terms = NoticeTerms { purposes: PURPOSES.to_vec(), partners, open_classes: Vec::new(), scopes: vec![DataScope::Everything] };
    let notice = NewNotice::new("bench".parse().expect("a name"), terms, Wording::new("en", "Bench", "May we?"));
    control.notice_publish(notice).await.expect("a notice");
    control
}

/// Partners, each for every purpose, as far as pairs go.
fn partners(pairs: u32) -> u32 {
    pairs.div_ceil(u32::try_from(PURPOSES.len()).expect("few"))
}

/// People of four ages and places, each with a standing for so many of the pairs: two thirds said yes, a few of them until
/// some time, and one in a hundred objects to everything.
async fn fill(store: &Path, people: u32, pairs: u32, answers: u32) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(store).synchronous(SqliteSynchronous::Off).pragma("cache_size", "-32768");
    let mut raw = options.connect().await.expect("the store");
    let purposes: Vec<String> = PURPOSES.iter().map(|purpose| format!("('{purpose}')")).collect();
    let sql = format!(
        "WITH RECURSIVE ids (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM ids WHERE n + 1 < {people}) \
           INSERT INTO subject (subject_id, status, age_band, country, region, salt) SELECT n, 'active', \
             CASE n % 4 WHEN 0 THEN '18_24' WHEN 1 THEN '25_34' WHEN 2 THEN 'unknown' ELSE '65_plus' END, CASE n / 4 % 3 WHEN 0 THEN 'Germany' WHEN 1 THEN 'United States' END, \
             iif(n / 4 % 3 = 1, 'California', NULL), zeroblob(16) FROM ids; \
         WITH RECURSIVE partners (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM partners WHERE n + 1 < {partners}), purposes (purpose) AS (VALUES {purposes}), \
           pairs AS MATERIALIZED (SELECT row_number() OVER () AS pair, purpose, 'partner' || n AS partner FROM purposes CROSS JOIN partners ORDER BY purpose, partner LIMIT {pairs}) \
           INSERT INTO consent_state (subject_id, purpose, recipient, scope, state, at, sequence, action, given, ended, strength, valid_until, refused_at, notice, notice_version, last_event) \
           SELECT subject_id, purpose, partner, 'everything', iif((subject_id + pair) % 3 > 0, 'given', 'refused'), 1795510800000000, 0, iif((subject_id + pair) % 3 > 0, 'give', 'refuse'), \
             iif((subject_id + pair) % 3 > 0, '[1795510800000000,0,\"give\"]', NULL), iif((subject_id + pair) % 3 > 0, NULL, '[1795510800000000,0,\"refuse\"]'), \
             subject_id % 2, iif(subject_id % 10 = 0, 1827046800000000, NULL), NULL, 'bench', 1, 0 FROM subject CROSS JOIN pairs WHERE (pair + subject_id * 7) % {pairs} < {answers}; \
         INSERT INTO limit_state (subject_id, kind, purpose, partner) SELECT subject_id, 'objection', '', '' FROM subject WHERE subject_id % 100 = 7; \
         PRAGMA wal_checkpoint(TRUNCATE)",
        partners = partners(pairs),
        purposes = purposes.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut raw).await.expect("people and standings");
    raw
}
