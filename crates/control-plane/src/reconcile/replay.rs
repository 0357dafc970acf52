//! Rows that are put back, and the projections that follow each of them.

use std::collections::BTreeSet;

use audit_log::{Hash, row_digest};
use domain::audit::EntryBody;
use domain::subject::IdentityAct;
use domain::{AgreementName, Fault, PartnerName, SubjectId};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::salt;
use crate::accounting::cost_of;
use crate::agreement::{all_terms, window_cap};
use crate::audit::journal::Line;
use crate::consent::{follow, follow_limit};
use crate::erasure::forget;
use crate::error::unreadable;
use crate::import::{find, people_of};
use crate::plane::Inner;
use crate::store::{insert_text, parse_word, to_i64};
use crate::{Error, budget};

/// What was put back so far.
#[derive(Default)]
pub(super) struct Replay {
    /// Imports whose lines about people are lost.
    imports: Vec<i64>,
    pub(super) choices: u64,
    pub(super) releases: u64,
    /// People whose permissions may have changed.
    pub(super) touched: BTreeSet<SubjectId>,
    /// People who are known by number only.
    pub(super) unknown: BTreeSet<SubjectId>,
}

impl Replay {
    pub(super) fn imports(&self) -> impl Iterator<Item = i64> + '_ {
        self.imports.iter().copied()
    }

    /// Puts one entry and its row back.
    pub(super) async fn entry(&mut self, tx: &mut SqliteConnection, inner: &Inner, entry: u64, line: &Line, leaf: Hash) -> Result<(), Error> {
        let body: EntryBody = serde_json::from_str(&line.body).map_err(|e| unreadable("an entry of the journal", e))?;
        let (salt, of) = (salt(line)?, body.row);
        if row_digest(&salt, line.row.as_bytes()).to_string() != of.digest {
            return Err(Error::Conflict(format!("row {} of {} in the journal is not the one that entry {entry} vouches for. Nothing was changed", of.id, of.table)));
        }
        insert_text(tx, &of.table, &line.row).await?;
        if let Some(loss) = &line.loss {
            insert_text(tx, "identity_loss", loss).await?;
        }
        sqlx::query("INSERT INTO audit_entry (id, salt, body, leaf) VALUES (?, ?, ?, ?)")
            .bind(to_i64(entry)?)
            .bind(salt.as_bytes().as_slice())
            .bind(&line.body)
            .bind(leaf.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        self.follow(tx, inner, &of.table, of.id).await
    }

    /// Brings the projections up to a row. Rows of other tables have none: what counts is read from them.
    async fn follow(&mut self, tx: &mut SqliteConnection, inner: &Inner, table: &str, id: i64) -> Result<(), Error> {
        match table {
            "import" => self.import(tx, inner, id).await,
            "import_undo" => {
                let import = read(tx, "SELECT import_id FROM import_undo WHERE id = ?", id).await?.try_get(0)?;
                self.touched.extend(people_of(tx, import).await?);
                Ok(())
            }
            "erasure" => {
                let subject = SubjectId(read(tx, "SELECT subject_id FROM erasure WHERE id = ?", id).await?.try_get(0)?);
                forget(tx, subject).await?;
                self.unknown.remove(&subject);
                self.touched.insert(subject);
                Ok(())
            }
            "identity_act" => self.identity(tx, id).await,
            "consent_event" => self.choice(tx, id).await,
            "limit_event" => {
                self.touched.insert(follow_limit(tx, id).await?);
                Ok(())
            }
            // The address itself is lost; the one before it counts no more.
            "contact_act" => {
                let older = "DELETE FROM contact_address WHERE act_id < ?1 AND subject_id = (SELECT subject_id FROM contact_act WHERE id = ?1)";
                execute(tx, older, id).await
            }
            "creator_act" => crate::creator::follow(tx, id).await,
            "notice" => crate::notice::follow(tx, id).await,
            "cap_choice" => {
                let newest = "INSERT INTO subject_cap (subject_id, rho_cap, delta_cap) SELECT subject_id, rho_cap, delta_cap FROM cap_choice WHERE id = ? ON CONFLICT (subject_id) DO UPDATE SET rho_cap = excluded.rho_cap, delta_cap = excluded.delta_cap";
                execute(tx, newest, id).await
            }
            "partner_act" => {
                let row = read(tx, "SELECT partner, act, coalesce(rho_cap, 0), coalesce(delta_cap, 0) FROM partner_act WHERE id = ?", id).await?;
                if row.try_get::<&str, _>(1)? == "add" {
                    budget::open_scope(tx, &budget::partner_scope(&parse_word(row.try_get(0)?)?), cost_of(&row, 2)?).await?;
                }
                Ok(())
            }
            "agreement_act" => {
                let row = read(tx, "SELECT agreement FROM agreement_act WHERE id = ?", id).await?;
                let name: AgreementName = parse_word(row.try_get(0)?)?;
                // Opened by the first act; by the others it is there.
                if let Some(terms) = all_terms(tx).await?.into_iter().find(|t| t.name == name) {
                    budget::open_scope(tx, &budget::agreement_scope(&name), terms.lifetime).await?;
                }
                Ok(())
            }
            "release_reservation" => self.reservation(tx, id).await,
            "release_outcome" => {
                // Where the copy has everybody who was eligible, they are all charged.
                execute(tx, "UPDATE participant_set SET settled = o.settled FROM release_outcome o WHERE o.id = ? AND o.release = participant_set.release", id).await?;
                execute(tx, "UPDATE counter SET value = max(value, (SELECT settled FROM release_outcome WHERE id = ?)) WHERE name = 'settled'", id).await
            }
            _ => Ok(()),
        }
    }

    /// The numbers that an import gave, and the people whom it told of.
    async fn import(&mut self, tx: &mut SqliteConnection, inner: &Inner, id: i64) -> Result<(), Error> {
        let import = find(tx, id).await?;
        for subject in import.named.iter() {
            let mut salt = [0; 16];
            inner.entropy.fill(&mut salt)?;
            let new = sqlx::query("INSERT INTO subject (subject_id, status, age_band, salt) VALUES (?, 'active', 'unknown', ?) ON CONFLICT DO NOTHING").bind(subject.0);
            if new.bind(salt.as_slice()).execute(&mut *tx).await?.rows_affected() > 0 {
                self.unknown.insert(subject);
            }
            sqlx::query("INSERT INTO lost_word (import_id, subject_id) VALUES (?, ?)").bind(id).bind(subject.0).execute(&mut *tx).await?;
            self.touched.insert(subject);
        }
        let after = |number: Option<u32>| number.map_or(0, |n| i64::from(n) + 1);
        for (name, next) in [("subject", after(import.named.as_bitmap().max())), ("source", after(import.sources.last().map(|s| s.number)))] {
            sqlx::query("UPDATE counter SET value = max(value, ?) WHERE name = ?").bind(next).bind(name).execute(&mut *tx).await?;
        }
        self.imports.push(id);
        Ok(())
    }

    async fn identity(&mut self, tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
        let row = read(tx, "SELECT act, keep_id, other_id FROM identity_act WHERE id = ?", id).await?;
        let (act, keep, other): (IdentityAct, u32, u32) = (parse_word(row.try_get(0)?)?, row.try_get(1)?, row.try_get(2)?);
        let (status, into) = match act {
            IdentityAct::Merge => ("merged", Some(keep)),
            IdentityAct::Split => ("active", None),
        };
        sqlx::query("UPDATE subject SET status = ?, merged_into = ? WHERE subject_id = ?").bind(status).bind(into).bind(other).execute(tx).await?;
        self.touched.extend([keep, other].map(SubjectId));
        Ok(())
    }

    async fn choice(&mut self, tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
        self.choices += 1;
        self.touched.insert(follow(tx, id).await?);
        execute(tx, "UPDATE counter SET value = max(value, ?) WHERE name = 'consent'", id).await
    }

    /// The charge in full. There is no set of people: whoever they were, everybody is charged.
    async fn reservation(&mut self, tx: &mut SqliteConnection, id: i64) -> Result<(), Error> {
        let row = read(tx, "SELECT partner, agreement, budget_window, rho, delta FROM release_reservation WHERE id = ?", id).await?;
        let (partner, agreement): (PartnerName, AgreementName) = (parse_word(row.try_get(0)?)?, parse_word(row.try_get(1)?)?);
        let terms = all_terms(tx).await?.into_iter().find(|t| t.name == agreement).ok_or_else(|| Fault::broken("a release under no agreement"))?;
        let scopes = budget::scopes(&partner, &agreement, row.try_get(2)?);
        if let Some(window) = scopes.last() {
            budget::open_scope(tx, window, window_cap(&terms)).await?;
        }
        budget::charge(tx, &scopes, cost_of(&row, 3)?).await?;
        self.releases += 1;
        execute(tx, "INSERT INTO release_current (release_key, release) SELECT release_key, release FROM release_reservation WHERE id = ?", id).await
    }
}

async fn read(tx: &mut SqliteConnection, sql: &'static str, id: i64) -> Result<SqliteRow, Error> {
    Ok(sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_one(tx).await?)
}

async fn execute(tx: &mut SqliteConnection, sql: &'static str, id: i64) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(sql)).bind(id).execute(tx).await?;
    Ok(())
}
