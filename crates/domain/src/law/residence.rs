//! Where a person lives, as far as law asks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::words::UnknownWord;

/// Countries whose law a shipped pack knows, by ISO 3166-1, with their English names.
const COUNTRIES: &[(&str, &str)] = &[
    ("AT", "Austria"),
    ("BE", "Belgium"),
    ("BG", "Bulgaria"),
    ("BR", "Brazil"),
    ("CA", "Canada"),
    ("CY", "Cyprus"),
    ("CZ", "Czechia"),
    ("DE", "Germany"),
    ("DK", "Denmark"),
    ("EE", "Estonia"),
    ("ES", "Spain"),
    ("FI", "Finland"),
    ("FR", "France"),
    ("GB", "United Kingdom"),
    ("GR", "Greece"),
    ("HR", "Croatia"),
    ("HU", "Hungary"),
    ("IE", "Ireland"),
    ("IN", "India"),
    ("IS", "Iceland"),
    ("IT", "Italy"),
    ("LI", "Liechtenstein"),
    ("LT", "Lithuania"),
    ("LU", "Luxembourg"),
    ("LV", "Latvia"),
    ("MT", "Malta"),
    ("NL", "Netherlands"),
    ("NO", "Norway"),
    ("PL", "Poland"),
    ("PT", "Portugal"),
    ("RO", "Romania"),
    ("SE", "Sweden"),
    ("SI", "Slovenia"),
    ("SK", "Slovakia"),
    ("US", "United States"),
];

/// Other names by which sources call them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("CZ", "Czech Republic"),
    ("GB", "UK"),
    ("GB", "Great Britain"),
    ("GR", "EL"),
    ("NL", "The Netherlands"),
    ("US", "USA"),
    ("US", "United States of America"),
    ("US", "United_States"),
    ("GB", "United_Kingdom"),
    ("CZ", "Czech_Republic"),
];

/// Parts of countries, by ISO 3166-2: United States and Canada.
const PARTS: &[(&str, &str)] = &[
    ("CA-AB", "Alberta"),
    ("CA-BC", "British Columbia"),
    ("CA-MB", "Manitoba"),
    ("CA-NB", "New Brunswick"),
    ("CA-NL", "Newfoundland and Labrador"),
    ("CA-NS", "Nova Scotia"),
    ("CA-NT", "Northwest Territories"),
    ("CA-NU", "Nunavut"),
    ("CA-ON", "Ontario"),
    ("CA-PE", "Prince Edward Island"),
    ("CA-QC", "Quebec"),
    ("CA-SK", "Saskatchewan"),
    ("CA-YT", "Yukon"),
    ("US-AK", "Alaska"),
    ("US-AL", "Alabama"),
    ("US-AR", "Arkansas"),
    ("US-AZ", "Arizona"),
    ("US-CA", "California"),
    ("US-CO", "Colorado"),
    ("US-CT", "Connecticut"),
    ("US-DC", "District of Columbia"),
    ("US-DE", "Delaware"),
    ("US-FL", "Florida"),
    ("US-GA", "Georgia"),
    ("US-HI", "Hawaii"),
    ("US-IA", "Iowa"),
    ("US-ID", "Idaho"),
    ("US-IL", "Illinois"),
    ("US-IN", "Indiana"),
    ("US-KS", "Kansas"),
    ("US-KY", "Kentucky"),
    ("US-LA", "Louisiana"),
    ("US-MA", "Massachusetts"),
    ("US-MD", "Maryland"),
    ("US-ME", "Maine"),
    ("US-MI", "Michigan"),
    ("US-MN", "Minnesota"),
    ("US-MO", "Missouri"),
    ("US-MS", "Mississippi"),
    ("US-MT", "Montana"),
    ("US-NC", "North Carolina"),
    ("US-ND", "North Dakota"),
    ("US-NE", "Nebraska"),
    ("US-NH", "New Hampshire"),
    ("US-NJ", "New Jersey"),
    ("US-NM", "New Mexico"),
    ("US-NV", "Nevada"),
    ("US-NY", "New York"),
    ("US-OH", "Ohio"),
    ("US-OK", "Oklahoma"),
    ("US-OR", "Oregon"),
    ("US-PA", "Pennsylvania"),
    ("US-RI", "Rhode Island"),
    ("US-SC", "South Carolina"),
    ("US-SD", "South Dakota"),
    ("US-TN", "Tennessee"),
    ("US-TX", "Texas"),
    ("US-UT", "Utah"),
    ("US-VA", "Virginia"),
    ("US-VT", "Vermont"),
    ("US-WA", "Washington"),
    ("US-WI", "Wisconsin"),
    ("US-WV", "West Virginia"),
    ("US-WY", "Wyoming"),
];

/// Members of the European Economic Area that are not in the Union.
const EEA_ONLY: &[&str] = &["IS", "LI", "NO"];

/// Countries of the list that are not in the area.
const OUTSIDE_EEA: &[&str] = &["BR", "CA", "GB", "IN", "US"];

/// Where a person lives: a country, a part of one, or unknown.
///
/// A country that no list of ours has counts as unknown: whose law applies is then not known, and the
/// packs that count for whoever is unknown do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Residence(u8);

