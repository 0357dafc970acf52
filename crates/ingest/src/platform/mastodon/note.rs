//! A note: what a person wrote.

use std::borrow::Cow;

use domain::Timestamp;
use domain::record::{ActivityKind, ActivityRecord, Media, Visibility};
use serde_json::Value;

use crate::normalize;

const PUBLIC: [&str; 3] = ["https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"];

/// The act of writing a note; an answer when it is in reply to something.
pub(super) fn record<'a>(note: &'a Value, key: &'a str, at: Option<Timestamp>) -> ActivityRecord<'a> {
    let is_reply = note.get("inReplyTo").is_some_and(|r| !r.is_null());
    let kind = if is_reply { ActivityKind::Reply } else { ActivityKind::Post };
    let mut record = ActivityRecord::new(0, key, kind, at);
    let html = note.get("content").and_then(Value::as_str).unwrap_or_default();
    record.text = normalize::text(&plain_text(html)).map(|text| Cow::Owned(text.into_owned()));
    record.word_count = normalize::word_count(record.text.as_deref());
    record.language = language(note);
    record.media = media(note);
    record.visibility = visibility(note);
    record.link_domain = link_domain(html).map(Cow::Owned);
    let tags = objects(note.get("tag")).filter(|t| super::has_type(t, "Hashtag"));
    record.tags = normalize::tags(tags.filter_map(|t| t.get("name").and_then(Value::as_str))).into_iter().map(Cow::Owned).collect();
    let count = |name: &str| note.get(name).and_then(|c| c.get("totalItems")).and_then(Value::as_u64).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    record.likes_received = count("likes");
    record.replies_received = count("replies");
    record.shares_received = count("shares");
    record
}

/// One object or a list of them.
fn objects(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
    .iter()
}

fn addresses<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    match value.get(field) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        _ => &[],
    }
    .iter()
    .filter_map(Value::as_str)
}

/// Public in `to` is public, in `cc` unlisted; followers only is followers; else the people named.
pub(super) fn visibility(note: &Value) -> Visibility {
    let is_public = |a: &str| PUBLIC.contains(&a);
    if note.get("to").is_none() && note.get("cc").is_none() {
        Visibility::Unknown
    } else if addresses(note, "to").any(is_public) {
        Visibility::Public
    } else if addresses(note, "cc").any(is_public) {
        Visibility::Unlisted
    } else if addresses(note, "to").chain(addresses(note, "cc")).any(|a| a.ends_with("/followers")) {
        Visibility::Followers
    } else {
        Visibility::Direct
    }
}

/// The language under which the content stands; none when there are several.
fn language(note: &Value) -> Option<Cow<'_, str>> {
    let map = note.get("contentMap")?.as_object()?;
    let content = note.get("content");
    let mut matching = map.iter().filter(|(_, text)| map.len() == 1 || Some(*text) == content);
    match (matching.next(), matching.next()) {
        (Some((language, _)), None) => normalize::short(language),
        _ => None,
    }
}

/// The first attachment decides.
fn media(note: &Value) -> Media {
    let first = objects(note.get("attachment")).next();
    let Some(first) = first else { return Media::None };
    let kind = first.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    match kind.split('/').next() {
        Some("image") => Media::Image,
        Some("video") => Media::Video,
        Some("audio") => Media::Audio,
        _ => Media::Other,
    }
}

/// HTML as Mastodon writes it, without tags: paragraphs and breaks become new lines.
fn plain_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = after.split_once('>') else { return decoded(&out) };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if name.eq_ignore_ascii_case("br") || (tag.starts_with('/') && ["p", "div", "li", "blockquote"].iter().any(|t| name.eq_ignore_ascii_case(t))) {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    decoded(&out)
}

fn decoded(text: &str) -> String {
    html_escape::decode_html_entities(text).into_owned()
}

/// The host of the first link that is no mention and no hashtag.
fn link_domain(html: &str) -> Option<String> {
    html.split("<a ").skip(1).find_map(|rest| {
        let tag = rest.split('>').next()?;
        let class = attribute(tag, "class").unwrap_or_default();
        let social = class.split(' ').any(|c| c == "mention" || c == "hashtag") || attribute(tag, "rel") == Some("tag");
        if social { None } else { normalize::host(&decoded(attribute(tag, "href")?)) }
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_text() {
        for (html, expected) in [
            ("<p>photo ñandú</p>", "photo ñandú"),
            ("<p>a &amp; b<br>c<br/>d</p><p>e</p>", "a & b\nc\nd\ne"),
            ("<p><a href=\"https://x.example\" class=\"mention\">@<span>jo</span></a> hi &lt;3</p>", "@jo hi <3"),
            ("1 < 2", "1"),
        ] {
            assert_eq!(normalize::text(&plain_text(html)).unwrap_or_default(), expected, "{html}");
        }
    }

    #[test]
    fn only_real_links_have_a_domain() {
        let html = "<a href=\"https://a.example/@jo\" class=\"u-url mention\">@jo</a> <a href=\"https://a.example/tags/x\" class=\"mention hashtag\" rel=\"tag\">#x</a> <a href=\"https://News.example/1?a=1&amp;b=2\">news</a>";
        assert_eq!(link_domain(html).as_deref(), Some("news.example"));
        assert_eq!(link_domain("no link"), None);
    }
}
