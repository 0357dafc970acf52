//! Bringing permitted sets up to date: of some people, of everybody, and when time alone has changed them.

use domain::{SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::permitted::{self, CHUNK, PermittedSets};
use super::standing::{Rules, Standings, Whom, standings};
use crate::Error;
use crate::plane::Inner;
use crate::store::{Bound, ROWS, parse_time, time_text};

/// People whom one statement asks about.
const PEOPLE: usize = 2_000;

/// Brings every permission of `people` up to date with their status, age, choices and limits.
pub(crate) async fn recompute(tx: &mut SqliteConnection, rules: &Rules, people: &[SubjectId]) -> Result<(), Error> {
    for people in people.chunks(PEOPLE) {
        let all = standings(tx, Whom::These(people)).await?;
        write(tx, rules, &all).await?;
    }
    Ok(())
}

/// The same of everybody; afterwards the sets are right by these rules.
pub(crate) async fn recompute_all(tx: &mut SqliteConnection, rules: &Rules) -> Result<(), Error> {
    let mut everybody = Everybody::of(tx).await?;
    while let Some(some) = everybody.next(tx).await? {
        write(tx, rules, &some).await?;
    }
    set_basis(tx, rules).await
}

/// Everybody who ever chose, one row of the permitted sets after another.
pub(crate) struct Everybody {
    from: i64,
    last: i64,
}

impl Everybody {
    pub(crate) async fn of(connection: &mut SqliteConnection) -> Result<Self, Error> {
        let last = sqlx::query("SELECT coalesce(max(subject_id), -1) FROM subject").fetch_one(connection).await?.try_get(0)?;
        Ok(Self { from: 0, last })
    }

    pub(crate) async fn next(&mut self, connection: &mut SqliteConnection) -> Result<Option<Standings>, Error> {
        if self.from > self.last {
            return Ok(None);
        }
        let from = self.from;
        self.from += i64::from(CHUNK);
        standings(connection, Whom::Between(from, self.from)).await.map(Some)
    }
}

async fn write(tx: &mut SqliteConnection, rules: &Rules, all: &Standings) -> Result<(), Error> {
    let wanted: Vec<_> =
        all.people().flat_map(|person| all.pairs(person.subject).into_iter().map(move |(partner, purpose)| (partner, purpose, person.subject.0 / CHUNK))).collect();
    let mut sets = PermittedSets::of(tx, &wanted).await?;
    for person in all.people() {
        for (partner, purpose) in all.pairs(person.subject) {
            sets.set(partner, purpose, person.subject, all.permissions(rules, person, partner, purpose))?;
        }
    }
    let changed = sets.changed();
    for call in 0..changed.len().div_ceil(ROWS) {
        let mut values = Bound::default();
        permitted::bind(&mut values, &changed, call)?;
        sqlx::query_with(AssertSqlSafe(permitted::WRITE.as_str()), values.into_arguments()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Brings permitted sets up to now, where time alone has changed them: consents that have ended, and law that
/// has begun.
///
/// # Guarantee
/// A release that begins with this in its transaction counts nobody whose consent has ended, and nobody by
/// yesterday's law.
pub(crate) async fn freshen(tx: &mut SqliteConnection, inner: &Inner, now: Timestamp) -> Result<(), Error> {
    let rules = Rules::read(tx, inner, now).await?;
    let (law, until, as_of) = basis(tx).await?;
    if law != rules.law.act || until <= now {
        return recompute_all(tx, &rules).await;
    }
    let ended = sqlx::query("SELECT DISTINCT subject_id FROM consent_state WHERE valid_until > ? AND valid_until <= ?").bind(time_text(as_of)).bind(time_text(now));
    let ended = ended.fetch_all(&mut *tx).await?.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect::<Result<Vec<_>, Error>>()?;
    if ended.is_empty() {
        return Ok(());
    }
    recompute(tx, &rules, &ended).await?;
    set_basis(tx, &rules).await
}

/// The last act on rule packs, the end of the law, and the time that the permitted sets know.
pub(crate) async fn basis(connection: &mut SqliteConnection) -> Result<(i64, Timestamp, Timestamp), Error> {
    let row = sqlx::query("SELECT law, until, as_of FROM permitted_basis WHERE id = 1").fetch_one(connection).await?;
    Ok((row.try_get(0)?, parse_time(row.try_get(1)?)?, parse_time(row.try_get(2)?)?))
}

/// Says by which rules the permitted sets are right.
pub(crate) async fn set_basis(tx: &mut SqliteConnection, rules: &Rules) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO permitted_basis (id, law, until, as_of) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET law = excluded.law, until = excluded.until, as_of = excluded.as_of",
    )
    .bind(rules.law.act)
    .bind(time_text(rules.law.law.ends_at()))
    .bind(time_text(rules.now))
    .execute(tx)
    .await?;
    Ok(())
}
