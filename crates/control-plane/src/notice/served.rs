//! That a notice was shown to somebody, who is asked by it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::audit::EntryKind;
use domain::consent::{ConsentAction, ConsentMethod, ConsentState};
use domain::notice::{NoticeRef, ServedBy};
use domain::subject::SubjectStatus;
use domain::{NoticeName, Refusal, RefusalCode, SubjectId, Timestamp};
use sqlx::{Row, SqliteConnection};

use super::ask::{NoticePage, page};
use super::show::not_found;
use crate::audit::AuditWriter;
use crate::consent::{Choice, record};
use crate::store::{parse_time, parse_word, time_text};
use crate::subject::{person, resolve};
use crate::{ControlPlane, Error};

/// The same page that is opened again within this time is not written down again.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// A notice that was shown.
#[derive(Debug, Clone)]
pub struct Serving {
    /// To whom.
    pub subject: SubjectId,
    /// Which.
    pub notice: NoticeRef,
    /// In which language.
    pub language: String,
    /// How.
    pub by: ServedBy,
}

/// That it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub id: i64,
    /// To whom.
    pub subject: SubjectId,
    /// Which.
    pub notice: NoticeRef,
    /// In which language.
    pub language: String,
    /// How.
    pub by: ServedBy,
    /// When.
    pub at: Timestamp,
}

impl ControlPlane {
    /// Records that notices were shown, all or none, and that whoever saw the newest version was asked by it
    /// whatever they have not answered. Tells which were new: the same page within an hour is not written down
    /// again.
    ///
    /// # Guarantee
    /// Nobody is asked within a quiet period, nor what they said no to in the same words where the law knows no such
    /// period: whoever opens a page of their own accord sees it and can choose, and no request is recorded.
    ///
    /// # Errors
    /// Not found for a person, version or language; a refusal when the person was erased.
    pub async fn notice_served(&self, servings: &[Serving]) -> Result<Vec<bool>, Error> {
        let (mut tx, now) = (self.inner.store.begin().await?, self.now());
        let (mut new, mut requests, mut ids) = (Vec::with_capacity(servings.len()), Vec::new(), Vec::new());
        let mut asked = BTreeSet::new();
        for serving in servings {
            let subject = resolve(&mut tx, serving.subject).await?;
            if person(&mut tx, subject).await?.status == SubjectStatus::Erased {
                return Err(Refusal::new(RefusalCode::ConsentErased, format!("subject {subject} was erased")).hint("nothing about them can be recorded").into());
            }
            let id = insert(&mut tx, subject, serving, now).await?;
            new.push(id.is_some());
            let Some(id) = id else { continue };
            ids.push(id);
            if asked.insert((subject, serving.notice.name.clone())) {
                let page = page(&mut tx, &self.inner, subject, &serving.notice.name, now).await?;
                requests.extend(requests_of(&page, serving));
            }
        }
        record(&mut tx, &self.inner, now, &requests).await?;
        if let (Some(&first), Some(&last)) = (ids.first(), ids.last()) {
            let mut audit = AuditWriter::begin(&mut tx, &self.inner).await?;
            audit.append_all(&mut tx, EntryKind::NoticeServed, "notice_served", first..=last).await?;
            audit.finish(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Who was shown a notice: any version of it, or every notice that one person was shown; oldest first.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn notice_seen(&self, notice: Option<&NoticeName>, subject: Option<SubjectId>) -> Result<Vec<Seen>, Error> {
        let mut tx = self.inner.store.snapshot().await?;
        let subject = match subject {
            Some(subject) => Some(resolve(&mut tx, subject).await?),
            None => None,
        };
        let sql = "SELECT n.id, n.subject_id, n.notice, n.version, n.language, n.how, n.at FROM notice_served n JOIN subject s USING (subject_id)
            WHERE (?1 IS NULL OR n.notice = ?1) AND (?2 IS NULL OR n.subject_id = ?2 OR s.merged_into = ?2) ORDER BY n.id";
        let rows = sqlx::query(sql).bind(notice.map(NoticeName::as_str)).bind(subject.map(|s| s.0)).fetch_all(&mut *tx).await?;
        let seen = rows.iter().map(|row| {
            let notice = NoticeRef { name: parse_word(row.try_get(2)?)?, version: row.try_get(3)? };
            let (by, at) = (parse_word(row.try_get(5)?)?, parse_time(row.try_get(6)?)?);
            Ok(Seen { id: row.try_get(0)?, subject: SubjectId(row.try_get(1)?), notice, language: row.try_get(4)?, by, at })
        });
        seen.collect()
    }
}

/// Writes a serving down, unless it just was.
async fn insert(tx: &mut SqliteConnection, subject: SubjectId, serving: &Serving, now: Timestamp) -> Result<Option<i64>, Error> {
    let Serving { notice: NoticeRef { name, version }, language, by, .. } = serving;
    let text = sqlx::query("SELECT language FROM notice_text WHERE notice = ? AND version = ? AND language = ?").bind(name.as_str()).bind(version).bind(language);
    let language: String = text.fetch_optional(&mut *tx).await?.ok_or_else(|| not_found(name, Some(*version)))?.try_get(0)?;
    let again = sqlx::query("SELECT 1 FROM notice_served WHERE subject_id = ? AND notice = ? AND version = ? AND language = ? AND how = ? AND at > ?")
        .bind(subject.0)
        .bind(name.as_str())
        .bind(version)
        .bind(&language)
        .bind(by.as_str())
        .bind(time_text(now - AGAIN));
    if again.fetch_optional(&mut *tx).await?.is_some() {
        return Ok(None);
    }
    let inserted = sqlx::query("INSERT INTO notice_served (subject_id, notice, version, language, how, at) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(subject.0)
        .bind(name.as_str())
        .bind(version)
        .bind(&language)
        .bind(by.as_str())
        .bind(time_text(now));
    Ok(Some(inserted.execute(tx).await?.last_insert_rowid()))
}

/// That the person was asked what they have not answered.
fn requests_of(page: &NoticePage, serving: &Serving) -> Vec<Choice> {
    let notice = page.notice.reference();
    // Whoever saw an older version was not asked what the newest asks.
    if notice != serving.notice {
        return Vec::new();
    }
    // A parent's page asks what needs a parent.
    let open = page.asked.iter().filter(|asking| asking.open && (serving.by != ServedBy::Parent || asking.needs.parental));
    let keys = open.flat_map(|asking| asking.keys.iter().zip(&asking.stands));
    let unasked = keys.filter(|(_, (state, version))| !(*state == ConsentState::Requested && *version == Some(notice.version)));
    let request = |key: &domain::consent::ConsentKey| Choice {
        language: Some(serving.language.clone()),
        ..Choice::now(key.clone(), ConsentAction::Request, notice.clone(), ConsentMethod::Page)
    };
    unasked.map(|(key, _)| request(key)).collect()
}
