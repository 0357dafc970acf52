//! Groups of rows: combinations of the values of keys, numbered as they are seen.

use datafusion::arrow::array::ArrayRef;
use domain::Fault;
use domain::question::{RowExpr, Value, encode_key};
use dp::{BoundingKey, GroupTag};
use hashbrown::HashMap;

use super::computed::Coded;
use super::join::Scanned;
use super::person::index;

/// The groups that were seen, each with a number from 0. Without keys there is one, from the beginning.
pub(super) struct Grouping {
    coders: Vec<Coded>,
    /// Groups by pairs of numbers: that of the keys before, and that of the next, from the second on.
    pairs: Vec<HashMap<(u32, u32), u32>>,
    /// The numbers of each group's values, one per key.
    codes: Vec<Vec<u32>>,
    encoded: Vec<Vec<u8>>,
    tags: Vec<GroupTag>,
}

fn broken() -> Fault {
    Fault::broken("a group without its number")
}

impl Grouping {
    /// By `keys`, which are worked out of the columns `scanned`; `secret` ranks groups.
    pub(super) fn of<'k>(keys: impl Iterator<Item = &'k RowExpr>, scanned: &[Scanned], secret: &BoundingKey) -> Result<Self, Fault> {
        let coders = keys.map(|key| Coded::of(key, scanned)).collect::<Result<Vec<_>, _>>()?;
        let pairs = coders.iter().skip(1).map(|_| HashMap::new()).collect();
        let mut grouping = Self { coders, pairs, codes: Vec::new(), encoded: Vec::new(), tags: Vec::new() };
        if grouping.coders.is_empty() {
            grouping.new_group(Vec::new(), secret)?;
        }
        Ok(grouping)
    }

    /// How many groups were seen.
    pub(super) const fn len(&self) -> usize {
        self.encoded.len()
    }

    /// The values of a group's keys.
    pub(super) fn key(&self, group: u32) -> Result<Vec<Value>, Fault> {
        self.values(self.codes.get(index(group)).ok_or_else(broken)?)
    }

    /// The bytes of a group's keys, by which groups are merged and, equal ranks aside, ordered.
    pub(super) fn encoded(&self, group: u32) -> Option<&[u8]> {
        self.encoded.get(index(group)).map(Vec::as_slice)
    }

    /// What stands for a group when it is ranked.
    pub(super) fn tag(&self, group: u32) -> Result<GroupTag, Fault> {
        self.tags.get(index(group)).copied().ok_or_else(broken)
    }

    fn values(&self, codes: &[u32]) -> Result<Vec<Value>, Fault> {
        self.coders.iter().zip(codes).map(|(coder, code)| coder.values().get(index(*code)).cloned().ok_or_else(broken)).collect()
    }

    fn new_group(&mut self, codes: Vec<u32>, secret: &BoundingKey) -> Result<(), Fault> {
        let encoded = encode_key(&self.values(&codes)?);
        self.tags.push(secret.tag(&encoded));
        self.encoded.push(encoded);
        self.codes.push(codes);
        Ok(())
    }

    /// The group of each row of a batch.
    pub(super) fn groups(&mut self, batch: &[ArrayRef], rows: usize, secret: &BoundingKey) -> Result<Vec<u32>, Fault> {
        if self.coders.is_empty() {
            return Ok(vec![0; rows]);
        }
        let mut codes = self.coders.iter_mut().map(|coder| coder.codes(batch, rows)).collect::<Result<Vec<_>, _>>()?;
        if let [only] = codes.as_mut_slice() {
            // Numbers of one key become groups as they come.
            let seen = self.coders.first().map_or(0, |coder| coder.values().len());
            for code in self.len()..seen {
                self.new_group(vec![u32::try_from(code).map_err(|_| broken())?], secret)?;
            }
            return Ok(std::mem::take(only));
        }
        let mut groups = codes.first().cloned().unwrap_or_default();
        for column in 1..codes.len() {
            // Rows side by side are often of one group: what a person is, is the same in all of theirs.
            let mut last = None;
            for (row, (group, code)) in groups.iter_mut().zip(codes.get(column).ok_or_else(broken)?).enumerate() {
                let pair = (*group, *code);
                *group = match last {
                    Some((same, number)) if same == pair => number,
                    _ => {
                        let pairs = self.pairs.get_mut(column - 1).ok_or_else(broken)?;
                        let next = u32::try_from(pairs.len()).map_err(|_| broken())?;
                        let number = *pairs.entry(pair).or_insert(next);
                        if number == next && column + 1 == codes.len() {
                            self.new_group(codes.iter().map(|codes| codes.get(row).copied().ok_or_else(broken)).collect::<Result<_, _>>()?, secret)?;
                        }
                        last = Some((pair, number));
                        number
                    }
                };
            }
        }
        Ok(groups)
    }
}
