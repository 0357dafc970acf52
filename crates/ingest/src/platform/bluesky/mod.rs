//! Bluesky: what the Jetstream service sends, one JSON event per line, plain or in a `.zst` file.
//!
//! A file is read twice. The first time finds the accounts that were deleted in it: nothing of theirs
//! is taken in. The second time reads the events in their order; an act that is deleted later in the
//! file, or in a later file, goes again. What an act points at belongs to somebody else and stays out.
//! Keys of acts hold no account, and what cannot be read is named by its line alone: the people in a
//! stream never enrolled.

mod event;
mod lines;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

use compact_str::CompactString;
use domain::Platform;
use domain::port::Progress;
use domain::record::{AccountKey, Activities, ActivityKind, ActivityRecord, Media, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord, Visibility};
use hashbrown::{HashMap, HashSet};

use crate::normalize::{self, Rejects};
use crate::source::{Deletions, Options, Sink};
use crate::{IngestError, limits};
use event::{Commit, Event, Operation, Record};
use lines::Lines;

/// Acts in one batch.
const BATCH: usize = 8 * 1024;

/// Whether a file holds such events: its first line says.
pub(crate) fn recognizes(path: &Path) -> Result<bool, IngestError> {
    let mut lines = Lines::open(path)?;
    let first = lines.next().map_err(IngestError::unreadable(path))?;
    Ok(first.is_some_and(|line| Event::parse(line).is_ok()))
}

/// Reads one file.
pub(crate) fn read(path: &Path, options: &Options, progress: &dyn Progress, sink: &mut Sink<'_>) -> Result<(), IngestError> {
    let bytes = std::fs::metadata(path).map_err(IngestError::unreadable(path))?.len();
    let (sha256, mut gone) = survey(path)?;
    if options.deletions == Deletions::Ignore {
        gone.clear();
    }
    let source = SourceInfo { path: path.display().to_string(), kind: SourceKind::Stream, platform: Platform::Bluesky, sha256, parser: "jetstream/1".to_owned() };
    progress.begin(&source.path, "bytes", Some(bytes));
    let mut reader = Reader { file: path.display().to_string(), options, gone, people: HashMap::new(), named: 0, batch: NormalizedBatch::new(source), rejects: Rejects::default(), key: String::new() };
    for did in reader.gone.iter().take(limits::REJECTED) {
        reader.batch.departed.push(AccountKey { platform: Platform::Bluesky, native_id: did.clone() });
    }
    let mut lines = Lines::open(path)?;
    let (mut number, mut told) = (0_u64, 0);
    while let Some(line) = lines.next().map_err(IngestError::unreadable(path))? {
        number += 1;
        reader.line(line, number);
        if number.is_multiple_of(4_096) {
            let read = lines.consumed();
            progress.advance(read - told);
            told = read;
        }
        if reader.batch.activities.len() >= BATCH
            && let ControlFlow::Break(()) = sink(reader.take())
        {
            return Ok(());
        }
    }
    progress.finish();
    let _ = sink(reader.take());
    Ok(())
}

/// The file's hash, and the accounts whose last word in it is that they were deleted.
fn survey(path: &Path) -> Result<(String, HashSet<String>), IngestError> {
    let (mut lines, hashing) = Lines::open_hashing(path)?;
    let mut gone = HashSet::new();
    let finder = memchr::memmem::Finder::new(b"\"account\"");
    while let Some(line) = lines.next_with(&finder).map_err(IngestError::unreadable(path))? {
        if let Ok(Event { did, account: Some(account), .. }) = Event::parse(line) {
            if account.is_deleted() {
                gone.insert(did.into_owned());
            } else if account.active {
                gone.remove(did.as_ref());
            }
        }
    }
    Ok((hashing.finish(lines).map_err(IngestError::unreadable(path))?, gone))
}

struct Reader<'a> {
    file: String,
    options: &'a Options,
    gone: HashSet<String>,
    /// Account (see [`short_did`]) → place among the people of the source.
    people: HashMap<CompactString, u32>,
    /// People named in batches that were handed over.
    named: u32,
    batch: NormalizedBatch,
    rejects: Rejects,
    /// The key of the current act.
    key: String,
}

