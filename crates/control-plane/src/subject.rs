//! People: who they are here, and what rules need to know of them.

use std::collections::{BTreeMap, HashSet};

use domain::law::Residence;
use domain::record::AccountKey;
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Platform, SubjectId};
use sqlx::{Row, SqliteConnection};

use crate::plane::Inner;
use crate::store::{json_rows, parse_word};
use crate::{ControlPlane, Error};

/// A person as the operator sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectInfo {
    /// The id.
    pub id: SubjectId,
    /// Enrolled, merged into another id, or erased.
    pub status: SubjectStatus,
    /// How old, as far as known.
    pub age: AgeBand,
    /// Country of residence, as a source named it.
    pub country: Option<String>,
    /// Whose law counts for them.
    pub residence: Residence,
    /// Accounts, each with its shown name, of all ids of the person; of a third party, pseudonyms.
    pub accounts: Vec<(AccountKey, Option<String>)>,
    /// Whether a source of the person's own, or of the controller's, named any of them.
    pub enrolled: bool,
    /// Other ids of the person, which were merged into this one.
    pub merged: Vec<SubjectId>,
    /// The id that this one was merged into.
    pub merged_into: Option<SubjectId>,
}

impl ControlPlane {
    /// The person called `text`: an id (`17`), an account (`mastodon:https://…`) or a shown name that
    /// only one person has. Of somebody with several ids, the one that counts.
    ///
    /// # Errors
    /// Not found; a conflict when several people have that name.
    pub async fn subject_find(&self, text: &str) -> Result<SubjectInfo, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let id = named(&mut tx, &self.inner, text).await?;
        let id = resolve(&mut tx, id).await?;
        info(&mut tx, &self.inner, id).await
    }

    /// The very id that `text` names, merged or not.
    ///
    /// # Errors
    /// As [`ControlPlane::subject_find`].
    pub async fn subject_id(&self, text: &str) -> Result<SubjectId, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let id = named(&mut tx, &self.inner, text).await?;
        person(&mut tx, id).await?;
        Ok(id)
    }

    /// People in order of id, `limit` at most, after `after`.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn subject_list(&self, limit: u32, after: Option<SubjectId>) -> Result<Vec<SubjectInfo>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let after = after.map_or(-1, |s| i64::from(s.0));
        let rows = sqlx::query("SELECT subject_id FROM subject WHERE subject_id > ? ORDER BY subject_id LIMIT ?").bind(after).bind(limit).fetch_all(&mut *tx).await?;
        let mut people = Vec::with_capacity(rows.len());
        for row in rows {
            people.push(info(&mut tx, &self.inner, SubjectId(row.try_get(0)?)).await?);
        }
        Ok(people)
    }
}

async fn named(connection: &mut SqliteConnection, inner: &Inner, text: &str) -> Result<SubjectId, Error> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if let Some((platform, native_id)) = text.split_once(':')
        && let Ok(platform) = platform.parse::<Platform>()
    {
        let account = AccountKey { platform, native_id: native_id.to_owned() };
        // Whoever knows a third party's account finds them by its pseudonym.
        for (native_id, pseudonym) in [(native_id, false), (&inner.seal.pseudonym(&account), true)] {
            let found =
                sqlx::query("SELECT subject_id FROM account WHERE platform = ? AND native_id = ? AND pseudonym = ?").bind(platform.as_str()).bind(native_id).bind(pseudonym);
            if let Some(row) = found.fetch_optional(&mut *connection).await? {
                return Ok(SubjectId(row.try_get(0)?));
            }
        }
    }
    let rows = sqlx::query("SELECT DISTINCT coalesce(s.merged_into, s.subject_id) FROM account a JOIN subject s USING (subject_id) WHERE a.handle = ? LIMIT 2").bind(text);
    match rows.fetch_all(connection).await?.as_slice() {
        [] => Err(Error::NotFound { what: "subject", name: text.to_owned() }),
        [row] => Ok(SubjectId(row.try_get(0)?)),
        _ => Err(Error::Conflict(format!("several people are called `{text}`; name the account, for example mastodon:https://…"))),
    }
}

/// The id under which a person is counted.
pub(crate) async fn resolve(connection: &mut SqliteConnection, id: SubjectId) -> Result<SubjectId, Error> {
    let row = sqlx::query("SELECT merged_into FROM subject WHERE subject_id = ?").bind(id.0).fetch_optional(connection).await?;
    let merged_into: Option<u32> = row.map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(merged_into.map_or(id, SubjectId))
}

