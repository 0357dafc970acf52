//! The law of today by the packs that are approved, kept until either changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::NaiveDate;
use domain::consent::Demands;
use domain::law::{Law, Residence, RulePack, Sensitivity, Use, parse};
use domain::subject::AgeBand;
use domain::{Purpose, Timestamp};
use sqlx::{Row, SqliteConnection};

use crate::Error;
use crate::store::{Statements, parse_word};

/// What a kind of person is asked for a kind of use, and whether classes of recipients are open to them.
type Ask = (Demands, bool);

/// The law as decisions need it.
pub(crate) struct InForce {
    /// The last act on rule packs that it knows.
    pub(crate) act: i64,
    pub(crate) law: Law,
    asked: RwLock<HashMap<(Residence, AgeBand, Purpose, Sensitivity), Ask>>,
}

impl InForce {
    fn new(act: i64, packs: Vec<RulePack>, day: NaiveDate) -> Result<Self, Error> {
        Ok(Self::of(act, Law::new(packs, day)?))
    }

    /// The same for a law that no deployment has yet.
    pub(crate) fn of(act: i64, law: Law) -> Self {
        Self { act, law, asked: RwLock::default() }
    }

    /// What is asked of a use, worked out once for each kind of person.
    pub(crate) fn demands(&self, residence: Residence, age: AgeBand, usage: Use) -> Ask {
        let key = (residence, age, usage.purpose, usage.sensitivity);
        let known = self.asked.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let asked = self.law.asked(residence, age, usage);
            let ask = (asked.demands(), asked.opens_classes);
            self.asked.write().unwrap_or_else(PoisonError::into_inner).insert(key, ask);
            ask
        })
    }

    fn is_of(&self, act: i64, day: NaiveDate) -> bool {
        self.act == act && self.law.day() <= day && self.law.until().is_none_or(|until| day < until)
    }
}

/// The law that was worked out last.
#[derive(Default)]
pub(crate) struct LawCache(Mutex<Option<Arc<InForce>>>);

impl LawCache {
    /// The law at `now`, by the packs that `connection` sees.
    pub(crate) async fn at(&self, connection: &mut SqliteConnection, now: Timestamp) -> Result<Arc<InForce>, Error> {
        let act: i64 = sqlx::query("SELECT coalesce(max(id), 0) FROM rule_pack_act WHERE act IN ('adopt', 'approve')").fetch_one(&mut *connection).await?.try_get(0)?;
        self.of(connection, act, now).await
    }

    /// The same where the last act that counts has been read.
    pub(crate) async fn of(&self, store: &mut impl Statements, act: i64, now: Timestamp) -> Result<Arc<InForce>, Error> {
        let day = now.date_naive();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.is_of(act, day)) {
            return Ok(known);
        }
        let new = Arc::new(InForce::new(act, packs(store, act).await?, day)?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&new));
        Ok(new)
    }
}

/// The newest approved version of each pack, as of an act.
pub(super) async fn packs(store: &mut impl Statements, act: i64) -> Result<Vec<RulePack>, Error> {
    let newest = "SELECT t.text FROM (SELECT pack, version, max(id) FROM rule_pack_act WHERE act IN ('adopt', 'approve') AND id <= ? GROUP BY pack) a
        JOIN rule_pack_act t ON t.pack = a.pack AND t.version = a.version AND t.text IS NOT NULL ORDER BY t.pack";
    let texts = store.read(newest, &[act], |act, values| values.value(*act), |row| Ok(row.text(0)?.to_owned())).await?;
    texts.iter().map(|text| Ok(parse(text)?)).collect()
}

/// A name as it is kept.
pub(super) fn word<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &sqlx::sqlite::SqliteRow, column: usize) -> Result<T, Error> {
    Ok(parse_word(row.try_get(column)?)?)
}
