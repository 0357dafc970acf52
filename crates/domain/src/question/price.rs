//! What a question costs and what can be expected of its answer: functions of public parameters.

use std::num::NonZeroU32;
use std::sync::Arc;

use dp::{Cost, Delta, KeyThreshold, Quantile, QuantileTree, Rho, Variance};
use serde::Serialize;

use super::view::STEP;
use super::{Aggregate, Grid, KeySource, Narrowing, Plan, Value, View, tree_shape};
use crate::CreatorList;
use crate::refusal::{Refusal, RefusalCode};

/// What a partner sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The SQL text.
    pub sql: String,
    /// What stands for `$1`, `$2` … in the text.
    pub params: Vec<Value>,
    /// What the partner is ready to pay.
    pub rho: Rho,
    /// Tighter bounds.
    pub narrowing: Narrowing,
}

/// A question that was understood and priced. No data was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What is paid for.
    pub plan: Plan,
    /// What is made of it afterwards.
    pub view: View,
    /// What it costs.
    pub cost: Cost,
    /// The public list of creators by which it was understood.
    pub creators: Arc<CreatorList>,
}

/// The mechanisms that answer a plan at a price.
#[derive(Debug, Clone)]
pub struct Mechanisms {
    /// What each aggregate costs.
    pub share: Rho,
    /// The noise of each aggregate of the plan, in order, in squared grid units; of percentiles, of each
    /// count of their tree.
    pub variances: Vec<Variance>,
    /// By which groups are selected, with unknown keys; applies to [`Aggregate::CountSubjects`].
    pub threshold: Option<KeyThreshold>,
}

impl Mechanisms {
    /// The mechanisms of `plan` at `rho`.
    ///
    /// # Guarantee
    /// Each aggregate gets an equal share of ρ and the discrete Gaussian noise with σ² = Δ₂²/(2·share),
    /// so that all of them together are ρ-zCDP for one person (shares are rounded down, their sum never
    /// exceeds ρ). With unknown keys, groups are selected by the noisy count of people, whose threshold
    /// adds δ = [`Delta::PER_RELEASE`]. The parameters are public, hence so is every number here.
    ///
    /// # Errors
    /// A refusal when the price is too small to be divided, or the noise leaves the numbers.
    pub fn of(plan: &Plan, rho: Rho) -> Result<Self, Refusal> {
        let parts = u32::try_from(plan.aggregates.len()).ok().and_then(NonZeroU32::new);
        let share = parts.map(|parts| rho.split(parts)).filter(|share| *share > Rho::ZERO);
        let Some(share) = share else {
            return Err(Refusal::new(RefusalCode::Price, format!("ρ = {rho} is too little to share among the aggregates")).hint("offer more, for example --rho 0.05"));
        };
        let numbers = |_| Refusal::new(RefusalCode::Price, "the noise for this price and these bounds is too large to compute").hint("offer more ρ or narrow the bounds");
        let mut variances = Vec::with_capacity(plan.aggregates.len());
        for aggregate in &plan.aggregates {
            let sensitivity = aggregate.sensitivity(&plan.bounds).map_err(|_| numbers(()))?;
            variances.push(Variance::for_cost(sensitivity, share).map_err(|_| numbers(()))?);
        }
        let threshold = match plan.key_source() {
            KeySource::Public => None,
            KeySource::Unknown => {
                let people = plan.aggregates.iter().position(|a| *a == Aggregate::CountSubjects).and_then(|i| variances.get(i));
                let people = people.ok_or_else(|| numbers(()))?;
                Some(dp::key_threshold(people, plan.bounds.groups(), Delta::PER_RELEASE, plan.cohort).map_err(|_| numbers(()))?)
            }
        };
        Ok(Self { share, variances, threshold })
    }

    /// What `plan` costs at `rho`.
    #[must_use]
    pub fn cost(plan: &Plan, rho: Rho) -> Cost {
        match plan.key_source() {
            KeySource::Public => Cost { rho, delta: Delta::ZERO },
            KeySource::Unknown => Cost { rho, delta: Delta::PER_RELEASE },
        }
    }
}

/// What can be expected of one aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateEstimate {
    /// The aggregate in SQL.
    pub aggregate: String,
    /// Standard deviation of its noise; of percentiles, of the counts of their tree.
    pub sigma: f64,
    /// Half the width of the range that holds the true bounded value 19 times out of 20; of percentiles, in
    /// ranks: how many values lie between what is given and what was asked for, at most.
    pub half_width_95: f64,
    /// The smallest value that is read within ±10 %, 19 times out of 20.
    pub readable_at_10_percent: f64,
}

/// What can be expected of an average, as far as it can be said without its count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AverageEstimate {
    /// The average in SQL.
    pub average: String,
    /// The values that count.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// For some counts of known values in a group, half the width of the average's 95 % range, at most.
    pub half_widths: Vec<HalfWidth>,
}

/// How wide the range of an average is in a group of that size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HalfWidth {
    /// Known values in the group.
    pub count: u64,
    /// Half the width of the 95 % range.
    pub half_width_95: f64,
}

