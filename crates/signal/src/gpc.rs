//! Global Privacy Control (W3C draft): a request header, and a site's word that it honours it.

use serde::{Deserialize, Serialize};

/// Whether a `Sec-GPC` header is the signal: only the single value `1` is.
#[must_use]
pub fn is_signal(header: Option<&str>) -> bool {
    header.is_some_and(|value| value.trim_matches([' ', '\t']) == "1")
}

/// `/.well-known/gpc.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// Whether the site honours the signal.
    pub gpc: bool,
    /// When this was said last: an RFC 3339 date or date-time.
    #[serde(rename = "lastUpdate", default, skip_serializing_if = "Option::is_none")]
    pub last_update: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_one_is_a_signal() {
        for (header, expected) in
            [(None, false), (Some("1"), true), (Some(" 1 "), true), (Some("0"), false), (Some("true"), false), (Some("1, 1"), false), (Some(""), false), (Some("１"), false)]
        {
            assert_eq!(is_signal(header), expected, "{header:?}");
        }
    }

    #[test]
    fn support_is_true_or_false_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Support>(json).ok();
        assert_eq!(read(r#"{"gpc": true, "lastUpdate": "2025-04-15"}"#), Some(Support { gpc: true, last_update: Some("2025-04-15".into()) }));
        assert_eq!(read(r#"{"gpc": "yes"}"#), None);
        assert_eq!(read("{}"), None);
    }
}
