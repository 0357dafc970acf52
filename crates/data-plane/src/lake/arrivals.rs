//! Which of the rows that arrive in a bucket are new, and which of those that are there go.

use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{TimestampMicrosecondType, UInt8Type, UInt32Type, UInt64Type};
use domain::Fault;
use domain::catalog::TableName;
use domain::record::{ActivityKind, Counts};
use hashbrown::{HashMap, HashSet};

use super::append::{ORDINAL, REMOVED};
use super::complete::{self, Sources};
use super::merge::{ActKey, column};
use super::order::by_subject;
use crate::schema::{ARRIVED_AS, schema};

/// The acts that arrive in one bucket, in ascending order of their people.
pub(super) struct Arrivals<'a> {
    /// Owners and ids of the acts that are there, ascending by owner and id.
    there: Vec<(u32, u128)>,
    /// By source.
    counts: &'a mut HashMap<u32, Counts>,
    /// Ordinals of the acts that do not get a row.
    pub(super) left_out: HashSet<u64>,
    /// Acts that were there and go.
    pub(super) gone: HashSet<ActKey>,
}

impl<'a> Arrivals<'a> {
    pub(super) fn new(there: Vec<(u32, u128)>, counts: &'a mut HashMap<u32, Counts>) -> Self {
        Self { there, counts, left_out: HashSet::new(), gone: HashSet::new() }
    }

    /// The new acts among `rows`, which are all that arrive of their people: as rows of the lake, by
    /// person, instant and id.
    pub(super) fn acts(&mut self, rows: RecordBatch, known: &Sources) -> Result<RecordBatch, Fault> {
        let ids = known.ids(&rows)?;
        let order = self.settle(&rows, &ids, known)?;
        complete::acts(&rows, &ids, &order, known)
    }

    fn settle(&mut self, rows: &RecordBatch, ids: &[[u8; 16]], known: &Sources) -> Result<UInt32Array, Fault> {
        let (sources, kinds) = (column(rows, "source")?.as_primitive::<UInt32Type>(), column(rows, "kind")?.as_primitive::<UInt8Type>());
        let (ordinals, removed) = (column(rows, ORDINAL)?.as_primitive::<UInt64Type>(), column(rows, REMOVED)?.as_primitive::<UInt8Type>());
        let at = column(rows, "at")?.as_primitive::<TimestampMicrosecondType>();
        let instant = |row: usize| if at.is_null(row) { i64::MIN } else { at.value(row) };
        let kind = |row: usize| ActivityKind::ALL.get(usize::from(kinds.value(row))).copied().ok_or_else(|| Fault::broken("an act of no kind"));
        let id = |row: usize| ids.get(row).map(|id| u128::from_be_bytes(*id)).ok_or_else(|| Fault::broken("an act without an id"));
        let owners = column(rows, "subject_id")?.as_primitive::<UInt32Type>();
        let arrived_as = column(rows, ARRIVED_AS)?.as_primitive::<UInt32Type>();
        let named = |row: usize| if arrived_as.is_null(row) { owners.value(row) } else { arrived_as.value(row) };
        let by_person = by_subject(owners.values().iter().copied().zip(0_u32..).collect());
        let mut order = Vec::with_capacity(rows.num_rows());
        let (mut acts, mut new) = (Vec::new(), Vec::new());
        for person in by_person.chunk_by(|a, b| a.0 == b.0) {
            let Some((subject, _)) = person.first() else { continue };
            acts.clear();
            new.clear();
            for (_, row) in person {
                let place = usize::try_from(*row).map_err(|e| Fault::new("numbering rows", e))?;
                if known.withdraw() && known.is_withdrawn(sources.value(place), named(place)) {
                    self.counts.entry(sources.value(place)).or_default().deleted += 1;
                    self.left_out.insert(ordinals.value(place));
                    continue;
                }
                acts.push((id(place)?, *row, place));
            }
            // By act, in the order of arrival.
            acts.sort_unstable();
            for act in acts.chunk_by(|a, b| a.0 == b.0) {
                let Some(&(id, ..)) = act.first() else { continue };
                let was_there = self.there.binary_search(&(*subject, id)).is_ok();
                let mut stays = was_there;
                let mut added = None;
                for &(_, row, place) in act {
                    if removed.value(place) != 0 {
                        self.counts.entry(sources.value(place)).or_default().deleted += 1;
                        (stays, added) = (false, None);
                    } else if stays || added.is_some() {
                        self.counts.entry(sources.value(place)).or_default().duplicates += 1;
                    } else {
                        added = Some((instant(place), id, row, place));
                    }
                }
                if was_there && !stays {
                    self.gone.insert((*subject, id.to_be_bytes()));
                }
                if let Some((.., place)) = added {
                    self.counts.entry(sources.value(place)).or_default().count(kind(place)?);
                }
                let left_out = act.iter().filter(|(.., place)| added.is_none_or(|(.., kept)| kept != *place));
                self.left_out.extend(left_out.map(|(.., place)| ordinals.value(*place)));
                new.extend(added);
            }
            new.sort_unstable();
            order.extend(new.iter().map(|(_, _, row, _)| *row));
        }
        Ok(UInt32Array::from(order))
    }
}

/// The hashtags among `rows` whose acts were not left out, as rows of the lake.
pub(super) fn tags(rows: RecordBatch, left_out: &HashSet<u64>) -> Result<RecordBatch, Fault> {
    let doing = |e| Fault::new("choosing rows for the lake", e);
    let rows = if left_out.is_empty() {
        rows
    } else {
        let ordinals = column(&rows, ORDINAL)?.as_primitive::<UInt64Type>();
        let wanted: BooleanArray = ordinals.values().iter().map(|ordinal| Some(!left_out.contains(ordinal))).collect();
        filter_record_batch(&rows, &wanted).map_err(doing)?
    };
    let kept: Vec<usize> = (0..schema(TableName::ActivityTag).fields().len()).collect();
    rows.project(&kept).map_err(doing)
}
