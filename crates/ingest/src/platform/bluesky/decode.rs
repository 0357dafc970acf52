//! A block of lines → acts and what is said of accounts, without knowing anybody: blocks are decoded
//! side by side.

use std::borrow::Cow;

use domain::record::{Activities, ActivityKind, ActivityRecord, Media, Texts, Visibility};
use domain::{CreatorKey, Platform, Timestamp};

use super::event::{Account, Commit, Event, Operation, Record};
use super::pointed::Pointed;
use super::shape::Shapes;
use crate::source::Deletions;
use crate::{limits, normalize};

/// Bytes of a line, more or less.
const LINE: usize = 450;

/// What a block of lines says.
#[derive(Default)]
pub(super) struct Decoded {
    /// The account of each act and of each [`Told`], as they came.
    pub(super) accounts: Texts,
    /// Acts, whose owners are places among the accounts.
    pub(super) activities: Activities,
    /// What was said of accounts, by their places.
    pub(super) told: Vec<(u32, Told)>,
    /// Accounts that were deleted, or are there again, in the order in which the lines say so.
    pub(super) lives: Vec<(String, Life)>,
    /// Lines that could not be read, from 0, and why.
    pub(super) rejected: Vec<(u64, String)>,
    /// How many lines there were.
    pub(super) lines: u64,
}

/// Something about an account.
pub(super) enum Told {
    Handle(Option<String>),
    Joined(Option<Timestamp>),
}

/// What became of an account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Deleted,
    Active,
}

/// What some lines say; `creators` gives the numbers of the accounts that acts are about.
pub(super) fn decode(lines: &[u8], creators: &CreatorKey, deletions: Deletions, shapes: &mut Shapes) -> Decoded {
    // More or less as many as there usually are.
    let many = lines.len() / LINE;
    let decoded = Decoded { accounts: Texts::with_capacity(many, many * 32), activities: Activities::with_capacity(many, many * 32), ..Decoded::default() };
    let mut decoding = Decoding { creators, deletions, shapes, decoded, key: String::new() };
    // Lines are looked at one by one only where one of them is no text.
    let text = simdutf8::basic::from_utf8(lines).ok();
    let mut start = 0;
    while let Some(rest) = lines.get(start..).filter(|rest| !rest.is_empty()) {
        let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = lines.get(start..end).unwrap_or_default();
        let text = text.map_or_else(|| simdutf8::basic::from_utf8(line).ok(), |text| text.get(start..end));
        start = end + 1;
        if let Err(reason) = decoding.line(line, text) {
            decoding.decoded.rejected.push((decoding.decoded.lines, reason));
        }
        decoding.decoded.lines += 1;
    }
    decoding.decoded
}

impl Decoded {
    fn tell(&mut self, did: &str, told: Told) -> Result<(), String> {
        // First, since what is told of nobody must not become the next account's.
        let place = self.account(did)?;
        self.told.push((place, told));
        Ok(())
    }

    /// The place of an account.
    fn account(&mut self, did: &str) -> Result<u32, String> {
        let account = account(did).ok_or("the account is not a DID")?;
        let place = u32::try_from(self.accounts.len()).map_err(|_| "too many people")?;
        self.accounts.push(account);
        Ok(place)
    }
}

/// An account's name, if it can be one.
fn account(did: &str) -> Option<&str> {
    normalize::native_key(did).filter(|did| did.starts_with("did:"))
}

struct Decoding<'a> {
    creators: &'a CreatorKey,
    deletions: Deletions,
    shapes: &'a mut Shapes,
    decoded: Decoded,
    /// The key of the current act.
    key: String,
}

