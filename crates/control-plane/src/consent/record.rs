//! Recording choices: what is read for them, and the rows that follow from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use domain::audit::EntryKind;
use domain::consent::{ConsentEvent, ConsentKey, DataScope, Recipient};
use domain::notice::NoticeRef;
use domain::{Fault, NoticeName, PartnerClass, PartnerName, Purpose, SubjectId, Timestamp};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::choice::{Asked, Choice, Receipt};
use super::permitted::{self, PermittedSets};
use super::standing::{FLOORS, Notices, OPEN, Partners, Rules, STANDING, Standings};
use super::{history, rows};
use crate::audit::{AuditWriter, WRITE_ENTRIES};
use crate::plane::Inner;
use crate::store::{BEGIN, Bound, COMMIT, ROWS, append_rows, from_i64, insert_rows, json_rows, parse_time, parsed, to_i64};
use crate::subject::{Person, not_found};
use crate::{ControlPlane, Error};

impl ControlPlane {
    /// Writes requests in one transaction, each all or none; gives what became of each.
    ///
    /// # Errors
    /// When nothing was written.
    pub(super) async fn write_choices(&self, requests: &[&[Choice]]) -> Result<Vec<Result<Vec<Receipt>, Error>>, Error> {
        let mut tx = self.inner.store.short_write().await?;
        let (written, ended) = record_each(tx.connection()?, &self.inner, self.now(), requests, Extent::Whole).await?;
        if ended {
            tx.done()
        } else {
            tx.nothing().await?
        }
        Ok(written)
    }

    /// Records each of many choices that can be, in one transaction, and tells of the others why not.
    ///
    /// # Guarantee
    /// As of [`ControlPlane::consent_record`], for those that are recorded.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn consent_record_each(&self, choices: &[Choice]) -> Result<Vec<Result<Receipt, Error>>, Error> {
        let requests: Vec<&[Choice]> = choices.iter().map(std::slice::from_ref).collect();
        let written = self.write_choices(&requests).await?;
        let one = |mut receipts: Vec<Receipt>| receipts.pop().ok_or_else(|| Fault::broken("a choice without a receipt").into());
        Ok(written.into_iter().map(|each| each.and_then(one)).collect())
    }
}

/// Records choices within a transaction: all of them or none.
pub(crate) async fn record(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
    let (mut written, _) = record_each(tx, inner, at, &[choices], Extent::Part).await?;
    written.pop().unwrap_or(Ok(Vec::new()))
}

/// What of its transaction a recording is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All of it: what is read first begins it, and what is written last commits it.
    Whole,
    /// A part of one that others begin and commit.
    Part,
}

/// The same for several requests; one that cannot be recorded changes nothing for the others. Tells whether the
/// transaction was committed, as it is when it is the [`Extent::Whole`] and there is something to write.
async fn record_each(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, requests: &[&[Choice]], extent: Extent) -> Result<(Vec<Result<Vec<Receipt>, Error>>, bool), Error> {
    let mut known = Known::read(tx, inner, at, requests, extent).await?;
    let first = known.seq + 1;
    let mut written = Vec::with_capacity(requests.len());
    for request in requests {
        written.push(known.events(request));
    }
    let events: Vec<&ConsentEvent> = written.iter().flatten().flatten().map(|receipt: &Receipt| &receipt.event).collect();
    if events.is_empty() {
        return Ok((written, false));
    }
    known.permit()?;
    let texts = events.iter().map(|event| Ok((to_i64(event.seq)?, rows::text(event)))).collect::<Result<Vec<_>, Fault>>()?;
    let entry = known.audit.append_texts(EntryKind::ConsentRecorded, "consent_event", to_i64(first)?..=to_i64(known.seq)?, &texts)?;
    write(tx, &events, &known, extent).await?;
    written.iter_mut().flatten().flatten().zip(entry..).for_each(|(receipt, entry)| receipt.entry = entry);
    Ok((written, extent == Extent::Whole))
}

