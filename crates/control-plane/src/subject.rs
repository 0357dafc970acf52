//! People: who they are here, and what rules need to know of them.

use domain::SubjectId;
use domain::record::AccountKey;
use domain::subject::{AgeBand, SubjectStatus};
use sqlx::{Row, SqliteConnection};

use crate::store::parse_word;
use crate::{ControlPlane, Error};

/// A person as the operator sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectInfo {
    /// The id.
    pub id: SubjectId,
    /// Enrolled or erased.
    pub status: SubjectStatus,
    /// How old, as far as known.
    pub age: AgeBand,
    /// Country of residence, as a source named it.
    pub country: Option<String>,
    /// Accounts, each with its shown name.
    pub accounts: Vec<(AccountKey, Option<String>)>,
}

impl ControlPlane {
    /// The person called `text`: an id (`17`), an account (`mastodon:https://…`) or a shown name that
    /// only one person has.
    ///
    /// # Errors
    /// Not found; a conflict when several people have that name.
    pub async fn subject_find(&self, text: &str) -> Result<SubjectInfo, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let id = match text.parse::<SubjectId>() {
            Ok(id) => id,
            Err(_) => find_account(&mut tx, text).await?,
        };
        info(&mut tx, id).await
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
            people.push(info(&mut tx, SubjectId(row.try_get(0)?)).await?);
        }
        Ok(people)
    }
}

async fn find_account(connection: &mut SqliteConnection, text: &str) -> Result<SubjectId, Error> {
    if let Some((platform, native_id)) = text.split_once(':') {
        let row = sqlx::query("SELECT subject_id FROM account WHERE platform = ? AND native_id = ?").bind(platform).bind(native_id).fetch_optional(&mut *connection).await?;
        if let Some(row) = row {
            return Ok(SubjectId(row.try_get(0)?));
        }
    }
    let rows = sqlx::query("SELECT DISTINCT subject_id FROM account WHERE handle = ? LIMIT 2").bind(text).fetch_all(connection).await?;
    match rows.as_slice() {
        [] => Err(Error::NotFound { what: "subject", name: text.to_owned() }),
        [row] => Ok(SubjectId(row.try_get(0)?)),
        _ => Err(Error::Conflict(format!("several people are called `{text}`; name the account, for example mastodon:https://…"))),
    }
}

async fn info(connection: &mut SqliteConnection, id: SubjectId) -> Result<SubjectInfo, Error> {
    let row = sqlx::query("SELECT status, age_band, country FROM subject WHERE subject_id = ?").bind(id.0).fetch_optional(&mut *connection).await?;
    let row = row.ok_or_else(|| not_found(id))?;
    let accounts = sqlx::query("SELECT platform, native_id, handle FROM account WHERE subject_id = ? ORDER BY platform, native_id").bind(id.0).fetch_all(connection).await?;
    let accounts =
        accounts.iter().map(|row| Ok((AccountKey { platform: parse_word(row.try_get(0)?)?, native_id: row.try_get(1)? }, row.try_get(2)?))).collect::<Result<_, Error>>()?;
    Ok(SubjectInfo { id, status: parse_word(row.try_get(0)?)?, age: parse_word(row.try_get(1)?)?, country: row.try_get(2)?, accounts })
}

/// What the rules need to know of a person.
pub(crate) async fn facts(connection: &mut SqliteConnection, id: SubjectId) -> Result<(SubjectStatus, AgeBand), Error> {
    let row = sqlx::query("SELECT status, age_band FROM subject WHERE subject_id = ?").bind(id.0).fetch_optional(connection).await?;
    let row = row.ok_or_else(|| not_found(id))?;
    Ok((parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?))
}

pub(crate) fn not_found(id: SubjectId) -> Error {
    Error::NotFound { what: "subject", name: id.to_string() }
}
