//! What a request says of where it comes from, and what every page answers with.
//!
//! There are no cookies and no sessions: the token in the address is the capability. Whoever can make a browser send
//! a form to it knows the token already and could send the form themselves, so there is nothing for a second token to
//! protect. A form that another site made a browser send is refused all the same, unless the operator allowed that
//! site's origin: it catches a link that leaked to a page which then chooses for the person behind their back.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::link::Origin;

/// Where a form was filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// On our page.
    Here,
    /// On a page of an allowed origin.
    Platform,
    /// Elsewhere.
    Elsewhere,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Where a form was filled in, by `Sec-Fetch-Site` (W3C Fetch Metadata) and `Origin` (RFC 6454).
///
/// Our pages ask for `Referrer-Policy: no-referrer`, for which browsers send `Origin: null` with their forms; then
/// `Sec-Fetch-Site` tells. A client that sends neither is no browser, or one that is older than both.
pub(super) fn from(headers: &HeaderMap, own: Option<&Origin>, allowed: &[Origin]) -> From {
    let origin = text(headers, "origin").filter(|origin| *origin != "null");
    let known = origin.map(|origin| origin.parse::<Origin>());
    let is_allowed = matches!(&known, Some(Ok(origin)) if allowed.contains(origin));
    match (text(headers, "sec-fetch-site"), known) {
        (Some("same-origin" | "none"), _) | (None, None) => From::Here,
        _ if is_allowed => From::Platform,
        (None, Some(Ok(origin))) if Some(&origin) == own => From::Here,
        _ => From::Elsewhere,
    }
}

/// Whether the request is a browser's or a mail program's own idea: nobody has seen the page yet.
pub(super) fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].iter().any(|name| text(headers, name).is_some_and(|value| value.contains("prefetch") || value.contains("prerender")))
}

/// Whether the request carries Global Privacy Control.
pub(super) fn is_gpc(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all("sec-gpc").iter();
    let (first, more) = (values.next(), values.next());
    more.is_none() && signal::gpc::is_signal(first.and_then(|value| value.to_str().ok()))
}

/// Languages that the reader accepts: the one that the address names, before those of their browser.
pub(super) fn languages(headers: &HeaderMap, named: Option<&str>) -> String {
    let of_browser = text(headers, "accept-language").unwrap_or_default();
    match named.filter(|tag| domain::notice::is_language(tag)) {
        Some(tag) => format!("{tag}, {of_browser}"),
        None => of_browser.to_owned(),
    }
}

/// Headers of every page about a person. A form may lead to `back` besides this site: browsers hold redirects after
/// a form to `form-action` too.
pub(super) fn sealed(page: impl IntoResponse, back: Option<&Origin>) -> Response {
    let mut response = page.into_response();
    let to = back.map_or_else(String::new, |origin| format!(" {origin}"));
    let policy = format!("default-src 'none'; style-src 'self'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'");
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::VARY, "Accept-Language, Sec-GPC"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    // An origin is made of characters that a header may have.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'")));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(site: Option<&'static str>, origin: Option<&'static str>, expected: From) {
        let own: Origin = "https://consent.example".parse().unwrap();
        let allowed: Vec<Origin> = vec!["https://platform.example".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.extend(site.map(|value| (HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(value))));
        headers.extend(origin.map(|value| (header::ORIGIN, HeaderValue::from_static(value))));
        assert_eq!(from(&headers, Some(&own), &allowed), expected, "{site:?} {origin:?}");
    }

    #[test]
    fn forms_come_from_here_or_from_whom_the_operator_allows() {
        check(Some("same-origin"), Some("null"), From::Here);
        check(Some("none"), None, From::Here);
        check(None, None, From::Here);
        check(None, Some("null"), From::Here);
        check(None, Some("https://consent.example"), From::Here);
        check(Some("cross-site"), Some("https://platform.example"), From::Platform);
        check(Some("same-site"), Some("https://platform.example"), From::Platform);
        check(None, Some("https://platform.example"), From::Platform);
        check(Some("cross-site"), Some("https://evil.example"), From::Elsewhere);
        check(Some("cross-site"), Some("null"), From::Elsewhere);
        check(Some("cross-site"), None, From::Elsewhere);
        check(Some("same-site"), Some("https://consent.example"), From::Elsewhere);
        check(None, Some("https://evil.example"), From::Elsewhere);
        check(None, Some("https://platform.example.evil.example"), From::Elsewhere);
    }

    #[test]
    fn a_named_language_comes_before_the_browser_s() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("fr"));
        assert_eq!(languages(&headers, Some("de")), "de, fr");
        assert_eq!(languages(&headers, Some("<b>")), "fr");
    }
}
