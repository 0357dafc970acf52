//! Dates, times and durations in ISO 8601, as far as 27560 needs them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Whether `text` is a date, or a date and time with or without a zone.
pub(crate) fn is_time(text: &str) -> bool {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|date| date.to_string() == text)
        || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
        || DateTime::parse_from_rfc3339(text).is_ok_and(|_| text.contains('T'))
}

/// Whether `text` is a duration such as `P6M`, `P1Y2M10DT2H30M` or `P2W`.
pub(crate) fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let date = units(date, "YMWD");
    let time = time.map(|time| units(time, "HMS"));
    // A `T` is followed by something, and so is the `P`.
    match (date, time) {
        (Some(date), None) => date > 0,
        (Some(_), Some(time)) => time.is_some_and(|units| units > 0),
        (None, _) => false,
    }
}

/// How many numbers with units `text` has, when that is all and the units come in their order.
fn units(text: &str, order: &str) -> Option<usize> {
    let (mut rest, mut order, mut count) = (text, order, 0);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(unit_at);
        let unit = tail.chars().next()?;
        let (_, later) = order.split_once(unit)?;
        if number.is_empty() {
            return None;
        }
        (rest, order, count) = (tail.strip_prefix(unit)?, later, count + 1);
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for text in ["2024-01-31", "2023-11-05T16:08:50", "2023-11-05T16:08:50Z", "2023-11-05T16:08:50.123+02:00"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["", "2024", "2024-1-3", "2024-02-30", "31.01.2024", "2023-11-05 16:08:50", "2023-11-05 16:08:50Z", "yesterday", "2023-11-05T25:00:00"] {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn durations() {
        for text in ["P6M", "P1Y2M10DT2H30M", "P2W", "PT5S", "P12M"] {
            assert!(is_duration(text), "{text}");
        }
        for text in ["", "P", "PT", "P1YT", "6M", "P6", "PM", "P1D1Y", "P1M2M", "p6m", "P-6M", "six months"] {
            assert!(!is_duration(text), "{text}");
        }
    }
}
