//! Listing accounts, and taking them off.

use std::collections::BTreeSet;

use domain::audit::EntryKind;
use domain::creator::{Creator, CreatorBasis};
use domain::record::AccountKey;
use domain::{CreatorId, CreatorKey, Fault, Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::{OF_PERSON, naming};
use crate::audit::AuditWriter;
use crate::plane::Inner;
use crate::store::{parse_time, parse_word, time_text};
use crate::{ControlPlane, Error, snapshot};

/// An account that is to be named.
#[derive(Debug, Clone)]
pub struct NewCreator {
    /// The account.
    pub account: AccountKey,
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub category: String,
    /// Why it may be named.
    pub basis: CreatorBasis,
    /// What proves that, in words; goes with the name.
    pub evidence: Option<String>,
}

/// A listed account as the operator sees it.
#[derive(Debug, Clone)]
pub struct CreatorInfo {
    /// Its number in rows.
    pub id: CreatorId,
    /// The account.
    pub account: AccountKey,
    /// What it is called.
    pub name: String,
    /// What questions and answers call it: its name, or of a person's its label.
    pub in_answers: String,
    /// What it is about.
    pub category: String,
    /// Why it may be named.
    pub basis: CreatorBasis,
    /// From when on questions know it.
    pub counts_from: Timestamp,
}

/// Why an account left the list.
pub(super) const BY_OPERATOR: &str = "operator";
pub(super) const BY_PERSON: &str = "consent";
pub(super) const BY_ERASURE: &str = "erasure";
pub(super) const BY_LOSS: &str = "lost";

/// Bytes of an account.
const ACCOUNT_BYTES: usize = 512;

impl ControlPlane {
    /// The key under which accounts have their numbers in rows.
    #[must_use]
    pub fn creator_key(&self) -> CreatorKey {
        self.inner.creators.clone()
    }

    /// Lists accounts, all or none. Questions know them from the next tick of the snapshot clock on; as long as there are
    /// no data, at once.
    ///
    /// # Errors
    /// A refusal when one is listed already, is no account, or is that of a person who did not agree to be named.
    pub async fn creator_add(&self, new: &[NewCreator]) -> Result<Vec<CreatorId>, Error> {
        let at = self.now();
        let mut tx = self.inner.store.begin().await?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let counts_from = tick(&mut tx, at).await?;
        let mut ids = Vec::with_capacity(new.len());
        for new in new {
            let id = self.add(&mut tx, new, counts_from, at).await?;
            audit.append(&mut tx, EntryKind::CreatorActed, "creator_act", id).await?;
            ids.push(self.id(&new.account));
        }
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        Ok(ids)
    }

    fn id(&self, account: &AccountKey) -> CreatorId {
        self.inner.creators.id(account.platform, &account.native_id)
    }

    async fn add(&self, tx: &mut SqliteConnection, new: &NewCreator, counts_from: Timestamp, at: Timestamp) -> Result<i64, Error> {
        let NewCreator { account, name, category, basis, evidence } = new;
        let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::Creator, message).hint(hint).into());
        let (name, category) = (Creator::checked_name(name)?, Creator::checked_category(category)?);
        if account.native_id.trim() != account.native_id || account.native_id.is_empty() || account.native_id.len() > ACCOUNT_BYTES || account.native_id.contains('\0') {
            return refuse(format!("`{account}` is no account"), "name it as the platform does: a DID, the address of a Mastodon account, a number");
        }
        if listed(tx, self.id(account)).await?.is_some() {
            return refuse(format!("{account} is listed already"), "take it off first: fairshare creator withdraw");
        }
        let twin =
            sqlx::query("SELECT 1 FROM creator_name n JOIN creator_act a ON a.id = n.act_id WHERE n.name = ? AND a.platform = ?").bind(&name).bind(account.platform.as_str());
        if twin.fetch_optional(&mut *tx).await?.is_some() {
            return refuse(format!("an account of {} is called `{name}` already", account.platform), "a name stands for one account of a platform");
        }
        let owner = naming::owner(tx, &self.inner, account).await?.filter(|owner| owner.enrolled || *basis == CreatorBasis::Consent);
        if let Some(owner) = owner {
            if naming::agree(tx, &self.inner, &[owner.subject], at).await?.is_empty() {
                let message = format!("{account} is the account of subject {}, who has not agreed to be named", owner.subject);
                return refuse(message, "a notice asks for the purpose public_naming and opens it to the class everybody; the person agrees in so many words");
            }
        } else if *basis == CreatorBasis::Consent && evidence.as_ref().is_none_or(|words| words.trim().is_empty()) {
            return refuse(format!("nothing says that whoever holds {account} agreed"), "--evidence tells what proves it");
        }
        let evidence = evidence.as_deref().unwrap_or_default();
        let inserted = sqlx::query("INSERT INTO creator_act (creator, act, platform, category, basis, details, counts_from, at) VALUES (?, 'add', ?, ?, ?, ?, ?, ?)")
            .bind(number(self.id(account)))
            .bind(account.platform.as_str())
            .bind(&category)
            .bind(basis.as_str())
            .bind(details(&self.inner, &account.native_id, &name, evidence))
            .bind(time_text(counts_from))
            .bind(time_text(at))
            .execute(&mut *tx)
            .await?;
        let id = inserted.last_insert_rowid();
        sqlx::query("INSERT INTO creator_name (act_id, native_id, pseudonym, name, evidence) VALUES (?, ?, ?, ?, ?)")
            .bind(id)
            .bind(&account.native_id)
            .bind(self.inner.seal.pseudonym(account))
            .bind(&name)
            .bind(evidence)
            .execute(tx)
            .await?;
        Ok(id)
    }

    /// Takes an account off the list: its name is hidden at once, and the account is not listed any more from the next tick
    /// of the snapshot clock on, which is given.
    ///
    /// # Errors
    /// Not found when it is not listed.
    pub async fn creator_withdraw(&self, account: &AccountKey) -> Result<Timestamp, Error> {
        let at = self.now();
        let mut tx = self.inner.store.begin().await?;
        let act = listed(&mut tx, self.id(account)).await?.ok_or_else(|| Error::NotFound { what: "creator", name: account.to_string() })?;
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        let counts_from = withdraw(&mut tx, &mut audit, act, BY_OPERATOR, at).await?;
        audit.finish(&mut tx).await?;
        tx.commit().await?;
        self.inner.store.forget().await?;
        Ok(counts_from)
    }

    /// Everybody who is listed, or will be from the next tick on, by name.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn creator_list(&self) -> Result<Vec<CreatorInfo>, Error> {
        self.creators().await?;
        let sql = format!(
            "SELECT a.creator, a.platform, n.native_id, n.name, a.category, a.basis, a.counts_from, {OF_PERSON} FROM creator_act a JOIN creator_name n ON n.act_id = a.id ORDER BY n.name, a.platform"
        );
        let rows = sqlx::query(AssertSqlSafe(sql));
        let rows = rows.fetch_all(self.inner.store.reader()).await?;
        rows.iter()
            .map(|row| {
                let (id, name) = (id_of(row.try_get(0)?)?, row.try_get::<String, _>(3)?);
                Ok(CreatorInfo {
                    id,
                    in_answers: if row.try_get(7)? { id.label() } else { name.clone() },
                    account: AccountKey { platform: parse_word(row.try_get(1)?)?, native_id: row.try_get(2)? },
                    name,
                    category: row.try_get(4)?,
                    basis: parse_word(row.try_get(5)?)?,
                    counts_from: parse_time(row.try_get(6)?)?,
                })
            })
            .collect()
    }
}

