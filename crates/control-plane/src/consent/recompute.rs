//! Bringing permitted sets up to date: of some people, of everybody, and when time alone has changed them.

use domain::{SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::block::{Block, chunks};
use super::permitted::{CHUNK, PermittedSets};
use super::standing::{Rules, Whom, standings};
use crate::Error;
use crate::plane::Inner;
use crate::store::{parse_time, time_number, time_text};

/// People whom one statement asks about.
const PEOPLE: usize = 2_000;

/// Brings every permission of `people` up to date with their status, age, choices and limits.
pub(crate) async fn recompute(tx: &mut SqliteConnection, rules: &Rules, people: &[SubjectId]) -> Result<(), Error> {
    for people in people.chunks(PEOPLE) {
        let all = standings(tx, Whom::These(people)).await?;
        let wanted: Vec<_> =
            all.people().flat_map(|person| all.pairs(person.subject).into_iter().map(move |(partner, purpose)| (partner, purpose, person.subject.0 / CHUNK))).collect();
        let mut sets = PermittedSets::of(tx, &wanted).await?;
        for person in all.people() {
            for (partner, purpose) in all.pairs(person.subject) {
                sets.set(partner, purpose, person.subject, all.permissions(rules, person, partner, purpose))?;
            }
        }
        sets.write(tx).await?;
    }
    Ok(())
}

/// The same of everybody; afterwards the sets are right by these rules.
pub(crate) async fn recompute_all(tx: &mut SqliteConnection, rules: &Rules) -> Result<(), Error> {
    for chunk in chunks(tx).await? {
        let block = Block::read(tx, chunk).await?;
        let permitted = block.permitted(rules);
        let places: Vec<_> = permitted.keys().map(|(partner, purpose)| (*partner, *purpose, chunk)).collect();
        let mut sets = PermittedSets::of(tx, &places).await?;
        for ((partner, purpose), bits) in permitted {
            sets.replace(&(partner.clone(), purpose, chunk), bits)?;
        }
        sets.write(tx).await?;
    }
    set_basis(tx, rules).await
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
    let ended = sqlx::query("SELECT DISTINCT subject_id FROM consent_state WHERE valid_until > ? AND valid_until <= ?").bind(time_number(as_of)).bind(time_number(now));
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
