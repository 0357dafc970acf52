//! Commits as the service writes them: without white space, and with their fields in its order. Nearly
//! all events are such, and looking each field up by its name takes longer than all the rest.
//!
//! What is read here, the parser reads likewise. Whatever is written otherwise is nothing here, however
//! good, and goes to the parser. Every function takes a text from a value on, and tells what follows it.

use std::borrow::Cow;

use memchr::memchr2;

use super::event::{Commit, Embed, Event, External, Facet, Feature, Operation, Record, Shown};
use super::pointed::Pointed;

/// How deeply brackets are followed.
const DEPTH: u32 = 12;

/// A line that is a commit.
#[inline]
pub(super) fn commit(line: &str) -> Option<Event<'_>> {
    // No string holds control characters. Looks at all of them, which is faster than to stop at one.
    if line.bytes().fold(u8::MAX, u8::min) < b' ' {
        return None;
    }
    let (did, rest) = inside(line.strip_prefix(r#"{"did":""#)?)?;
    let rest = rest.strip_prefix(r#","time_us":"#)?;
    let (time_us, rest) = rest.split_at_checked(digits(rest)?)?;
    let (_, rest) = inside(rest.strip_prefix(r#","kind":"commit","commit":{"rev":""#)?)?;
    let (operation, rest) = inside(rest.strip_prefix(r#","operation":""#)?)?;
    let operation = match operation {
        "create" => Operation::Create,
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        _ => return None,
    };
    let (collection, rest) = inside(rest.strip_prefix(r#","collection":""#)?)?;
    let (rkey, rest) = inside(rest.strip_prefix(r#","rkey":""#)?)?;
    let (record, rest) = match rest.strip_prefix(r#","record":"#) {
        Some(rest) => {
            let (record, rest) = pointing(rest).or_else(|| record(rest))?;
            (Some(record), inside(rest.strip_prefix(r#","cid":""#)?)?.1)
        }
        None => (None, rest),
    };
    let commit = Commit { operation, collection: Cow::Borrowed(collection), rkey: Cow::Borrowed(rkey), record };
    (rest == "}}").then_some(Event { did: Cow::Borrowed(did), time_us: Some(time_us.parse().ok()?), commit: Some(commit), identity: None, account: None })
}

/// A record that points at another or at an account: a like, a repost or a follow.
#[inline]
fn pointing(rest: &str) -> Option<(Record<'_>, &str)> {
    let (_, rest) = inside(rest.strip_prefix(r#"{"$type":""#)?)?;
    let (created_at, rest) = inside(rest.strip_prefix(r#","createdAt":""#)?)?;
    let rest = rest.strip_prefix(r#","subject":"#)?;
    let (subject, rest) = match rest.strip_prefix(r#"{"cid":""#) {
        Some(rest) => {
            let (_, rest) = inside(rest)?;
            let (uri, rest) = inside(rest.strip_prefix(r#","uri":""#)?)?;
            (uri, rest.strip_prefix('}')?)
        }
        None => inside(rest.strip_prefix('"')?)?,
    };
    let subject = Some(Pointed(Some(Cow::Borrowed(subject))));
    Some((Record { created_at: Some(Cow::Borrowed(created_at)), subject, ..Record::default() }, rest.strip_prefix('}')?))
}

/// Any record.
fn record(rest: &str) -> Option<(Record<'_>, &str)> {
    let mut record = Record::default();
    let rest = fields(rest, |name, value| match name {
        "createdAt" => once(&mut record.created_at, text(value)),
        "text" => once(&mut record.text, text(value)),
        "langs" => once(&mut record.langs, list(value, text)),
        "tags" => once(&mut record.tags, list(value, text)),
        "subject" => once(&mut record.subject, pointed(value, DEPTH)),
        "reply" => once(&mut record.reply, pointed(value, DEPTH)),
        "facets" => once(&mut record.facets, list(value, facet)),
        "embed" => once(&mut record.embed, embed(value)),
        _ => skipped(value, DEPTH),
    })?;
    Some((record, rest))
}

/// What is pointed at: as a text or in an object.
fn pointed(rest: &str, depth: u32) -> Option<(Pointed<'_>, &str)> {
    let depth = depth.checked_sub(1)?;
    if !rest.starts_with('{') {
        return text(rest).map(|(text, rest)| (Pointed(Some(text)), rest));
    }
    let mut found = None;
    let rest = fields(rest, |name, value| match name {
        "uri" | "parent" => once(&mut found, pointed(value, depth)),
        _ => skipped(value, depth),
    })?;
    Some((found.unwrap_or_default(), rest))
}

fn facet(rest: &str) -> Option<(Facet<'_>, &str)> {
    let mut features = None;
    let rest = fields(rest, |name, value| match name {
        "features" => once(&mut features, list(value, feature)),
        _ => skipped(value, DEPTH),
    })?;
    Some((Facet { features: features.unwrap_or_default() }, rest))
}

fn feature(rest: &str) -> Option<(Feature<'_>, &str)> {
    let mut feature = Feature::default();
    let rest = fields(rest, |name, value| match name {
        "tag" => once(&mut feature.tag, text(value)),
        "uri" => once(&mut feature.uri, text(value)),
        _ => skipped(value, DEPTH),
    })?;
    Some((feature, rest))
}

fn embed(rest: &str) -> Option<(Embed<'_>, &str)> {
    let (mut ty, mut media, mut external) = (None, None, None);
    let rest = fields(rest, |name, value| match name {
        "$type" => once(&mut ty, text(value)),
        "media" => once(&mut media, shown(value)),
        "external" => once(&mut external, self::external(value)),
        _ => skipped(value, DEPTH),
    })?;
    Some((Embed { ty: ty.unwrap_or_default(), media, external }, rest))
}

fn shown(rest: &str) -> Option<(Shown<'_>, &str)> {
    let mut ty = None;
    let rest = fields(rest, |name, value| match name {
        "$type" => once(&mut ty, text(value)),
        _ => skipped(value, DEPTH),
    })?;
    Some((Shown { ty: ty.unwrap_or_default() }, rest))
}

fn external(rest: &str) -> Option<(External<'_>, &str)> {
    let mut uri = None;
    let rest = fields(rest, |name, value| match name {
        "uri" => once(&mut uri, text(value)),
        _ => skipped(value, DEPTH),
    })?;
    Some((External { uri }, rest))
}

/// Keeps a value that comes once: the parser refuses fields that come again.
fn once<'a, T>(field: &mut Option<T>, value: Option<(T, &'a str)>) -> Option<&'a str> {
    let (value, rest) = value?;
    field.replace(value).is_none().then_some(rest)
}

/// An object; `each` gets the name of a field and what follows from its value on.
fn fields<'a>(rest: &'a str, mut each: impl FnMut(&'a str, &'a str) -> Option<&'a str>) -> Option<&'a str> {
    let mut rest = rest.strip_prefix('{')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some(rest);
    }
    loop {
        let (name, value) = inside(rest.strip_prefix('"')?)?;
        let after = each(name, value.strip_prefix(':')?)?;
        if let Some(rest) = after.strip_prefix('}') {
            return Some(rest);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// An array; `each` reads an element.
fn elements<'a>(rest: &'a str, mut each: impl FnMut(&'a str) -> Option<&'a str>) -> Option<&'a str> {
    let mut rest = rest.strip_prefix('[')?;
    if let Some(rest) = rest.strip_prefix(']') {
        return Some(rest);
    }
    loop {
        let after = each(rest)?;
        if let Some(rest) = after.strip_prefix(']') {
            return Some(rest);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// All elements of an array.
fn list<'a, T>(rest: &'a str, each: impl Fn(&'a str) -> Option<(T, &'a str)>) -> Option<(Vec<T>, &'a str)> {
    let mut list = Vec::new();
    let rest = elements(rest, |rest| {
        let (element, rest) = each(rest)?;
        list.push(element);
        Some(rest)
    })?;
    Some((list, rest))
}

/// A string.
fn text(rest: &str) -> Option<(Cow<'_, str>, &str)> {
    let from = rest.strip_prefix('"')?;
    if let Some((text, rest)) = inside(from) {
        return Some((Cow::Borrowed(text), rest));
    }
    // Some characters are escaped; the mark at its end is not.
    let mut end = 0;
    loop {
        end += memchr2(b'"', b'\\', from.as_bytes().get(end..)?)?;
        if from.as_bytes().get(end) == Some(&b'"') {
            break;
        }
        end += 2;
    }
    let (quoted, rest) = rest.split_at_checked(end + 2)?;
    Some((Cow::Owned(sonic_rs::from_str(quoted).ok()?), rest))
}

/// The inside of a string without escaped characters, from behind its first mark.
#[inline]
fn inside(rest: &str) -> Option<(&str, &str)> {
    let (text, rest) = rest.split_at_checked(memchr2(b'"', b'\\', rest.as_bytes())?)?;
    Some((text, rest.strip_prefix('"')?))
}

/// How many digits a number has that is not negative and has no fraction.
#[inline]
fn digits(rest: &str) -> Option<usize> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (digits == 1 || digits > 1 && !rest.starts_with('0')).then_some(digits)
}

/// What follows a value that nothing is read of.
fn skipped(rest: &str, depth: u32) -> Option<&str> {
    let depth = depth.checked_sub(1)?;
    match rest.as_bytes().first()? {
        b'"' => text(rest).map(|(_, rest)| rest),
        b'{' => fields(rest, |_, value| skipped(value, depth)),
        b'[' => elements(rest, |value| skipped(value, depth)),
        b'0'..=b'9' => rest.get(digits(rest)?..),
        _ => ["true", "false", "null"].iter().find_map(|word| rest.strip_prefix(word)),
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use testkit::{Generator, env_seed};

    use super::super::tests::{alter, told};
    use super::*;

    const LIKE: &str = r#"{"$type":"app.bsky.feed.like","createdAt":"2025-01-01T00:00:00.000Z","subject":{"cid":"bafy","uri":"at://did:plc:b/app.bsky.feed.post/x"}}"#;
    const FOLLOW: &str = r#"{"$type":"app.bsky.graph.follow","createdAt":"2025","subject":"did:plc:c"}"#;
    const POST: &str = r##"{"$type":"app.bsky.feed.post","createdAt":"2025","embed":{"$type":"app.bsky.embed.recordWithMedia","media":{"$type":"app.bsky.embed.images","images":[{"alt":"","aspectRatio":{"height":9,"width":16},"ok":true}]},"external":{"uri":"https://a.example/b"}},"facets":[{"features":[{"$type":"t","tag":"x"},{"uri":"https://c.example"}],"index":{"byteEnd":1,"byteStart":0}},{"features":[]}],"langs":["de","en"],"reply":{"parent":{"cid":"p","uri":"u"},"root":{"cid":"r"}},"tags":["y"],"text":"a #x ü"}"##;
    const ESCAPED: &str = r##"{"text":"a \"b\" \u00fc \ud83d\ude00\n","langs":[],"facets":[],"other":{"a":["\\\"",1,null,false]},"tags":["\u0000"],"embed":{"$type":"\/"}}"##;

    fn line(operation: &str, record: &str) -> String {
        let record = if record.is_empty() { String::new() } else { format!(r#","record":{record},"cid":"bafyq""#) };
        format!(
            r#"{{"did":"did:plc:a","time_us":1735689600000000,"kind":"commit","commit":{{"rev":"3l2","operation":"{operation}","collection":"app.bsky.feed.like","rkey":"3lp"{record}}}}}"#
        )
    }

    #[test]
    fn what_is_read_here_is_what_the_parser_reads() {
        let usual = [line("create", LIKE), line("create", FOLLOW), line("update", POST), line("create", ESCAPED), line("delete", ""), line("create", "{}")];
        assert!(usual.iter().all(|line| commit(line).is_some()));
        let others = [
            r#"{"did":"did:plc:a","time_us":12,"kind":"identity","identity":{"did":"did:plc:a","handle":"a.example"}}"#.to_owned(),
            r#"{"kind":"commit","time_us":3,"did":"did:plc:a"}"#.to_owned(),
        ];
        let lines = [usual.as_slice(), &others].concat();
        let seed = env_seed(21);
        eprintln!("seed {seed}");
        let mut rng = Generator::new(seed).0;
        let (mut here, mut refused) = (0, 0);
        for round in 0..100_000 {
            let mut line = lines[rng.random_range(0..lines.len())].as_bytes().to_vec();
            (0..round % 4).for_each(|_| alter(&mut line, &mut rng));
            let parsed = sonic_rs::from_slice::<Event<'_>>(&line);
            if let Some(event) = std::str::from_utf8(&line).ok().and_then(commit) {
                here += 1;
                let parsed = parsed.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&line)));
                assert_eq!(told(&event), told(&parsed), "{}", String::from_utf8_lossy(&line));
            } else {
                refused += usize::from(parsed.is_err());
            }
        }
        assert!(here > 20_000 && refused > 50_000, "{here} read here, {refused} not at all");
    }

    #[test]
    fn brackets_are_followed_so_far_and_no_further() {
        let nested = |depth: usize| line("create", &format!("{{\"other\":{}{}}}", "[".repeat(depth), "]".repeat(depth)));
        assert!(commit(&nested(DEPTH as usize)).is_some());
        assert!(commit(&nested(DEPTH as usize + 1)).is_none());
    }
}
