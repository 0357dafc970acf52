//! Recording opt-outs, objections and restrictions.

use chrono::TimeDelta;
use domain::audit::EntryKind;
use domain::consent::{Actor, LimitAct, LimitEvent, LimitKey, LimitSource};
use domain::subject::SubjectStatus;
use domain::{Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::recompute::recompute;
use super::standing::Rules;
use crate::audit::AuditWriter;
use crate::store::{parse_time, parse_word, time_text};
use crate::subject::{person, resolve};
use crate::{ControlPlane, Error};

/// Something that limits what may be done, or ends such a limit.
#[derive(Debug, Clone)]
pub struct Limit {
    /// What it covers.
    pub key: LimitKey,
    /// Whether it begins or ends.
    pub act: LimitAct,
    /// Who acted.
    pub actor: Actor,
    /// What said so.
    pub source: LimitSource,
    /// Whether the person was asked twice.
    pub two_step: bool,
    /// When, if not now.
    pub at: Option<Timestamp>,
    /// SHA-256 of the signal or of what proves it, in hexadecimal.
    pub evidence: Option<String>,
}

/// A limit as the store keeps it.
#[derive(Debug, Clone)]
pub struct RecordedLimit {
    /// Its number.
    pub id: i64,
    /// What happened.
    pub event: LimitEvent,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

impl ControlPlane {
    /// Records limits of people, all or none.
    ///
    /// # Guarantee
    /// When it returns they are durable, and every release that starts afterwards honours them. What limits is
    /// never refused for its content or its time: what lies in the future counts from now.
    ///
    /// # Errors
    /// Not found; a refusal when a limit is lifted by somebody who may not, or when the person was erased.
    pub async fn limit_record(&self, limits: &[Limit]) -> Result<Vec<RecordedLimit>, Error> {
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let mut recorded = Vec::with_capacity(limits.len());
        let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
        for limit in limits {
            let subject = resolve(&mut tx, limit.key.subject).await?;
            if person(&mut tx, subject).await?.status == SubjectStatus::Erased {
                return Err(Refusal::new(RefusalCode::ConsentErased, format!("subject {subject} was erased")).hint("nothing about them can be recorded").into());
            }
            if let Some(partner) = &limit.key.partner {
                crate::partner::state(&mut tx, partner).await?;
            }
            let Limit { key, act, actor, source, two_step, at, evidence } = limit.clone();
            let key = LimitKey { subject, ..key };
            let at = match at {
                Some(at) => at.min(now),
                None => after_all(&mut tx, &key, now).await?,
            };
            let event = LimitEvent { key, at, act, actor, source, two_step };
            event.check().map_err(|why| Refusal::new(RefusalCode::CannotLift, why.to_string()).hint("the person can lift it: --by subject, and --two-step for an opt-out"))?;
            let id = insert(&mut tx, &event, evidence.as_deref(), now).await?;
            follow_limit(&mut tx, id).await?;
            audit.append(&mut tx, EntryKind::LimitRecorded, "limit_event", id).await?;
            recorded.push(RecordedLimit { id, event, recorded_at: now });
        }
        audit.finish(&mut tx).await?;
        let rules = Rules::read(&mut tx, &self.inner, now).await?;
        let people: Vec<SubjectId> = recorded.iter().map(|limit| limit.event.key.subject).collect();
        recompute(&mut tx, &rules, &people).await?;
        tx.commit().await?;
        Ok(recorded)
    }

    /// Everything that ever limited what may be done with a person's data, oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn limit_history(&self, subject: SubjectId) -> Result<Vec<RecordedLimit>, Error> {
        let sql = format!("{SELECT} WHERE subject_id = ? ORDER BY id");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(subject.0).fetch_all(self.inner.store.reader()).await?;
        rows.iter().map(read).collect()
    }

    /// The limits that hold.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn limit_show(&self, subject: SubjectId) -> Result<Vec<LimitKey>, Error> {
        let all = super::standing::standings(&mut *self.inner.store.snapshot().await?, super::standing::Whom::These(&[subject])).await?;
        Ok(all.limits.get(&subject).cloned().unwrap_or_default())
    }
}

const SELECT: &str = "SELECT id, subject_id, kind, purpose, partner, at, act, actor, source, two_step, recorded_at FROM limit_event";

