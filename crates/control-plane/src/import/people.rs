//! What an import tells about people: their accounts, and the facts that rules need.
//!
//! An account that streams alone name belongs to a third party, who never enrolled: the store knows it by
//! a keyed hash and no name. Whoever knows the account finds it, whoever reads the store does not.
//!
//! Every line is bound to the import's row by a digest with a salt of the person's own. When a
//! person is erased their lines and their salt go, and the digests that stay say nothing.

use std::collections::{BTreeMap, BTreeSet};

use domain::record::{AccountKey, NormalizedBatch};
use domain::subject::AgeBand;
use domain::{Fault, Platform, SubjectId, SubjectSet};
use hashbrown::HashMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use super::accounts::{NewAccount, NewAccounts};
use super::known::learn;
use crate::Error;
use crate::accounting::Seal;
use crate::consent::Rules;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{json_rows, parse_word};

/// Lines that one statement carries.
const LINES: usize = 5_000;

/// Bytes of a person's salt; the statement that adds people counts on it.
const SALT: usize = 16;

/// Accounts and facts that an import has met so far.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Accounts that the store has no line about, or none but a pseudonym's.
    accounts: NewAccounts,
    /// Accounts that it has.
    known: HashMap<AccountKey, SubjectId>,
    /// What is said of people: age, country, region.
    facts: BTreeMap<SubjectId, Fact>,
    /// Whether the store knows accounts at all, once it was asked. While an import runs nobody adds any.
    store_has_accounts: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Fact {
    age: Option<AgeBand>,
    country: Option<String>,
    region: Option<String>,
}