impl Residence {
    /// Not known.
    pub const UNKNOWN: Self = Self(0);

    /// How many there are: indices are below it.
    pub const COUNT: usize = 1 + COUNTRIES.len() + PARTS.len();

    /// The residence that a source's words for country and region mean: codes, or names in English.
    #[must_use]
    pub fn of(country: Option<&str>, region: Option<&str>) -> Self {
        let find = |list: &'static [(&'static str, &'static str)], text: &str| {
            list.iter().find(|(code, name)| code.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text)).map(|(code, _)| *code)
        };
        let country = country.map(str::trim).and_then(|text| find(COUNTRIES, text).or_else(|| find(OTHER_NAMES, text)).or_else(|| find(PARTS, text)));
        let Some(country) = country else {
            return Self::UNKNOWN;
        };
        let part = region.map(str::trim).and_then(|text| find(PARTS, text).or_else(|| find(PARTS, &format!("{country}-{text}"))));
        let code = part.filter(|part| part.starts_with(country)).unwrap_or(country);
        code.parse().unwrap_or(Self::UNKNOWN)
    }

    /// All residences, unknown first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).take(Self::COUNT).map(Self)
    }

    /// A number below [`Residence::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The same, to pack it.
    pub(crate) fn bits(self) -> u32 {
        self.0.into()
    }

    /// The code: `DE`, `US-CA`, or `unknown`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let codes = || COUNTRIES.iter().chain(PARTS).map(|(code, _)| *code);
        self.index().checked_sub(1).and_then(|i| codes().nth(i)).unwrap_or("unknown")
    }

    /// Whether a pack for `region` (a code, `EU` or `EEA`) concerns somebody who lives here. Where only the
    /// country is known, packs for its parts concern them too: the strictest will count.
    #[must_use]
    pub fn is_concerned_by(self, region: &str) -> bool {
        let (code, country) = (self.as_str(), self.country());
        match region {
            "EEA" => self != Self::UNKNOWN && !OUTSIDE_EEA.contains(&country),
            "EU" => self != Self::UNKNOWN && !OUTSIDE_EEA.contains(&country) && !EEA_ONLY.contains(&country),
            _ => self != Self::UNKNOWN && (region == code || region == country || (code == country && region.split('-').next() == Some(country))),
        }
    }

    /// The code of the country.
    #[must_use]
    pub fn country(self) -> &'static str {
        self.as_str().split('-').next().unwrap_or_default()
    }

    /// Whether `region` can stand in a pack: a code of the lists, `EU` or `EEA`.
    #[must_use]
    pub fn is_region(region: &str) -> bool {
        region == "EU" || region == "EEA" || region.parse::<Self>().is_ok_and(|r| r != Self::UNKNOWN)
    }
}

impl FromStr for Residence {
    type Err = UnknownWord;
    fn from_str(code: &str) -> Result<Self, UnknownWord> {
        Self::all().find(|r| r.as_str() == code).ok_or_else(|| UnknownWord::new("place of residence", code, &["a country as DE", "a state as US-CA", "unknown"]))
    }
}

impl fmt::Display for Residence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Residence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Residence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_to_the_same_place() {
        for (country, region, expected) in [
            (Some("DE"), None, "DE"),
            (Some("germany"), Some("Bavaria"), "DE"),
            (Some("US"), Some("California"), "US-CA"),
            (Some("United States"), Some("CA"), "US-CA"),
            (Some("us"), Some("US-TX"), "US-TX"),
            (Some("US"), Some("Ontario"), "US"),
            (Some("Canada"), Some("Quebec"), "CA-QC"),
            (Some("US-CO"), None, "US-CO"),
            (Some("Freedonia"), Some("CA"), "unknown"),
            (None, Some("California"), "unknown"),
            (None, None, "unknown"),
        ] {
            assert_eq!(Residence::of(country, region).as_str(), expected, "{country:?} {region:?}");
        }
    }

    #[test]
    fn every_code_is_read_back() {
        for residence in Residence::all() {
            assert_eq!(residence.as_str().parse(), Ok(residence));
        }
        assert_eq!(Residence::all().count(), Residence::COUNT);
        assert!("XX".parse::<Residence>().is_err());
    }

    #[test]
    fn unions_hold_their_members() {
        let members = |region| Residence::all().filter(|r| r.is_concerned_by(region)).count();
        assert_eq!((members("EU"), members("EEA")), (27, 30));
    }

    #[test]
    fn whose_state_is_unknown_is_under_the_law_of_each() {
        let place = |code: &str| code.parse::<Residence>().unwrap();
        assert!(place("US").is_concerned_by("US-CA") && place("US").is_concerned_by("US"));
        assert!(place("US-TX").is_concerned_by("US") && !place("US-TX").is_concerned_by("US-CA"));
        assert!(!place("CA").is_concerned_by("US-CA") && place("CA").is_concerned_by("CA-QC"));
        assert!(!Residence::UNKNOWN.is_concerned_by("EEA") && !Residence::UNKNOWN.is_concerned_by("US"));
    }
}