/// Counts for which the range of an average is estimated.
const COUNTS: [u64; 4] = [100, 1_000, 10_000, 100_000];

/// What can be said before paying. A function of public parameters only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Each paid aggregate.
    pub aggregates: Vec<AggregateEstimate>,
    /// Each average whose parts are paid for.
    pub averages: Vec<AverageEstimate>,
    /// How many people a group needs, after noise, to be shown; none with public keys.
    pub threshold: Option<i128>,
    /// Groups smaller than this will almost surely not be shown.
    pub vanishing_below: Option<i128>,
    /// Groups that one person counts in, at most.
    pub groups_per_person: u32,
    /// Rows of one person that count in one group, at most.
    pub rows_per_group: u32,
    /// Rows of one person that count in all groups together, at most; where the question says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_overall: Option<u32>,
}

impl Prepared {
    /// Whether it means the same by this list of creators.
    #[must_use]
    pub fn holds_with(&self, creators: &CreatorList) -> bool {
        self.plan.creators.as_deref().is_none_or(|version| version == creators.version())
    }

    /// The estimate of the answer's accuracy.
    ///
    /// # Errors
    /// As [`Mechanisms::of`].
    pub fn estimate(&self) -> Result<Estimate, Refusal> {
        let mechanisms = Mechanisms::of(&self.plan, self.cost.rho)?;
        let aggregates = self.plan.aggregates.iter().zip(&mechanisms.variances);
        let aggregates: Vec<AggregateEstimate> = aggregates
            .map(|(aggregate, variance)| {
                let grid = f64::from(aggregate.denominator());
                if let Aggregate::Quantiles { values, at, .. } = aggregate {
                    return self.ranks(aggregate, values, at, mechanisms.share, variance);
                }
                let sigma = variance.sigma() / grid;
                #[expect(clippy::cast_precision_loss, reason = "a printed estimate")]
                let half_width_95 = variance.half_width_95() as f64 / grid;
                AggregateEstimate { aggregate: aggregate.to_string(), sigma, half_width_95, readable_at_10_percent: half_width_95 * 10.0 }
            })
            .collect();
        let averages = self.plan.aggregates.iter().zip(&aggregates).filter_map(|(sum, estimate)| self.average(sum, estimate, &aggregates)).collect();
        let threshold = mechanisms.threshold.as_ref().map(KeyThreshold::threshold);
        let people = self.plan.aggregates.iter().position(|a| *a == Aggregate::CountSubjects).and_then(|i| mechanisms.variances.get(i));
        let vanishing_below = threshold.zip(people).map(|(t, v)| {
            #[expect(clippy::cast_possible_truncation, reason = "a printed estimate; σ is far below 2^127")]
            let two_sigma = (2.0 * v.sigma()).ceil() as i128;
            (t - two_sigma).max(0)
        });
        Ok(Estimate {
            aggregates,
            averages,
            threshold,
            vanishing_below,
            groups_per_person: self.plan.bounds.groups(),
            rows_per_group: self.plan.bounds.rows_per_group(),
            rows_overall: self.plan.bounds.rows_overall(),
        })
    }

    /// What can be expected of percentiles: how far the rank of what is given is from the rank asked for.
    fn ranks(&self, aggregate: &Aggregate, values: &Grid, at: &[u32], share: Rho, variance: &Variance) -> AggregateEstimate {
        let tree = tree_shape(values).ok().and_then(|shape| QuantileTree::for_cost(shape, &self.plan.bounds, share).ok());
        let half = |level: &u32| Some(tree.as_ref()?.rank_half_width_95(Quantile::from_millionths(*level).ok()?));
        let half_width_95 = at.iter().filter_map(half).fold(0.0, f64::max);
        AggregateEstimate { aggregate: format!("rank of {aggregate}"), sigma: variance.sigma(), half_width_95, readable_at_10_percent: half_width_95 * 10.0 }
    }

    /// The average of which `sum` is a part, if it is one. Its true distance from the middle is at most
    /// half the range, so that the range of its quotient is at most (sum's + half the range · count's) /
    /// (count − count's), all of them half-widths, each with the step that answers add to it.
    fn average(&self, sum: &Aggregate, of_sum: &AggregateEstimate, all: &[AggregateEstimate]) -> Option<AverageEstimate> {
        let ((low, high), of) = (sum.value_range()?, sum.of()?);
        let place = self.plan.aggregates.iter().position(|a| *a == Aggregate::CountKnown { of: of.clone() })?;
        let count = all.get(place)?.half_width_95 + STEP;
        let (sum, half) = (of_sum.half_width_95 + STEP / f64::from(sum.denominator()), (high - low) / 2.0);
        let half_widths = COUNTS.map(|n| {
            #[expect(clippy::cast_precision_loss, reason = "round counts below 2^53")]
            let left = (n as f64 - count).max(1.0);
            HalfWidth { count: n, half_width_95: ((sum + half * count) / left).min(half) }
        });
        Some(AverageEstimate { average: format!("avg({of})"), low, high, half_widths: half_widths.to_vec() })
    }
}
