//! From noisy numbers to a quantile and its range: post-processing.
//!
//! A node's number and those of the nodes below it tell the same twice. On the way down each family is corrected by
//! what is known of its parent, in the proportion of their variances (Hay, Rastogi, Miklau & Suciu 2010; Honaker
//! 2015): a place near the end of a family is then known about as well as one near its beginning. What families
//! tell of their parents is not used: of 16 numbers it is 1/17 of the weight, and would need noise for all nodes.
//!
//! Doubles are safe here: they work on numbers that are noisy already. Each of their operations is
//! monotone, which is all that the order of quantiles needs; ranges add a margin above their rounding.

use super::shape::{Node, Shape};
use super::tree::NoisyTree;
use super::{Quantile, QuantileEstimate};
use crate::mechanism::discrete_gaussian::Variance;
use crate::sampler::NoiseError;

/// The chance that a range misses on one of its two sides.
const MISSED: f64 = 0.025;
/// Factor on tolerances, above all rounding in this file.
const MARGIN: f64 = 1.0 + 1e-9;

pub(super) fn estimate(tree: &mut NoisyTree<'_>, quantile: Quantile, variance: &Variance) -> Result<QuantileEstimate, NoiseError> {
    let value = point(tree, quantile)?;
    // The lower end: the first node whose end may be reached by the quantile's rank. The upper end: the
    // last node whose start may.
    let lower = search(tree, quantile, variance, |ends| ends.iter().position(|end| end.above >= -end.tolerance).unwrap_or(ends.len()))?;
    let upper = search(tree, quantile, variance, |ends| ends.iter().rposition(|end| end.above <= end.tolerance).map_or(0, |last| last + 1))?;
    let (low, _) = tree.shape.values_of(lower);
    let (_, high) = tree.shape.values_of(upper);
    Ok(QuantileEstimate { value, low: low.min(value), high: high.max(value) })
}

/// What is known of a node on the way down: its number, corrected.
#[derive(Clone, Copy)]
struct Known {
    number: i128,
    /// What is added to the number.
    shift: f64,
    /// The variance of both, in σ².
    spread: f64,
}

/// What is added to the numbers of a family.
#[derive(Clone, Copy)]
struct Correction {
    /// To each of them.
    shift: f64,
    /// For each by which the parent has more than they: its part that each of them gets.
    share: f64,
}

impl Correction {
    /// The numbers that have the least weighted squares: least distance from what was drawn, and their sum from
    /// what is known of their parent. Of the root nothing is known.
    fn of(parent: Option<Known>, family: &[i128]) -> Self {
        let Some(Known { number: own, shift, spread }) = parent else { return Self { shift: 0.0, share: 0.0 } };
        let share = 1.0 / (spread + count(family.len()));
        let more = number(own - family.iter().sum::<i128>()) + shift;
        Self { shift: more * share, share }
    }

    /// What is known of a member.
    const fn known(self, number: i128) -> Known {
        Known { number, shift: self.shift, spread: 1.0 - self.share }
    }
}

/// The quantile: down the tree, with the part of the way through each node's values that it lies at.
fn point(tree: &mut NoisyTree<'_>, quantile: Quantile) -> Result<i64, NoiseError> {
    let (mut node, mut known) = (Node::ROOT, None);
    let mut part = f64::from(quantile.millionths()) / f64::from(Quantile::WHOLE);
    while node.level < tree.shape.height() {
        let family = tree.family(node)?;
        let correction = Correction::of(known, family);
        let Some((place, within)) = next(family, correction.shift, part) else {
            // Nobody seems to be below. Of everybody not even the part is known.
            part = if node == Node::ROOT { 0.5 } else { part };
            break;
        };
        known = family.get(place).map(|number| correction.known(*number));
        let Some(child) = tree.shape.children(node).nth(place) else { break };
        (node, part) = (child, within);
    }
    let (from, to) = tree.shape.leaves_of(node);
    let ((low, _), (_, high)) = (tree.shape.values_of(from), tree.shape.values_of(to.saturating_sub(1)));
    Ok(between(low, high, part))
}

/// The child in which `part` of the values are reached, and the part of the child's; none when no child
/// seems to have any. Rises with `part`: to a later child, or in the same child to a greater part.
fn next(family: &[i128], shift: f64, part: f64) -> Option<(usize, f64)> {
    let sums = sums(family, shift);
    let total = sums.last().copied().filter(|total| *total > 0.0)?;
    let target = 2.0 * part * total;
    let reached = rising(&sums);
    let mut found = None;
    // There is a child to find: the first sum is ≤ 0, and the last is ≥ 2 · total ≥ the target.
    for (child, (before, after)) in reached.iter().zip(reached.iter().skip(1)).enumerate().filter(|(_, (before, after))| after > before) {
        found = Some((child, ((target - before) / (after - before)).clamp(0.0, 1.0)));
        if *after >= target {
            break;
        }
    }
    found
}

/// The sums of the first 0, 1, 2 … numbers, each of them shifted.
fn sums(family: &[i128], shift: f64) -> Vec<f64> {
    let sums = family.iter().scan((0_i128, 0.0), |(sum, places), number| {
        *sum += number;
        *places += 1.0;
        Some((*sum, *places))
    });
    std::iter::once(0.0).chain(sums.map(|(sum, places)| number(sum) + places * shift)).collect()
}

