//! What all readers do with texts, tags, times and numbers.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use domain::Timestamp;
use domain::record::RejectedRecord;

use crate::limits;

/// The text without white space around it. Most have none, which shows at their ends.
pub(crate) fn trimmed(raw: &str) -> &str {
    match raw.as_bytes() {
        [] => raw,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => raw,
        _ => raw.trim(),
    }
}

/// Content as it is kept: without NUL characters, at most 64 KiB; none when empty.
pub(crate) fn text(raw: &str) -> Option<Cow<'_, str>> {
    if holds_nul(raw) {
        return cut(&raw.replace('\0', "")).map(|text| Cow::Owned(text.to_owned()));
    }
    cut(raw).map(Cow::Borrowed)
}

fn holds_nul(text: &str) -> bool {
    memchr::memchr(0, text.as_bytes()).is_some()
}

fn cut(clean: &str) -> Option<&str> {
    let mut end = clean.len().min(limits::TEXT_BYTES);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    let cut = clean.get(..end).unwrap_or(clean).trim();
    (!cut.is_empty()).then_some(cut)
}

/// Words, separated by white space.
pub(crate) fn word_count(text: Option<&str>) -> Option<u32> {
    let words = |text: &str| {
        if text.is_ascii() {
            // A word begins wherever white space ends.
            let white = |byte: u8| matches!(byte, b'\t'..=b'\r' | b' ');
            let bytes = text.as_bytes();
            let (first, rest) = (bytes.first().copied().unwrap_or(b' '), bytes.get(1..).unwrap_or_default());
            return usize::from(!white(first)) + bytes.iter().zip(rest).map(|(before, byte)| usize::from(white(*before) & !white(*byte))).sum::<usize>();
        }
        text.split_whitespace().count()
    };
    text.map(|text| u32::try_from(words(text)).unwrap_or(u32::MAX))
}

/// A short text: trimmed, at most 256 characters; none when empty.
pub(crate) fn short(raw: &str) -> Option<Cow<'_, str>> {
    let trimmed = trimmed(raw);
    if trimmed.len() <= limits::SHORT_CHARS && !holds_nul(trimmed) {
        return (!trimmed.is_empty()).then_some(Cow::Borrowed(trimmed));
    }
    let clean: String = trimmed.chars().filter(|c| *c != '\0').take(limits::SHORT_CHARS).collect();
    (!clean.is_empty()).then_some(Cow::Owned(clean))
}

/// The same as a text of its own.
pub(crate) fn short_owned(raw: &str) -> Option<String> {
    short(raw).map(Cow::into_owned)
}

/// A hashtag or topic: lower case, without `#`, at most 100 characters.
pub(crate) fn tag(raw: &str) -> Option<String> {
    let lower = short(raw.trim().trim_start_matches('#'))?.to_lowercase();
    Some(if lower.len() <= limits::TAG_CHARS { lower } else { lower.chars().take(limits::TAG_CHARS).collect() })
}

/// Tags without duplicates, sorted, at most 100.
pub(crate) fn tags<'a>(raw: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut tags: Vec<String> = raw.filter_map(tag).collect();
    tags.sort_unstable();
    tags.dedup();
    tags.truncate(limits::TAGS);
    tags
}

/// A native key, if it can be one.
pub(crate) fn native_key(raw: &str) -> Option<&str> {
    let key = trimmed(raw);
    (!key.is_empty() && key.len() <= limits::KEY_BYTES && !holds_nul(key)).then_some(key)
}

/// An instant between 1900 and 2200.
pub(crate) fn plausible(at: Timestamp) -> Option<Timestamp> {
    (1900..2200).contains(&at.year()).then_some(at)
}

/// RFC 3339.
pub(crate) fn rfc3339(raw: &str) -> Option<Timestamp> {
    utc(raw.as_bytes()).or_else(|| DateTime::parse_from_rfc3339(raw).ok().map(|t| t.with_timezone(&Utc))).and_then(plausible)
}