/// What some choices need to know, as one row: each call is a journey to another thread and back.
static READ: LazyLock<String> = LazyLock::new(|| {
    let sets = PermittedSets::read("pairs");
    format!(
        "WITH wanted AS MATERIALIZED (SELECT a.subject_id AS asked, s.subject_id, s.status, s.age_band, s.country, s.region, j.value ->> 1 AS recipient, j.value ->> 2 AS purpose \
           FROM json_each(?1) j CROSS JOIN subject a ON a.subject_id = j.value ->> 0 CROSS JOIN subject s ON s.subject_id = coalesce(a.merged_into, a.subject_id)), \
         pairs AS MATERIALIZED (SELECT recipient AS partner, purpose, subject_id FROM wanted WHERE recipient NOT LIKE 'class:%' \
           UNION ALL SELECT p.partner, w.purpose, w.subject_id FROM wanted w CROSS JOIN partner_act p ON w.recipient = 'class:' || p.class WHERE w.recipient LIKE 'class:%' AND p.act = 'add') \
         SELECT (SELECT value FROM counter WHERE name = 'consent'), \
           (SELECT frontier FROM audit_tree WHERE id = 1), \
           (SELECT law FROM permitted_basis WHERE id = 1), \
           (SELECT json_group_array(json_array(asked, subject_id)) FROM (SELECT DISTINCT asked, subject_id FROM wanted)), \
           (SELECT json_group_array(json_array(n.name, n.version, n.language, json(n.purposes), json(n.partners), json(n.open_classes), json(n.scopes), n.shown_from)) \
              FROM json_each(?2) j CROSS JOIN notice n ON n.name = j.value ->> 0 AND n.version = j.value ->> 1), \
           (SELECT json_group_array(json_array(partner, class)) FROM partner_act WHERE act = 'add'), \
           ({sets}), \
           (SELECT json_group_array(json_array(subject_id, status, age_band, country, region)) FROM (SELECT DISTINCT subject_id, status, age_band, country, region FROM wanted)), \
           (SELECT json_group_array({STANDING}) FROM (SELECT DISTINCT subject_id, purpose FROM wanted) w CROSS JOIN consent_state c ON c.subject_id = w.subject_id AND c.purpose = w.purpose), \
           (SELECT json_group_array(json_array(l.subject_id, l.kind, l.purpose, l.partner)) FROM (SELECT DISTINCT subject_id FROM wanted) w CROSS JOIN limit_state l ON l.subject_id = w.subject_id), \
           ({FLOORS}), ({OPEN})"
    )
});

/// The same at the beginning of a transaction of its own.
static BEGIN_READ: LazyLock<String> = LazyLock::new(|| format!("{BEGIN}{}", READ.as_str()));

/// A notice as [`READ`] gives it.
type NoticeRow<'r> = (NoticeName, u32, String, Vec<Purpose>, Vec<PartnerName>, Vec<PartnerClass>, Vec<DataScope>, &'r str);

/// What some choices need to know.
pub(super) struct Known<'a> {
    /// The number of the last choice that was recorded.
    pub(super) seq: u64,
    pub(super) rules: Rules,
    /// The id that counts, by the id that a choice names.
    ids: HashMap<SubjectId, SubjectId>,
    pub(super) notices: BTreeMap<NoticeRef, Asked>,
    pub(super) standings: Standings,
    /// Every event of keys of which a choice tells the past; nothing where none does: what happens now comes after
    /// everything, and no event has to be put in its place.
    pub(super) histories: Option<BTreeMap<ConsentKey, Vec<ConsentEvent>>>,
    /// Keys to which something happened, with the numbers of these events.
    pub(super) changed: BTreeMap<ConsentKey, Vec<u64>>,
    permitted_sets: PermittedSets,
    audit: AuditWriter<'a>,
}