/// Twice the sums, made to rise: halfway between the largest sum up to each place and the smallest from there
/// on. Unlike sums of numbers that are clamped at 0, these do not grow by the noise of empty nodes.
fn rising(sums: &[f64]) -> Vec<f64> {
    let mut from_here: Vec<f64> = sums
        .iter()
        .rev()
        .scan(f64::INFINITY, |least, sum| {
            *least = least.min(*sum);
            Some(*least)
        })
        .collect();
    from_here.reverse();
    let up_to_here = sums.iter().scan(f64::NEG_INFINITY, |most, sum| {
        *most = most.max(*sum);
        Some(*most)
    });
    up_to_here.zip(from_here).map(|(most, least)| most + least).collect()
}

/// The whole number at `part` of the way through `low ..= high`.
fn between(low: i64, high: i64, part: f64) -> i64 {
    let values = number(i128::from(high) - i128::from(low) + 1);
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to the number of values; casts of floats saturate")]
    let steps = (part * values).floor() as i128;
    i64::try_from((i128::from(low) + steps).clamp(low.into(), high.into())).unwrap_or(high)
}

/// A place between two neighbouring nodes.
pub(super) struct End {
    /// By how much the noisy number of values before it exceeds the quantile's noisy rank.
    pub(super) above: f64,
    /// How much of that can be noise.
    pub(super) tolerance: f64,
}

/// A place on the way down: how much noise is in the number of values before it.
#[derive(Clone, Copy)]
struct Spread {
    /// The variance of their excess over the quantile's noisy rank, in σ².
    variance: f64,
    /// The covariance of that excess with what is known of the node after the place, in σ².
    with_next: f64,
}

impl Spread {
    /// After the first `places` of the `nodes` nodes of the top level: of (their numbers) − part · (all numbers).
    fn at_top(places: usize, nodes: usize, quantile: Quantile) -> Self {
        let part = f64::from(quantile.millionths()) / f64::from(Quantile::WHOLE);
        let variance = count(places) * (1.0 - part).powi(2) + count(nodes - places.min(nodes)) * part.powi(2);
        Self { variance, with_next: -part }
    }

    /// After the first `places` nodes below the next one, corrected by `share`.
    fn below(self, places: usize, share: f64) -> Self {
        let places = count(places);
        let own = places - places * places * share;
        Self { variance: self.variance + own + 2.0 * places * share * self.with_next, with_next: share * (self.with_next - places) }
    }
}

/// Goes down to a leaf. `choose` picks the child from the places between children, in order.
pub(super) fn search(tree: &mut NoisyTree<'_>, quantile: Quantile, variance: &Variance, choose: impl Fn(&[End]) -> usize) -> Result<u32, NoiseError> {
    let height = tree.shape.height();
    let total: i128 = tree.family(Node::ROOT)?.iter().sum();
    let (part, whole) = (i128::from(quantile.millionths()), i128::from(Quantile::WHOLE));
    let (mut node, mut known) = (Node::ROOT, None);
    // Noisy values before the node, what corrections add to them, and their spread.
    let (mut before, mut shift, mut spread) = (0_i128, 0.0, None);
    while node.level < height {
        let family = tree.family(node)?;
        let correction = Correction::of(known, family);
        let spread_at = |places: usize| spread.map_or_else(|| Spread::at_top(places, family.len(), quantile), |above: Spread| above.below(places, correction.share));
        let sums = family.iter().scan(before, |sum, number| {
            *sum += number;
            Some(*sum)
        });
        let sums: Vec<i128> = std::iter::once(before).chain(sums).collect();
        let end = |(places, sum): (usize, &i128)| End {
            above: number(whole * sum - part * total) / number(whole) + shift + count(places) * correction.shift,
            tolerance: tolerance(spread_at(places).variance, height, variance),
        };
        let ends: Vec<End> = sums.iter().enumerate().take(family.len()).skip(1).map(end).collect();
        let chosen = choose(&ends);
        spread = Some(spread_at(chosen));
        known = family.get(chosen).map(|number| correction.known(*number));
        before = sums.get(chosen).copied().unwrap_or(before);
        shift += count(chosen) * correction.shift;
        let Some(child) = tree.shape.children(node).nth(chosen) else { break };
        node = child;
    }
    Ok(tree.shape.leaves_of(node).0)
}

/// What noise of that variance, in σ², exceeds with probability [`MISSED`] / height at most: a weighted sum
/// of discrete Gaussians has the tail exp(−t²/2V) (`proof.md`).
pub(super) fn tolerance(spread: f64, height: u32, variance: &Variance) -> f64 {
    (2.0 * spread * (f64::from(height) / MISSED).ln()).sqrt() * variance.sigma() * MARGIN
}

/// The largest tolerance that a search can meet, at most: covariances only make it smaller.
pub(super) fn rank_half_width(shape: &Shape, quantile: Quantile, variance: &Variance) -> f64 {
    let top = shape.children(Node::ROOT).count();
    let mut most = (0..=top).map(|places| Spread::at_top(places, top, quantile).variance).fold(0.0, f64::max);
    let (nodes, mut spread) = (usize::try_from(shape.branching()).unwrap_or(usize::MAX), 1.0);
    for _ in 1..shape.height() {
        let share = 1.0 / (spread + count(nodes));
        let alone = Spread { variance: 0.0, with_next: 0.0 };
        most += (0..nodes).map(|places| alone.below(places, share).variance).fold(0.0, f64::max);
        spread = 1.0 - share;
    }
    tolerance(most, shape.height(), variance)
}

#[expect(clippy::cast_precision_loss, reason = "noisy numbers and widths, see above")]
const fn number(x: i128) -> f64 {
    x as f64
}

#[expect(clippy::cast_precision_loss, reason = "at most 256")]
const fn count(x: usize) -> f64 {
    x as f64
}
