//! From noisy numbers to a quantile and its range: post-processing.
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

/// The quantile: down the tree, with the part of the way through each node's values that it lies at.
fn point(tree: &mut NoisyTree<'_>, quantile: Quantile) -> Result<i64, NoiseError> {
    let mut node = Node::ROOT;
    let mut part = f64::from(quantile.millionths()) / f64::from(Quantile::WHOLE);
    while node.level < tree.shape.height() {
        let Some((child, within)) = next(tree.family(node)?, part) else {
            // Nobody seems to be below. Of everybody not even the part is known.
            part = if node == Node::ROOT { 0.5 } else { part };
            break;
        };
        let Some(child) = tree.shape.children(node).nth(child) else { break };
        (node, part) = (child, within);
    }
    let (from, to) = tree.shape.leaves_of(node);
    let ((low, _), (_, high)) = (tree.shape.values_of(from), tree.shape.values_of(to.saturating_sub(1)));
    Ok(between(low, high, part))
}

/// The child in which `part` of the values are reached, and the part of the child's; none when no child
/// seems to have any. Rises with `part`: to a later child, or in the same child to a greater part.
fn next(family: &[i128], part: f64) -> Option<(usize, f64)> {
    let total: i128 = family.iter().sum();
    if total <= 0 {
        return None;
    }
    let target = 2.0 * part * number(total);
    let reached = rising(family);
    let mut found = None;
    // There is a child to find: the first sum is ≤ 0, and the last is ≥ 2 · total ≥ the target.
    for (child, (before, after)) in reached.iter().zip(reached.iter().skip(1)).enumerate().filter(|(_, (before, after))| after > before) {
        found = Some((child, ((target - number(*before)) / number(after - before)).clamp(0.0, 1.0)));
        if number(*after) >= target {
            break;
        }
    }
    found
}

/// Twice the sums of the first 0, 1, 2 … numbers, made to rise: halfway between the largest sum up to each
/// place and the smallest from there on. Unlike sums of numbers that are clamped at 0, these do not
/// grow by the noise of empty nodes.
fn rising(family: &[i128]) -> Vec<i128> {
    let sums = std::iter::once(0).chain(family.iter().scan(0_i128, |sum, number| {
        *sum += number;
        Some(*sum)
    }));
    let sums: Vec<i128> = sums.collect();
    let mut from_here: Vec<i128> = sums
        .iter()
        .rev()
        .scan(i128::MAX, |least, sum| {
            *least = (*least).min(*sum);
            Some(*least)
        })
        .collect();
    from_here.reverse();
    let up_to_here = sums.iter().scan(i128::MIN, |most, sum| {
        *most = (*most).max(*sum);
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
struct End {
    /// By how much the noisy number of values before it exceeds the quantile's noisy rank.
    above: f64,
    /// How much of that can be noise.
    tolerance: f64,
}

/// Goes down to a leaf. `choose` picks the child from the places between children, in order.
fn search(tree: &mut NoisyTree<'_>, quantile: Quantile, variance: &Variance, choose: impl Fn(&[End]) -> usize) -> Result<u32, NoiseError> {
    let height = tree.shape.height();
    let total: i128 = tree.family(Node::ROOT)?.iter().sum();
    let (part, whole) = (i128::from(quantile.millionths()), i128::from(Quantile::WHOLE));
    let mut node = Node::ROOT;
    // Noisy values before the node, and the variance of their excess over the rank, in σ².
    let (mut before, mut spread) = (0_i128, 0.0);
    while node.level < height {
        let family = tree.family(node)?;
        let spread_at = |places: usize| if node == Node::ROOT { at_top(places, family.len(), quantile) } else { spread + count(places) };
        let sums = family.iter().scan(before, |sum, number| {
            *sum += number;
            Some(*sum)
        });
        let sums: Vec<i128> = std::iter::once(before).chain(sums).collect();
        let between = sums.iter().enumerate().take(family.len()).skip(1);
        let ends: Vec<End> =
            between.map(|(places, sum)| End { above: number(whole * sum - part * total) / number(whole), tolerance: tolerance(spread_at(places), height, variance) }).collect();
        let chosen = choose(&ends);
        spread = spread_at(chosen);
        before = sums.get(chosen).copied().unwrap_or(before);
        let Some(child) = tree.shape.children(node).nth(chosen) else { break };
        node = child;
    }
    Ok(tree.shape.leaves_of(node).0)
}

/// The variance, in σ², of (the first `places` of `nodes` numbers) − part · (all of them).
fn at_top(places: usize, nodes: usize, quantile: Quantile) -> f64 {
    let part = f64::from(quantile.millionths()) / f64::from(Quantile::WHOLE);
    count(places) * (1.0 - part).powi(2) + count(nodes - places.min(nodes)) * part.powi(2)
}

/// What noise of that variance, in σ², exceeds with probability [`MISSED`] / height at most: a weighted sum
/// of discrete Gaussians has the tail exp(−t²/2V) (`proof.md`).
fn tolerance(spread: f64, height: u32, variance: &Variance) -> f64 {
    (2.0 * spread * (f64::from(height) / MISSED).ln()).sqrt() * variance.sigma() * MARGIN
}

/// The largest tolerance that a search can meet.
pub(super) fn rank_half_width(shape: &Shape, quantile: Quantile, variance: &Variance) -> f64 {
    let top = shape.children(Node::ROOT).count();
    let most = (0..=top).map(|places| at_top(places, top, quantile)).fold(0.0, f64::max);
    let below = f64::from(shape.height().saturating_sub(1)) * f64::from(shape.branching().saturating_sub(1));
    tolerance(most + below, shape.height(), variance)
}

#[expect(clippy::cast_precision_loss, reason = "noisy numbers and widths, see above")]
const fn number(x: i128) -> f64 {
    x as f64
}

#[expect(clippy::cast_precision_loss, reason = "at most 256")]
const fn count(x: usize) -> f64 {
    x as f64
}
