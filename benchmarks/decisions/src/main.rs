//! The same 100,000 decisions by our own function, by Cedar and by regorus, in one run.
//!
//! First all of them must agree, case by case; of people who agreed, also in which rules deny. Then each is measured
//! three times, in turns, for at least a second; the best counts. Everything that can be made beforehand is: tables,
//! policies, entities, data, and (where not said otherwise) requests.

mod case;
mod cedar;
mod ours;
mod rego;
mod rule;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::law::{Law, shipped};

use case::{Case, cases};
use cedar::Cedar;
use ours::{Everybody, Ours};
use rego::{Rego, Words};
use rule::World;

/// As in the product: all sides but our bulk allocate for each decision.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CASES: usize = 100_000;
const SEED: u64 = 20_261_125;
const DAY: &str = "2026-11-25";
const ROUNDS: usize = 3;
const AT_LEAST: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let cases = cases(CASES, SEED);
    let law = Law::new(shipped()?, DAY.parse()?)?;
    let world = World::new(&law)?;
    let (ours, ours_made) = timed(|| Ours::new(&law))?;
    let (cedar, cedar_made) = timed(|| Cedar::new(&world))?;
    let (mut allow, allow_made) = timed(|| Rego::new(&world, "allow"))?;
    let (mut decision, decision_made) = timed(|| Rego::new(&world, "decision"))?;

    let mut made = Rego::new(&world, "decision")?;

    let everybody = Everybody::new(&ours, &cases);
    let requests = cases.iter().map(|case| cedar.request(case)).collect::<Result<Vec<_>>>()?;
    let words = Words::new(&world);
    let inputs: Vec<regorus::Value> = cases.iter().map(|case| words.input(case)).collect();

    let (permitted, denying) = agree(&cases, &ours, &everybody, &cedar, &requests, &mut allow, &mut decision, &inputs)?;
    let (policies, left) = cedar.sizes();
    let named = world.rules.iter().map(|rule| &rule.id).collect::<BTreeSet<_>>().len();
    println!("{CASES} cases, seed {SEED}, law of {DAY}: all agree, {permitted} permitted, {denying} of {named} rules of packs denied somebody who agreed.");
    println!("{policies} Cedar policies, of which partial evaluation leaves {left} for a use and place, on average.");
    println!("Made beforehand, ms: our tables {ours_made:.0}, Cedar {cedar_made:.0}, regorus {allow_made:.0} and {decision_made:.0}.\n");

    let mut contestants: Vec<Contestant<'_>> = vec![
        Contestant::new("ours, everybody at once (facts to bits)", "no", || Ok(everybody.bits().len())),
        Contestant::new("ours, one by one: `permitted`", "no", || count(&cases, |case| ours.permits(case))),
        Contestant::new("ours, one by one: `decide`", "yes", || count(&cases, |case| Ok(black_box(ours.decides(case)?).permit))),
        Contestant::new("Cedar, all policies", "yes", || count(&requests, |request| cedar::permits(&cedar.decides(request)))),
        Contestant::new("Cedar, partially evaluated for use and place", "yes", || {
            cases.iter().zip(&requests).try_fold(0, |n, (case, request)| Ok(n + usize::from(cedar::permits(&cedar.decides_by_kind(case, request)?)?)))
        }),
        Contestant::new("the same, request made from the facts", "yes", || count(&cases, |case| cedar::permits(&cedar.decides_by_kind(case, &cedar.request(case)?)?))),
        Contestant::new("regorus, `allow`", "no", || count(&inputs, |input| Ok(*allow.decides(input)?.as_bool()?))),
        Contestant::new("regorus, `decision`", "yes", || count(&inputs, |input| rego::permits(&decision.decides(input)?))),
        Contestant::new("the same, input made from the facts", "yes", || count(&cases, |case| rego::permits(&made.decides(&words.input(case))?))),
    ];
    for _ in 0..ROUNDS {
        for contestant in &mut contestants {
            contestant.measure()?;
        }
    }
    print_table(&contestants)
}

