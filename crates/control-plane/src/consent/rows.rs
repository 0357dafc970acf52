//! Rows of the ledger and of what follows from it: written, read, and as the text that an entry vouches for.

use std::fmt::Write;

use domain::Fault;
use domain::SubjectId;
use domain::consent::{ConsentEvent, ConsentKey, EventOrder, Standing, Strength};
use domain::notice::NoticeRef;

use crate::store::{Columns, Literals, Values, from_i64, parse_time, time_number, time_text, to_i64};

/// Writes an event, with the values of [`bind_event`].
pub(super) const EVENT: &str = "INSERT INTO consent_event (id, subject_id, recipient, purpose, scope, at, sequence, action, actor, method, strength, notice, notice_version, language, evidence, valid_until, recorded_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Reads events, to be told by [`event`].
pub(super) const EVENT_SELECT: &str = "SELECT id, subject_id, recipient, purpose, scope, at, sequence, action, actor, method, strength, notice, notice_version, language, evidence, valid_until, recorded_at FROM consent_event";

/// Writes the state of a key in the place of the one that is there, with the values of [`bind_state`].
pub(super) const STATE: &str = "INSERT INTO consent_state (subject_id, purpose, recipient, scope, state, at, sequence, action, given, ended, strength, valid_until, refused_at, notice, notice_version, events) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT (subject_id, purpose, recipient, scope) DO UPDATE SET state = excluded.state, at = excluded.at, sequence = excluded.sequence, action = excluded.action, given = excluded.given, ended = excluded.ended, \
     strength = excluded.strength, valid_until = excluded.valid_until, refused_at = excluded.refused_at, notice = excluded.notice, notice_version = excluded.notice_version, \
     events = events || ',' || excluded.events";

pub(super) fn bind_event(values: &mut Values<'_>, event: &ConsentEvent) -> Result<(), Fault> {
    values.value(to_i64(event.seq)?)?;
    values.value(event.key.subject.0)?;
    values.value(event.key.recipient.to_string().as_str())?;
    values.value(event.key.purpose.as_str())?;
    values.value(event.key.scope.as_str())?;
    values.value(time_text(event.order.at).as_str())?;
    values.value(event.order.sequence)?;
    values.value(event.order.action.as_str())?;
    values.value(event.actor.as_str())?;
    values.value(event.method.as_str())?;
    values.value(event.strength.bits())?;
    values.value(event.notice.name.as_str())?;
    values.value(event.notice.version)?;
    values.value(event.language.as_str())?;
    values.value(event.evidence.as_deref())?;
    values.value(event.valid_until.map(time_text).as_deref())?;
    values.value(time_text(event.recorded_at).as_str())
}

/// The state of a key, with the numbers of the events that are new to it.
pub(super) fn bind_state(values: &mut Values<'_>, key: &ConsentKey, standing: &Standing, new: &[u64]) -> Result<(), Fault> {
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
    let mut events = String::with_capacity(12);
    for seq in new {
        let comma = if events.is_empty() { "" } else { "," };
        let _ = write!(events, "{comma}{seq}");
    }
    values.value(events.as_str())
}

/// The row of an event as [`crate::store::row_texts`] gives it, which the entry vouches for.
pub(super) fn text(event: &ConsentEvent) -> String {
    let ConsentEvent { seq, key, order, actor, method, strength, notice, language, evidence, valid_until, recorded_at } = event;
    let mut row = Literals::default();
    row.number(*seq);
    row.number(key.subject.0);
    row.word(Some(&key.recipient.to_string()));
    row.word(Some(key.purpose.as_str()));
    row.word(Some(key.scope.as_str()));
    row.word(Some(&time_text(order.at)));
    row.number(order.sequence);
    row.word(Some(order.action.as_str()));
    row.word(Some(actor.as_str()));
    row.word(Some(method.as_str()));
    row.number(strength.bits());
    row.word(Some(notice.name.as_str()));
    row.number(notice.version);
    row.word(Some(language));
    row.word(evidence.as_deref());
    row.word(valid_until.map(time_text).as_deref());
    row.word(Some(&time_text(*recorded_at)));
    row.into_text()
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
