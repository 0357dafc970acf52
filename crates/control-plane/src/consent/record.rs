//! Recording choices: what is read for them, and the rows that follow from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use audit_log::Frontier;
use domain::audit::EntryKind;
use domain::consent::{ConsentEvent, ConsentKey, Recipient};
use domain::law::Residence;
use domain::notice::NoticeRef;
use domain::{Fault, Purpose, SubjectId, Timestamp};
use sqlx::SqliteConnection;

use super::choice::{Asked, Choice, Receipt};
use super::history;
use super::permitted::PermittedSets;
use super::rows::{self, Written};
use super::standing::{Notices, OF_PURPOSE, Partners, Rules, StandingRow, Standings, around, limit};
use crate::audit::{AuditWriter, frontier};
use crate::plane::Inner;
use crate::store::{Columns, Statements, Values, at_once, from_i64, time_text, to_i64};
use crate::subject::{Person, not_found};
use crate::{ControlPlane, Error};

impl ControlPlane {
    /// Writes requests in one transaction, each all or none; gives what became of each. It takes its turn and waits
    /// for the disk: a thread that others need must not do it.
    ///
    /// # Errors
    /// When nothing was written.
    pub(super) fn write_choices(&self, requests: &[&[Choice]]) -> Result<Vec<Result<Vec<Receipt>, Error>>, Error> {
        let inner = &*self.inner;
        let mut write = inner.store.begin_here()?;
        let store = write.statements();
        let kept = inner.group.kept().take();
        // Asked whether there is anything or not: what others wrote until now is in what is read now.
        let kept = if store.others_wrote()? { None } else { kept };
        let (written, kept) = at_once(record_each(store, inner, self.now(), requests, kept))??;
        let keep = || *inner.group.kept() = Some(kept);
        if written.iter().flatten().any(|receipts| !receipts.is_empty()) {
            write.commit(keep)?;
        } else {
            write.nothing(keep)?;
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
        let (plane, choices) = (self.clone(), choices.to_vec());
        let write = move || plane.write_choices(&choices.iter().map(std::slice::from_ref).collect::<Vec<_>>());
        let written = tokio::task::spawn_blocking(write).await.map_err(|e| Fault::new("writing choices", e))??;
        let one = |mut receipts: Vec<Receipt>| receipts.pop().ok_or_else(|| Fault::broken("a choice without a receipt").into());
        Ok(written.into_iter().map(|each| each.and_then(one)).collect())
    }
}

/// Records choices within a transaction: all of them or none.
pub(crate) async fn record(tx: &mut SqliteConnection, inner: &Inner, at: Timestamp, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
    let (mut written, _) = record_each(tx, inner, at, &[choices], None).await?;
    written.pop().unwrap_or(Ok(Vec::new()))
}

/// The same for several requests; one that cannot be recorded changes nothing for the others. Gives also what the next
/// ones need not read.
async fn record_each(
    store: &mut impl Statements,
    inner: &Inner,
    at: Timestamp,
    requests: &[&[Choice]],
    kept: Option<Kept>,
) -> Result<(Vec<Result<Vec<Receipt>, Error>>, Kept), Error> {
    let mut known = Known::read(store, inner, at, requests, kept).await?;
    let first = known.seq + 1;
    let mut written = Vec::with_capacity(requests.len());
    for request in requests {
        written.push(known.events(request));
    }
    let recorded_at = time_text(at);
    let events: Vec<Written<'_>> = written.iter().flatten().flatten().map(|Receipt { event, .. }| Written::new(event, &recorded_at, known.follow(event))).collect();
    if !events.is_empty() {
        known.permit()?;
        let texts = events.iter().map(|event| Ok((to_i64(event.seq())?, event.text()))).collect::<Result<Vec<_>, Fault>>()?;
        let entry = known.audit.append_texts(EntryKind::ConsentRecorded, "consent_event", to_i64(first)?..=to_i64(known.seq)?, &texts)?;
        known.write(store, &events).await?;
        written.iter_mut().flatten().flatten().zip(entry..).for_each(|(receipt, entry)| receipt.entry = entry);
    }
    Ok((written, known.finish(store).await?))
}

/// What writing choices leaves for whoever writes choices next, as long as nobody else writes anything: the store as
/// it is after the commit, as far as it does not depend on who chooses.
pub(super) struct Kept {
    /// The number of the last choice that was recorded.
    seq: u64,
    tree: Frontier,
    /// The last act on rule packs that the permitted sets know.
    law: i64,
    partners: Partners,
    notices_of_yeses: Notices,
    notices: BTreeMap<NoticeRef, Asked>,
    permitted_sets: PermittedSets,
}

const HEADS: &str = "SELECT (SELECT value FROM counter WHERE name = 'consent'), (SELECT frontier FROM audit_tree WHERE id = 1), (SELECT law FROM permitted_basis WHERE id = 1)";

impl Kept {
    async fn read(store: &mut impl Statements) -> Result<Self, Error> {
        let heads = |row: &dyn Columns| Ok((from_i64(row.number(0)?)?, frontier(row.maybe_bytes(1)?)?, row.maybe_number(2)?.unwrap_or(0)));
        let (seq, tree, law) = store.read(HEADS, &[()], |(), _| Ok(()), heads).await?.pop().ok_or_else(|| Fault::broken("a query without an answer"))?;
        let (partners, notices_of_yeses) = around(store).await?;
        Ok(Self { seq, tree, law, partners, notices_of_yeses, notices: BTreeMap::new(), permitted_sets: PermittedSets::default() })
    }
}

/// What some choices need to know.
pub(super) struct Known<'a> {
    /// The number of the last choice that was recorded.
    pub(super) seq: u64,
    pub(super) rules: Rules,
    /// The last act on rule packs that the permitted sets know.
    law: i64,
    /// The id that counts, by the id that a choice names.
    ids: HashMap<SubjectId, SubjectId>,
    pub(super) notices: BTreeMap<NoticeRef, Asked>,
    pub(super) standings: Standings,
    /// Every event of keys of which a choice tells the past; nothing where none does: what happens now comes after
    /// everything, and no event has to be put in its place.
    pub(super) histories: Option<BTreeMap<ConsentKey, Vec<ConsentEvent>>>,
    /// The last event of each key.
    last: HashMap<ConsentKey, u64>,
    /// Keys to which something happened.
    changed: BTreeSet<ConsentKey>,
    permitted_sets: PermittedSets,
    audit: AuditWriter<'a>,
}

