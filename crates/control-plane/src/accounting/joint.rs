//! What ids lost more because they are one person's.
//!
//! Each release is private for one id at its price. A person whose k ids it counted lost k² times as
//! much (group privacy). When that is learnt, the difference is added to what the sets of people give,
//! in a row of its own that the act's row commits to.

use std::collections::{BTreeMap, HashMap};

use domain::subject::IdentityAct;
use domain::{Fault, ReleaseId, SubjectId, SubjectSet, Timestamp};
use dp::{Cost, Delta, Rho};
use sqlx::{Row, SqliteConnection};

use super::eligible::unfolded;
use super::loss::{CHUNK, Losses, from_record, to_record};
use super::{charged_to_all, cost_of, participants, settled_to_all, year_of};
use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::reconcile::Lost;
use crate::store::parse_word;
use crate::subject::ids_of;

/// What was added to the losses of a year.
#[derive(Default)]
pub(super) struct Additions(HashMap<SubjectId, Cost>);

impl Additions {
    pub(super) async fn read(connection: &mut SqliteConnection, inner: &Inner, year: i32) -> Result<Self, Error> {
        let mut additions = Self::default();
        for row in sqlx::query("SELECT act_id, subject_id, sealed FROM identity_loss WHERE year = ?").bind(year).fetch_all(connection).await? {
            let subject = SubjectId(row.try_get(1)?);
            additions.add(subject, from_bytes(&inner.seal.open(&place(row.try_get(0)?, year, subject), row.try_get(2)?)?)?);
        }
        Ok(additions)
    }

    pub(super) fn add(&mut self, subject: SubjectId, cost: Cost) {
        let sum = self.0.entry(subject).or_default();
        *sum = sum.saturating_add(cost);
    }

    pub(super) fn of(&self, subject: SubjectId) -> Cost {
        self.0.get(&subject).copied().unwrap_or(Cost::ZERO)
    }

    /// More than anybody's.
    pub(super) fn total(&self) -> Cost {
        self.0.values().fold(Cost::ZERO, |sum, cost| sum.saturating_add(*cost))
    }
}

/// What one id lost in a year so far.
pub(crate) async fn loss_of(connection: &mut SqliteConnection, inner: &Inner, year: i32, subject: SubjectId) -> Result<Cost, Error> {
    let mut losses = Losses::folded(connection, inner, year, subject.0 / CHUNK).await?;
    let mine = [subject].into_iter().collect();
    for charged in unfolded(connection, inner, year).await?.iter().filter(|c| c.set.contains(subject)) {
        losses.charge(subject.0 / CHUNK, &mine, charged.cost);
    }
    let additions = Additions::read(connection, inner, year).await?;
    Ok(losses.of(subject).saturating_add(charged_to_all(connection, year).await?).saturating_add(additions.of(subject)))
}

/// What an act added to somebody's loss.
pub(crate) struct Joined {
    /// The loss of that id afterwards.
    pub(crate) loss: Cost,
    /// What the act's row commits to.
    pub(crate) commitment: String,
    /// The releases that were settled before the act.
    pub(crate) settled: i64,
}

/// Adds to the loss of `keep` (a merge) or of `other` (a split) what act number `id` asks; must be called
/// before the ids themselves change, and while no release is running.
///
/// # Guarantee
/// After a merge `keep` has lost what k² for each release demands, or more; after a split both have lost
/// what the one had. Nobody's loss falls.
pub(crate) async fn join(tx: &mut SqliteConnection, inner: &Inner, act: IdentityAct, id: i64, (keep, other): (SubjectId, SubjectId), at: Timestamp) -> Result<Joined, Error> {
    let year = year_of(at);
    let settled: i64 = sqlx::query("SELECT value FROM counter WHERE name = 'settled'").fetch_one(&mut *tx).await?.try_get(0)?;
    let losses = (loss_of(tx, inner, year, keep).await?, loss_of(tx, inner, year, other).await?);
    let ids = ids_of(tx, keep).await?;
    let (subject, addition) = match act {
        IdentityAct::Merge => {
            let releases = Releases::read(tx, inner, year, settled).await?;
            (keep, merged(&releases, (&ids, losses.0), (other, losses.1)))
        }
        IdentityAct::Split => (other, parts(|part| part(losses.0).saturating_sub(part(losses.1)))),
    };
    let place = place(id, year, subject);
    let bytes = to_record(&addition);
    let sealed = inner.seal.seal(&*inner.entropy, &place, &bytes)?;
    sqlx::query("INSERT INTO identity_loss (act_id, year, subject_id, sealed) VALUES (?, ?, ?, ?)").bind(id).bind(year).bind(subject.0).bind(sealed).execute(tx).await?;
    let before = if subject == keep { losses.0 } else { losses.1 };
    Ok(Joined { loss: before.saturating_add(addition), commitment: inner.seal.commit(&place, &bytes), settled })
}

