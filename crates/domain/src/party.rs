//! Who a controller or a partner is, as people are told.

use serde::{Deserialize, Serialize};

use crate::{Refusal, RefusalCode};

/// The identity of a controller or partner (GDPR Art. 13(1)(a), (b), (e); Rec. 42: consent is informed when at
/// least the controller and the purposes are known).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// The legal name.
    pub legal_name: String,
    /// The postal address, lines separated by line breaks.
    pub address: String,
    /// The country, by ISO 3166-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The address for electronic mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Its own pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How the data-protection officer is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    /// The supervisory authority that complaints go to (GDPR Art. 13(2)(d)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

impl Party {
    /// Whether people can be told of it.
    ///
    /// # Errors
    /// A refusal when it has no legal name or no address, or its country or pages cannot be such.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |message: &str, hint: &str| Err(Refusal::new(RefusalCode::Notice, message).hint(hint));
        if self.legal_name.trim().is_empty() || self.address.trim().is_empty() {
            return refuse("people must be told a legal name and an address", "GDPR Art. 13(1)(a)");
        }
        if self.country.as_deref().is_some_and(|country| !is_country(country)) {
            return refuse("a country is two capital letters", "ISO 3166-1 alpha-2, for example DE");
        }
        if self.url.as_deref().is_some_and(|url| !is_web_url(url)) {
            return refuse("its pages must be a whole https address", "for example https://town.example/privacy");
        }
        if self.email.as_deref().is_some_and(|email| !crate::mail::is_address(email)) {
            return refuse("its e-mail address cannot be one", "for example privacy@town.example");
        }
        Ok(())
    }
}

/// Whether `code` can be a country of ISO 3166-1: two capital letters.
#[must_use]
pub fn is_country(code: &str) -> bool {
    code.len() == 2 && code.chars().all(|c| c.is_ascii_uppercase())
}

/// Whether `url` can stand in a link of a page: `https://` or `http://`, a host, and nothing that is no URL.
#[must_use]
pub fn is_web_url(url: &str) -> bool {
    crate::link::Origin::of(url).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_a_name_and_an_address() {
        let whole = Party { legal_name: "Town AG".into(), address: "1 Main Street".into(), ..Party::default() };
        assert_eq!(whole.check(), Ok(()));
        for wrong in [
            Party { address: " ".into(), ..whole.clone() },
            Party { country: Some("Germany".into()), ..whole.clone() },
            Party { url: Some("javascript:alert(1)".into()), ..whole.clone() },
            Party { email: Some("nobody".into()), ..whole.clone() },
        ] {
            assert_eq!(wrong.check().unwrap_err().code, RefusalCode::Notice, "{wrong:?}");
        }
    }
}
