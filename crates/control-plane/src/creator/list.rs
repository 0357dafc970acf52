//! The public list as questions see it.

use std::sync::{Arc, PoisonError, RwLock};

use domain::creator::Creator;
use domain::{CreatorList, SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::OF_PERSON;
use super::act::{BY_LOSS, BY_PERSON, id_of, withdraw};
use super::naming::{self, Owned};
use crate::audit::AuditWriter;
use crate::plane::Inner;
use crate::store::{parse_time, parse_word, time_text};
use crate::{ControlPlane, Error};

/// The list that was read last.
#[derive(Default)]
pub(crate) struct Cache(RwLock<Option<Kept>>);

/// What follows from the newest act, until the next tick that changes it.
#[derive(Clone)]
struct Kept {
    act: i64,
    from: Timestamp,
    until: Option<Timestamp>,
    list: Arc<CreatorList>,
}

impl ControlPlane {
    /// The public list of creators, now.
    ///
    /// # Guarantee
    /// Nobody is named in it who took back the yes to that before, who was erased, or whom the law of where they live does
    /// not let be named: whoever is found to is taken off the list first. People are in it under labels; whom a label means,
    /// [`ControlPlane::creator_list`] says.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn creators(&self) -> Result<Arc<CreatorList>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let at = self.now();
        let gone = gone(&mut tx, &self.inner, at).await?;
        if gone.is_empty() {
            return read(&mut tx, &self.inner, at).await;
        }
        drop(tx);
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let at = self.now();
        for (act, why) in self::gone(&mut tx, &self.inner, at).await? {
            withdraw(&mut tx, &mut audit, act, why, at).await?;
        }
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        self.inner.store.forget().await?;
        read(&mut *self.inner.store.snapshot().await?, &self.inner, at).await
    }
}

/// The list at `at`, if nobody on it has to go first.
pub(crate) async fn current(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp) -> Result<Option<Arc<CreatorList>>, Error> {
    if gone(tx, inner, at).await?.is_empty() { read(tx, inner, at).await.map(Some) } else { Ok(None) }
}

/// The acts that list people who do not agree to it any more, or accounts whose names a restore has lost; and why they go.
async fn gone(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp) -> Result<Vec<(i64, &'static str)>, Error> {
    let nameless = "SELECT a.id FROM creator_act a WHERE a.act = 'add' AND NOT EXISTS (SELECT 1 FROM creator_name n WHERE n.act_id = a.id)
        AND NOT EXISTS (SELECT 1 FROM creator_act w WHERE w.creator = a.creator AND w.id > a.id)";
    let lost = sqlx::query(nameless).fetch_all(&mut *tx).await?;
    let mut gone = lost.iter().map(|row| Ok((row.try_get(0)?, BY_LOSS))).collect::<Result<Vec<_>, Error>>()?;
    let owned: Vec<Owned> = naming::owned(tx).await?.into_iter().filter(|owned| owned.by_consent).collect();
    if owned.is_empty() {
        return Ok(gone);
    }
    let people: Vec<SubjectId> = owned.iter().map(|owned| owned.subject).collect();
    let agree = naming::agree(tx, inner, &people, at).await?;
    gone.extend(owned.iter().filter(|owned| !agree.contains(&owned.subject)).map(|owned| (owned.act, BY_PERSON)));
    gone.sort_unstable();
    gone.dedup();
    Ok(gone)
}

/// The list at `at`, as the ledger has it.
async fn read(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp) -> Result<Arc<CreatorList>, Error> {
    let act: i64 = sqlx::query("SELECT coalesce(max(id), 0) FROM creator_act").fetch_one(&mut *tx).await?.try_get(0)?;
    let kept = inner.listed.0.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(kept) = kept.filter(|kept| kept.act == act && kept.from <= at && kept.until.is_none_or(|until| at < until)) {
        return Ok(kept.list);
    }
    let sql = format!(
        "SELECT a.creator, n.name, a.platform, a.category, {OF_PERSON} FROM creator_act a LEFT JOIN creator_name n ON n.act_id = a.id WHERE a.act = 'add' AND a.counts_from <= ?1
         AND NOT EXISTS (SELECT 1 FROM creator_act w WHERE w.creator = a.creator AND w.id > a.id AND w.act = 'withdraw' AND w.counts_from <= ?1) ORDER BY a.id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql));
    let rows = rows.bind(time_text(at)).fetch_all(&mut *tx).await?;
    let creator = |row: &sqlx::sqlite::SqliteRow| {
        let (id, name, of_person) = (id_of(row.try_get(0)?)?, row.try_get::<Option<String>, _>(1)?, row.try_get(4)?);
        let name = name.map(|name| if of_person { id.label() } else { name });
        Ok::<_, Error>(Creator { id, name, platform: parse_word(row.try_get(2)?)?, category: row.try_get(3)? })
    };
    let list = Arc::new(CreatorList::new(rows.iter().map(creator).collect::<Result<Vec<_>, _>>()?));
    let next: Option<String> = sqlx::query("SELECT min(counts_from) FROM creator_act WHERE counts_from > ?").bind(time_text(at)).fetch_one(tx).await?.try_get(0)?;
    let until = next.as_deref().map(parse_time).transpose()?;
    *inner.listed.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Kept { act, from: at, until, list: Arc::clone(&list) });
    Ok(list)
}