/// The settled releases of a year and whom they counted, as far as that is kept.
struct Releases {
    kept: Vec<(SubjectSet, Cost)>,
    /// Whether the people of some are not known any more.
    gone: bool,
    /// The cost of those that are charged to everybody.
    to_all: Cost,
}

impl Releases {
    /// Those among the first `settled`.
    async fn read(connection: &mut SqliteConnection, inner: &Inner, year: i32, settled: i64) -> Result<Self, Error> {
        let rows = sqlx::query("SELECT p.release, p.sealed, r.rho, r.delta FROM participant_set p JOIN release_reservation r USING (release) WHERE p.year = ? AND p.settled <= ?");
        let rows = rows.bind(year).bind(settled).fetch_all(&mut *connection).await?;
        let mut releases = Self { kept: Vec::new(), gone: false, to_all: settled_to_all(connection, year, settled).await? };
        for row in &rows {
            let release: ReleaseId = parse_word(row.try_get(0)?)?;
            match row.try_get::<Option<&[u8]>, _>(1)? {
                Some(sealed) => releases.kept.push((participants::opened(&inner.seal, &release, sealed)?, cost_of(row, 2)?)),
                None => releases.gone = true,
            }
        }
        Ok(releases)
    }

    /// What the kept ones cost a person with these ids.
    fn cost(&self, ids: &[SubjectId]) -> Cost {
        let times = |cost: Cost, counted: usize| parts(|part| part(cost).saturating_mul(square(counted)));
        let all = times(self.to_all, ids.len());
        self.kept.iter().map(|(set, cost)| times(*cost, ids.iter().filter(|id| set.contains(**id)).count())).fold(all, Cost::saturating_add)
    }
}

/// How much more `keep`, who has some ids, lost when `other` is theirs as well.
///
/// With all sets kept: the larger of what each lost and Σ (ids counted)² · cost. What sets that are gone
/// gave is bounded: with a and b the loss of either in them, and i and j the numbers of their ids, a
/// release that cost ρ and counted m of the i and n of the j adds 2mnρ to m²ρ + n²ρ, and Σ 2mnρ is at
/// most 2·min(j·a, i·b), as n ≤ j, m ≤ m², and the same the other way round.
fn merged(releases: &Releases, (ids, loss): (&[SubjectId], Cost), (other, other_loss): (SubjectId, Cost)) -> Cost {
    let together = releases.cost(&[ids, &[other]].concat());
    let (counted, other_counted) = (releases.cost(ids), releases.cost(&[other]));
    let ids = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    parts(|part| {
        let (loss, other_loss, together) = (part(loss), part(other_loss), part(together));
        let after = if releases.gone {
            let (a, b) = (loss.saturating_sub(part(counted)), other_loss.saturating_sub(part(other_counted)));
            let cross = a.min(ids.saturating_mul(b)).saturating_mul(2);
            together.saturating_add(a).saturating_add(b).saturating_add(cross)
        } else {
            together.max(loss).max(other_loss)
        };
        after.saturating_sub(loss)
    })
}

/// A cost made of both parts of others.
fn parts(each: impl Fn(fn(Cost) -> u64) -> u64) -> Cost {
    Cost { rho: Rho::from_nano(each(|cost| cost.rho.nano())), delta: Delta::from_atto(each(|cost| cost.delta.atto())) }
}

/// How many times the price a person lost, so many of whose ids were counted.
fn square(counted: usize) -> u64 {
    let counted = u64::try_from(counted).unwrap_or(u64::MAX);
    counted.saturating_mul(counted)
}

/// What a release that cost `cost` cost a person, so many of whose ids it counted.
pub(super) fn counted(cost: Cost, ids: usize) -> Cost {
    parts(|part| part(cost).saturating_mul(square(ids)))
}

fn place(act: i64, year: i32, subject: SubjectId) -> String {
    format!("identity/{act}/{year}/{subject}")
}

fn from_bytes(bytes: &[u8]) -> Result<Cost, Fault> {
    Ok(from_record(bytes.try_into().map_err(|e| unreadable("what somebody lost by an act", e))?))
}

