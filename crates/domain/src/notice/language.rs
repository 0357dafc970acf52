//! Languages: which of those that are there suits a reader best.

/// Longest tag accepted, in bytes (RFC 5646 §4.4.1).
const TAG_BYTES_MAX: usize = 35;

/// Whether `tag` is well formed as BCP 47 tags are, as far as texts of ours need it: a language of two or three
/// letters, and parts of up to eight letters and digits.
#[must_use]
pub fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphabetic()));
    language && tag.len() <= TAG_BYTES_MAX && parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Which of `available` suits best whoever sends `accepted`, the value of an `Accept-Language` header (RFC 9110
/// §12.5.4) or one tag: by the reader's weights, then in their order. A tag is met by itself, by a longer one
/// that begins with it, or by a shorter one that it begins with (RFC 4647 §3.4: `de-AT` is met by `de`).
/// Nothing when none suits; what is no tag is passed over.
#[must_use]
pub fn preferred<'a>(accepted: &str, available: &[&'a str]) -> Option<&'a str> {
    let mut wanted: Vec<(&str, u16)> = accepted.split(',').filter_map(range).collect();
    // Stable: among equals the order of the reader.
    wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let refused = |tag: &str| wanted.iter().any(|(range, weight)| *weight == 0 && range.eq_ignore_ascii_case(tag));
    let find = |range: &str| {
        let exact = available.iter().find(|tag| tag.eq_ignore_ascii_case(range));
        let longer = || available.iter().find(|tag| is_part(range, tag));
        let shorter = || available.iter().filter(|tag| is_part(tag, range)).max_by_key(|tag| tag.len());
        exact.or_else(longer).or_else(shorter).copied()
    };
    let suiting = wanted.iter().filter(|(_, weight)| *weight > 0).map(|(range, _)| if *range == "*" { available.first().copied() } else { find(range) });
    suiting.flatten().find(|tag| !refused(tag))
}

/// Whether `longer` begins with the parts of `shorter`.
fn is_part(shorter: &str, longer: &str) -> bool {
    longer.get(..shorter.len()).is_some_and(|start| start.eq_ignore_ascii_case(shorter)) && longer.as_bytes().get(shorter.len()) == Some(&b'-')
}

/// One element of the header: a tag and its weight in thousandths.
fn range(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| *tag == "*" || is_language(tag))?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((tag, weight.map_or(Some(1000), thousandths)?))
}

/// A weight of at most three decimals, without floating point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: &str, available: &[&str], expected: Option<&str>) {
        assert_eq!(preferred(accepted, available), expected, "{accepted} of {available:?}");
    }

    #[test]
    fn the_reader_s_weights_count_then_their_order() {
        let all = ["en", "de", "fr"];
        check("de", &all, Some("de"));
        check("fr;q=0.8, de;q=0.9", &all, Some("de"));
        check("fr, de", &all, Some("fr"));
        check("pl, *;q=0.1", &all, Some("en"));
        check("pl", &all, None);
        check("", &all, None);
        check("en;q=0, *", &all, None);
        check("de;q=0, fr;q=0.1", &all, Some("fr"));
    }

    #[test]
    fn a_longer_tag_is_met_by_a_shorter_and_the_other_way() {
        check("de-AT", &["en", "de"], Some("de"));
        check("pt", &["en", "pt-BR"], Some("pt-BR"));
        check("zh-Hant-TW", &["zh", "zh-Hant"], Some("zh-Hant"));
        check("DE-at", &["de-AT", "de"], Some("de-AT"));
        check("den", &["de"], None);
    }

    #[test]
    fn what_is_no_tag_is_passed_over() {
        for bad in ["<b>", "d", "deutsch", "de-", "de--AT", "a".repeat(40).as_str(), "é"] {
            assert!(!is_language(bad), "{bad}");
            check(&format!("{bad}, de;q=0.3"), &["en", "de"], Some("de"));
        }
        check("fr;q=2, de;q=0.1234, en", &["fr", "de", "en"], Some("en"));
        assert!(is_language("zh-Hant-TW") && is_language("de") && is_language("sl-rozaj-1994"));
    }
}