impl Reader<'_> {
    fn take(&mut self) -> NormalizedBatch {
        let next = NormalizedBatch { activities: Activities::as_large_as(&self.batch.activities), ..NormalizedBatch::new(self.batch.source.clone()) };
        let mut batch = std::mem::replace(&mut self.batch, next);
        self.named += u32::try_from(batch.subjects.len()).unwrap_or(u32::MAX);
        batch.rejected = std::mem::take(&mut self.rejects).into_records();
        batch
    }

    fn line(&mut self, line: &[u8], number: u64) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let outcome = match Event::parse(line) {
            Ok(event) => self.event(event),
            Err(column) => Err(format!("not a Jetstream event: column {column} cannot be read")),
        };
        if let Err(reason) = outcome {
            // Somebody who never enrolled wrote it: the place in the file is enough to find it.
            self.rejects.push(&self.file, format!("line {number}"), reason, "");
        }
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        let Event { did, time_us, commit, identity, account: _ } = event;
        if self.gone.contains(did.as_ref()) {
            self.batch.deleted += u64::from(commit.is_some());
            return Ok(());
        }
        if let Some(identity) = identity {
            self.describe(&did, |subject| subject.handle = identity.handle.as_deref().and_then(normalize::short_owned))?;
        }
        match commit {
            Some(commit) => self.commit(&did, time_us, &commit),
            None => Ok(()),
        }
    }

    /// Tells something about a person: with their record in this batch, or in a new one.
    fn describe(&mut self, did: &str, tell: impl FnOnce(&mut SubjectRecord)) -> Result<(), String> {
        let place = self.owner(did)?;
        let here = place.checked_sub(self.named).and_then(|here| usize::try_from(here).ok());
        match here.and_then(|here| self.batch.subjects.get_mut(here)) {
            Some(subject) => tell(subject),
            None => {
                let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Bluesky, native_id: did.to_owned() });
                tell(&mut subject);
                self.batch.subjects.push(subject);
            }
        }
        Ok(())
    }

    fn owner(&mut self, did: &str) -> Result<u32, String> {
        if let Some(&place) = self.people.get(short_did(did)) {
            return Ok(place);
        }
        let account = normalize::native_key(did).filter(|d| d.starts_with("did:")).ok_or("the account is not a DID")?.to_owned();
        let here = u32::try_from(self.batch.subjects.len()).map_err(|_| "too many people")?;
        let place = self.named.checked_add(here).ok_or("too many people")?;
        self.batch.subjects.push(SubjectRecord::new(AccountKey { platform: Platform::Bluesky, native_id: account }));
        self.people.insert(CompactString::from(short_did(did)), place);
        Ok(place)
    }

    fn commit(&mut self, did: &str, time_us: Option<i64>, commit: &Commit<'_>) -> Result<(), String> {
        let Some(kind) = kind_of(commit) else {
            return match (commit.collection.as_ref(), &commit.record) {
                ("app.bsky.actor.profile", Some(record)) => {
                    let joined = record.created_at.as_deref().and_then(normalize::rfc3339);
                    self.describe(did, |subject| subject.joined = joined.or(subject.joined))
                }
                // Settings, lists and blocks say nothing that a table here holds.
                (collection, _) if collection.starts_with("app.bsky.") => Ok(()),
                (collection, _) => Err(format!("records of {collection} are not read")),
            };
        };
        let owner = self.owner(did)?;
        self.key.clear();
        self.key.extend([commit.collection.as_ref(), "/", commit.rkey.as_ref()]);
        let Self { key, batch, options, .. } = self;
        let activities = &mut batch.activities;
        let key = normalize::native_key(key).ok_or("no record key")?;
        if commit.operation != Operation::Create {
            // An update takes the place of what was there.
            let mut removal = ActivityRecord::new(owner, key, kind, None);
            removal.removed = true;
            match (commit.operation, options.deletions) {
                (Operation::Delete, Deletions::Ignore) => return Ok(()),
                (Operation::Delete, Deletions::Apply) => {
                    activities.push(&removal);
                    return Ok(());
                }
                (Operation::Update | Operation::Create, _) => activities.push(&removal),
            }
        }
        let record = commit.record.as_ref().ok_or("a record that was created is missing")?;
        let at = record.created_at.as_deref().and_then(normalize::rfc3339).or_else(|| time_us.and_then(chrono::DateTime::from_timestamp_micros).and_then(normalize::plausible));
        let mut act = ActivityRecord::new(owner, key, kind, at);
        act.visibility = Visibility::Public;
        if matches!(kind, ActivityKind::Post | ActivityKind::Reply) {
            fill_in(&mut act, record);
        }
        activities.push(&act);
        Ok(())
    }
}

/// A DID as it is looked up: most are of one method, and without its name they are short enough to lie in
/// the table itself. No two DIDs are the same here.
fn short_did(did: &str) -> &str {
    did.strip_prefix("did:plc:").filter(|rest| !rest.starts_with("did:")).unwrap_or(did)
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

#[cfg(test)]
mod tests;