/// Replays all acts; tells the first addition that is not what its act asked for.
///
/// Where the sets of people are kept an addition is recomputed; where some are gone it is the one that
/// the act's row commits to, and no loss is lower than what the kept ones demand.
pub(super) async fn first_wrong(tx: &mut SqliteConnection, inner: &Inner, lost: &Lost) -> Result<Option<String>, Error> {
    let rows = sqlx::query("SELECT a.id, a.act, a.keep_id, a.other_id, a.losses, a.settled, l.year, l.subject_id, l.sealed FROM identity_act a LEFT JOIN identity_loss l ON l.act_id = a.id ORDER BY a.id")
        .fetch_all(&mut *tx)
        .await?;
    let mut others: BTreeMap<SubjectId, Vec<SubjectId>> = BTreeMap::new();
    let mut before: BTreeMap<i32, Additions> = BTreeMap::new();
    for row in &rows {
        let id: i64 = row.try_get(0)?;
        let wrong = |what: &str| Ok(Some(format!("what somebody lost by act {id} on identities {what}")));
        let (act, keep, other): (IdentityAct, _, _) = (parse_word(row.try_get(1)?)?, SubjectId(row.try_get(2)?), SubjectId(row.try_get(3)?));
        let (Some(year), Some(subject), Some(sealed)) = (row.try_get::<Option<i32>, _>(6)?, row.try_get::<Option<u32>, _>(7)?.map(SubjectId), row.try_get::<Option<&[u8]>, _>(8)?)
        else {
            return wrong("is missing");
        };
        let place = place(id, year, subject);
        let Ok(bytes) = inner.seal.open(&place, sealed) else { return wrong("cannot be read") };
        if inner.seal.commit(&place, &bytes) != row.try_get::<&str, _>(4)? {
            return wrong("is not what was recorded");
        }
        let addition = from_bytes(&bytes)?;
        let releases = Releases::read(tx, inner, year, row.try_get(5)?).await?;
        let additions = before.entry(year).or_default();
        let loss = |id: SubjectId| releases.cost(&[id]).saturating_add(additions.of(id));
        let ids: Vec<SubjectId> = std::iter::once(keep).chain(others.get(&keep).into_iter().flatten().copied()).collect();
        let expected = match act {
            IdentityAct::Merge => merged(&releases, (&ids, loss(keep)), (other, loss(other))),
            IdentityAct::Split => parts(|part| part(loss(keep)).saturating_sub(part(loss(other)))),
        };
        let enough = match act {
            IdentityAct::Merge => releases.cost(&[ids.as_slice(), &[other]].concat()).fits_in(&loss_of(tx, inner, year, keep).await?),
            IdentityAct::Split => true,
        };
        // The sets that an act was computed from are lost when it was put back: it is what was recorded.
        let computed = lost.contains("identity_act", id) || (enough && (releases.gone || addition == expected));
        if subject != (if act == IdentityAct::Merge { keep } else { other }) || !computed {
            return wrong("is not what its releases add up to");
        }
        additions.add(subject, addition);
        let of_keep = others.entry(keep).or_default();
        match act {
            IdentityAct::Merge => of_keep.push(other),
            IdentityAct::Split => of_keep.retain(|o| *o != other),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(nano: u64) -> Cost {
        Cost { rho: Rho::from_nano(nano), delta: Delta::from_atto(nano * 3) }
    }

    fn releases(sets: &[(&[u32], u64)], gone: bool) -> Releases {
        let kept = sets.iter().map(|(people, nano)| (people.iter().map(|p| SubjectId(*p)).collect(), cost(*nano))).collect();
        Releases { kept, gone, to_all: Cost::ZERO }
    }

    #[test]
    fn two_ids_in_one_release_cost_four_times_and_three_nine_times() {
        let all = releases(&[(&[1, 2, 3], 10), (&[1], 5), (&[2], 7)], false);
        let [one, two, three] = [1, 2, 3].map(SubjectId);
        // 15 and 17 become 4·10 + 5 + 7.
        assert_eq!(merged(&all, (&[one], cost(15)), (two, cost(17))), cost(52 - 15));
        assert_eq!(merged(&all, (&[one, two], cost(52)), (three, cost(10))), cost(90 + 5 + 7 - 52));
        // Merged, split and merged again is no more than merged once.
        assert_eq!(merged(&all, (&[one], cost(52)), (two, cost(52))), Cost::ZERO);
    }

    #[test]
    fn what_is_gone_is_bounded_from_above() {
        let some = releases(&[(&[1, 2], 10)], true);
        let [one, two] = [1, 2].map(SubjectId);
        // Beyond the kept release they lost 6 and 4: at worst in the same releases.
        assert_eq!(merged(&some, (&[one], cost(16)), (two, cost(14))), cost(40 + 6 + 4 + 2 * 4 - 16));
        // Two ids of the one: a release of 2 that counted both and the third cost 8 and 2, and truly 18.
        assert_eq!(merged(&releases(&[], true), (&[one, SubjectId(9)], cost(8)), (two, cost(2))), cost(18 - 8));
    }
}
