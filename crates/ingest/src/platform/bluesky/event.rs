//! The shape of an event, as far as it is read. Texts are borrowed from the line where they can be.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Brackets that a line may open before nesting is watched.
const BRACKETS: usize = 256;

/// One line.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) did: Cow<'a, str>,
    pub(super) time_us: Option<i64>,
    #[serde(borrow)]
    pub(super) commit: Option<Commit<'a>>,
    #[serde(borrow)]
    pub(super) identity: Option<Identity<'a>>,
    #[serde(borrow)]
    pub(super) account: Option<Account<'a>>,
}

impl<'a> Event<'a> {
    /// Reads one line; else tells the column at which it cannot be read.
    ///
    /// The fast parser does not limit how deeply it follows brackets in what it skips; a line with
    /// enough of them to matter goes to one that does.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, usize> {
        if memchr::memchr2_iter(b'[', b'{', line).nth(BRACKETS).is_some() {
            return serde_json::from_slice(line).map_err(|e| e.column());
        }
        Self::usual(line).map_or_else(|| sonic_rs::from_slice(line).map_err(|e| e.column()), Ok)
    }

    /// A commit that is written as the service writes it, without spaces and with its fields in their usual
    /// order; none for every other line, however good. Nine in ten events are such, and looking fields up
    /// by their names takes longer than all the rest.
    fn usual(line: &'a [u8]) -> Option<Self> {
        let (did, rest) = plain(line.strip_prefix(br#"{"did":""#)?)?;
        let rest = rest.strip_prefix(br#","time_us":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (time_us, rest) = rest.split_at_checked(digits)?;
        let time_us = std::str::from_utf8(time_us).ok().filter(|digits| *digits == "0" || !digits.starts_with('0'))?.parse().ok()?;
        let (_, rest) = plain(rest.strip_prefix(br#","kind":"commit","commit":{"rev":""#)?)?;
        let (operation, rest) = plain(rest.strip_prefix(br#","operation":""#)?)?;
        let operation = match operation {
            "create" => Operation::Create,
            "update" => Operation::Update,
            "delete" => Operation::Delete,
            _ => return None,
        };
        let (collection, rest) = plain(rest.strip_prefix(br#","collection":""#)?)?;
        let (rkey, rest) = plain(rest.strip_prefix(br#","rkey":""#)?)?;
        let record = match rest {
            b"}}" => None,
            _ => {
                // The rest is the record, and what names its content.
                let rest = rest.strip_prefix(br#","record":"#)?.strip_suffix(br#""}}"#)?;
                let name = memchr::memrchr(b'"', rest)?.checked_add(1)?;
                let (record, cid) = rest.split_at_checked(name)?;
                let record = record.strip_suffix(br#","cid":""#).filter(|_| are_plain(cid))?;
                // Whatever else stands there is no record alone, and is read as any other line.
                Some(Record::usual(record).map_or_else(|| sonic_rs::from_slice(record).ok(), Some)?)
            }
        };
        let commit = Commit { operation, collection: Cow::Borrowed(collection), rkey: Cow::Borrowed(rkey), record };
        Some(Self { did: Cow::Borrowed(did), time_us: Some(time_us), commit: Some(commit), identity: None, account: None })
    }
}

/// The rest of a string of plain characters, and what follows its quotation mark.
fn plain(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
    Some((std::str::from_utf8(text).ok().filter(|_| are_plain(text))?, rest.strip_prefix(b"\"")?))
}

/// Whether all of a text is printable ASCII that stands for itself in a string. Looks at all of it, which is
/// faster than stopping at the first that is not.
fn are_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & byte.is_ascii_graphic() & (*byte != b'"') & (*byte != b'\\'))
}

#[derive(Deserialize)]
pub(super) struct Identity<'a> {
    #[serde(borrow)]
    pub(super) handle: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Account<'a> {
    pub(super) active: bool,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

impl Account<'_> {
    pub(super) fn is_deleted(&self) -> bool {
        !self.active && self.status.as_deref() == Some("deleted")
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
}

#[derive(Deserialize)]
pub(super) struct Commit<'a> {
    pub(super) operation: Operation,
    #[serde(borrow)]
    pub(super) collection: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) rkey: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) record: Option<Record<'a>>,
}

/// The fields of all record types that are read: each type has some of them.
#[derive(Deserialize, Default)]
pub(super) struct Record<'a> {
    #[serde(borrow, rename = "createdAt", default)]
    pub(super) created_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) langs: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    pub(super) tags: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    pub(super) reply: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) facets: Option<Vec<Facet<'a>>>,
    #[serde(borrow, default)]
    pub(super) embed: Option<Embed<'a>>,
}

impl<'a> Record<'a> {
    /// A like, a repost or a follow as the service writes it; see [`Event::usual`].
    fn usual(record: &'a [u8]) -> Option<Self> {
        let (_, rest) = plain(record.strip_prefix(br#"{"$type":""#)?)?;
        let (created_at, rest) = plain(rest.strip_prefix(br#","createdAt":""#)?)?;
        let rest = rest.strip_prefix(br#","subject":"#)?;
        let rest = match rest.strip_prefix(br#"{"cid":""#) {
            Some(act) => {
                let (_, rest) = plain(act)?;
                let (_, rest) = plain(rest.strip_prefix(br#","uri":""#)?)?;
                rest.strip_prefix(b"}")?
            }
            None => plain(rest.strip_prefix(b"\"")?)?.1,
        };
        (rest == b"}").then(|| Self { created_at: Some(Cow::Borrowed(created_at)), ..Self::default() })
    }
}

#[derive(Deserialize)]
pub(super) struct Facet<'a> {
    #[serde(borrow, default)]
    pub(super) features: Vec<Feature<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Feature<'a> {
    #[serde(borrow, default)]
    pub(super) tag: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) uri: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Embed<'a> {
    #[serde(borrow, rename = "$type", default)]
    pub(super) ty: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) media: Option<Shown<'a>>,
    #[serde(borrow, default)]
    pub(super) external: Option<External<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Shown<'a> {
    #[serde(borrow, rename = "$type", default)]
    pub(super) ty: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct External<'a> {
    #[serde(borrow, default)]
    pub(super) uri: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use testkit::{Generator, env_seed};

    use super::*;

    /// All that is read of an event.
    fn told(event: &Event<'_>) -> String {
        let record = |r: &Record<'_>| format!("{:?} {:?} {:?} {:?} {} {}", r.created_at, r.text, r.langs, r.tags, r.reply.is_some(), r.facets.is_some());
        let commit = event.commit.as_ref().map(|c| (c.operation as u8, c.collection.to_string(), c.rkey.to_string(), c.record.as_ref().map(record)));
        format!("{} {:?} {commit:?} {} {}", event.did, event.time_us, event.identity.is_some(), event.account.is_some())
    }

    #[test]
    fn what_is_read_the_short_way_is_what_the_parser_reads() {
        const LINES: [&str; 6] = [
            r#"{"did":"did:plc:a","time_us":1735689600000000,"kind":"commit","commit":{"rev":"3l2","operation":"create","collection":"app.bsky.feed.like","rkey":"3lp","record":{"$type":"app.bsky.feed.like","createdAt":"2025-01-01T00:00:00.000Z","subject":{"cid":"bafy","uri":"at://did:plc:b/app.bsky.feed.post/x"}},"cid":"bafyq"}}"#,
            r#"{"did":"did:plc:a","time_us":0,"kind":"commit","commit":{"rev":"3l2","operation":"create","collection":"app.bsky.graph.follow","rkey":"3lp","record":{"$type":"app.bsky.graph.follow","createdAt":"2025","subject":"did:plc:c"},"cid":"b"}}"#,
            r#"{"did":"did:plc:a","time_us":12,"kind":"commit","commit":{"rev":"r","operation":"delete","collection":"app.bsky.feed.post","rkey":"k"}}"#,
            r##"{"did":"did:plc:a","time_us":12,"kind":"commit","commit":{"rev":"r","operation":"update","collection":"app.bsky.feed.post","rkey":"k","record":{"$type":"app.bsky.feed.post","createdAt":"2025","langs":["de"],"text":"a \"b\" ü","tags":["x"],"reply":{"parent":{}},"facets":[]},"cid":"b"}}"##,
            r#"{"did":"did:plc:a","time_us":12,"kind":"identity","identity":{"did":"did:plc:a","handle":"a.example"}}"#,
            r#"{"kind":"commit","time_us":3,"did":"did:plc:a"}"#,
        ];
        let seed = env_seed(21);
        eprintln!("seed {seed}");
        let mut rng = Generator::new(seed).0;
        let (mut short, mut refused) = (0, 0);
        for round in 0..60_000 {
            let mut line = LINES[rng.random_range(0..LINES.len())].as_bytes().to_vec();
            for _ in 0..round % 4 {
                if line.is_empty() {
                    break;
                }
                let at = rng.random_range(0..line.len());
                match rng.random_range(0..5) {
                    0 => line[at] = *b"\"\\{}[],:0a \n\x01\xff".get(rng.random_range(0..14)).unwrap(),
                    1 => drop(line.remove(at)),
                    2 => line.insert(at, rng.random()),
                    3 => line.truncate(at.max(1)),
                    _ => {
                        // A piece twice: fields that occur again, records after records.
                        let end = rng.random_range(at..=line.len());
                        let piece = line[at..end].to_vec();
                        line.splice(at..at, piece);
                    }
                }
            }
            let parsed = sonic_rs::from_slice::<Event<'_>>(&line);
            if let Some(event) = Event::usual(&line) {
                short += 1;
                let parsed = parsed.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&line)));
                assert_eq!(told(&event), told(&parsed), "{}", String::from_utf8_lossy(&line));
            } else {
                refused += usize::from(parsed.is_err());
            }
        }
        assert!(short > 10_000 && refused > 10_000, "{short} read the short way, {refused} not at all");
    }
}
