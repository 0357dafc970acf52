//! What is known of people: the newest word on each matter of the imports that count.
//!
//! An import's words stay as they were told, so that they can stop counting when it is taken back. Where a
//! restore lost what an import told, what earlier ones told of its people does not count either: it may
//! have been corrected.

use std::collections::{BTreeMap, BTreeSet};

use domain::SubjectId;
use domain::subject::AgeBand;
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::consent::{Rules, recompute};
use crate::error::unreadable;
use crate::store::{json_rows, parse_word};

/// People whom one statement asks about.
const PEOPLE: usize = 5_000;

/// Age and residence of a person, as far as known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) age: AgeBand,
    pub(crate) country: Option<String>,
    /// Of that country: the words of the import that named it.
    pub(crate) region: Option<String>,
}

/// What imports told of `people`, but for the import `without`.
pub(crate) async fn told(connection: &mut SqliteConnection, people: &[SubjectId], without: Option<i64>) -> Result<BTreeMap<SubjectId, Known>, Error> {
    let mut known = BTreeMap::new();
    for people in people.chunks(PEOPLE) {
        let rows = sqlx::query(
            "SELECT j.value,
                (SELECT f.age_band FROM subject_fact f WHERE f.subject_id = j.value AND f.age_band <> 'unknown' AND f.import_id <> ?2 AND NOT EXISTS (SELECT 1 FROM import_undo u WHERE u.import_id = f.import_id) AND NOT EXISTS (SELECT 1 FROM lost_word l WHERE l.subject_id = f.subject_id AND l.import_id > f.import_id AND l.import_id <> ?2 AND NOT EXISTS (SELECT 1 FROM import_undo u WHERE u.import_id = l.import_id)) ORDER BY f.import_id DESC LIMIT 1),
                (SELECT json_array(f.country, f.region) FROM subject_fact f WHERE f.subject_id = j.value AND f.country IS NOT NULL AND f.import_id <> ?2 AND NOT EXISTS (SELECT 1 FROM import_undo u WHERE u.import_id = f.import_id) AND NOT EXISTS (SELECT 1 FROM lost_word l WHERE l.subject_id = f.subject_id AND l.import_id > f.import_id AND l.import_id <> ?2 AND NOT EXISTS (SELECT 1 FROM import_undo u WHERE u.import_id = l.import_id)) ORDER BY f.import_id DESC LIMIT 1)
             FROM json_each(?1) j",
        )
        .bind(json_rows(&people)?)
        // Imports are numbered from 1.
        .bind(without.unwrap_or(0))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let age = row.try_get::<Option<&str>, _>(1)?.map(parse_word).transpose()?.unwrap_or(AgeBand::Unknown);
            // A region goes with the country that it was named with.
            let place = row.try_get::<Option<&str>, _>(2)?.map(serde_json::from_str).transpose().map_err(|e| unreadable("a place of residence", e))?;
            let (country, region) = place.unwrap_or_default();
            known.insert(SubjectId(row.try_get(0)?), Known { age, country, region });
        }
    }
    Ok(known)
}

/// What is known of `people`: what was told, and of several ids of one person the younger age.
pub(crate) async fn known(connection: &mut SqliteConnection, people: &[SubjectId]) -> Result<BTreeMap<SubjectId, Known>, Error> {
    let mut known = told(connection, people, None).await?;
    for people in people.chunks(PEOPLE) {
        let merged = sqlx::query("SELECT s.merged_into, s.subject_id FROM json_each(?) j CROSS JOIN subject s ON s.merged_into = j.value").bind(json_rows(&people)?);
        let merged = merged.fetch_all(&mut *connection).await?;
        let merged = merged.iter().map(|row| Ok((SubjectId(row.try_get(0)?), SubjectId(row.try_get(1)?)))).collect::<Result<Vec<_>, Error>>()?;
        let others: Vec<SubjectId> = merged.iter().map(|(_, other)| *other).collect();
        let of_others = told(connection, &others, None).await?;
        for (keep, other) in merged {
            if let (Some(person), Some(other)) = (known.get_mut(&keep), of_others.get(&other)) {
                person.age = person.age.stricter(other.age);
            }
        }
    }
    Ok(known)
}

/// Brings what is known of `people`, and of those whom they were merged into, up to date, and their
/// permissions with it.
pub(crate) async fn learn(tx: &mut SqliteConnection, rules: &Rules, people: impl IntoIterator<Item = SubjectId>) -> Result<(), Error> {
    let people: BTreeSet<SubjectId> = people.into_iter().collect();
    let all: Vec<SubjectId> = people.into_iter().collect();
    for people in all.chunks(PEOPLE) {
        let rows =
            sqlx::query("SELECT DISTINCT coalesce(s.merged_into, s.subject_id) FROM json_each(?) j CROSS JOIN subject s ON s.subject_id = j.value").bind(json_rows(&people)?);
        let keeping = rows.fetch_all(&mut *tx).await?;
        let keeping = keeping.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect::<Result<BTreeSet<_>, Error>>()?;
        let people: Vec<SubjectId> = keeping.into_iter().chain(people.iter().copied()).collect();
        let rows: Vec<_> = known(tx, &people).await?.into_iter().map(|(id, known)| (id, known.age, known.country, known.region)).collect();
        let older = sqlx::query(
            "UPDATE subject SET age_band = j.value ->> 1, country = j.value ->> 2, region = j.value ->> 3 FROM json_each(?) j
             WHERE subject_id = j.value ->> 0 AND status <> 'erased' AND (age_band <> j.value ->> 1 OR country IS NOT j.value ->> 2 OR region IS NOT j.value ->> 3) RETURNING subject_id",
        )
        .bind(json_rows(&rows)?)
        .fetch_all(&mut *tx)
        .await?;
        let changed = older.iter().map(|row| Ok(SubjectId(row.try_get(0)?))).collect::<Result<Vec<_>, Error>>()?;
        recompute(tx, rules, &changed).await?;
    }
    Ok(())
}