impl People {
    /// The ids of a batch's people, in order: known accounts keep theirs, new ones get the next.
    ///
    /// # Guarantee
    /// Who was known from streams only keeps the id when a source enrols them.
    pub(super) async fn assign(&mut self, inner: &Inner, next: &mut u32, batch: &NormalizedBatch) -> Result<Vec<SubjectId>, Error> {
        let enrols = batch.source.kind.enrols();
        self.look_up(inner, batch, enrols).await?;
        let mut ids = Vec::with_capacity(batch.subjects.len());
        for subject in &batch.subjects {
            let key = &subject.account;
            let id = match self.known.get(key) {
                Some(id) => *id,
                None => match self.accounts.get_mut(key) {
                    Some(new) => {
                        new.enrolled |= enrols;
                        if enrols && new.handle.is_none() {
                            new.handle = subject.handle.as_deref().map(Box::from);
                        }
                        new.subject
                    }
                    None => {
                        let id = SubjectId(*next);
                        *next = next.checked_add(1).ok_or_else(|| Fault::broken("there are no subject ids left"))?;
                        let handle = subject.handle.as_deref().filter(|_| enrols).map(Box::from);
                        self.accounts.insert(NewAccount { key: key.clone(), subject: id, handle, enrolled: enrols });
                        id
                    }
                },
            };
            if subject.age != AgeBand::Unknown || subject.country.is_some() {
                let fact = self.facts.entry(id).or_default();
                fact.age = Some(subject.age).filter(|a| *a != AgeBand::Unknown).or(fact.age);
                // A region goes with the country that it was named with.
                if subject.country.is_some() {
                    (fact.country, fact.region) = (subject.country.clone(), subject.region.clone());
                }
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// Finds the accounts of a batch by name, then by pseudonym. A pseudonym is as good as the name to a
    /// stream; a source that enrols adds the name to it.
    async fn look_up(&mut self, inner: &Inner, batch: &NormalizedBatch, enrols: bool) -> Result<(), Error> {
        if self.store_has_accounts == Some(false) {
            return Ok(());
        }
        let unmet: Vec<&AccountKey> = batch.subjects.iter().map(|s| &s.account).filter(|key| !self.known.contains_key(*key) && !self.accounts.contains(key)).collect();
        if unmet.is_empty() {
            return Ok(());
        }
        let mut tx = inner.store.snapshot().await?;
        if self.store_has_accounts.is_none() {
            let has_accounts = sqlx::query("SELECT EXISTS (SELECT 1 FROM account)").fetch_one(&mut *tx).await?.try_get(0)?;
            self.store_has_accounts = Some(has_accounts);
            if !has_accounts {
                return Ok(());
            }
        }
        for keys in unmet.chunks(LINES) {
            for (place, subject) in found(&mut tx, keys.iter().map(|key| (key.platform, key.native_id.clone())), false).await? {
                self.known.extend(keys.get(place).map(|key| ((*key).clone(), subject)));
            }
            let third: Vec<&AccountKey> = keys.iter().copied().filter(|key| !self.known.contains_key(*key)).collect();
            for (place, subject) in found(&mut tx, third.iter().map(|key| (key.platform, inner.seal.pseudonym(key))), true).await? {
                let Some(key) = third.get(place) else { continue };
                if enrols {
                    self.accounts.insert(NewAccount { key: (*key).clone(), subject, handle: None, enrolled: true });
                } else {
                    self.known.insert((*key).clone(), subject);
                }
            }
        }
        Ok(())
    }

    /// Writes what is said of those who are `named` in the end, as lines of import `import`; gives the
    /// digest that binds them to its row. People from `first_new` on are new.
    pub(super) async fn write(self, tx: &mut SqliteConnection, inner: &Inner, import: i64, named: &SubjectSet, first_new: u32) -> Result<String, Error> {
        let Self { accounts, known: _, mut facts, store_has_accounts: _ } = self;
        let mut accounts = accounts.into_all();
        accounts.retain(|new| named.contains(new.subject));
        facts.retain(|id, _| named.contains(*id));
        let is_new = |id: &SubjectId| id.0 >= first_new;
        let mut new: Vec<SubjectId> = accounts.iter().map(|new| new.subject).filter(is_new).collect();
        new.sort_unstable();
        new.dedup();
        let old: BTreeSet<SubjectId> = accounts.iter().map(|new| new.subject).chain(facts.keys().copied()).filter(|id| !is_new(id)).collect();
        let mut salts = Salts::default();
        salts.draw(inner, &new)?;
        salts.read(tx, &old.into_iter().collect::<Vec<_>>()).await?;
        for ids in new.chunk_by(|a, b| a.0.checked_add(1) == Some(b.0)).flat_map(|ids| ids.chunks(LINES)) {
            // Ids follow one another, and the salts lie in one blob.
            let (Some(first), salts) = (ids.first(), ids.iter().map(|id| salts.get(*id).copied()).collect::<Result<Vec<_>, _>>()?) else { continue };
            let insert = "INSERT INTO subject (subject_id, status, age_band, salt) WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) SELECT ?1 + i, 'active', 'unknown', substr(?3, i * 16 + 1, 16) FROM n";
            let many = i64::try_from(salts.len()).map_err(|e| Fault::new("counting people", e))?;
            sqlx::query(insert).bind(first.0).bind(many).bind(salts.as_flattened()).execute(&mut *tx).await?;
        }
        // Whoever was erased while the import was running is not told of any more.
        let mut lines: Vec<AccountLine> = accounts.into_iter().filter(|new| salts.get(new.subject).is_ok()).map(|new| AccountLine::of(&inner.seal, new)).collect();
        // In the order of the store's key, those that one statement adds together.
        lines.sort_unstable_by(|a, b| (a.0, a.2, &a.1).cmp(&(b.0, b.2, &b.1)));
        let facts: Vec<_> =
            facts.into_iter().filter(|(id, _)| salts.get(*id).is_ok()).map(|(id, fact)| (id, fact.age.unwrap_or(AgeBand::Unknown), fact.country, fact.region)).collect();
        let mut digests = Vec::with_capacity(lines.len() + facts.len());
        for lines in lines.chunk_by(|a, b| (a.0, a.2) == (b.0, b.2)).flat_map(|alike| alike.chunks(LINES)) {
            let Some(AccountLine(platform, _, pseudonym, ..)) = lines.first() else { continue };
            sqlx::query(
                "INSERT INTO account (platform, native_id, pseudonym, handle, subject_id, import_id) SELECT ?2, value ->> 0, ?3, value ->> 1, value ->> 2, ?4 FROM json_each(?1)",
            )
            .bind(json_rows(&lines.iter().map(|line| (&line.1, &line.3, line.4)).collect::<Vec<_>>())?)
            .bind(platform.as_str())
            .bind(pseudonym)
            .bind(import)
            .execute(&mut *tx)
            .await?;
            for line in lines {
                digests.push(line_digest(salts.get(line.4)?, &line.text()?));
            }
        }
        for lines in facts.chunks(LINES) {
            sqlx::query(
                "INSERT INTO subject_fact (import_id, subject_id, age_band, country, region) SELECT ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)",
            )
            .bind(json_rows(&lines)?)
            .bind(import)
            .execute(&mut *tx)
            .await?;
            for (id, age, country, region) in lines {
                digests.push(line_digest(salts.get(*id)?, &fact_text(*id, age.as_str(), country.as_deref(), region.as_deref())));
            }
        }
        let rules = Rules::read(tx, inner, inner.clock.now()).await?;
        learn(tx, &rules, facts.into_iter().map(|(id, ..)| id)).await?;
        Ok(together(digests))
    }
}

/// The accounts among `wanted`, each by its place.
async fn found(connection: &mut SqliteConnection, wanted: impl Iterator<Item = (Platform, String)>, pseudonym: bool) -> Result<Vec<(usize, SubjectId)>, Error> {
    let wanted: Vec<_> = wanted.collect();
    let found =
        sqlx::query("SELECT j.key, a.subject_id FROM json_each(?) j CROSS JOIN account a ON a.platform = j.value ->> 0 AND a.native_id = j.value ->> 1 AND a.pseudonym = ?")
            .bind(json_rows(&wanted)?)
            .bind(pseudonym)
            .fetch_all(connection)
            .await?;
    found.iter().map(|row| Ok((usize::try_from(row.try_get::<i64, _>(0)?).map_err(|e| unreadable("an account", e))?, SubjectId(row.try_get(1)?)))).collect()
}

/// The salts of some people: those who are new by their place, since their ids nearly follow one another.
#[derive(Default)]
struct Salts {
    first_new: u32,
    new: Vec<[u8; SALT]>,
    old: HashMap<SubjectId, [u8; SALT]>,
}

impl Salts {
    fn draw(&mut self, inner: &Inner, new: &[SubjectId]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (new.first(), new.last()) else { return Ok(()) };
        self.first_new = first.0;
        self.new = vec![[0; SALT]; last.0.saturating_sub(first.0) as usize + 1];
        inner.entropy.fill(self.new.as_flattened_mut())?;
        Ok(())
    }

    /// Those of people who are there; an erased person has none.
    async fn read(&mut self, tx: &mut SqliteConnection, people: &[SubjectId]) -> Result<(), Error> {
        for ids in people.chunks(LINES) {
            let rows = sqlx::query("SELECT s.subject_id, s.salt FROM json_each(?) j CROSS JOIN subject s ON s.subject_id = j.value WHERE s.salt IS NOT NULL")
                .bind(json_rows(&ids)?)
                .fetch_all(&mut *tx)
                .await?;
            for row in rows {
                let salt = row.try_get::<Vec<u8>, _>(1)?.try_into().map_err(|_| Fault::broken("a person's salt is cut short"))?;
                self.old.insert(SubjectId(row.try_get(0)?), salt);
            }
        }
        Ok(())
    }

    fn get(&self, id: SubjectId) -> Result<&[u8; SALT], Fault> {
        let new = id.0.checked_sub(self.first_new).and_then(|place| usize::try_from(place).ok()).and_then(|place| self.new.get(place));
        new.or_else(|| self.old.get(&id)).ok_or_else(|| Fault::broken("a line about nobody"))
    }
}

/// A line about an account: platform, native id or pseudonym, which of the two, handle, person.
#[derive(Serialize)]
struct AccountLine(Platform, String, bool, Option<Box<str>>, SubjectId);

impl AccountLine {
    fn of(seal: &Seal, new: NewAccount) -> Self {
        let NewAccount { key, subject, handle, enrolled } = new;
        let native_id = if enrolled { key.native_id } else { seal.pseudonym(&key) };
        Self(key.platform, native_id, !enrolled, handle, subject)
    }

    /// What the import's digest vouches for.
    fn text(&self) -> Result<String, Fault> {
        serde_json::to_string(self).map_err(|e| unreadable("a line about an account", e))
    }
}

fn fact_text(subject: SubjectId, age: &str, country: Option<&str>, region: Option<&str>) -> String {
    serde_json::json!([subject, age, country, region]).to_string()
}

fn line_digest(salt: &[u8], line: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(line).finalize().into()
}

/// One digest of many, whatever their order.
fn together(mut digests: Vec<[u8; 32]>) -> String {
    digests.sort_unstable();
    hex::encode(digests.iter().fold(Sha256::new(), Sha256::chain_update).finalize())
}

/// The digests of one person's lines, by import.
pub(crate) async fn lines_of(connection: &mut SqliteConnection, subject: SubjectId) -> Result<Vec<(i64, [u8; 32])>, Error> {
    lines(connection, "s.subject_id = ?", i64::from(subject.0)).await
}

/// The digest over what an import told about people, recomputed from the store.
pub(crate) async fn people_digest(connection: &mut SqliteConnection, import: i64) -> Result<String, Error> {
    let mut digests: Vec<[u8; 32]> = lines(connection, "l.import_id = ?", import).await?.into_iter().map(|(_, digest)| digest).collect();
    for row in sqlx::query("SELECT digest FROM erased_line WHERE import_id = ?").bind(import).fetch_all(connection).await? {
        digests.push(row.try_get::<Vec<u8>, _>(0)?.try_into().map_err(|_| Fault::broken("the digest of an erased line is cut short"))?);
    }
    Ok(together(digests))
}

async fn lines(connection: &mut SqliteConnection, which: &'static str, value: i64) -> Result<Vec<(i64, [u8; 32])>, Error> {
    let mut digests = Vec::new();
    let accounts =
        format!("SELECT l.import_id, s.salt, l.platform, l.native_id, l.pseudonym, l.handle, l.subject_id FROM account l JOIN subject s USING (subject_id) WHERE {which}");
    for row in sqlx::query(sqlx::AssertSqlSafe(accounts)).bind(value).fetch_all(&mut *connection).await? {
        let line = AccountLine(
            parse_word(row.try_get(2)?)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get::<Option<String>, _>(5)?.map(String::into_boxed_str),
            SubjectId(row.try_get(6)?),
        );
        digests.push((row.try_get(0)?, line_digest(row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default(), &line.text()?)));
    }
    let facts = format!("SELECT l.import_id, s.salt, l.subject_id, l.age_band, l.country, l.region FROM subject_fact l JOIN subject s USING (subject_id) WHERE {which}");
    for row in sqlx::query(sqlx::AssertSqlSafe(facts)).bind(value).fetch_all(connection).await? {
        let line = fact_text(SubjectId(row.try_get(2)?), row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        digests.push((row.try_get(0)?, line_digest(row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default(), &line)));
    }
    Ok(digests)
}
