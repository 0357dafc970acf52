//! Bluesky: what the Jetstream service sends, one JSON event per line, plain or in a `.zst` file.
//!
//! A file is read twice. The first time finds the accounts that were deleted in it: nothing of theirs
//! is taken in. The second time reads the events in their order, in blocks that are decoded side by
//! side; an act that is deleted later in the file, or in a later file, goes again. What an act points at
//! belongs to somebody else: it stays out, but for the number of the account (`domain::creator`). Keys of acts hold no account, and what cannot be read is
//! named by its line alone: the people in a stream never enrolled.

mod blocks;
mod decode;
mod event;
mod lines;
mod pointed;
mod usual;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;

use compact_str::CompactString;
use domain::Platform;
use domain::port::Progress;
use domain::record::{AccountKey, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord};
use hashbrown::{HashMap, HashSet};

use crate::normalize::Rejects;
use crate::source::{Deletions, Options, Sink};
use crate::{IngestError, limits, parallel};
use blocks::Blocks;
use decode::{Decoded, Decoder, Told};
use event::Event;
use lines::Lines;

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
    let source = SourceInfo { path: path.display().to_string(), kind: SourceKind::Stream, platform: Platform::Bluesky, sha256, parser: "jetstream/2".to_owned() };
    progress.begin(&source.path, "bytes", Some(bytes));
    let departed = gone.iter().take(limits::REJECTED).map(|did| AccountKey { platform: Platform::Bluesky, native_id: did.clone() }).collect();
    // The first batch says who is gone, also of a file without anything else.
    if sink(NormalizedBatch { departed, ..NormalizedBatch::new(source.clone()) }).is_break() {
        return Ok(());
    }
    let mut reader = Reader { file: source.path.clone(), source, people: HashMap::new(), named: 0, lines: 0 };
    let decoder = Decoder { creators: &options.creators, deletions: options.deletions, gone: &gone };
    let blocks = RefCell::new(Blocks::open(path)?);
    let mut told = 0;
    let next = || {
        let mut blocks = blocks.borrow_mut();
        let block = blocks.next().map_err(IngestError::unreadable(path))?;
        let read = blocks.consumed();
        progress.advance(read - told);
        told = read;
        Ok(block)
    };
    let mut full = false;
    let done = |(decoded, block)| {
        blocks.borrow_mut().give_back(block);
        match reader.batch(decoded) {
            Some(batch) => sink(batch),
            None => {
                full = true;
                ControlFlow::Break(())
            }
        }
    };
    parallel::ordered(options.threads, next, |block| decoder.decode(block), done)?;
    if full {
        return Err(IngestError::malformed(path, "too many people"));
    }
    progress.finish();
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

/// Knows the people of a file.
struct Reader {
    file: String,
    source: SourceInfo,
    /// Account (see [`short_did`]) → place among the people of the source.
    people: HashMap<CompactString, u32>,
    /// People that earlier batches named.
    named: u32,
    /// Lines of the blocks before.
    lines: u64,
}

impl Reader {
    /// What a block says, with the places of its people; none when there are more than can be numbered.
    fn batch(&mut self, decoded: Decoded) -> Option<NormalizedBatch> {
        let Decoded { accounts, mut activities, told, deleted, rejected, lines } = decoded;
        let mut batch = NormalizedBatch { deleted, ..NormalizedBatch::new(self.source.clone()) };
        let new = |did: &str| SubjectRecord::new(AccountKey { platform: Platform::Bluesky, native_id: did.to_owned() });
        let mut places = Vec::with_capacity(accounts.len());
        for did in accounts.iter() {
            let short = short_did(did);
            places.push(match self.people.get(short) {
                Some(place) => *place,
                None => {
                    let place = u32::try_from(batch.subjects.len()).ok().and_then(|here| self.named.checked_add(here))?;
                    self.people.insert(CompactString::from(short), place);
                    batch.subjects.push(new(did));
                    place
                }
            });
        }
        for owner in &mut activities.owners {
            *owner = usize::try_from(*owner).ok().and_then(|place| places.get(place)).copied()?;
        }
        batch.activities = activities;
        for (account, told) in told {
            let account = usize::try_from(account).ok()?;
            let here = places.get(account)?.checked_sub(self.named).and_then(|here| usize::try_from(here).ok());
            match here.and_then(|here| batch.subjects.get_mut(here)) {
                Some(subject) => told.tell(subject),
                // Described again after an earlier batch named them: as a record of its own.
                None => {
                    let mut subject = new(accounts.get(account));
                    told.tell(&mut subject);
                    batch.subjects.push(subject);
                }
            }
        }
        let mut rejects = Rejects::default();
        for (line, reason) in rejected {
            // Somebody who never enrolled wrote it: the place in the file is enough to find it.
            rejects.push(&self.file, format!("line {}", self.lines + line + 1), reason, "");
        }
        batch.rejected = rejects.into_records();
        self.lines += lines;
        self.named = u32::try_from(batch.subjects.len()).ok().and_then(|here| self.named.checked_add(here))?;
        Some(batch)
    }
}

impl Told {
    fn tell(self, subject: &mut SubjectRecord) {
        match self {
            Self::Handle(handle) => subject.handle = handle,
            Self::Joined(joined) => subject.joined = joined.or(subject.joined),
        }
    }
}

/// A DID as it is looked up: most are of one method, and without its name they are short enough to lie in
/// the table itself. No two DIDs are the same here.
fn short_did(did: &str) -> &str {
    did.strip_prefix("did:plc:").filter(|rest| !rest.starts_with("did:")).unwrap_or(did)
}

#[cfg(test)]
mod tests;
