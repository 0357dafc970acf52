//! What released numbers err by: the closed form of the Gaussian mechanism, Δ₂/√(2ρ) for a number that costs ρ, which is
//! also what any other engine errs by at equal ρ (hence at equal ε and δ) and equal bounds. The closed forms are written
//! down here by hand, from the contract of `activity`.

use dp::Noise;
use testkit::SeededNoise;

use super::*;

/// Draws of each number.
const DRAWS: u32 = 20_000;

/// Rows per person and group, and the range of a person's sum of words in a group: the owner's contract.
const ROWS: f64 = 50.0;
const WORDS: f64 = 2_000.0;
/// The range of a single number of words.
const WORDS_OF_ONE: f64 = 200.0;

/// The root of the mean of squares of the errors of each number of a question, and how often the range held it.
fn errors(sql: &str, rho: &str, noise: &SeededNoise) -> Vec<(f64, f64)> {
    let mut generator = Generator::new(12);
    let arrivals = data(&mut generator);
    let world = World::lay_out(&arrivals, 2, &mut ChaCha20Rng::seed_from_u64(12));
    let question = Question { sql: sql.into(), params: Vec::new(), rho: rho.parse().unwrap(), narrowing: Narrowing::default() };
    let prepared = validate::validate(&question, &partner_tables()).unwrap();
    let Prepared { plan, cost, .. } = &prepared;
    let mechanisms = Mechanisms::of(plan, cost.rho).unwrap();
    let eligible: SubjectSet = arrivals[0].ids.iter().copied().collect();
    let charge = Charge::of_durable_reservation(*cost);
    let look = PaidLook { prepared: &prepared, charge: &charge, snapshot: &world.snapshot, eligible: &eligible, bounding_key: &BoundingKey::from_bytes([1; 16]) };
    let exact = world.room.exact(&look).unwrap();
    // One look at the rows, as the same answer for all draws.
    let table = |noise: &dyn Noise| noise::noise(exact.clone(), plan, &mechanisms, noise).unwrap().table;
    let truth = table(&ZeroNoise);
    let mut squares = vec![0.0; plan.aggregates.len()];
    let mut held = vec![0.0; plan.aggregates.len()];
    let half_widths: Vec<i64> = truth.aggregates.iter().map(|aggregate| aggregate.half_width).collect();
    let rows = u32::try_from(truth.rows.len()).unwrap();
    for _ in 0..DRAWS / rows {
        for (noisy, truth) in table(noise).rows.iter().zip(&truth.rows) {
            for (place, (noisy, truth)) in noisy.values.iter().zip(&truth.values).enumerate() {
                let off = noisy - truth;
                squares[place] += f64::from(i32::try_from(off).unwrap()).powi(2);
                held[place] += f64::from(u8::from(off.abs() <= half_widths[place]));
            }
        }
    }
    let draws = f64::from(DRAWS / rows * rows);
    let denominators = truth.aggregates.iter().map(|aggregate| f64::from(aggregate.denominator));
    squares.iter().zip(&held).zip(denominators).map(|((square, held), denominator)| ((square / draws).sqrt() / denominator, held / draws)).collect()
}

#[test]
fn errors_are_those_of_the_closed_form() {
    let seed = env_seed(2_026);
    eprintln!("seed {seed}");
    let noise = SeededNoise::new(seed);
    let sigma = |sensitivity: f64, rho: f64| sensitivity / (2.0 * rho).sqrt();
    let two = 2_f64.sqrt();
    let cases: Vec<(&str, &str, Vec<f64>)> = vec![
        ("SELECT count(distinct subject_id) FROM subject", "0.5", vec![sigma(1.0, 0.5)]),
        ("SELECT count(*) FROM activity", "0.1", vec![sigma(ROWS, 0.1)]),
        ("SELECT kind, count(*) FROM activity GROUP BY kind KEYS ('post', 'like')", "0.1", vec![sigma(two * ROWS, 0.1)]),
        ("SELECT sum(word_count) FROM activity", "0.02", vec![sigma(WORDS, 0.02)]),
        ("SELECT count(distinct subject_id), sum(word_count) FROM activity", "0.02", vec![sigma(1.0, 0.01), sigma(WORDS, 0.01)]),
        // Of an average, the number of its values and their distances from the middle of the range are paid for.
        ("SELECT avg(word_count) FROM activity", "0.02", vec![sigma(ROWS, 0.01), sigma(ROWS * WORDS_OF_ONE / 2.0, 0.01)]),
    ];
    for (sql, rho, expected) in cases {
        let found = errors(sql, rho, &noise);
        assert_eq!(found.len(), expected.len(), "{sql}");
        for ((error, held), expected) in found.iter().zip(&expected) {
            eprintln!("{sql}: {error:.3} where the closed form has {expected:.3}; the range held {:.2} %", 100.0 * held);
            // The deviation of the ratio is 1/√(2·20,000) = 0.5 %.
            assert!((error / expected - 1.0).abs() < 0.03, "{sql}: {error} where the closed form has {expected}");
            // Ranges end at whole numbers: of little noise they hold more than they say.
            let most = if *expected > 10.0 { 0.96 } else { 1.0 };
            assert!((0.94..most).contains(held), "{sql}: {held}");
        }
    }
}