/// All ids that were merged into others.
pub(crate) async fn merged(connection: &mut SqliteConnection) -> Result<BTreeMap<SubjectId, SubjectId>, Error> {
    let rows = sqlx::query("SELECT subject_id, merged_into FROM subject WHERE merged_into IS NOT NULL").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((SubjectId(row.try_get(0)?), SubjectId(row.try_get(1)?)))).collect()
}

/// All ids of the person who is counted under `keep`: that one first.
pub(crate) async fn ids_of(connection: &mut SqliteConnection, keep: SubjectId) -> Result<Vec<SubjectId>, Error> {
    let rows = sqlx::query("SELECT subject_id FROM subject WHERE merged_into = ? ORDER BY subject_id").bind(keep.0).fetch_all(connection).await?;
    let others = rows.iter().map(|row| Ok(SubjectId(row.try_get(0)?)));
    std::iter::once(Ok(keep)).chain(others).collect()
}

/// The same without those that were erased on their own, as a restore does with ids whose accounts it lost.
pub(crate) async fn ids_left(connection: &mut SqliteConnection, keep: SubjectId) -> Result<Vec<SubjectId>, Error> {
    let mut left = Vec::new();
    for id in ids_of(connection, keep).await? {
        if person(connection, id).await?.status != SubjectStatus::Erased {
            left.push(id);
        }
    }
    Ok(left)
}

async fn info(connection: &mut SqliteConnection, inner: &Inner, id: SubjectId) -> Result<SubjectInfo, Error> {
    let row = sqlx::query("SELECT status, age_band, country, merged_into, region FROM subject WHERE subject_id = ?").bind(id.0).fetch_optional(&mut *connection).await?;
    let row = row.ok_or_else(|| not_found(id))?;
    let ids = ids_of(connection, id).await?;
    let lines = sqlx::query(
        "SELECT a.platform, a.native_id, a.pseudonym, a.handle FROM json_each(?) j CROSS JOIN account a ON a.subject_id = j.value ORDER BY a.pseudonym, a.platform, a.native_id",
    );
    let lines = lines.bind(json_rows(&ids)?).fetch_all(connection).await?;
    let (mut accounts, mut pseudonyms): (Vec<(AccountKey, Option<String>)>, HashSet<String>) = (Vec::new(), HashSet::new());
    let mut enrolled = false;
    for line in &lines {
        let (native_id, pseudonym): (String, bool) = (line.try_get(1)?, line.try_get(2)?);
        let platform = parse_word(line.try_get(0)?)?;
        if pseudonym {
            // Whoever enrolled is known by the account itself.
            if !pseudonyms.contains(&native_id) {
                accounts.push((AccountKey { platform, native_id: format!("pseudonym:{native_id}") }, None));
            }
        } else {
            enrolled = true;
            let account = AccountKey { platform, native_id };
            pseudonyms.insert(inner.seal.pseudonym(&account));
            accounts.push((account, line.try_get(3)?));
        }
    }
    let merged_into: Option<u32> = row.try_get(3)?;
    Ok(SubjectInfo {
        id,
        status: parse_word(row.try_get(0)?)?,
        age: parse_word(row.try_get(1)?)?,
        country: row.try_get(2)?,
        residence: Residence::of(row.try_get(2)?, row.try_get(4)?),
        accounts,
        enrolled,
        merged: ids.into_iter().skip(1).collect(),
        merged_into: merged_into.map(SubjectId),
    })
}

/// What the rules need to know of a person apart from their choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) subject: SubjectId,
    pub(crate) status: SubjectStatus,
    pub(crate) age: AgeBand,
    pub(crate) residence: Residence,
}

pub(crate) async fn person(connection: &mut SqliteConnection, subject: SubjectId) -> Result<Person, Error> {
    let row = sqlx::query("SELECT status, age_band, country, region FROM subject WHERE subject_id = ?").bind(subject.0).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| not_found(subject))?;
    Ok(Person { subject, status: parse_word(row.try_get(0)?)?, age: parse_word(row.try_get(1)?)?, residence: Residence::of(row.try_get(2)?, row.try_get(3)?) })
}

pub(crate) fn not_found(id: SubjectId) -> Error {
    Error::NotFound { what: "subject", name: id.to_string() }
}
