//! The rows that a subquery makes of one person.
//!
//! # Guarantee
//! Which rows are made is a function of the person's rows and the bounding key: of more combinations of keys than
//! rows are made, those with the lowest ranks. No more are ever kept, however many there are.

use std::collections::BTreeMap;

use domain::question::{Fold, Folding};
use domain::{Fault, SubjectId};
use dp::BoundingKey;
use hashbrown::HashMap;

use super::grouping::Grouping;

/// By which the groups of a person are ranked.
pub(super) struct Ranking<'a> {
    pub(super) secret: &'a BoundingKey,
    pub(super) subject: SubjectId,
    pub(super) grouping: &'a Grouping,
}

/// Ties by the bytes of the keys: groups have numbers that depend on other people.
type Rank = (u64, Vec<u8>);

impl Ranking<'_> {
    fn of(&self, group: u32) -> Result<Rank, Fault> {
        Ok((self.secret.rank(self.subject.0, self.grouping.tag(group)?), self.grouping.encoded(group).unwrap_or_default().to_vec()))
    }
}

/// The rows of the current person, in the order in which they began: what is made of them may depend on it.
pub(super) struct Made {
    /// None where another row took its place.
    rows: Vec<Option<Row>>,
    /// The place of each group's row.
    places: HashMap<u32, usize>,
    /// The group of the last row that was added to, and its place.
    last: Option<(u32, usize)>,
    /// The places of rows by rank, once there are as many as are made.
    ranked: BTreeMap<Rank, usize>,
    most: usize,
}

struct Row {
    group: u32,
    /// What each fold has of the person.
    values: Vec<Folding>,
}

impl Made {
    /// Nothing yet, and never more than `most` rows.
    pub(super) fn new(most: usize) -> Self {
        Self { rows: Vec::new(), places: HashMap::new(), last: None, ranked: BTreeMap::new(), most }
    }

    /// What is being made of a group's rows; none where other groups go before it.
    pub(super) fn row(&mut self, group: u32, ranking: &Ranking<'_>, folds: &[Fold]) -> Result<Option<&mut [Folding]>, Fault> {
        let place = match self.last {
            Some((same, place)) if same == group => Some(place),
            _ => match self.places.get(&group) {
                Some(place) => Some(*place),
                None => self.begin(group, ranking, folds)?,
            },
        };
        self.last = place.map(|place| (group, place));
        Ok(place.and_then(|place| self.rows.get_mut(place)?.as_mut()).map(|row| row.values.as_mut_slice()))
    }

    /// Begins a row, in the place of another where there is no room.
    fn begin(&mut self, group: u32, ranking: &Ranking<'_>, folds: &[Fold]) -> Result<Option<usize>, Fault> {
        if self.places.len() >= self.most {
            if self.ranked.is_empty() {
                for (group, place) in &self.places {
                    self.ranked.insert(ranking.of(*group)?, *place);
                }
            }
            let rank = ranking.of(group)?;
            let Some(highest) = self.ranked.last_entry().filter(|highest| rank < *highest.key()) else { return Ok(None) };
            let ended = self.rows.get_mut(highest.remove()).and_then(Option::take);
            if let Some(row) = ended {
                self.places.remove(&row.group);
            }
            self.ranked.insert(rank, self.rows.len());
        }
        let place = self.rows.len();
        self.rows.push(Some(Row { group, values: folds.iter().map(Fold::start).collect() }));
        self.places.insert(group, place);
        Ok(Some(place))
    }

    /// The rows, by fold; the next person has none.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Vec<Folding>> {
        self.places.clear();
        self.ranked.clear();
        self.last = None;
        self.rows.drain(..).flatten().map(|row| row.values)
    }
}
