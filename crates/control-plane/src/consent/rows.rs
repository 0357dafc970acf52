//! Rows of the ledger and of what follows from it: written, read, and as the text that an entry vouches for.

use std::borrow::Cow;

use domain::Fault;
use domain::SubjectId;
use domain::consent::{ConsentEvent, ConsentKey, EventOrder, Standing, Strength};
use domain::notice::NoticeRef;

use crate::store::{Columns, Literals, Values, from_i64, parse_time, time_number, time_text, to_i64};

/// Writes an event, with the values of [`Written::bind`].
pub(super) const EVENT: &str = "INSERT INTO consent_event (id, subject_id, recipient, purpose, scope, at, sequence, action, actor, method, strength, notice, notice_version, language, evidence, valid_until, recorded_at, previous) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Reads events, to be told by [`event`].
pub(super) const EVENT_SELECT: &str = "SELECT id, subject_id, recipient, purpose, scope, at, sequence, action, actor, method, strength, notice, notice_version, language, evidence, valid_until, recorded_at FROM consent_event";

/// Writes the state of a key in the place of the one that is there, with the values of [`bind_state`].
pub(super) const STATE: &str = "INSERT INTO consent_state (subject_id, purpose, recipient, scope, state, at, sequence, action, given, ended, strength, valid_until, refused_at, notice, notice_version, last_event) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT (subject_id, purpose, recipient, scope) DO UPDATE SET state = excluded.state, at = excluded.at, sequence = excluded.sequence, action = excluded.action, given = excluded.given, ended = excluded.ended, \
     strength = excluded.strength, valid_until = excluded.valid_until, refused_at = excluded.refused_at, notice = excluded.notice, notice_version = excluded.notice_version, \
     last_event = excluded.last_event";

/// An event as it is written.
pub(super) struct Written<'a> {
    event: &'a ConsentEvent,
    recipient: String,
    at: Cow<'a, str>,
    recorded_at: &'a str,
    valid_until: Option<String>,
    previous: Option<u64>,
}

impl<'a> Written<'a> {
    /// The event after `previous` of its key. The text of when it is recorded is the same for all of a group.
    pub(super) fn new(event: &'a ConsentEvent, recorded_at: &'a str, previous: Option<u64>) -> Self {
        let at = if event.order.at == event.recorded_at { Cow::Borrowed(recorded_at) } else { Cow::Owned(time_text(event.order.at)) };
        Self { event, recipient: event.key.recipient.to_string(), at, recorded_at, valid_until: event.valid_until.map(time_text), previous }
    }

    pub(super) const fn seq(&self) -> u64 {
        self.event.seq
    }

    pub(super) fn bind(&self, values: &mut Values<'_>) -> Result<(), Fault> {
        let Self { event, recipient, at, recorded_at, valid_until, previous } = self;
        values.value(to_i64(event.seq)?)?;
        values.value(event.key.subject.0)?;
        values.value(recipient.as_str())?;
        values.value(event.key.purpose.as_str())?;
        values.value(event.key.scope.as_str())?;
        values.value(&**at)?;
        values.value(event.order.sequence)?;
        values.value(event.order.action.as_str())?;
        values.value(event.actor.as_str())?;
        values.value(event.method.as_str())?;
        values.value(event.strength.bits())?;
        values.value(event.notice.name.as_str())?;
        values.value(event.notice.version)?;
        values.value(event.language.as_str())?;
        values.value(event.evidence.as_deref())?;
        values.value(valid_until.as_deref())?;
        values.value(*recorded_at)?;
        values.value(previous.map(to_i64).transpose()?)
    }

    /// The row as [`crate::store::row_texts`] gives it, which the entry vouches for.
    pub(super) fn text(&self) -> String {
        let Self { event, recipient, at, recorded_at, valid_until, previous } = self;
        let ConsentEvent { seq, key, order, actor, method, strength, notice, language, evidence, .. } = event;
        let mut row = Literals::default();
        row.number(Some(*seq));
        row.number(Some(key.subject.0));
        row.word(Some(recipient));
        row.word(Some(key.purpose.as_str()));
        row.word(Some(key.scope.as_str()));
        row.word(Some(at));
        row.number(Some(order.sequence));
        row.word(Some(order.action.as_str()));
        row.word(Some(actor.as_str()));
        row.word(Some(method.as_str()));
        row.number(Some(strength.bits()));
        row.word(Some(notice.name.as_str()));
        row.number(Some(notice.version));
        row.word(Some(language));
        row.word(evidence.as_deref());
        row.word(valid_until.as_deref());
        row.word(Some(recorded_at));
        row.number(*previous);
        row.into_text()
    }
}

/// The state of a key, with the number of its last event.
pub(super) fn bind_state(values: &mut Values<'_>, key: &ConsentKey, standing: &Standing, last: u64) -> Result<(), Fault> {
    values.value(key.subject.0)?;
    values.value(key.purpose.as_str())?;
    values.value(key.recipient.to_string().as_str())?;
    values.value(key.scope.as_str())?;
    values.value(standing.state.as_str())?;
    values.value(time_number(standing.last.at))?;
    values.value(standing.last.sequence)?;
    values.value(standing.last.action.as_str())?;
    let order = |EventOrder { at, sequence, action }| format!("[{},{sequence},\"{action}\"]", time_number(at));
    values.value(standing.given.map(order).as_deref())?;
    values.value(standing.ended.map(order).as_deref())?;
    values.value(standing.strength.bits())?;
    values.value(standing.valid_until.map(time_number))?;
    values.value(standing.refused_at.map(time_number))?;
    values.value(standing.notice.name.as_str())?;
    values.value(standing.notice.version)?;
    values.value(to_i64(last)?)
}

/// An event that [`EVENT_SELECT`] gave.
pub(super) fn event(row: &dyn Columns) -> Result<ConsentEvent, Fault> {
    Ok(ConsentEvent {
        seq: from_i64(row.number(0)?)?,
        key: ConsentKey { subject: SubjectId(row.number(1)?), recipient: row.word(2)?, purpose: row.word(3)?, scope: row.word(4)? },
        order: EventOrder { at: row.time(5)?, sequence: row.number(6)?, action: row.word(7)? },
        actor: row.word(8)?,
        method: row.word(9)?,
        strength: Strength::from_bits(row.number(10)?),
        notice: NoticeRef { name: row.word(11)?, version: row.number(12)? },
        language: row.text(13)?.to_owned(),
        evidence: row.maybe_text(14)?.map(str::to_owned),
        valid_until: row.maybe_text(15)?.map(parse_time).transpose()?,
        recorded_at: row.time(16)?,
    })
}
