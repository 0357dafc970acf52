//! Days and instants.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Timelike};

use super::super::DatePart;
use crate::Timestamp;
use crate::question::Value;

/// So many days later; null where the calendar ends.
pub(super) fn moved(day: NaiveDate, days: Option<i64>) -> Value {
    days.and_then(TimeDelta::try_days).and_then(|days| day.checked_add_signed(days)).map_or(Value::Null, Value::Date)
}

/// The beginning of a day.
pub(super) const fn midnight(day: NaiveDate) -> Timestamp {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The beginning of the part that `value` is in; of a day where that is shorter than a day.
pub(super) fn truncate(part: DatePart, value: &Value) -> Value {
    match value {
        Value::Date(day) => begin(part, *day).map_or(Value::Null, Value::Date),
        Value::Timestamp(at) => match part {
            DatePart::Hour => whole_seconds(*at, 3_600),
            DatePart::Minute => whole_seconds(*at, 60),
            _ => begin(part, at.date_naive()).map(midnight),
        }
        .map_or(Value::Null, Value::Timestamp),
        _ => Value::Null,
    }
}

fn whole_seconds(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    let since = at.timestamp();
    DateTime::from_timestamp(since.checked_sub(since.rem_euclid(seconds))?, 0)
}

fn begin(part: DatePart, day: NaiveDate) -> Option<NaiveDate> {
    match part {
        DatePart::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        DatePart::Quarter => NaiveDate::from_ymd_opt(day.year(), day.month0() / 3 * 3 + 1, 1),
        DatePart::Month => day.with_day(1),
        DatePart::Week => day.checked_sub_signed(TimeDelta::days(day.weekday().num_days_from_monday().into())),
        DatePart::Day | DatePart::Hour | DatePart::Minute => Some(day),
        DatePart::Weekday => None,
    }
}

/// The part as a number; a day begins at hour 0, minute 0.
pub(super) fn part(part: DatePart, value: &Value) -> Value {
    let (day, hour, minute) = match value {
        Value::Date(day) => (*day, 0, 0),
        Value::Timestamp(at) => (at.date_naive(), at.hour(), at.minute()),
        _ => return Value::Null,
    };
    Value::Integer(match part {
        DatePart::Year => day.year().into(),
        DatePart::Quarter => (day.month0() / 3 + 1).into(),
        DatePart::Month => day.month().into(),
        DatePart::Week => day.iso_week().week().into(),
        DatePart::Day => day.day().into(),
        DatePart::Hour => hour.into(),
        DatePart::Minute => minute.into(),
        DatePart::Weekday => day.weekday().number_from_monday().into(),
    })
}
