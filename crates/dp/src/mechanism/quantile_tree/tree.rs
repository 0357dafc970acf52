//! Noisy numbers of nodes, drawn when they are first looked at.

use std::collections::BTreeMap;

use super::counts::LeafCounts;
use super::shape::{Node, Shape};
use crate::mechanism::discrete_gaussian::Variance;
use crate::sampler::{Noise, NoiseError};

/// Noisy numbers are kept within ± this, which is post-processing: no sum of them can then overflow.
const MOST: i128 = 1 << 90;

/// The numbers of one group's tree. Each is noised once, when it is first asked for, and stays so.
pub(super) struct NoisyTree<'a> {
    pub(super) shape: &'a Shape,
    variance: &'a Variance,
    noise: &'a dyn Noise,
    /// Leaves with values, and how many values lie in them and all leaves before.
    cumulated: Vec<(u32, i128)>,
    /// By parent, the noisy numbers of the nodes right below it.
    families: BTreeMap<Node, Vec<i128>>,
}

impl<'a> NoisyTree<'a> {
    pub(super) fn new(shape: &'a Shape, counts: &LeafCounts, variance: &'a Variance, noise: &'a dyn Noise) -> Self {
        let mut sum = 0_i128;
        let cumulated = counts.iter().map(|(leaf, count)| {
            sum = sum.saturating_add(i128::from(count));
            (leaf, sum)
        });
        Self { shape, variance, noise, cumulated: cumulated.collect(), families: BTreeMap::new() }
    }

    /// The noisy numbers of the nodes right below `parent`.
    pub(super) fn family(&mut self, parent: Node) -> Result<&[i128], NoiseError> {
        if !self.families.contains_key(&parent) {
            let nodes = self.shape.children(parent);
            let drawn = nodes.map(|node| Ok(self.exact(node).saturating_add(self.noise.discrete_gaussian(self.variance)?).clamp(-MOST, MOST)));
            let drawn = drawn.collect::<Result<Vec<_>, NoiseError>>()?;
            self.families.insert(parent, drawn);
        }
        Ok(self.families.get(&parent).map_or(&[], Vec::as_slice))
    }

    fn exact(&self, node: Node) -> i128 {
        let (from, to) = self.shape.leaves_of(node);
        self.before(to) - self.before(from)
    }

    /// Values in leaves before that one.
    fn before(&self, leaf: u32) -> i128 {
        let place = self.cumulated.partition_point(|(other, _)| *other < leaf);
        place.checked_sub(1).and_then(|last| self.cumulated.get(last)).map_or(0, |(_, sum)| *sum)
    }
}