/// The id that counts of the one that a choice names, and who that is.
const PERSON: &str = "SELECT a.subject_id, s.subject_id, s.status, s.age_band, s.country, s.region \
    FROM subject a CROSS JOIN subject s ON s.subject_id = coalesce(a.merged_into, a.subject_id) WHERE a.subject_id = ?";

const LIMITS: &str = "SELECT subject_id, kind, purpose, partner FROM limit_state WHERE subject_id = ?";

const NOTICE: &str = "SELECT language, purposes, partners, open_classes, scopes, shown_from FROM notice WHERE name = ? AND version = ?";

impl<'a> Known<'a> {
    async fn read(store: &mut impl Statements, inner: &'a Inner, now: Timestamp, requests: &[&[Choice]], kept: Option<Kept>) -> Result<Self, Error> {
        let Kept { seq, tree, law, partners, notices_of_yeses, mut notices, mut permitted_sets } = match kept {
            Some(kept) => kept,
            None => Kept::read(store).await?,
        };
        let choices = || requests.iter().flat_map(|request| request.iter());
        let mut standings = Standings { partners, notices: notices_of_yeses, ..Standings::default() };
        let named: BTreeSet<SubjectId> = choices().map(|choice| choice.key.subject).collect();
        let mut ids = HashMap::with_capacity(named.len());
        let row = |row: &dyn Columns| {
            let residence = Residence::of(row.maybe_text(4)?, row.maybe_text(5)?);
            Ok((SubjectId(row.number(0)?), Person { subject: SubjectId(row.number(1)?), status: row.word(2)?, age: row.word(3)?, residence }))
        };
        for (named, person) in store.read(PERSON, &Vec::from_iter(named), |id, values| values.value(id.0), row).await? {
            ids.insert(named, person.subject);
            standings.people.insert(person.subject, person);
        }
        let about: BTreeSet<(SubjectId, Purpose)> = choices().filter_map(|choice| Some((*ids.get(&choice.key.subject)?, choice.key.purpose))).collect();
        let bind = |(subject, purpose): &(SubjectId, Purpose), values: &mut Values<'_>| {
            values.value(subject.0)?;
            values.value(purpose.as_str())
        };
        let mut last = HashMap::with_capacity(about.len());
        let row = |row: &dyn Columns| Ok((StandingRow::of(row)?.read()?, from_i64(row.number(15)?)?));
        for (standing, event) in store.read(OF_PURPOSE, &Vec::from_iter(about), bind, row).await? {
            last.insert(standing.0.clone(), event);
            standings.add_standing(standing);
        }
        let of = |row: &dyn Columns| limit((SubjectId(row.number(0)?), row.word(1)?, row.text(2)?, row.text(3)?));
        for limit in store.read(LIMITS, &Vec::from_iter(standings.people.keys().copied()), |id, values| values.value(id.0), of).await? {
            standings.add_limit(limit);
        }
        let unread: BTreeSet<&NoticeRef> = choices().map(|choice| &choice.notice).filter(|notice| !notices.contains_key(*notice)).collect();
        for notice in unread {
            let bind = |notice: &&NoticeRef, values: &mut Values<'_>| {
                values.value(notice.name.as_str())?;
                values.value(notice.version)
            };
            let found = store.read(NOTICE, &[notice], bind, asked).await?;
            notices.extend(found.into_iter().map(|asked| (notice.clone(), asked)));
        }
        let places: BTreeSet<_> = choices()
            .filter_map(|choice| Some((ids.get(&choice.key.subject)?, &choice.key)))
            .flat_map(|(id, key)| standings.partners.of(&key.recipient).map(move |partner| PermittedSets::place(partner, key.purpose, *id)))
            .collect();
        permitted_sets.read(store, &Vec::from_iter(places)).await?;
        let rules = Rules { law: inner.law.of(store, law, now).await?, now };
        let mut known = Self { seq, rules, law, ids, notices, standings, histories: None, last, changed: BTreeSet::new(), permitted_sets, audit: AuditWriter::at(tree, inner) };
        let of_the_past: BTreeSet<SubjectId> = choices().filter(|c| c.at.is_some()).filter_map(|c| known.ids.get(&c.key.subject).copied()).collect();
        if !of_the_past.is_empty() {
            let mut histories = BTreeMap::<_, Vec<_>>::new();
            for event in history(store, &of_the_past).await? {
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

    /// Puts an event after the last one of its key; tells that one's number.
    fn follow(&mut self, event: &ConsentEvent) -> Option<u64> {
        self.changed.insert(event.key.clone());
        self.last.insert(event.key.clone(), event.seq)
    }

    /// Works the permitted sets out for everybody whose standing has changed.
    fn permit(&mut self) -> Result<(), Error> {
        let changed: BTreeSet<(SubjectId, Purpose, &Recipient)> = self.changed.iter().map(|key| (key.subject, key.purpose, &key.recipient)).collect();
        for (subject, purpose, recipient) in changed {
            let person = self.standings.people.get(&subject).ok_or_else(|| not_found(subject))?;
            for partner in self.standings.partners.of(recipient) {
                self.permitted_sets.set(partner, purpose, subject, self.standings.permissions(&self.rules, person, partner, purpose))?;
            }
        }
        Ok(())
    }

    /// Writes events, states, permitted sets and the sequence number.
    async fn write(&self, store: &mut impl Statements, events: &[Written<'_>]) -> Result<(), Error> {
        store.write(rows::EVENT, events, Written::bind).await?;
        let state = |key| Some((key, self.standings.get(key)?, *self.last.get(key)?));
        let states: Vec<_> = self.changed.iter().filter_map(state).collect();
        store.write(rows::STATE, &states, |(key, standing, last), values| rows::bind_state(values, key, standing, *last)).await?;
        self.permitted_sets.write(store).await?;
        store.write("UPDATE counter SET value = ? WHERE name = 'consent'", &[to_i64(self.seq)?], |seq, values| values.value(*seq)).await
    }

    /// Writes the entries; gives what the next ones need not read.
    async fn finish(self, store: &mut impl Statements) -> Result<Kept, Error> {
        let Self { seq, law, notices, standings: Standings { partners, notices: notices_of_yeses, .. }, permitted_sets, audit, .. } = self;
        Ok(Kept { seq, tree: audit.write(store).await?, law, partners, notices_of_yeses, notices, permitted_sets: permitted_sets.committed() })
    }
}

fn asked(row: &dyn Columns) -> Result<Asked, Fault> {
    Ok(Asked { language: row.text(0)?.to_owned(), purposes: row.json(1)?, partners: row.json(2)?, open_classes: row.json(3)?, scopes: row.json(4)?, shown_from: row.time(5)? })
}
