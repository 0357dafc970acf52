//! Reading choices back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use domain::consent::{Consent, ConsentEvent, ConsentKey, ConsentState, Standing};
use domain::{Fault, SubjectId};
use sqlx::SqliteConnection;

use super::permitted::ids_of;
use super::rows::{self, EVENT_SELECT};
use super::standing::{Whom, standings};
use crate::store::{Statements, Values, json_rows};
use crate::{ControlPlane, Error};

impl ControlPlane {
    /// Where the consent of a key stands now.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_state(&self, key: &ConsentKey) -> Result<ConsentState, Error> {
        let stands = self.consent_show(key.subject).await?;
        Ok(stands.get(key).map_or(ConsentState::Unknown, |(_, consent)| consent.state))
    }

    /// Where every consent of a person stands, and what that says now: a yes whose time is over or whose words are
    /// outdated is none.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_show(&self, subject: SubjectId) -> Result<BTreeMap<ConsentKey, (Standing, Consent)>, Error> {
        let now = self.now();
        let known = standings(&mut *self.inner.store.snapshot().await?, Whom::These(&[subject])).await?;
        Ok(known.of(subject).map(|(key, standing)| (key.clone(), (standing.clone(), known.alone(&key, standing, now)))).collect())
    }

    /// Everything that happened to a person's consents, in the order in which it was recorded.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn consent_history(&self, subject: SubjectId) -> Result<Vec<ConsentEvent>, Error> {
        history(&mut *self.inner.store.snapshot().await?, &BTreeSet::from([subject])).await
    }
}

/// Events to which the states of these people lead.
static OF_PEOPLE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE way (id) AS (SELECT last_event FROM consent_state WHERE subject_id IN (SELECT value FROM json_each(?)) \
           UNION ALL SELECT e.previous FROM way w CROSS JOIN consent_event e ON e.id = w.id WHERE e.previous < e.id) \
         {EVENT_SELECT} WHERE id IN (SELECT id FROM way) ORDER BY id"
    )
});

/// Everything that happened to consents of these people, in the order in which it was recorded.
pub(super) async fn history(store: &mut impl Statements, people: &BTreeSet<SubjectId>) -> Result<Vec<ConsentEvent>, Error> {
    store.read(&OF_PEOPLE, &[json_rows(people)?], |people, values| values.value(people.as_str()), rows::event).await
}

/// Events of one row of the permitted sets to which the state of their own key leads.
static OF_CHUNK: LazyLock<String> = LazyLock::new(|| {
    let own = "e.id = w.id AND (e.subject_id, e.purpose, e.recipient, e.scope) = (w.subject_id, w.purpose, w.recipient, w.scope)";
    format!(
        "WITH RECURSIVE way (id, subject_id, purpose, recipient, scope) AS (SELECT last_event, subject_id, purpose, recipient, scope FROM consent_state WHERE subject_id >= ? AND subject_id < ? \
           UNION ALL SELECT e.previous, w.subject_id, w.purpose, w.recipient, w.scope FROM way w CROSS JOIN consent_event e ON {own} WHERE e.previous < e.id) \
         {EVENT_SELECT} WHERE id IN (SELECT e.id FROM way w CROSS JOIN consent_event e ON {own}) ORDER BY id"
    )
});

/// The same of everybody of one row of the permitted sets: each event once, as far as the state of its own key leads
/// to it. Where these are as many as the ledger has, states lead to all events.
pub(crate) async fn history_of(connection: &mut SqliteConnection, chunk: u32) -> Result<Vec<ConsentEvent>, Error> {
    let bind = |ids: &Range<i64>, values: &mut Values<'_>| {
        values.value(ids.start)?;
        values.value(ids.end)
    };
    connection.read(&OF_CHUNK, &[ids_of(chunk)], bind, rows::event).await
}

/// Where each key stands after these events.
pub(crate) fn replayed(events: Vec<ConsentEvent>) -> BTreeMap<ConsentKey, Standing> {
    let mut by_key: BTreeMap<ConsentKey, Vec<ConsentEvent>> = BTreeMap::new();
    for event in events {
        by_key.entry(event.key.clone()).or_default().push(event);
    }
    by_key.into_iter().filter_map(|(key, events)| Standing::replay(&events).map(|standing| (key, standing))).collect()
}

static ONE: LazyLock<String> = LazyLock::new(|| format!("{EVENT_SELECT} WHERE id = ?"));

/// Brings the state of the key of the event `id` up to the ledger.
pub(crate) async fn follow(tx: &mut SqliteConnection, id: i64) -> Result<SubjectId, Error> {
    let event = tx.read(&ONE, &[id], |id, values| values.value(*id), rows::event).await?.pop().ok_or_else(|| Fault::broken("a choice that is not there"))?;
    let (key, seq) = (event.key.clone(), event.seq);
    let mut of_person = history(tx, &BTreeSet::from([key.subject])).await?;
    // No state leads to it yet.
    of_person.push(event);
    if let Some(standing) = replayed(of_person).get(&key) {
        tx.write(rows::STATE, &[(&key, standing)], |(key, standing), values| rows::bind_state(values, key, standing, seq)).await?;
    }
    Ok(key.subject)
}