/// A number as SQLite keeps it.
pub(super) const fn number(id: CreatorId) -> i64 {
    id.number().cast_signed()
}

/// A number that SQLite kept.
pub(super) fn id_of(number: i64) -> Result<CreatorId, Fault> {
    CreatorId::from_number(number.cast_unsigned()).ok_or_else(|| Fault::broken("a creator without a number"))
}

/// A commitment to what is kept beside an act, and goes.
pub(super) fn details(inner: &Inner, native_id: &str, name: &str, evidence: &str) -> String {
    inner.seal.commit("creator_name", serde_json::json!([native_id, name, evidence]).to_string().as_bytes())
}

/// When what is done now is known to questions.
async fn tick(tx: &mut SqliteConnection, at: Timestamp) -> Result<Timestamp, Error> {
    Ok(if snapshot::head(tx).await?.is_none() { at } else { snapshot::clock(tx).await?.next(at) })
}

/// The act that lists an account now.
async fn listed(tx: &mut SqliteConnection, id: CreatorId) -> Result<Option<i64>, Error> {
    let newest = sqlx::query("SELECT id, act FROM creator_act WHERE creator = ? ORDER BY id DESC LIMIT 1").bind(number(id)).fetch_optional(tx).await?;
    let Some(row) = newest else { return Ok(None) };
    Ok((row.try_get::<&str, _>(1)? == "add").then(|| row.try_get(0)).transpose()?)
}

/// Takes the account that `act` lists off the list; tells from when on.
pub(super) async fn withdraw(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, act: i64, why: &'static str, at: Timestamp) -> Result<Timestamp, Error> {
    let counts_from = tick(tx, at).await?;
    let inserted = sqlx::query("INSERT INTO creator_act (creator, act, basis, counts_from, at) SELECT creator, 'withdraw', ?, ?, ? FROM creator_act WHERE id = ?")
        .bind(why)
        .bind(time_text(counts_from))
        .bind(time_text(at))
        .bind(act)
        .execute(&mut *tx)
        .await?;
    let id = inserted.last_insert_rowid();
    follow(tx, id).await?;
    audit.append(tx, EntryKind::CreatorActed, "creator_act", id).await?;
    Ok(counts_from)
}

/// Hides the names that the act with this number takes away: those of its account before it.
pub(crate) async fn follow(tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
    let hidden = "DELETE FROM creator_name WHERE act_id IN (SELECT a.id FROM creator_act w JOIN creator_act a ON a.creator = w.creator AND a.id < w.id WHERE w.id = ? AND w.act = 'withdraw')";
    sqlx::query(hidden).bind(id).execute(tx).await?;
    Ok(())
}

/// Takes the accounts of a person who is being erased off the list; to be called while the store still knows them.
pub(crate) async fn withdraw_erased(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, subject: SubjectId, at: Timestamp) -> Result<(), Error> {
    let owned = naming::owned(tx).await?;
    let acts: BTreeSet<i64> = owned.iter().filter(|owned| owned.subject == subject).map(|owned| owned.act).collect();
    for act in acts {
        withdraw(tx, audit, act, BY_ERASURE, at).await?;
    }
    Ok(())
}
