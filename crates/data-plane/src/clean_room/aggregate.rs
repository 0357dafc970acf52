//! Bounded people, added up exactly.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use domain::question::{Plan, Value};
use domain::{Fault, SubjectSet};
use dp::BoundingKey;
use futures::future::try_join_all;

use super::bound::{Bounded, Group};
use super::filter::Consented;
use super::set::Kept;

/// The exact values of one group.
#[derive(Clone)]
pub(super) struct ExactGroup {
    pub(super) key: Vec<Value>,
    /// In the order of the plan's aggregates; 0 for those that are sets.
    pub(super) values: Vec<i128>,
    /// In the order of the plan's aggregates that are sets.
    pub(super) kept: Vec<Kept>,
}

/// The exact, bounded, un-noised answer.
///
/// Private to this crate, without `Debug`, `Display` or `Serialize`: it cannot be printed, logged or
/// sent by accident. Only [`super::noise`] reads it.
// Tests draw noise for one answer many times.
#[cfg_attr(test, derive(Clone))]
pub(super) struct ExactAnswer {
    /// Groups by the bytes of their key.
    groups: BTreeMap<Vec<u8>, ExactGroup>,
    /// Eligible people with at least one matching row.
    participants: SubjectSet,
}

impl ExactAnswer {
    /// The exact values of a group; none when nobody is in it.
    pub(super) fn group(&self, encoded_key: &[u8]) -> Option<&ExactGroup> {
        self.groups.get(encoded_key)
    }

    /// The groups that somebody is in.
    pub(super) fn groups(&self) -> impl Iterator<Item = &ExactGroup> {
        self.groups.values()
    }

    /// Who took part.
    pub(super) fn into_participants(self) -> SubjectSet {
        self.participants
    }

    /// Integer addition and unions commute: the order of partitions plays no part.
    fn merge(&mut self, (groups, participants): (Vec<Group>, SubjectSet)) -> Result<(), Fault> {
        for Group { key, encoded, values, kept } in groups {
            match self.groups.entry(encoded) {
                Entry::Vacant(new) => {
                    new.insert(ExactGroup { key, values, kept });
                }
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                    known.kept.iter_mut().zip(kept).try_for_each(|(all, more)| all.merge(more))?;
                }
            }
        }
        self.participants.union_with(&participants);
        Ok(())
    }
}

/// Reads all partitions side by side and adds up what their bounded people contribute.
pub(super) async fn aggregate(consented: Consented, plan: &Plan, key: &BoundingKey) -> Result<ExactAnswer, Fault> {
    let columns = consented.columns();
    let shared = Arc::new((plan.clone(), key.clone(), columns));
    let tasks = consented.into_partitions().into_iter().map(|partition| {
        let shared = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let (plan, key, columns) = &*shared;
            let mut bounded = Bounded::new(plan, key, columns)?;
            partition.visit(&mut bounded).await?;
            bounded.finish()
        });
        async { task.await.map_err(|e| Fault::new("reading a partition", e))? }
    });
    let mut exact = ExactAnswer { groups: BTreeMap::new(), participants: SubjectSet::new() };
    for part in try_join_all(tasks).await? {
        exact.merge(part)?;
    }
    Ok(exact)
}