impl<'a> Known<'a> {
    async fn read(tx: &mut SqliteConnection, inner: &'a Inner, now: Timestamp, requests: &[&[Choice]], extent: Extent) -> Result<Self, Error> {
        let choices = || requests.iter().flat_map(|request| request.iter());
        let keys: BTreeSet<_> = choices().map(|c| (c.key.subject, &c.key.recipient, c.key.purpose)).collect();
        let notices: BTreeSet<_> = choices().map(|c| (c.notice.name.as_str(), c.notice.version)).collect();
        let read = if extent == Extent::Whole { &BEGIN_READ } else { &READ };
        let row = sqlx::query(AssertSqlSafe(read.as_str())).bind(json_rows(&keys)?).bind(json_rows(&notices)?).fetch_one(&mut *tx).await?;
        let ids: Vec<(SubjectId, SubjectId)> = parsed(&row, 3)?;
        let notices = parsed::<Vec<NoticeRow<'_>>>(&row, 4)?.into_iter().map(asked).collect::<Result<_, Fault>>()?;
        let notices_of_yeses = Notices::new(parsed(&row, 10)?, parsed(&row, 11)?);
        let mut standings = Standings { partners: Partners::new(parsed(&row, 5)?), notices: notices_of_yeses, ..Standings::default() };
        standings.add(row.try_get(7)?, row.try_get(8)?, row.try_get(9)?)?;
        let law = inner.law.of(tx, row.try_get::<Option<i64>, _>(2)?.unwrap_or(0), now).await?;
        let mut known = Self {
            seq: from_i64(row.try_get(0)?)?,
            rules: Rules { law: Arc::clone(&law), now },
            ids: ids.into_iter().collect(),
            notices,
            standings,
            histories: None,
            changed: BTreeMap::new(),
            permitted_sets: PermittedSets::parse(row.try_get(6)?)?,
            audit: AuditWriter::at(row.try_get(1)?, inner)?,
        };
        let of_the_past: BTreeSet<SubjectId> = choices().filter(|c| c.at.is_some()).filter_map(|c| known.ids.get(&c.key.subject).copied()).collect();
        if !of_the_past.is_empty() {
            let mut histories = BTreeMap::<_, Vec<_>>::new();
            for event in history(tx, &of_the_past).await? {
                histories.entry(event.key.clone()).or_default().push(event);
            }
            known.histories = Some(histories);
        }
        Ok(known)
    }

    pub(super) fn person(&self, id: SubjectId) -> Result<Person, Error> {
        let person = self.ids.get(&id).and_then(|id| self.standings.people.get(id)).copied();
        person.ok_or_else(|| not_found(id))
    }

    /// Works the permitted sets out for everybody whose standing has changed.
    fn permit(&mut self) -> Result<(), Error> {
        let changed: BTreeSet<(SubjectId, Purpose, &Recipient)> = self.changed.keys().map(|key| (key.subject, key.purpose, &key.recipient)).collect();
        for (subject, purpose, recipient) in changed {
            let person = self.standings.people.get(&subject).ok_or_else(|| not_found(subject))?;
            for partner in self.standings.partners.of(recipient) {
                self.permitted_sets.set(partner, purpose, subject, self.standings.permissions(&self.rules, person, partner, purpose))?;
            }
        }
        Ok(())
    }
}

fn asked((name, version, language, purposes, partners, open_classes, scopes, shown_from): NoticeRow<'_>) -> Result<(NoticeRef, Asked), Fault> {
    let shown_from = parse_time(shown_from)?;
    Ok((NoticeRef { name, version }, Asked { language, purposes, partners, open_classes, scopes, shown_from }))
}

/// Writes events, states, permitted sets, entries and the sequence number in one call, as far as the
/// rows of one call go.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    let events = append_rows(rows::EVENT, rows::EVENT_COLUMNS);
    let states = insert_rows(rows::STATE, rows::STATE_COLUMNS, rows::NEWER_STATE);
    let counter = "UPDATE counter SET value = ? WHERE name = 'consent'";
    [&events, &states, permitted::WRITE.as_str(), WRITE_ENTRIES.as_str(), counter].join("; ")
});

/// The same at the end of a transaction of its own.
static WRITE_COMMIT: LazyLock<String> = LazyLock::new(|| format!("{}{COMMIT}", WRITE.as_str()));

async fn write(tx: &mut SqliteConnection, events: &[&ConsentEvent], known: &Known<'_>, extent: Extent) -> Result<(), Error> {
    let states: Vec<_> = known.changed.iter().filter_map(|(key, new)| known.standings.get(key).map(|standing| (key, standing, new))).collect();
    let permitted_rows = known.permitted_sets.changed();
    // A choice for a class can change the rows of many partners.
    let calls = [events.len(), states.len(), permitted_rows.len()].map(|rows| rows.div_ceil(ROWS)).into_iter().max().unwrap_or(0);
    for call in 0..calls {
        let mut values = Bound::default();
        values.rows(events, call, rows::EVENT_COLUMNS, |values, event| rows::bind_event(values, event))?;
        values.rows(&states, call, rows::STATE_COLUMNS, |values, (key, standing, new)| rows::bind_state(values, key, standing, new))?;
        permitted::bind(&mut values, &permitted_rows, call)?;
        known.audit.bind(&mut values, call)?;
        values.value(to_i64(known.seq)?)?;
        let write = if extent == Extent::Whole && call + 1 == calls { &WRITE_COMMIT } else { &WRITE };
        sqlx::query_with(AssertSqlSafe(write.as_str()), values.into_arguments()).execute(&mut *tx).await?;
    }
    Ok(())
}
