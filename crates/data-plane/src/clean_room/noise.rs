//! Exact answer → noisy table: the only way out.

use domain::Fault;
use domain::question::{Aggregate, KeySource, Mechanisms, Plan, Value, encode_key};
use domain::release::{Answered, NoisedAggregate, NoisedRow, NoisedTable};
use dp::Noise;

use super::aggregate::ExactAnswer;

/// The version of [`NoisedTable`] written here.
const TABLE_SCHEMA: u32 = 1;

/// Adds noise to every value, and with unknown keys keeps the groups that enough people are in.
///
/// # Guarantee
/// The table is differentially private for one person at the cost of `mechanisms`
/// ([`Mechanisms::of`]): every value gets fresh noise of its aggregate's variance, and a group with
/// an unknown key is shown only if its noisy number of people, which is paid for, reaches the
/// threshold. With public keys every group is shown, whether or not anybody is in it.
pub(super) fn noise(exact: ExactAnswer, plan: &Plan, mechanisms: &Mechanisms, noise: &dyn Noise) -> Result<Answered, Fault> {
    let mut rows = match plan.key_source() {
        KeySource::Public => public_rows(&exact, plan, mechanisms, noise)?,
        KeySource::Unknown => unknown_rows(&exact, plan, mechanisms, noise)?,
    };
    rows.sort_by(|a, b| a.key.iter().zip(&b.key).map(|(x, y)| x.sort_order(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal));
    let aggregates = plan.aggregates.iter().zip(&mechanisms.variances).map(|(aggregate, variance)| NoisedAggregate {
        aggregate: aggregate.to_string(),
        denominator: aggregate.denominator(),
        half_width: i64::try_from(variance.half_width_95()).unwrap_or(i64::MAX),
    });
    let table = NoisedTable { schema: TABLE_SCHEMA, keys: plan.keys.iter().map(|key| key.column.to_string()).collect(), aggregates: aggregates.collect(), rows };
    Ok(Answered { table, participants: exact.into_participants() })
}

fn public_rows(exact: &ExactAnswer, plan: &Plan, mechanisms: &Mechanisms, noise: &dyn Noise) -> Result<Vec<NoisedRow>, Fault> {
    let zeros = vec![0; plan.aggregates.len()];
    let keys = plan.public_keys().into_iter();
    keys.map(|key| {
        let values = exact.group(&encode_key(&key)).unwrap_or(&zeros);
        noised_row(key, values, mechanisms, noise, |_| true).and_then(|row| row.ok_or_else(|| Fault::broken("a public group was left out")))
    })
    .collect()
}

fn unknown_rows(exact: &ExactAnswer, plan: &Plan, mechanisms: &Mechanisms, noise: &dyn Noise) -> Result<Vec<NoisedRow>, Fault> {
    let broken = || Fault::broken("unknown keys without a way to select them");
    let threshold = mechanisms.threshold.as_ref().ok_or_else(broken)?;
    let people = plan.aggregates.iter().position(|a| *a == Aggregate::CountSubjects).ok_or_else(broken)?;
    let mut rows = Vec::new();
    for (key, values) in exact.groups() {
        rows.extend(noised_row(key.to_vec(), values, mechanisms, noise, |noisy| noisy.get(people).is_some_and(|n| threshold.keeps(*n)))?);
    }
    Ok(rows)
}

/// One group with noise, if `keep` says so of its noisy values.
fn noised_row(key: Vec<Value>, exact: &[i128], mechanisms: &Mechanisms, noise: &dyn Noise, keep: impl FnOnce(&[i128]) -> bool) -> Result<Option<NoisedRow>, Fault> {
    let noisy = exact.iter().zip(&mechanisms.variances).map(|(value, variance)| dp::discrete_gaussian(*value, variance, noise));
    let noisy = noisy.collect::<Result<Vec<_>, _>>().map_err(|e| Fault::new("drawing noise", e))?;
    if !keep(&noisy) {
        return Ok(None);
    }
    // Saturating is post-processing.
    let values = noisy.into_iter().map(|n| i64::try_from(n).unwrap_or(if n > 0 { i64::MAX } else { i64::MIN })).collect();
    Ok(Some(NoisedRow { key, values }))
}
