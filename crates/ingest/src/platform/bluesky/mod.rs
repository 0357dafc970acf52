//! Bluesky: what the Jetstream service sends, one JSON event per line, plain or in a `.zst` file.
//!
//! A file is read once, in blocks that are hashed in their order and decoded side by side: its rows are of
//! the very bytes that its hash is of. Its end tells whose accounts were deleted in it; what was taken in
//! of theirs is withdrawn. An act that is deleted later in the file, or in a later file, goes again. What
//! an act points at belongs to somebody else: it stays out, but for the number of the account
//! (`domain::creator`). Keys of acts hold no account, and what cannot be read is named by its line alone: the
//! people in a stream never enrolled.

mod blocks;
mod decode;
mod event;
mod input;
mod pointed;
mod shape;
mod usual;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use compact_str::CompactString;
use domain::Platform;
use domain::port::Progress;
use domain::record::{AccountKey, NormalizedBatch, SourceEnd, SourceInfo, SubjectRecord};
use hashbrown::HashMap;

use crate::normalize::Rejects;
use crate::source::{Deletions, Options, Sink};
use crate::{IngestError, limits, parallel};
use blocks::{Block, Blocks};
use decode::{Decoded, Life, Told, decode};
use event::Event;
use shape::Shapes;

/// Whether a file holds such events: its first line says.
pub(crate) fn recognizes(path: &Path) -> Result<bool, IngestError> {
    let block = Blocks::open(path)?.next(Vec::new()).map_err(IngestError::unreadable(path))?;
    let first = block.as_ref().and_then(|block| block.lines().split(|byte| *byte == b'\n').next());
    Ok(first.is_some_and(|line| Event::parse(line, None).is_ok()))
}

/// Reads one file.
pub(crate) fn read(path: &Path, source: SourceInfo, options: &Options, progress: &dyn Progress, sink: &mut Sink<'_>) -> Result<Option<SourceEnd>, IngestError> {
    let bytes = std::fs::metadata(path).map_err(IngestError::unreadable(path))?.len();
    progress.begin(&source.path, "bytes", Some(bytes));
    // Also of a file without anything else.
    if sink(NormalizedBatch::new(source.clone())).is_break() {
        return Ok(None);
    }
    let mut reader = Reader { file: source.path.clone(), source, people: HashMap::new(), named: 0, gone: BTreeSet::new(), lines: 0 };
    let mut blocks = Blocks::open(path)?;
    // What blocks that are done with leave to the next: their buffers, and the shapes of their lines.
    let spare: Mutex<Vec<(Vec<u8>, Shapes)>> = Mutex::default();
    let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    let next = || {
        let before = blocks.consumed();
        let (buffer, shapes) = spare().pop().unwrap_or_default();
        let block = blocks.next(buffer).map_err(IngestError::unreadable(path))?;
        progress.advance(blocks.consumed() - before);
        Ok(block.map(|block| (block, shapes)))
    };
    let work = |(block, mut shapes): (Block, Shapes)| {
        let decoded = decode(block.lines(), &options.creators, options.deletions, &mut shapes);
        spare().push((block.into_buffer(), shapes));
        decoded
    };
    let (mut full, mut stopped) = (false, false);
    let done = |decoded| match reader.batch(decoded) {
        Some(batch) => {
            let flow = sink(batch);
            stopped = flow.is_break();
            flow
        }
        None => {
            full = true;
            ControlFlow::Break(())
        }
    };
    parallel::ordered(options.threads, next, work, done)?;
    if full {
        return Err(IngestError::malformed(path, "too many people"));
    }
    if stopped {
        return Ok(None);
    }
    progress.finish();
    let sha256 = blocks.finish().map_err(IngestError::unreadable(path))?;
    Ok(Some(reader.end(sha256, options.deletions)))
}

/// Knows the people of a file.
struct Reader {
    file: String,
    source: SourceInfo,
    /// Account (see [`short_did`]) → place among the people of the source.
    people: HashMap<CompactString, u32>,
    /// People that earlier batches named.
    named: u32,
    /// Accounts whose last word so far is that they were deleted.
    gone: BTreeSet<String>,
    /// Lines of the blocks before.
    lines: u64,
}

impl Reader {
    /// What a block says, with the places of its people; none when there are more than can be numbered.
    fn batch(&mut self, decoded: Decoded) -> Option<NormalizedBatch> {
        let Decoded { accounts, mut activities, told, lives, rejected, lines } = decoded;
        let mut batch = NormalizedBatch::new(self.source.clone());
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
        for (did, life) in lives {
            match life {
                Life::Deleted => self.gone.insert(did),
                Life::Active => self.gone.remove(&did),
            };
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

    /// What is known at the end of the file.
    fn end(self, sha256: String, deletions: Deletions) -> SourceEnd {
        if deletions == Deletions::Ignore {
            return SourceEnd { sha256, ..SourceEnd::default() };
        }
        let withdrawn = self.gone.iter().filter_map(|did| self.people.get(short_did(did)).copied()).collect();
        let departed = self.gone.into_iter().take(limits::REJECTED).map(|native_id| AccountKey { platform: Platform::Bluesky, native_id }).collect();
        SourceEnd { sha256, departed, withdrawn }
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