/// Fails unless all sides give the same answer on every case; of people who agreed, for the same rules. Tells how many
/// are permitted, and how many rules of packs were seen to deny.
#[expect(clippy::too_many_arguments, reason = "each side once")]
fn agree(
    cases: &[Case],
    ours: &Ours,
    everybody: &Everybody<'_>,
    cedar: &Cedar,
    requests: &[cedar_policy::Request],
    allow: &mut Rego,
    decision: &mut Rego,
    inputs: &[regorus::Value],
) -> Result<(usize, usize)> {
    let mut denying = BTreeSet::new();
    let bulk = everybody.permits(cases.len());
    for (i, (case, (request, input))) in cases.iter().zip(requests.iter().zip(inputs)).enumerate() {
        let permit = ours.permits(case)?;
        let (whole, by_kind, told) = (cedar.decides(request), cedar.decides_by_kind(case, request)?, decision.decides(input)?);
        let answers = [
            ("ours, at once", bulk[i]),
            ("ours, decide", ours.decides(case)?.permit),
            ("Cedar", cedar::permits(&whole)?),
            ("Cedar, partially evaluated", cedar::permits(&by_kind)?),
            ("regorus, allow", *allow.decides(input)?.as_bool()?),
            ("regorus, decision", rego::permits(&told)?),
            ("regorus, interpreted", rego::permits(&decision.interprets(input)?)?),
        ];
        for (who, answer) in answers {
            ensure!(answer == permit, "case {i}: ours says {permit}, {who} says {answer}: {:?} for {} with {}", case.facts, case.purpose, case.scope);
        }
        if !permit && case.facts.consent.state.is_valid() {
            let set = |rules: Vec<String>| rules.into_iter().collect::<BTreeSet<_>>();
            let expected = set(ours.denials(case)?);
            denying.extend(expected.iter().cloned());
            for (who, rules) in [("Cedar", cedar::denials(&whole)), ("Cedar, partially evaluated", cedar::denials(&by_kind)), ("regorus", rego::denials(&told)?)] {
                let rules = set(rules);
                ensure!(rules == expected, "case {i}: we deny for {expected:?}, {who} for {rules:?}: {:?} for {} with {}", case.facts, case.purpose, case.scope);
            }
        }
    }
    // Those of the house are no rules of packs.
    denying.retain(|rule| rule.contains('/'));
    Ok((bulk.iter().filter(|&&permit| permit).count(), denying.len()))
}

/// One row of the table.
struct Contestant<'a> {
    name: &'static str,
    reasons: &'static str,
    /// Decides all cases.
    pass: Box<dyn FnMut() -> Result<usize> + 'a>,
    /// CPU microseconds for one decision, the best so far.
    best: f64,
}

impl<'a> Contestant<'a> {
    fn new(name: &'static str, reasons: &'static str, pass: impl FnMut() -> Result<usize> + 'a) -> Self {
        Self { name, reasons, pass: Box::new(pass), best: f64::INFINITY }
    }

    fn measure(&mut self) -> Result<()> {
        let (start, before, mut passes) = (now(), cpu()?, 0.0);
        while start.elapsed() < AT_LEAST {
            black_box((self.pass)()?);
            passes += 1.0;
        }
        self.best = self.best.min((cpu()? - before).as_secs_f64() * 1e6 / (passes * CASES as f64));
        Ok(())
    }
}

fn print_table(contestants: &[Contestant<'_>]) -> Result<()> {
    let ours = contestants.iter().find(|row| row.name.contains("decide")).context("our row")?.best;
    println!("| decided by | reasons | CPU µs each | per second and core | times `decide` |");
    println!("| --- | --- | ---: | ---: | ---: |");
    for Contestant { name, reasons, best, .. } in contestants {
        println!("| {name} | {reasons} | {best:.3} | {:.0} | {:.2} |", 1e6 / best, best / ours);
    }
    Ok(())
}

fn count<T>(of: &[T], mut permits: impl FnMut(&T) -> Result<bool>) -> Result<usize> {
    of.iter().try_fold(0, |n, one| Ok(n + usize::from(permits(one)?)))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// What `make` makes, and in how many milliseconds.
fn timed<T>(make: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let start = now();
    Ok((make()?, start.elapsed().as_secs_f64() * 1e3))
}

/// CPU time of this process, in hundredths of a second.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("a system that tells CPU time")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // utime and stime.
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Ok(Duration::from_millis(ticks * 10))
}
