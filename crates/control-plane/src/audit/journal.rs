//! The journal: every entry with the row that it vouches for, sealed, beside the published log.
//!
//! A store that is lost can be brought from an older copy up to the log with it: nothing that a
//! published checkpoint covers is only in the store. Segments hold ids, choices, budgets and answers;
//! accounts, names and evidence are in no recorded row.
//!
//! ```text
//! journal/<first>-<end>.sealed    entries from <first> on, before <end>
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use domain::Fault;
use domain::audit::EntryBody;
use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use super::publish;
use crate::Error;
use crate::error::unreadable;
use crate::plane::Inner;
use crate::store::{from_i64, loss_text, row_texts, to_i64};

/// The folder, within the deployment's.
pub(crate) const FOLDER: &str = "journal";

/// Entries in a segment, at most.
const ENTRIES: u64 = 4_096;

/// An entry and what it vouches for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Its salt, in hexadecimal.
    pub(crate) salt: String,
    /// Its body, byte for byte.
    pub(crate) body: String,
    /// The text of its row.
    pub(crate) row: String,
    /// Of an act on identities: the text of what somebody lost by it, to which the row commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<String>,
}

/// A segment's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    first: u64,
    end: u64,
}

impl Segment {
    fn name(self) -> String {
        format!("{}-{}.sealed", self.first, self.end)
    }

    /// What its seal is bound to.
    fn place(self) -> String {
        format!("{FOLDER}/{}-{}", self.first, self.end)
    }

    fn parse(name: &str) -> Option<Self> {
        let (first, end) = name.strip_suffix(".sealed")?.split_once('-')?;
        let segment = Self { first: first.parse().ok()?, end: end.parse().ok()? };
        (segment.first < segment.end && segment.name() == name).then_some(segment)
    }
}

/// All segments, by their beginning; of those that begin together the longest is last.
fn segments(folder: &Path) -> Result<Vec<Segment>, Fault> {
    let fault = |e| Fault::new(format!("reading the journal {}", folder.display()), e);
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fault(e)),
    };
    let mut segments = Vec::new();
    for file in listed {
        segments.extend(file.map_err(fault)?.file_name().to_str().and_then(Segment::parse));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// How far the segments, in order, reach from `from` on without a gap, and which of them lead there.
fn chain(segments: &[Segment], from: u64) -> (u64, Vec<Segment>) {
    let (mut reached, mut chain) = (from, Vec::new());
    // The one that leads farthest of those that begin where something was reached.
    let mut farthest: Option<Segment> = None;
    for segment in segments {
        while segment.first > reached {
            let Some(next) = farthest.take() else { return (reached, chain) };
            reached = next.end;
            chain.push(next);
        }
        if segment.end > farthest.map_or(reached, |f| f.end) {
            farthest = Some(*segment);
        }
    }
    chain.extend(farthest);
    (farthest.map_or(reached, |f| f.end), chain)
}

/// The entry up to which the journal reaches, whatever is missing before.
pub(crate) fn end(dir: &Path) -> Result<u64, Fault> {
    Ok(segments(&dir.join(FOLDER))?.iter().map(|s| s.end).max().unwrap_or(0))
}

/// Writes the entries before `end` that the journal lacks, durably.
pub(super) async fn write(tx: &mut SqliteConnection, inner: &Inner, end: u64) -> Result<(), Error> {
    let folder = inner.dir.join(FOLDER);
    let (mut first, _) = chain(&segments(&folder)?, 0);
    while first < end {
        let segment = Segment { first, end: end.min(first + ENTRIES) };
        let lines = lines(tx, segment).await?;
        let text = serde_json::to_vec(&lines).map_err(|e| Fault::new("writing the journal", e))?;
        let sealed = inner.seal.seal(&*inner.entropy, &segment.place(), &text)?;
        publish::write(&folder.join(segment.name()), &sealed)?;
        first = segment.end;
    }
    Ok(())
}

async fn lines(tx: &mut SqliteConnection, segment: Segment) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query("SELECT salt, body FROM audit_entry WHERE id >= ? AND id < ? ORDER BY id").bind(to_i64(segment.first)?).bind(to_i64(segment.end)?);
    let mut entries = Vec::new();
    let mut ids: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in rows.fetch_all(&mut *tx).await? {
        let (salt, text): (Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?);
        let body: EntryBody = serde_json::from_str(&text).map_err(|e| unreadable("an audit entry", e))?;
        let (low, high) = ids.entry(body.row.table.clone()).or_insert((body.row.id, body.row.id));
        (*low, *high) = (body.row.id.min(*low), body.row.id.max(*high));
        entries.push((hex::encode(salt), text, body.row));
    }
    if from_i64(i64::try_from(entries.len()).unwrap_or(i64::MAX))? != segment.end - segment.first {
        return Err(Fault::broken("audit entries are missing").into());
    }
    let mut texts: BTreeMap<&str, HashMap<i64, String>> = BTreeMap::new();
    for (table, (low, high)) in &ids {
        texts.insert(table, row_texts(tx, table, *low..=*high).await?.into_iter().collect());
    }
    let mut lines = Vec::with_capacity(entries.len());
    for (salt, body, of) in &entries {
        let row = texts.get_mut(of.table.as_str()).and_then(|rows| rows.remove(&of.id));
        let row = row.ok_or_else(|| Fault::broken(format!("row {} of {} is missing, and cannot be written into the journal", of.id, of.table)))?;
        let loss = if of.table == "identity_act" { loss_text(tx, of.id).await? } else { None };
        lines.push(Line { salt: salt.clone(), body: body.clone(), row, loss });
    }
    Ok(lines)
}