impl Decoding<'_> {
    fn line(&mut self, line: &[u8], text: Option<&str>) -> Result<(), String> {
        if line.len() > limits::LINE_BYTES {
            return Err(format!("longer than {} bytes", limits::LINE_BYTES));
        }
        if let Some(event) = text.and_then(|text| self.shapes.read(text)) {
            return self.event(&event);
        }
        match Event::parse(line, text) {
            Ok(event) => {
                text.into_iter().for_each(|text| self.shapes.learn(text, &event));
                self.event(&event)
            }
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => Ok(()),
            Err(column) => Err(format!("not a Jetstream event: column {column} cannot be read")),
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Event { did, time_us, commit, identity, account } = event;
        if let (Some(life), Some(did)) = (account.as_ref().and_then(Account::life), self::account(did)) {
            self.decoded.lives.push((did.to_owned(), life));
        }
        if let Some(identity) = identity {
            self.decoded.tell(did, Told::Handle(identity.handle.as_deref().and_then(normalize::short_owned)))?;
        }
        match commit {
            Some(commit) => self.commit(did, *time_us, commit),
            None => Ok(()),
        }
    }

    fn commit(&mut self, did: &str, time_us: Option<i64>, commit: &Commit<'_>) -> Result<(), String> {
        let Some(kind) = kind_of(commit) else {
            return match (commit.collection.as_ref(), &commit.record) {
                ("app.bsky.actor.profile", Some(record)) => self.decoded.tell(did, Told::Joined(record.created_at.as_deref().and_then(normalize::rfc3339))),
                // Settings, lists and blocks say nothing that a table here holds.
                (collection, _) if collection.starts_with("app.bsky.") => Ok(()),
                (collection, _) => Err(format!("records of {collection} are not read")),
            };
        };
        let Self { creators, deletions, shapes: _, decoded, key } = self;
        key.clear();
        key.extend([commit.collection.as_ref(), "/", commit.rkey.as_ref()]);
        let key = normalize::native_key(key).ok_or("no record key")?;
        if commit.operation == Operation::Delete && *deletions == Deletions::Ignore {
            return Ok(());
        }
        if commit.operation != Operation::Delete && commit.record.is_none() {
            return Err("a record that was created is missing".to_owned());
        }
        let owner = decoded.account(did)?;
        if commit.operation != Operation::Create {
            // An update takes the place of what was there.
            let mut removal = ActivityRecord::new(owner, key, kind, None);
            removal.removed = true;
            decoded.activities.push(&removal);
        }
        if let Some(record) = commit.record.as_ref().filter(|_| commit.operation != Operation::Delete) {
            let at = record.created_at.as_deref().and_then(normalize::rfc3339).or_else(|| time_us.and_then(chrono::DateTime::from_timestamp_micros).and_then(normalize::plausible));
            let mut act = ActivityRecord::new(owner, key, kind, at);
            act.visibility = Visibility::Public;
            act.creator = record.subject.as_ref().or(record.reply.as_ref()).and_then(Pointed::account).map(|did| creators.id(Platform::Bluesky, did));
            if matches!(kind, ActivityKind::Post | ActivityKind::Reply) {
                fill_in(&mut act, record);
            }
            decoded.activities.push(&act);
        }
        Ok(())
    }
}

fn kind_of(commit: &Commit<'_>) -> Option<ActivityKind> {
    Some(match commit.collection.as_ref() {
        "app.bsky.feed.post" if commit.record.as_ref().is_some_and(|r| r.reply.is_some()) => ActivityKind::Reply,
        "app.bsky.feed.post" => ActivityKind::Post,
        "app.bsky.feed.like" => ActivityKind::Like,
        "app.bsky.feed.repost" => ActivityKind::Share,
        "app.bsky.graph.follow" => ActivityKind::Follow,
        _ => return None,
    })
}

fn fill_in<'a>(act: &mut ActivityRecord<'a>, record: &'a Record<'_>) {
    act.text = record.text.as_deref().and_then(normalize::text);
    act.word_count = normalize::word_count(act.text.as_deref());
    act.language = record.langs.as_ref().and_then(|langs| langs.first()).and_then(|l| normalize::short(l));
    let features = || record.facets.iter().flatten().flat_map(|facet| facet.features.iter());
    act.link_domain = features().filter_map(|f| f.uri.as_deref()).find_map(normalize::host).map(Cow::Owned);
    act.tags = normalize::tags(features().filter_map(|f| f.tag.as_deref()).chain(record.tags.iter().flatten().map(AsRef::as_ref))).into_iter().map(Cow::Owned).collect();
    if let Some(embed) = &record.embed {
        let shown = |ty: &str| {
            if ty.contains("images") {
                Some(Media::Image)
            } else if ty.contains("video") {
                Some(Media::Video)
            } else {
                None
            }
        };
        let media = embed.media.as_ref().and_then(|m| shown(&m.ty));
        act.media = shown(&embed.ty).or(media).unwrap_or(Media::None);
        act.link_domain = act.link_domain.take().or_else(|| embed.external.as_ref().and_then(|e| e.uri.as_deref()).and_then(normalize::host).map(Cow::Owned));
    }
}
