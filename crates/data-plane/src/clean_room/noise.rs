//! Exact answer → noisy table: the only way out.

use domain::Fault;
use domain::question::{Aggregate, KeySource, Mechanisms, Plan, encode_key, tree_shape};
use domain::release::{Answered, NoisedAggregate, NoisedRow, NoisedTable};
use dp::{LeafCounts, Noise, Quantile, QuantileTree, Variance};

use super::aggregate::{ExactAnswer, ExactGroup};
use super::set::Kept;

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
    let noising = Noising::of(plan, mechanisms, noise)?;
    let mut rows = match plan.key_source() {
        KeySource::Public => noising.public_rows(&exact)?,
        KeySource::Unknown => noising.unknown_rows(&exact)?,
    };
    rows.sort_by(|a, b| a.key.iter().zip(&b.key).map(|(x, y)| x.sort_order(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal));
    let aggregates = plan.aggregates.iter().zip(&mechanisms.variances).flat_map(|(aggregate, variance)| numbers(aggregate, variance)).collect();
    let table = NoisedTable { schema: TABLE_SCHEMA, keys: plan.keys.iter().map(|key| key.of.to_string()).collect(), aggregates, rows };
    Ok(Answered { table, participants: exact.into_participants() })
}

/// The numbers that are released of an aggregate, in their order.
fn numbers(aggregate: &Aggregate, variance: &Variance) -> Vec<NoisedAggregate> {
    let denominator = aggregate.denominator();
    if let Aggregate::Quantiles { of, at, .. } = aggregate {
        // Their ranges are numbers of their own.
        let level = |level: &u32| {
            let name = format!("percentile_cont({}) within group (order by {of})", f64::from(*level) / 1e6);
            [name.clone(), format!("{name} low"), format!("{name} high")]
        };
        return at.iter().flat_map(level).map(|aggregate| NoisedAggregate { aggregate, denominator, half_width: 0 }).collect();
    }
    vec![NoisedAggregate { aggregate: aggregate.to_string(), denominator, half_width: i64::try_from(variance.half_width_95()).unwrap_or(i64::MAX) }]
}

/// Draws noise for the groups of one plan.
struct Noising<'a> {
    plan: &'a Plan,
    mechanisms: &'a Mechanisms,
    /// How each aggregate is noised.
    each: Vec<Mechanism<'a>>,
    noise: &'a dyn Noise,
}

/// How one aggregate is noised.
enum Mechanism<'a> {
    /// Its value, of which the aggregate is the place.
    Value(usize, &'a Variance),
    /// The number of different values in the set of that place.
    Distinct(usize, &'a Variance),
    /// Percentiles by the tree of the set of that place.
    Quantiles(usize, QuantileTree, Vec<Quantile>),
}

fn broken() -> Fault {
    Fault::broken("an answer that is not of its plan")
}

impl<'a> Noising<'a> {
    fn of(plan: &'a Plan, mechanisms: &'a Mechanisms, noise: &'a dyn Noise) -> Result<Self, Fault> {
        let mut sets = 0..;
        let mut set = || sets.next().ok_or_else(broken);
        let mechanism = |(place, (aggregate, variance)): (usize, (&'a Aggregate, &'a Variance))| {
            Ok(match aggregate {
                Aggregate::CountDistinct { .. } => Mechanism::Distinct(set()?, variance),
                Aggregate::Quantiles { values, at, .. } => {
                    let shape = tree_shape(values).map_err(|e| Fault::new("shaping a tree of counts", e))?;
                    let tree = QuantileTree::for_cost(shape, &plan.bounds, mechanisms.share).map_err(|e| Fault::new("noise for a tree of counts", e))?;
                    let levels = at.iter().map(|level| Quantile::from_millionths(*level)).collect::<Result<_, _>>();
                    Mechanism::Quantiles(set()?, tree, levels.map_err(|e| Fault::new("a percentile", e))?)
                }
                _ => Mechanism::Value(place, variance),
            })
        };
        let each = plan.aggregates.iter().zip(&mechanisms.variances).enumerate().map(mechanism).collect::<Result<_, Fault>>()?;
        Ok(Self { plan, mechanisms, each, noise })
    }

    fn public_rows(&self, exact: &ExactAnswer) -> Result<Vec<NoisedRow>, Fault> {
        let keys = self.plan.public_keys().into_iter();
        keys.map(|key| {
            let values = self.numbers(exact.group(&encode_key(&key)))?;
            Ok(NoisedRow { key, values })
        })
        .collect()
    }

    fn unknown_rows(&self, exact: &ExactAnswer) -> Result<Vec<NoisedRow>, Fault> {
        let broken = || Fault::broken("unknown keys without a way to select them");
        let threshold = self.mechanisms.threshold.as_ref().ok_or_else(broken)?;
        let before = self.plan.aggregates.iter().take_while(|a| **a != Aggregate::CountSubjects);
        let people: usize = before.map(Aggregate::numbers).sum();
        let mut rows = Vec::new();
        let place = self.plan.aggregates.iter().position(|a| *a == Aggregate::CountSubjects).ok_or_else(broken)?;
        for group in exact.groups() {
            // By itself this would tell of people; with the threshold, which is shifted by it, it does not.
            let exact = group.values.get(place).copied().ok_or_else(broken)?;
            if !threshold.considers(u64::try_from(exact).unwrap_or(0)) {
                continue;
            }
            let values = self.numbers(Some(group))?;
            if threshold.keeps(i128::from(*values.get(people).ok_or_else(broken)?)) {
                rows.push(NoisedRow { key: group.key.clone(), values });
            }
        }
        Ok(rows)
    }

    /// The noisy numbers of one group; none of it where nobody is in it.
    fn numbers(&self, group: Option<&ExactGroup>) -> Result<Vec<i64>, Fault> {
        let mut numbers = Vec::with_capacity(self.each.len());
        for mechanism in &self.each {
            match mechanism {
                Mechanism::Value(place, variance) => {
                    let exact = group.map_or(Ok(0), |group| group.values.get(*place).copied().ok_or_else(broken))?;
                    numbers.push(self.number(exact, variance)?);
                }
                Mechanism::Distinct(place, variance) => {
                    let exact = match group.map(|group| group.kept.get(*place)) {
                        None => 0,
                        Some(Some(Kept::Distinct(values))) => i128::try_from(values.len()).map_err(|e| Fault::new("counting different values", e))?,
                        Some(_) => return Err(broken()),
                    };
                    numbers.push(self.number(exact, variance)?);
                }
                Mechanism::Quantiles(place, tree, levels) => {
                    let empty = LeafCounts::default();
                    let counts = match group.map(|group| group.kept.get(*place)) {
                        None => &empty,
                        Some(Some(Kept::Leaves(counts))) => counts,
                        Some(_) => return Err(broken()),
                    };
                    let found = tree.release(counts, levels, self.noise).map_err(|e| Fault::new("drawing noise", e))?;
                    numbers.extend(found.into_iter().flat_map(|found| [found.value, found.low, found.high]));
                }
            }
        }
        Ok(numbers)
    }

    fn number(&self, exact: i128, variance: &Variance) -> Result<i64, Fault> {
        let noisy = dp::discrete_gaussian(exact, variance, self.noise).map_err(|e| Fault::new("drawing noise", e))?;
        // Saturating is post-processing.
        Ok(i64::try_from(noisy).unwrap_or(if noisy > 0 { i64::MAX } else { i64::MIN }))
    }
}