/// The entries from `from` on, up to where the journal ends, and that end; at least those before `wanted`.
///
/// # Errors
/// A conflict that names the missing entries or the damaged segment.
pub(crate) fn read(inner: &Inner, from: u64, wanted: u64) -> Result<Vec<Line>, Error> {
    let folder: PathBuf = inner.dir.join(FOLDER);
    let segments = segments(&folder)?;
    let (reached, chain) = chain(&segments, from);
    let wanted = segments.iter().map(|s| s.end).max().unwrap_or(0).max(wanted);
    if reached < wanted {
        let next = segments.iter().map(|s| s.first).filter(|first| *first > reached).min().unwrap_or(wanted);
        return Err(Error::Conflict(format!("the journal lacks the entries {reached} to {}; put its newest copy into {}. Nothing was changed", next - 1, folder.display())));
    }
    let mut lines = Vec::new();
    let mut at = from;
    for segment in chain {
        let damaged = |why: &dyn std::fmt::Display| {
            let path = folder.join(segment.name());
            Error::Conflict(format!("the journal's segment {} cannot be used: {why}; put an unchanged copy there. Nothing was changed", path.display()))
        };
        let sealed = fs::read(folder.join(segment.name())).map_err(|e| damaged(&e))?;
        let text = inner.seal.open(&segment.place(), &sealed).map_err(|_| damaged(&"it was changed, or keys/ are not this deployment's"))?;
        let all: Vec<Line> = serde_json::from_slice(&text).map_err(|e| damaged(&e))?;
        if all.len() as u64 != segment.end - segment.first {
            return Err(damaged(&"it is cut short"));
        }
        let known = usize::try_from(at - segment.first).map_err(|e| damaged(&e))?;
        lines.extend(all.into_iter().skip(known));
        at = segment.end;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(places: &[(u64, u64)]) -> Vec<Segment> {
        let mut all: Vec<Segment> = places.iter().map(|&(first, end)| Segment { first, end }).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn segments_that_overlap_lead_on_and_gaps_end_the_chain() {
        let segments = all(&[(0, 4), (4, 9), (4, 6), (7, 12), (13, 20)]);
        assert_eq!(chain(&segments, 0), (12, all(&[(0, 4), (4, 9), (7, 12)])));
        assert_eq!(chain(&segments, 5).0, 12);
        assert_eq!(chain(&segments, 13).0, 20);
        assert_eq!(chain(&segments, 12), (12, Vec::new()));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let segment = Segment { first: 7, end: 12 };
        assert_eq!(Segment::parse(&segment.name()), Some(segment));
        for name in ["7-12.tmp", "12-7.sealed", "7-7.sealed", "07-12.sealed", "x-1.sealed", "7.sealed"] {
            assert_eq!(Segment::parse(name), None, "{name}");
        }
    }
}
