//! Days, as TOML writes them without quotes and everybody else with them.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads one day.
pub(super) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    Day::deserialize(deserializer).map(|day| day.0)
}

/// Reads a day that may be absent.
pub(super) fn option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    Option::<Day>::deserialize(deserializer).map(|day| day.map(|day| day.0))
}

/// Reads several days.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NaiveDate>, D::Error> {
    Vec::<Day>::deserialize(deserializer).map(|days| days.into_iter().map(|day| day.0).collect())
}

struct Day(NaiveDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DayVisitor).map(Self)
    }
}

struct DayVisitor;

impl<'de> Visitor<'de> for DayVisitor {
    type Value = NaiveDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day as 2026-11-25")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NaiveDate, E> {
        // As `NaiveDate` prints it, and in no other way.
        let day = text.parse::<NaiveDate>().ok().filter(|day| day.to_string() == text && (1..=9999).contains(&day.year()));
        day.ok_or_else(|| E::custom(format!("`{text}` is not a day as 2026-11-25")))
    }

    /// TOML hands over its own dates as a map with a secret key.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NaiveDate, A::Error> {
        let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))?;
        self.visit_str(&date.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Days {
        #[serde(deserialize_with = "one")]
        day: NaiveDate,
    }

    #[test]
    fn with_and_without_quotes() {
        let expected = Days { day: "2026-11-25".parse().unwrap() };
        assert_eq!(toml::from_str::<Days>("day = 2026-11-25").unwrap(), expected);
        assert_eq!(toml::from_str::<Days>("day = \"2026-11-25\"").unwrap(), expected);
        assert_eq!(serde_json::from_str::<Days>(r#"{"day":"2026-11-25"}"#).unwrap(), expected);
        for bad in ["2026-11-25T10:00:00Z", "\"2026-11-5\"", "\"25 Nov\"", "20261125", "10:00:00"] {
            assert!(toml::from_str::<Days>(&format!("day = {bad}")).is_err(), "{bad}");
        }
    }
}
