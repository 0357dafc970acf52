//! What an import tells about people: their accounts, and the facts that rules need.
//!
//! Every line of it is bound to the import's row by a digest with a salt of the person's own. When a
//! person is erased their lines and their salt go, and the digests that stay say nothing.

use std::collections::{BTreeMap, HashMap};

use domain::consent::{Facts, permitted};
use domain::record::{AccountKey, NormalizedBatch};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Fault, PartnerName, Purpose, SubjectId};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::consent::PermittedWriter;
use crate::plane::Inner;
use crate::store::{json_rows, parse_word};

/// Lines that one statement carries.
const LINES: usize = 5_000;

/// Bytes of a person's salt.
const SALT: usize = 16;

/// Accounts and facts that an import has met so far.
#[derive(Debug, Default)]
pub(super) struct People {
    /// New accounts with the name they show.
    accounts: HashMap<AccountKey, (SubjectId, Option<String>)>,
    /// Known accounts that came before.
    known: HashMap<AccountKey, SubjectId>,
    /// What is newly said of people: age, country.
    facts: BTreeMap<SubjectId, Fact>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Fact {
    age: Option<AgeBand>,
    country: Option<String>,
}

impl People {
    /// The ids of a batch's people, in order: known accounts keep theirs, new ones get the next.
    pub(super) async fn assign(&mut self, connection: &mut SqliteConnection, next: &mut u32, batch: &NormalizedBatch) -> Result<Vec<SubjectId>, Error> {
        self.look_up(connection, batch).await?;
        let mut ids = Vec::with_capacity(batch.subjects.len());
        for subject in &batch.subjects {
            let key = &subject.account;
            let id = match self.known.get(key).copied().or_else(|| self.accounts.get(key).map(|(id, _)| *id)) {
                Some(id) => id,
                None => {
                    let id = SubjectId(*next);
                    *next = next.checked_add(1).ok_or_else(|| Fault::broken("there are no subject ids left"))?;
                    self.accounts.insert(key.clone(), (id, subject.handle.clone()));
                    id
                }
            };
            if subject.age != AgeBand::Unknown || subject.country.is_some() {
                let fact = self.facts.entry(id).or_default();
                fact.age = Some(subject.age).filter(|a| *a != AgeBand::Unknown).or(fact.age);
                fact.country = subject.country.clone().or_else(|| fact.country.take());
            }
            ids.push(id);
        }
        Ok(ids)
    }

    async fn look_up(&mut self, connection: &mut SqliteConnection, batch: &NormalizedBatch) -> Result<(), Error> {
        let unmet: Vec<&AccountKey> = batch.subjects.iter().map(|s| &s.account).filter(|key| !self.known.contains_key(*key) && !self.accounts.contains_key(*key)).collect();
        for keys in unmet.chunks(LINES) {
            let wanted: Vec<_> = keys.iter().map(|key| (key.platform, &key.native_id)).collect();
            let found =
                sqlx::query("SELECT a.platform, a.native_id, a.subject_id FROM json_each(?) j CROSS JOIN account a ON a.platform = j.value ->> 0 AND a.native_id = j.value ->> 1")
                    .bind(json_rows(&wanted)?)
                    .fetch_all(&mut *connection)
                    .await?;
            for row in found {
                self.known.insert(AccountKey { platform: parse_word(row.try_get(0)?)?, native_id: row.try_get(1)? }, SubjectId(row.try_get(2)?));
            }
        }
        Ok(())
    }

    /// Whether anything here is new to the store; facts may turn out not to be.
    pub(super) fn has_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// Writes everything as lines of import `import`; gives the digest that binds them to its row.
    /// People from `first_new` on are new.
    pub(super) async fn write(self, tx: &mut SqliteConnection, inner: &Inner, import: i64, first_new: u32) -> Result<String, Error> {
        let Self { accounts, known: _, facts } = self;
        let mut accounts: Vec<_> = accounts.into_iter().collect();
        accounts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut people = Known::default();
        let mut new: Vec<SubjectId> = accounts.iter().map(|(_, (id, _))| *id).collect();
        new.sort_unstable();
        people.add(inner, &new)?;
        let old: Vec<SubjectId> = facts.keys().copied().filter(|id| id.0 < first_new).collect();
        people.read(tx, &old).await?;
        let facts = people.learn(facts);
        let mut digests = Vec::with_capacity(accounts.len() + facts.len());
        for lines in new.chunks(LINES) {
            let rows: Vec<_> = lines.iter().filter_map(|id| people.of.get(id).map(|p| (id, p.age, &p.country, hex::encode(p.salt)))).collect();
            sqlx::query(
                "INSERT INTO subject (subject_id, status, age_band, country, salt) SELECT value ->> 0, 'active', value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each(?)",
            )
            .bind(json_rows(&rows)?)
            .execute(&mut *tx)
            .await?;
        }
        for lines in accounts.chunks(LINES) {
            let rows: Vec<_> = lines.iter().map(|(key, (id, handle))| (key.platform, &key.native_id, handle, id)).collect();
            sqlx::query(
                "INSERT INTO account (platform, native_id, handle, subject_id, import_id) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2 FROM json_each(?1)",
            )
            .bind(json_rows(&rows)?)
            .bind(import)
            .execute(&mut *tx)
            .await?;
            for (key, (id, handle)) in lines {
                digests.push(people.digest(*id, &account_text(key.platform.as_str(), &key.native_id, handle.as_deref(), *id))?);
            }
        }
        for lines in facts.chunks(LINES) {
            let rows: Vec<_> = lines.iter().filter_map(|id| people.of.get(id).map(|p| (id, p.age, &p.country))).collect();
            let rows = json_rows(&rows)?;
            sqlx::query("INSERT INTO subject_fact (import_id, subject_id, age_band, country) SELECT ?2, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)")
                .bind(&rows)
                .bind(import)
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE subject SET age_band = j.value ->> 1, country = j.value ->> 2 FROM json_each(?) j WHERE subject_id = j.value ->> 0")
                .bind(&rows)
                .execute(&mut *tx)
                .await?;
            for id in lines {
                let person = people.get(*id)?;
                digests.push(people.digest(*id, &fact_text(*id, person.age.as_str(), person.country.as_deref()))?);
            }
        }
        // Nobody new has chosen anything yet.
        let mut permitted_sets = PermittedWriter::default();
        for id in facts.iter().filter(|id| id.0 < first_new) {
            recompute(tx, &mut permitted_sets, *id, people.get(*id)?.age).await?;
        }
        permitted_sets.finish(tx).await?;
        Ok(together(digests))
    }
}

/// What the store knows of some people, with what an import adds.
#[derive(Default)]
struct Known {
    of: HashMap<SubjectId, Person>,
}

struct Person {
    age: AgeBand,
    country: Option<String>,
    salt: [u8; SALT],
}

impl Known {
    fn add(&mut self, inner: &Inner, new: &[SubjectId]) -> Result<(), Error> {
        let mut salts = vec![0; new.len() * SALT];
        inner.entropy.fill(&mut salts)?;
        let (salts, _) = salts.as_chunks::<SALT>();
        self.of.extend(new.iter().zip(salts).map(|(id, salt)| (*id, Person { age: AgeBand::Unknown, country: None, salt: *salt })));
        Ok(())
    }

