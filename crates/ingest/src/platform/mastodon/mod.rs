//! Mastodon account archives: a zip, or its unpacked folder, with `actor.json`, `outbox.json` and, in
//! newer ones, `likes.json` and `bookmarks.json`.
//!
//! What an archive does not say stays unknown: likes and bookmarks have no time, boosts no text. Whose post was liked,
//! boosted or answered, its address often says (*address*).

mod address;
mod archive;
mod items;
mod note;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use domain::port::Progress;
use domain::record::{AccountKey, Activities, ActivityKind, ActivityRecord, NormalizedBatch, SourceInfo, SubjectRecord};
use domain::{CreatorId, CreatorKey, Platform};
use serde_json::Value;

use crate::IngestError;
use crate::normalize::{self, Rejects};
use crate::source::Options;
use archive::Archive;

pub(crate) use archive::{recognizes_archive, recognizes_folder};

/// Reads one archive.
pub(crate) fn read(path: &Path, source: SourceInfo, options: &Options, progress: &dyn Progress) -> Result<NormalizedBatch, IngestError> {
    let mut archive = Archive::open(path)?;
    progress.begin(&source.path, "records", None);
    let subject = archive.with("actor.json", |reader| actor(path, reader))?.ok_or_else(|| missing(path, "actor.json"))?;
    let mut reader = Reader { creators: &options.creators, rejects: Rejects::default(), activities: Activities::default(), deleted: 0 };
    let name = |member: &str| format!("{}!/{member}", path.display());
    let outbox = archive.with("outbox.json", |r| {
        items::for_each(r, &mut |i, item| {
            progress.advance(1);
            reader.outbox_item(&name("outbox.json"), i, item)
        })
        .map_err(|e| IngestError::malformed(name("outbox.json"), e))
    })?;
    outbox.ok_or_else(|| missing(path, "outbox.json"))?;
    for (member, kind) in [("likes.json", ActivityKind::Like), ("bookmarks.json", ActivityKind::Bookmark)] {
        archive.with(member, |r| {
            items::for_each(r, &mut |i, item| {
                progress.advance(1);
                reader.reference(&name(member), i, kind, item)
            })
            .map_err(|e| IngestError::malformed(name(member), e))
        })?;
    }
    progress.finish();
    Ok(NormalizedBatch { subjects: vec![subject], activities: reader.activities, deleted: reader.deleted, rejected: reader.rejects.into_records(), ..NormalizedBatch::new(source) })
}

fn missing(path: &Path, member: &str) -> IngestError {
    IngestError::Missing { path: path.to_owned(), member: member.to_owned(), hint: "a Mastodon archive has it; ask the platform for a new archive".to_owned() }
}

/// The platform's own id of an object.
fn key(object: &Value) -> Option<&str> {
    object.get("id").and_then(Value::as_str).and_then(normalize::native_key)
}

fn actor(path: &Path, reader: &mut dyn Read) -> Result<SubjectRecord, IngestError> {
    let actor: Value = serde_json::from_reader(reader).map_err(|e| IngestError::malformed(path.join("actor.json"), e))?;
    let id = key(&actor).map(str::to_owned);
    let id = id.ok_or_else(|| IngestError::malformed(path.join("actor.json"), "the actor has no id"))?;
    let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Mastodon, native_id: id });
    subject.handle = actor.get("preferredUsername").and_then(Value::as_str).and_then(normalize::short_owned);
    subject.joined = actor.get("published").and_then(Value::as_str).and_then(normalize::rfc3339);
    Ok(subject)
}

struct Reader<'a> {
    creators: &'a CreatorKey,
    rejects: Rejects,
    activities: Activities,
    deleted: u64,
}

/// `type` may be one word or several.
fn has_type(value: &Value, wanted: &str) -> bool {
    match value.get("type") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|t| t.as_str() == Some(wanted)),
        _ => false,
    }
}

impl Reader<'_> {
    /// The account whose post has that address, or is that object, where it says so.
    fn author(&self, object: Option<&Value>) -> Option<CreatorId> {
        object.and_then(address::author).map(|account| self.creators.id(Platform::Mastodon, &account))
    }

    fn outbox_item(&mut self, file: &str, index: usize, item: &Value) {
        match self.outbox_activity(item) {
            Ok(()) => {}
            Err(reason) => self.rejects.push(file, format!("/orderedItems/{index}"), reason, &item.to_string()),
        }
    }

    fn outbox_activity(&mut self, item: &Value) -> Result<(), String> {
        if !item.is_object() {
            return Err("not an activity".to_owned());
        }
        let at = |value: &Value| match value.get("published") {
            None | Some(Value::Null) => Ok(None),
            Some(published) => published.as_str().and_then(normalize::rfc3339).map(Some).ok_or_else(|| format!("`published` is not a time: {published}")),
        };
        if has_type(item, "Create") {
            let object = item.get("object").filter(|o| o.is_object()).ok_or("a Create without its object")?;
            if has_type(object, "Tombstone") {
                // Nothing is left to keep, whatever is to be done with deletions.
                self.deleted += 1;
                return Ok(());
            }
            let key = key(object).or_else(|| key(item)).ok_or("no id")?;
            let at = at(object)?.or(at(item)?);
            let mut record = note::record(object, key, at);
            record.creator = self.author(object.get("inReplyTo"));
            self.activities.push(&record);
        } else if has_type(item, "Announce") {
            let mut record = ActivityRecord::new(0, key(item).ok_or("no id")?, ActivityKind::Share, at(item)?);
            record.visibility = note::visibility(item);
            record.creator = self.author(item.get("object"));
            self.activities.push(&record);
        } else if has_type(item, "Delete") {
            self.deleted += 1;
        } else {
            return Err(format!("an activity of a type that outboxes do not have: {}", item.get("type").unwrap_or(&Value::Null)));
        }
        Ok(())
    }

    /// A like or bookmark: the address of somebody's post, nothing else.
    fn reference(&mut self, file: &str, index: usize, kind: ActivityKind, item: &Value) {
        match item.as_str().and_then(normalize::native_key) {
            Some(address) => {
                let mut record = ActivityRecord::new(0, format!("{kind}:{address}"), kind, None);
                record.creator = self.author(Some(item));
                self.activities.push(&record);
            }
            None => self.rejects.push(file, format!("/orderedItems/{index}"), "not an address", &item.to_string()),
        }
    }
}