/// The form that platforms write, `2026-11-25T10:00:00.123Z`, read in a fraction of the time; none for
/// any other.
fn utc(raw: &[u8]) -> Option<Timestamp> {
    let (date, rest) = raw.split_first_chunk::<19>()?;
    let &[y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] = date else { return None };
    let fraction = match rest {
        [b'Z'] => &[],
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction,
        _ => return None,
    };
    let digits = [y0, y1, y2, y3, mo0, mo1, d0, d1, h0, h1, mi0, mi1, s0, s1];
    if !digits.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| u32::from(tens & 0xF) * 10 + u32::from(ones & 0xF);
    // Nine digits at most, which have room.
    let nanos = fraction.iter().chain(&[b'0'; 9]).take(9).fold(0, |n, digit| n * 10 + u32::from(digit & 0xF));
    let day = NaiveDate::from_ymd_opt(i32::try_from(two(y0, y1) * 100 + two(y2, y3)).ok()?, two(mo0, mo1), two(d0, d1))?;
    Some(day.and_hms_nano_opt(two(h0, h1), two(mi0, mi1), two(s0, s1), nanos)?.and_utc())
}

/// The host of a web address, in lower case.
pub(crate) fn host(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let plain = !host.is_empty() && host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-');
    if plain { short_owned(&host.to_lowercase()) } else { None }
}

/// Collects what could not become a row.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    records: Vec<RejectedRecord>,
}

impl Rejects {
    /// Keeps a record with its place and the reason.
    pub(crate) fn push(&mut self, file: &str, place: String, reason: impl Into<String>, record: &str) {
        if self.records.len() < limits::REJECTED {
            self.records.push(RejectedRecord { file: file.to_owned(), place, reason: reason.into(), record: record.chars().take(limits::REJECTED_CHARS).collect() });
        }
    }

    pub(crate) fn into_records(self) -> Vec<RejectedRecord> {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_lower_case_sorted_and_single() {
        assert_eq!(tags(["#Rust", "rust", " ÄPFEL ", "#", ""].into_iter()), ["rust", "äpfel"]);
    }

    #[test]
    fn the_fast_way_to_read_instants_agrees_with_the_slow_one() {
        let slow = |raw: &str| DateTime::parse_from_rfc3339(raw).ok().map(|t| t.with_timezone(&Utc));
        let mut read = 0;
        for day in ["2024-02-29", "2023-02-29", "1969-12-31", "2025-13-01", "2025-1-01", "9999-12-31", "20a5-01-01"] {
            for time in ["T00:00:00", "T23:59:59", "T24:00:00", "T12:60:00", "T12:00:60", " 12:00:00", "t12:00:00"] {
                for end in ["Z", ".1Z", ".123Z", ".123456Z", ".123456789Z", ".1234567890Z", ".Z", "+02:00", "z", ""] {
                    let raw = format!("{day}{time}{end}");
                    if let Some(fast) = utc(raw.as_bytes()) {
                        assert_eq!(Some(fast), slow(&raw), "{raw}");
                        read += 1;
                    }
                }
            }
        }
        assert_eq!(read, 3 * 2 * 5);
    }

    #[test]
    fn words_of_plain_letters_are_counted_as_any_are() {
        let parts: Vec<String> = (0..128_u8).map(|byte| char::from(byte).to_string()).chain(["ab".to_owned(), "  ".to_owned(), String::new()]).collect();
        for (first, second) in parts.iter().flat_map(|first| parts.iter().map(move |second| (first, second))) {
            let text = format!("a{first}{second}b{second}");
            assert_eq!(word_count(Some(&text)), Some(u32::try_from(text.split_whitespace().count()).unwrap()), "{text:?}");
        }
        assert_eq!((word_count(Some("")), word_count(Some("ä\u{a0}b")), word_count(None)), (Some(0), Some(2), None));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "é".repeat(limits::TEXT_BYTES);
        assert!(text(&long).unwrap().len() <= limits::TEXT_BYTES);
        assert_eq!(text(" \0 "), None);
    }

    #[test]
    fn hosts_are_found() {
        for (url, expected) in [
            ("https://Example.org/a?b", Some("example.org")),
            ("http://u:p@example.org:80", Some("example.org")),
            ("ftp://example.org", None),
            ("https://localhost/", None),
            ("https:///x", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