    async fn read(&mut self, tx: &mut SqliteConnection, people: &[SubjectId]) -> Result<(), Error> {
        for ids in people.chunks(LINES) {
            let rows = sqlx::query("SELECT s.subject_id, s.age_band, s.country, s.salt FROM json_each(?) j CROSS JOIN subject s ON s.subject_id = j.value")
                .bind(json_rows(&ids)?)
                .fetch_all(&mut *tx)
                .await?;
            for row in rows {
                let salt: Vec<u8> = row.try_get(3)?;
                let salt = salt.try_into().map_err(|_| Fault::broken("something was learnt of an erased person"))?;
                self.of.insert(SubjectId(row.try_get(0)?), Person { age: parse_word(row.try_get(1)?)?, country: row.try_get(2)?, salt });
            }
        }
        Ok(())
    }

    /// Takes facts in; tells of whom anything changed, in order.
    fn learn(&mut self, facts: BTreeMap<SubjectId, Fact>) -> Vec<SubjectId> {
        let mut changed = Vec::new();
        for (id, fact) in facts {
            let Some(person) = self.of.get_mut(&id) else { continue };
            let age = fact.age.unwrap_or(person.age);
            let country = fact.country.or_else(|| person.country.clone());
            if (age, &country) != (person.age, &person.country) {
                (person.age, person.country) = (age, country);
                changed.push(id);
            }
        }
        changed
    }

    fn get(&self, id: SubjectId) -> Result<&Person, Fault> {
        self.of.get(&id).ok_or_else(|| Fault::broken("a line about nobody"))
    }

    fn digest(&self, id: SubjectId, line: &str) -> Result<[u8; 32], Fault> {
        Ok(line_digest(&self.get(id)?.salt, line))
    }
}

/// Brings every permission of one person up to date with their age.
async fn recompute(tx: &mut SqliteConnection, permitted_sets: &mut PermittedWriter, subject: SubjectId, age: AgeBand) -> Result<(), Error> {
    let rows = sqlx::query("SELECT partner, purpose, state FROM consent_state WHERE subject_id = ?").bind(subject.0).fetch_all(&mut *tx).await?;
    for row in rows {
        let (partner, purpose): (PartnerName, Purpose) = (parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?);
        let facts = Facts { status: SubjectStatus::Active, age, consent: parse_word(row.try_get(2)?)? };
        permitted_sets.set(tx, &partner, purpose, subject, permitted(facts, purpose)).await?;
    }
    Ok(())
}

fn account_text(platform: &str, native_id: &str, handle: Option<&str>, subject: SubjectId) -> String {
    serde_json::json!([platform, native_id, handle, subject]).to_string()
}

fn fact_text(subject: SubjectId, age: &str, country: Option<&str>) -> String {
    serde_json::json!([subject, age, country]).to_string()
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
    let accounts = format!("SELECT l.import_id, s.salt, l.platform, l.native_id, l.handle, l.subject_id FROM account l JOIN subject s USING (subject_id) WHERE {which}");
    for row in sqlx::query(sqlx::AssertSqlSafe(accounts)).bind(value).fetch_all(&mut *connection).await? {
        let line = account_text(row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, SubjectId(row.try_get(5)?));
        digests.push((row.try_get(0)?, line_digest(row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default(), &line)));
    }
    let facts = format!("SELECT l.import_id, s.salt, l.subject_id, l.age_band, l.country FROM subject_fact l JOIN subject s USING (subject_id) WHERE {which}");
    for row in sqlx::query(sqlx::AssertSqlSafe(facts)).bind(value).fetch_all(connection).await? {
        let line = fact_text(SubjectId(row.try_get(2)?), row.try_get(3)?, row.try_get(4)?);
        digests.push((row.try_get(0)?, line_digest(row.try_get::<Option<&[u8]>, _>(1)?.unwrap_or_default(), &line)));
    }
    Ok(digests)
}
