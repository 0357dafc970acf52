//! CPU time of reading consent strings; `benchmarks/signals/run.py` compares it with IAB's library.
//!
//! `cargo bench -p signal --bench decode` prints it for strings of three kinds. With `-- --write FILE` the strings are
//! written there, a kind and a string on each line, and nothing is measured.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints, and stops when something is wrong"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use rand::RngExt;
use signal::IdSet;
use signal::tcf::ConsentString;
use testkit::Generator;

/// What a consent platform writes after "reject all", after choices of single vendors, and after "accept all" with the
/// disclosed vendors that version 2.3 asks for.
const KINDS: [&str; 3] = ["reject all", "some vendors", "accept all"];
/// As many vendors as the Global Vendor List has, about.
const VENDORS: u16 = 1_300;
const STRINGS: usize = 200;
const ROUNDS: usize = 3;
const AT_LEAST: Duration = Duration::from_secs(1);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // `cargo test --benches` runs this too; it has nothing to test.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let strings = strings();
    if let Some(file) = args.iter().skip_while(|arg| *arg != "--write").nth(1) {
        let lines = strings.iter().fold(String::new(), |mut lines, (kind, text)| {
            let _ = writeln!(lines, "{kind}\t{text}");
            lines
        });
        return std::fs::write(file, lines).expect("a file");
    }
    for kind in KINDS {
        let texts: Vec<&str> = strings.iter().filter(|(of, _)| *of == kind).map(|(_, text)| text.as_str()).collect();
        let best = (0..ROUNDS).map(|_| micros(&texts)).fold(f64::INFINITY, f64::min);
        println!("{}", serde_json::json!({ "kind": kind, "letters": texts.iter().map(|text| text.len()).sum::<usize>() / texts.len(), "cpu_micros": best }));
    }
}

/// CPU microseconds for one string.
fn micros(texts: &[&str]) -> f64 {
    let (start, before) = (Instant::now(), cpu());
    let mut read = 0_usize;
    while start.elapsed() < AT_LEAST {
        for text in texts {
            black_box(ConsentString::decode(black_box(text)).expect("a consent string"));
        }
        read += texts.len();
    }
    cpu().saturating_sub(before).as_secs_f64() * 1e6 / read as f64
}

fn strings() -> Vec<(&'static str, String)> {
    let mut random = Generator::new(7);
    let mut strings = Vec::new();
    for _ in 0..STRINGS {
        for kind in KINDS {
            let mut consent = ConsentString::decode("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").expect("a consent string");
            let mut share = |of: u32| -> IdSet { (1..=VENDORS).filter(|_| random.0.random_ratio(of, 100)).collect() };
            (consent.vendor_consents, consent.vendor_legitimate_interests) = match kind {
                "reject all" => Default::default(),
                "some vendors" => (share(3), share(2)),
                _ => (share(75), share(40)),
            };
            consent.vendors_disclosed = (kind != "reject all").then(|| share(80));
            consent.purpose_consents = if kind == "reject all" { IdSet::default() } else { (1..=11).collect() };
            strings.push((kind, consent.encode().expect("fields with room")));
        }
    }
    strings
}

/// CPU time of this process, in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a system that tells CPU time");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // utime and stime.
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Duration::from_millis(ticks * 10)
}
