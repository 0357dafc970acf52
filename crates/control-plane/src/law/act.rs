//! Bringing rule packs in.

use domain::audit::EntryKind;
use domain::law::{Law, RulePack, parse};
use domain::words;
use domain::{Refusal, RefusalCode, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::in_force::{packs, word};
use super::preview::{Preview, preview};
use crate::audit::AuditWriter;
use crate::consent::{Rules, recompute_all};
use crate::plane::Inner;
use crate::store::{parse_time, time_text};
use crate::{ControlPlane, Error};

words! {
    /// What was done with a version of a rule pack.
    pub enum RulePackAct("rule pack act") {
        /// It came with the program when the deployment was made.
        Adopt = "adopt",
        /// Somebody brought it in; it is not in force.
        Propose = "propose",
        /// Somebody else put it into force.
        Approve = "approve",
    }
}

/// A version of a rule pack.
#[derive(Debug, Clone)]
pub struct RulePackInfo {
    /// The pack.
    pub pack: RulePack,
    /// As it was brought in.
    pub text: String,
    /// Who brought it in.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who approved it, and when; nobody yet when nothing.
    pub approved: Option<(String, Timestamp)>,
    /// Whether it is the version in force.
    pub in_force: bool,
}

impl ControlPlane {
    /// Every version of every rule pack.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn rule_pack_list(&self) -> Result<Vec<RulePackInfo>, Error> {
        list(&mut *self.inner.store.snapshot().await?).await
    }

    /// Brings a version of a rule pack in. It changes nothing until somebody else approves it.
    ///
    /// # Errors
    /// A refusal when it cannot be read, does not fit the packs that are there, or has a version that is not
    /// the next.
    pub async fn rule_pack_propose(&self, text: &str, by: &str) -> Result<RulePack, Error> {
        let pack = parse(text)?;
        let by = named(by)?;
        let mut tx = self.inner.store.begin().await?;
        let newest: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM rule_pack_act WHERE pack = ?").bind(&pack.id).fetch_one(&mut *tx).await?.try_get(0)?;
        if i64::from(pack.version) != newest + 1 {
            let message = format!("rule pack {}: version {} is not the next one", pack.id, pack.version);
            return Err(Refusal::new(RefusalCode::PackApproval, message).hint(format!("the next version is {}", newest + 1)).into());
        }
        with(&mut tx, &pack, self.now()).await?;
        act(&mut tx, &self.inner, &pack, RulePackAct::Propose, by, Some(text), self.now()).await?;
        tx.commit().await?;
        Ok(pack)
    }

    /// What approving a version would change.
    ///
    /// # Errors
    /// Not found; a refusal when it does not fit the packs that are there.
    pub async fn rule_pack_preview(&self, id: &str, version: u32) -> Result<Preview, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let info = find(&mut tx, id, version).await?;
        preview(&mut tx, &self.inner, &info.pack, self.now()).await
    }

    /// Puts a version into force, and brings every permission up to it in the same transaction.
    ///
    /// # Guarantee
    /// Somebody other than whoever brought it in; logged; releases that start afterwards are under it.
    ///
    /// # Errors
    /// Not found; a refusal when the same person brought it in, or it is in force already.
    pub async fn rule_pack_approve(&self, id: &str, version: u32, by: &str) -> Result<Preview, Error> {
        let by = named(by)?;
        let mut tx = self.inner.store.begin().await?;
        let info = find(&mut tx, id, version).await?;
        let refuse = |message: String, hint: &str| Err(Refusal::new(RefusalCode::PackApproval, message).hint(hint).into());
        if info.approved.is_some() {
            return refuse(format!("version {version} of {id} was approved before"), "propose a new version to change it");
        }
        if info.by.eq_ignore_ascii_case(by) {
            return refuse(format!("version {version} of {id} was brought in by {by}"), "somebody else has to approve it");
        }
        let now = self.now();
        let changes = preview(&mut tx, &self.inner, &info.pack, now).await?;
        act(&mut tx, &self.inner, &info.pack, RulePackAct::Approve, by, None, now).await?;
        let rules = Rules::read(&mut tx, &self.inner, now).await?;
        recompute_all(&mut tx, &rules).await?;
        tx.commit().await?;
        Ok(changes)
    }
}