/// Now, or just after everything that is known of the limit: what happens now is the newest.
async fn after_all(tx: &mut SqliteConnection, key: &LimitKey, now: Timestamp) -> Result<Timestamp, Error> {
    let newest = "SELECT max(at) FROM limit_event WHERE subject_id = ? AND kind = ? AND purpose IS ? AND partner IS ?";
    let newest =
        sqlx::query(newest).bind(key.subject.0).bind(key.kind.as_str()).bind(key.purpose.map(domain::Purpose::as_str)).bind(key.partner.as_ref().map(domain::PartnerName::as_str));
    let newest = newest.fetch_one(tx).await?.try_get::<Option<&str>, _>(0)?.map(parse_time).transpose()?;
    Ok(newest.filter(|newest| *newest >= now).map_or(now, |newest| newest + TimeDelta::microseconds(1)))
}

async fn insert(tx: &mut SqliteConnection, event: &LimitEvent, evidence: Option<&str>, now: Timestamp) -> Result<i64, Error> {
    let inserted = sqlx::query(
        "INSERT INTO limit_event (subject_id, kind, purpose, partner, at, act, actor, source, two_step, evidence, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.key.subject.0)
    .bind(event.key.kind.as_str())
    .bind(event.key.purpose.map(domain::Purpose::as_str))
    .bind(event.key.partner.as_ref().map(domain::PartnerName::as_str))
    .bind(time_text(event.at))
    .bind(event.act.as_str())
    .bind(event.actor.as_str())
    .bind(event.source.as_str())
    .bind(event.two_step)
    .bind(evidence)
    .bind(time_text(now));
    Ok(inserted.execute(tx).await?.last_insert_rowid())
}

/// Copies every limit of one id to another, when they turn out to be one person or two.
pub(crate) async fn copy_limits(tx: &mut SqliteConnection, audit: &mut AuditWriter<'_>, from: SubjectId, to: SubjectId, now: Timestamp) -> Result<(), Error> {
    let missing = "SELECT kind, purpose, partner FROM limit_state l WHERE subject_id = ?1 AND NOT EXISTS \
        (SELECT 1 FROM limit_state m WHERE m.subject_id = ?2 AND m.kind = l.kind AND m.purpose = l.purpose AND m.partner = l.partner)";
    for row in sqlx::query(missing).bind(from.0).bind(to.0).fetch_all(&mut *tx).await? {
        let key = super::standing::limit((to, parse_word(row.try_get(0)?)?, row.try_get(1)?, row.try_get(2)?))?;
        let event = LimitEvent { key, at: now, act: LimitAct::Set, actor: Actor::System, source: LimitSource::Person, two_step: false };
        let id = insert(tx, &event, None, now).await?;
        follow_limit(tx, id).await?;
        audit.append(tx, EntryKind::LimitRecorded, "limit_event", id).await?;
    }
    Ok(())
}

/// Brings the state of the limit of the event `id` up to what was recorded: the newest event counts, and of two
/// at one instant the one that limits.
pub(crate) async fn follow_limit(tx: &mut SqliteConnection, id: i64) -> Result<SubjectId, Error> {
    let newest = "SELECT e.subject_id, e.kind, coalesce(e.purpose, ''), coalesce(e.partner, ''), \
        (SELECT o.act FROM limit_event o WHERE o.subject_id = e.subject_id AND o.kind = e.kind AND o.purpose IS e.purpose AND o.partner IS e.partner ORDER BY o.at DESC, o.act = 'set' DESC LIMIT 1) \
        FROM limit_event e WHERE e.id = ?";
    let row = sqlx::query(newest).bind(id).fetch_one(&mut *tx).await?;
    let subject: u32 = row.try_get(0)?;
    let statement = match parse_word(row.try_get(4)?)? {
        LimitAct::Set => "INSERT INTO limit_state (subject_id, kind, purpose, partner) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        LimitAct::Lift => "DELETE FROM limit_state WHERE subject_id = ? AND kind = ? AND purpose = ? AND partner = ?",
    };
    let words = [row.try_get::<String, _>(1)?, row.try_get(2)?, row.try_get(3)?];
    let query = sqlx::query(statement).bind(subject);
    words.iter().fold(query, |query, word| query.bind(word)).execute(tx).await?;
    Ok(SubjectId(subject))
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<RecordedLimit, Error> {
    let word = |column: usize| row.try_get::<&str, _>(column);
    let maybe = |column: usize| row.try_get::<Option<&str>, _>(column);
    let key = LimitKey {
        subject: SubjectId(row.try_get(1)?),
        kind: parse_word(word(2)?)?,
        purpose: maybe(3)?.map(parse_word).transpose()?,
        partner: maybe(4)?.map(parse_word).transpose()?,
    };
    let event = LimitEvent { key, at: parse_time(word(5)?)?, act: parse_word(word(6)?)?, actor: parse_word(word(7)?)?, source: parse_word(word(8)?)?, two_step: row.try_get(9)? };
    Ok(RecordedLimit { id: row.try_get(0)?, event, recorded_at: parse_time(word(10)?)? })
}
