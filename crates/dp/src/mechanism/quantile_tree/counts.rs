//! Exact numbers of values per leaf.

use std::collections::BTreeMap;

/// How many values of one group lie in each leaf, exactly. Leaves without values are left out.
///
/// Without `Debug` and `Serialize`: it is un-noised and must not be printed, logged or sent by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LeafCounts(BTreeMap<u32, u64>);

impl LeafCounts {
    /// One more value in that leaf.
    pub fn add(&mut self, leaf: u32) {
        let count = self.0.entry(leaf).or_default();
        *count = count.saturating_add(1);
    }

    /// The values of another part of the data too. Addition commutes: the order of parts plays no role.
    pub fn merge(&mut self, other: &Self) {
        for (leaf, more) in &other.0 {
            let count = self.0.entry(*leaf).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// Leaves with values, in order, and how many.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.0.iter().map(|(leaf, count)| (*leaf, *count))
    }
}

/// Keeps at most `most` of one person's values in one group: those in the middles of `most` equal parts
/// of them, sorted, so that what is kept is spread like all of them.
///
/// # Guarantee
/// What is kept is a function of these values alone, whatever their order, and there are `most` of it at
/// most.
pub fn thin(values: &mut Vec<i64>, most: u32) {
    let (given, most) = (values.len(), usize::try_from(most).unwrap_or(usize::MAX));
    if given <= most {
        return;
    }
    values.sort_unstable();
    // The i-th is at ⌊(2i + 1)·given / 2·most⌋, which rises by at least one since given > most.
    let mut next = 0;
    let mut place = 0;
    values.retain(|_| {
        let keep = next < most && place == (2 * next + 1) * given / (2 * most);
        next += usize::from(keep);
        place += 1;
        keep
    });
}