/// Puts the packs that came with the program into force, when a deployment is made.
pub(crate) async fn adopt(tx: &mut SqliteConnection, inner: &Inner, texts: &[String], now: Timestamp) -> Result<(), Error> {
    let all = texts.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    Law::new(all.clone(), now.date_naive())?;
    let mut audit = AuditWriter::begin(tx, inner).await?;
    for (pack, text) in all.iter().zip(texts) {
        let id = insert(tx, pack, RulePackAct::Adopt, "fairshare", Some(text), now).await?;
        audit.append(tx, EntryKind::RulePackActed, "rule_pack_act", id).await?;
    }
    audit.finish(tx).await
}

/// All packs in force, with one more.
pub(super) async fn with(connection: &mut SqliteConnection, pack: &RulePack, now: Timestamp) -> Result<Law, Error> {
    let mut all = packs(connection, i64::MAX).await?;
    all.retain(|other| other.id != pack.id);
    all.push(pack.clone());
    Ok(Law::new(all, now.date_naive())?)
}

async fn act(tx: &mut SqliteConnection, inner: &Inner, pack: &RulePack, act: RulePackAct, by: &str, text: Option<&str>, now: Timestamp) -> Result<(), Error> {
    let id = insert(tx, pack, act, by, text, now).await?;
    let mut audit = AuditWriter::begin(tx, inner).await?;
    audit.append(tx, EntryKind::RulePackActed, "rule_pack_act", id).await?;
    audit.finish(tx).await
}

async fn insert(tx: &mut SqliteConnection, pack: &RulePack, act: RulePackAct, by: &str, text: Option<&str>, now: Timestamp) -> Result<i64, Error> {
    let inserted = sqlx::query("INSERT INTO rule_pack_act (pack, version, act, by, text, at) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&pack.id)
        .bind(pack.version)
        .bind(act.as_str())
        .bind(by)
        .bind(text)
        .bind(time_text(now));
    Ok(inserted.execute(tx).await?.last_insert_rowid())
}

fn named(by: &str) -> Result<&str, Error> {
    let by = by.trim();
    if by.is_empty() {
        return Err(Refusal::new(RefusalCode::PackApproval, "somebody must stand for it").hint("say who: --by NAME").into());
    }
    Ok(by)
}

async fn find(connection: &mut SqliteConnection, id: &str, version: u32) -> Result<RulePackInfo, Error> {
    let found = list(connection).await?.into_iter().find(|info| info.pack.id == id && info.pack.version == version);
    found.ok_or_else(|| Error::NotFound { what: "rule pack", name: format!("{id} version {version}") })
}

async fn list(connection: &mut SqliteConnection) -> Result<Vec<RulePackInfo>, Error> {
    let rows = sqlx::query("SELECT pack, version, act, by, text, at FROM rule_pack_act ORDER BY pack, version, id").fetch_all(connection).await?;
    let mut all: Vec<RulePackInfo> = Vec::new();
    for row in &rows {
        let (act, by, at) = (word(row, 2)?, row.try_get::<String, _>(3)?, parse_time(row.try_get(5)?)?);
        match act {
            RulePackAct::Adopt | RulePackAct::Propose => {
                let text: String = row.try_get(4)?;
                let pack = parse(&text)?;
                let adopted = act == RulePackAct::Adopt;
                all.push(RulePackInfo { pack, text, approved: adopted.then(|| (by.clone(), at)), by, at, in_force: false });
            }
            RulePackAct::Approve => {
                if let Some(info) = all.last_mut() {
                    info.approved = Some((by, at));
                }
            }
        }
    }
    // Versions ascend, and the newest approved one counts.
    let mut counted = std::collections::BTreeSet::new();
    for info in all.iter_mut().rev().filter(|info| info.approved.is_some()) {
        info.in_force = counted.insert(info.pack.id.clone());
    }
    Ok(all)
}
