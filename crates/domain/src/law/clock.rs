//! Terms and deadlines: hours, days, business days, months.

use chrono::{Datelike, Days, Months, TimeDelta, Weekday};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

crate::words! {
    /// The unit of a term.
    pub enum TermUnit("unit of time") {
        /// Hours.
        Hour = "hour",
        /// Days of the calendar.
        Day = "day",
        /// Days from Monday to Friday. Holidays are not known, so that a deadline is never too late.
        BusinessDay = "business_day",
        /// Weeks.
        Week = "week",
        /// Months of the calendar, ending on the same day, or on the last of a shorter month
        /// (Regulation (EEC, Euratom) 1182/71 Art. 3).
        Month = "month",
        /// Years of the calendar.
        Year = "year",
    }
}

/// A length of time as laws give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: TermUnit,
}

impl Term {
    /// The instant at which the term that began at `from` ends, [`NEVER`] at the latest.
    #[must_use]
    pub fn after(self, from: Timestamp) -> Timestamp {
        let days = |days: u64| from.checked_add_days(Days::new(days));
        let end = match self.unit {
            TermUnit::Hour => from.checked_add_signed(TimeDelta::hours(self.n.into())),
            TermUnit::Day => days(self.n.into()),
            TermUnit::Week => days(7 * u64::from(self.n)),
            TermUnit::BusinessDay => business_days(from, self.n),
            TermUnit::Month => from.checked_add_months(Months::new(self.n)),
            TermUnit::Year => self.n.checked_mul(12).and_then(|months| from.checked_add_months(Months::new(months))),
        };
        end.map_or(NEVER, |end| end.min(NEVER))
    }
}

/// The last instant of the year 9999: the end of what never ends.
pub const NEVER: Timestamp = match chrono::DateTime::from_timestamp(253_402_300_799, 0) {
    Some(end) => end,
    None => Timestamp::MAX_UTC,
};

/// Whole weeks at once, the rest day by day.
fn business_days(from: Timestamp, n: u32) -> Option<Timestamp> {
    let mut at = from;
    // The first day after a weekend is the first after the Friday before it.
    while n > 0 && is_weekend(at) {
        at = at.checked_sub_days(Days::new(1))?;
    }
    at = at.checked_add_days(Days::new(7 * u64::from(n / 5)))?;
    let mut left = n % 5;
    while left > 0 {
        at = at.checked_add_days(Days::new(1))?;
        left -= u32::from(!is_weekend(at));
    }
    Some(at)
}

fn is_weekend(at: Timestamp) -> bool {
    matches!(at.weekday(), Weekday::Sat | Weekday::Sun)
}

/// A term and the event from which it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// How many.
    pub n: u32,
    /// Of what.
    pub unit: TermUnit,
    /// The event: receipt, verified, aware, …
    pub from: String,
    /// In the words of the law, where a number says less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Deadline {
    /// The length.
    #[must_use]
    pub const fn term(&self) -> Term {
        Term { n: self.n, unit: self.unit }
    }
}

/// The end of the term that ends first (deadlines: the earliest counts).
#[must_use]
pub fn earliest(from: Timestamp, terms: impl IntoIterator<Item = Term>) -> Option<Timestamp> {
    terms.into_iter().map(|term| term.after(from)).min()
}

/// The end of the term that ends last (keeping evidence: the longest counts).
#[must_use]
pub fn longest(from: Timestamp, terms: impl IntoIterator<Item = Term>) -> Option<Timestamp> {
    terms.into_iter().map(|term| term.after(from)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, n: u32, unit: TermUnit, expected: &str) {
        let at = |text: &str| format!("{text}T09:30:00Z").parse::<Timestamp>().unwrap();
        assert_eq!(Term { n, unit }.after(at(from)), at(expected), "{n} {unit} from {from}");
    }

    #[test]
    fn months_end_on_the_same_day_or_the_last_of_a_shorter_month() {
        check("2026-01-15", 1, TermUnit::Month, "2026-02-15");
        check("2026-01-31", 1, TermUnit::Month, "2026-02-28");
        check("2028-01-31", 1, TermUnit::Month, "2028-02-29");
        check("2026-11-25", 24, TermUnit::Month, "2028-11-25");
        check("2028-02-29", 1, TermUnit::Year, "2029-02-28");
    }

    #[test]
    fn business_days_leave_weekends_out() {
        // 2026-11-25 is a Wednesday.
        check("2026-11-25", 1, TermUnit::BusinessDay, "2026-11-26");
        check("2026-11-25", 3, TermUnit::BusinessDay, "2026-11-30");
        check("2026-11-25", 10, TermUnit::BusinessDay, "2026-12-09");
        check("2026-11-25", 15, TermUnit::BusinessDay, "2026-12-16");
        // From a Saturday.
        check("2026-11-28", 1, TermUnit::BusinessDay, "2026-11-30");
        check("2026-11-28", 5, TermUnit::BusinessDay, "2026-12-04");
        check("2026-11-25", 0, TermUnit::BusinessDay, "2026-11-25");
    }

    #[test]
    fn whole_weeks_at_once_are_day_by_day() {
        let mut from: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        for _ in 0..7 {
            for n in 0..40 {
                let (mut slow, mut left) = (from, n);
                while left > 0 {
                    slow = slow + Days::new(1);
                    left -= u32::from(!is_weekend(slow));
                }
                assert_eq!(Term { n, unit: TermUnit::BusinessDay }.after(from), slow, "{n} from {from}");
            }
            from = from + Days::new(1);
        }
    }

    #[test]
    fn hours_days_and_weeks() {
        check("2026-11-25", 72, TermUnit::Hour, "2026-11-28");
        check("2026-11-25", 45, TermUnit::Day, "2027-01-09");
        check("2026-11-25", 2, TermUnit::Week, "2026-12-09");
    }

    #[test]
    fn the_earliest_deadline_and_the_longest_evidence_count() {
        let from: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
        let terms = [Term { n: 1, unit: TermUnit::Month }, Term { n: 30, unit: TermUnit::Day }, Term { n: 45, unit: TermUnit::Day }];
        assert_eq!(earliest(from, terms), Some("2026-03-01T00:00:00Z".parse().unwrap()));
        assert_eq!(longest(from, terms), Some("2026-03-18T00:00:00Z".parse().unwrap()));
        assert_eq!(earliest(from, []), None);
    }
}
