//! Links that open a page for one person, and the places that they may lead back to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::notice::NoticeRef;
use crate::{SubjectId, Timestamp};

crate::words! {
    /// What a link is for.
    pub enum LinkKind("kind of link") {
        /// The person chooses.
        Choose = "choose",
        /// A parent of the person chooses.
        Parent = "parent",
    }
}

/// What a signed link says. Whoever has the link may do what it is for, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What for.
    pub kind: LinkKind,
    /// For whom.
    pub subject: SubjectId,
    /// About which notice: the version that was meant when it was made. Pages show the newest.
    pub notice: NoticeRef,
    /// Until when.
    pub expires: Timestamp,
    /// Where the page leads back to, on an origin of the allow-list.
    pub return_to: Option<String>,
    /// The address that it was sent to, of a parent: for the confirming letter, so that no store keeps it.
    pub mailbox: Option<String>,
}

/// The origin of a page (RFC 6454): scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// That a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin; write https://HOST or https://HOST:PORT, without a path")]
pub struct OriginError(String);

/// Longest URL accepted, in bytes.
const URL_BYTES_MAX: usize = 2048;

impl Origin {
    /// The origin of a URL, with the default port left out; nothing when the text is no plain `https` (or, within
    /// one's own network, `http`) URL. User names, backslashes, spaces and control characters are refused: there
    /// browsers and others disagree about which host is meant.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        if url.len() > URL_BYTES_MAX || !url.bytes().all(|b| b.is_ascii_graphic()) || url.contains(['\\', '"', '\'', '<', '>', '`', '{', '}', '|', '^']) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let default = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let label = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !host.split('.').all(label) || port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
            return None;
        }
        let port = port.filter(|port| *port != default).map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self(format!("{scheme}://{}{port}", host.to_ascii_lowercase())))
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let is_bare = bare.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
        Self::of(bare).filter(|_| is_bare).ok_or_else(|| OriginError(text.to_owned()))
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;
    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://town.example/back?x=1#y", "https://town.example"),
            ("https://Town.Example:443", "https://town.example"),
            ("https://town.example:8443/", "https://town.example:8443"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(Origin::of(url).map(String::from).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_could_mean_another_host_is_none() {
        for url in [
            "javascript:alert(1)",
            "//evil.example",
            "https:evil.example",
            "https://town.example@evil.example/",
            "https://town.example\\@evil.example/",
            "https://town.example\t.evil.example/",
            "https://",
            "https://:443",
            "https://a:b/",
            "https://a:99999/",
            "https://a..b/",
            "ftp://town.example",
            "https://town.example/\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(Origin::of(url), None, "{url:?}");
        }
        assert!("https://town.example/path".parse::<Origin>().is_err());
        assert_eq!("https://town.example/".parse::<Origin>().unwrap().as_str(), "https://town.example");
        // Another host that begins like an allowed one is another origin.
        assert_ne!(Origin::of("https://town.example.evil.example/"), Origin::of("https://town.example/"));
    }
}
