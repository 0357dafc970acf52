//! Aggregates for which a person's values are kept and not only their sum: different values, percentiles.
//!
//! # Guarantee
//! Of each person and group at most k items are kept, and which ones depends on that person's rows and the
//! bounding key alone.

use std::collections::BTreeSet;

use datafusion::arrow::array::ArrayRef;
use domain::question::{Aggregate, Value, encode_key, tree_shape};
use domain::{Fault, SubjectId};
use dp::{BoundingKey, GroupTag, LeafCounts, Shape};

use super::computed::{Coded, Computed};
use super::join::Scanned;
use super::person::index;

/// What stands for a value that is not known.
pub(super) const NOTHING: u32 = u32::MAX;

/// What a set keeps of each row: one item.
pub(super) enum Set {
    /// The numbers of different values.
    Distinct { coded: Coded, tags: Vec<Option<GroupTag>> },
    /// The leaves of a tree of counts.
    Tree { expr: Computed, aggregate: Aggregate, shape: Shape },
}

/// Items of one group, exact; as private as [`super::aggregate::ExactAnswer`].
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// Different values, by the bytes of their key.
    Distinct(BTreeSet<Vec<u8>>),
    /// How many values lie in each leaf.
    Leaves(LeafCounts),
}

impl Kept {
    /// Adds what was kept elsewhere.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), Fault> {
        match (self, other) {
            (Self::Distinct(all), Self::Distinct(more)) => all.extend(more),
            (Self::Leaves(all), Self::Leaves(more)) => all.merge(&more),
            _ => return Err(Fault::broken("sets of different kinds")),
        }
        Ok(())
    }
}

impl Set {
    /// What `aggregate` keeps, if it keeps anything.
    pub(super) fn of(aggregate: &Aggregate, scanned: &[Scanned]) -> Result<Option<Self>, Fault> {
        Ok(match aggregate {
            Aggregate::CountDistinct { of } => Some(Self::Distinct { coded: Coded::of(of, scanned)?, tags: Vec::new() }),
            Aggregate::Quantiles { of, values, .. } => {
                let shape = tree_shape(values).map_err(|e| Fault::new("shaping a tree of counts", e))?;
                Some(Self::Tree { expr: Computed::of(of, scanned)?, aggregate: aggregate.clone(), shape })
            }
            _ => None,
        })
    }

    /// The item of each row of a batch; [`NOTHING`] where the value is not known.
    pub(super) fn items(&mut self, batch: &[ArrayRef], rows: usize, key: &BoundingKey) -> Result<Vec<u32>, Fault> {
        match self {
            Self::Distinct { coded, tags } => {
                let mut codes = coded.codes(batch, rows)?;
                for value in coded.values().iter().skip(tags.len()) {
                    tags.push((*value != Value::Null).then(|| key.tag(&encode_key(std::slice::from_ref(value)))));
                }
                for code in &mut codes {
                    if tags.get(index(*code)).ok_or_else(|| Fault::broken("a value without its number"))?.is_none() {
                        *code = NOTHING;
                    }
                }
                Ok(codes)
            }
            Self::Tree { expr, aggregate, shape } => {
                let leaf = |row| Ok(aggregate.grid_value(&expr.value(batch, row)?).map_or(NOTHING, |value| shape.leaf(i64::try_from(value).unwrap_or(i64::MAX))));
                (0..rows).map(leaf).collect()
            }
        }
    }

    /// Leaves at most `most` of a person's items in one group.
    pub(super) fn bound(&self, items: &mut Vec<u32>, most: usize, key: &BoundingKey, subject: SubjectId) {
        items.sort_unstable();
        match self {
            Self::Distinct { coded, tags } => {
                items.dedup();
                if items.len() > most {
                    // Drawn by a keyed hash of person and value, ties by the value.
                    let values = coded.values();
                    let rank = |item: &u32| {
                        let tag = tags.get(index(*item)).copied().flatten();
                        (tag.map(|tag| key.rank(subject.0, tag)), values.get(index(*item)).map(|value| encode_key(std::slice::from_ref(value))))
                    };
                    items.sort_by_cached_key(rank);
                    items.truncate(most);
                }
            }
            Self::Tree { .. } if items.len() > most => {
                let mut leaves: Vec<i64> = items.iter().copied().map(i64::from).collect();
                dp::thin(&mut leaves, u32::try_from(most).unwrap_or(u32::MAX));
                items.clear();
                items.extend(leaves.into_iter().filter_map(|leaf| u32::try_from(leaf).ok()));
            }
            Self::Tree { .. } => {}
        }
    }

    /// An empty set of this kind.
    pub(super) fn nothing(&self) -> Kept {
        match self {
            Self::Distinct { .. } => Kept::Distinct(BTreeSet::new()),
            Self::Tree { .. } => Kept::Leaves(LeafCounts::default()),
        }
    }

    /// Adds an item that was kept so often.
    pub(super) fn keep(&self, kept: &mut Kept, item: u32, count: u64) -> Result<(), Fault> {
        match (self, kept) {
            (Self::Distinct { coded, .. }, Kept::Distinct(all)) => {
                let value = coded.values().get(index(item)).ok_or_else(|| Fault::broken("a value without its number"))?;
                all.insert(encode_key(std::slice::from_ref(value)));
            }
            (Self::Tree { .. }, Kept::Leaves(all)) => (0..count).for_each(|_| all.add(item)),
            _ => return Err(Fault::broken("sets of different kinds")),
        }
        Ok(())
    }
}
