//! The walls' doors: traits through which the planes meet, without an engine's or a store's types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dp::BoundingKey;

use crate::catalog::TableName;
use crate::lake::{Arrival, Manifest, Snapshot, Staged, Traced, Undo};
use crate::mail::{Letter, MailFailure};
use crate::partner_table::{PartnerRows, PartnerTable, PartnerTableId};
use crate::question::{Prepared, Question};
use crate::record::Features;
use crate::release::{Answered, Charge};
use crate::{CreatorList, Fault, Refusal, SubjectId, SubjectSet, Timestamp};

/// Tells the time. The binary has the real one; tests move theirs.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes for salts, ids and keys. The binary has the operating system's; noise has its
/// own source in `dp`.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// A fault when the system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault>;
}

/// Told how far long work has come.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` in `unit`s, when known.
    fn begin(&self, stage: &str, unit: &str, total: Option<u64>);
    /// `amount` more is done.
    fn advance(&self, amount: u64);
    /// The stage is over.
    fn finish(&self);
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _stage: &str, _unit: &str, _total: Option<u64>) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}

/// A paid look at the data.
#[derive(Debug)]
pub struct PaidLook<'a> {
    /// What to compute.
    pub prepared: &'a Prepared,
    /// That it was paid for.
    pub charge: &'a Charge,
    /// Over which rows.
    pub snapshot: &'a Snapshot,
    /// Over whose rows: everybody else's are not there.
    pub eligible: &'a SubjectSet,
    /// By which secret the groups of a person with too many are chosen.
    pub bounding_key: &'a BoundingKey,
}

/// Where questions are understood and answered.
pub trait CleanRoom: Send + Sync {
    /// Understands and prices a question of a partner who has these tables, by the public list of creators, or refuses
    /// it. Looks at no data.
    ///
    /// # Errors
    /// A refusal with code, place and hint.
    fn prepare(&self, question: &Question, tables: &[PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal>;

    /// Answers a question that was paid for. Blocks; call it where blocking is fine.
    ///
    /// # Guarantee
    /// The table is differentially private for one person at the charge's cost, and computed over
    /// the eligible people's rows only.
    ///
    /// # Errors
    /// A fault of ours. It must not depend on the question having an answer: every accepted question
    /// is total.
    fn answer(&self, look: &PaidLook<'_>) -> Result<Answered, Fault>;
}

/// Derives features of an act from its text.
///
/// # Guarantee
/// A function of one person's row and of public constants that the version names: nobody's features
/// depend on anybody else's rows.
pub trait FeatureExtractor: Send + Sync {
    /// The version of the rules, from 1; another one means that features are derived anew.
    fn version(&self) -> u32;

    /// The features of `text`, whose language its source said, or not. Must be quick for any text.
    fn extract(&self, text: &str, said_language: Option<&str>) -> Features;
}

/// Sends letters.
pub trait Mailer: Send + Sync {
    /// Hands a letter to a mail server. Blocks; call it where blocking is fine.
    ///
    /// # Errors
    /// Whether another attempt makes sense.
    fn send(&self, letter: &Letter) -> Result<(), MailFailure>;
}

/// Where rows lie.
pub trait Lake: Send + Sync {
    /// Begins an import on top of `base`, whose sources are numbered from `first_source` on.
    ///
    /// # Errors
    /// A fault of the file system.
    fn import(&self, base: Option<&Manifest>, first_source: u32) -> Result<Box<dyn LakeImport>, Fault>;

    /// Imports arrivals that are all in memory, each its own source from 0 on.
    ///
    /// # Errors
    /// As [`LakeImport::finish`].
    fn stage(&self, base: Option<&Manifest>, arrivals: &[Arrival], progress: &dyn Progress) -> Result<Staged, Fault> {
        let mut import = self.import(base, 0)?;
        for (source, arrival) in (0..).zip(arrivals) {
            import.append(source, arrival)?;
        }
        import.finish(progress)
    }

    /// Writes files that hold each of `bases` without any row of `people`; gives the snapshots that would
    /// take their places: a base itself when they have no rows in it. What bases share stays shared.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn erase(&self, bases: &[Manifest], people: &SubjectSet) -> Result<Vec<Manifest>, Fault>;

    /// Writes files that hold `base` without what an import brought; gives the snapshot that would be
    /// visible, which is `base` itself when nothing of it is there.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn undo(&self, base: &Manifest, undo: &Undo) -> Result<Manifest, Fault>;

    /// Writes files in which the acts of `other` are acts of `keep`; gives the snapshot that would be
    /// visible. What describes `other` stays theirs.
    ///
    /// # Guarantee
    /// All acts of `keep` lie under one id and in one file, each native key once, and those that arrived
    /// as `other`'s say so.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn merge(&self, base: &Manifest, keep: SubjectId, other: SubjectId) -> Result<Manifest, Fault>;

    /// Writes files in which the acts of `keep` that arrived as `other`'s are `other`'s again; gives the
    /// snapshot that would be visible.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn split(&self, base: &Manifest, keep: SubjectId, other: SubjectId) -> Result<Manifest, Fault>;

    /// Writes a partner's table, whose number is new; gives the snapshot in which it is.
    ///
    /// # Guarantee
    /// Rows lie under their owners: they go with their person like all others.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn put(&self, base: Option<&Manifest>, table: PartnerTableId, rows: &PartnerRows) -> Result<Manifest, Fault>;

    /// Where the rows of `subject` come from: all of them, or those of the act with this native key.
    ///
    /// # Errors
    /// A fault of the file system.
    fn trace(&self, manifest: &Manifest, subject: SubjectId, native_key: Option<&str>) -> Result<Vec<Traced>, Fault>;

    /// Makes one file of each bucket's files; gives the snapshots that would take the places of `bases`.
    /// What bases share stays shared.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn compact(&self, bases: &[Manifest], progress: &dyn Progress) -> Result<Vec<Manifest>, Fault>;

    /// Derives the features of all acts of `buckets` whose files have them of an older version; gives the
    /// snapshot that would be visible. What sources said stays, and rows without text stay as they are.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn derive(&self, base: &Manifest, buckets: &BTreeSet<u32>, extractor: &dyn FeatureExtractor) -> Result<Manifest, Fault>;

    /// Removes every file that none of `live` names; tells how many.
    ///
    /// # Errors
    /// A fault of the file system.
    fn sweep(&self, live: &[Manifest]) -> Result<u64, Fault>;

    /// Compares every file of a snapshot with its hash; names the first that differs.
    ///
    /// # Errors
    /// A fault of the file system other than a missing file, which counts as different.
    fn first_damaged(&self, manifest: &Manifest) -> Result<Option<(TableName, String)>, Fault>;
}

/// Rows on their way into the lake. Dropping it leaves nothing but garbage that [`Lake::sweep`] removes.
pub trait LakeImport: Send {
    /// Says whose acts go to whom, because the ids were merged; to be called before the first rows.
    fn resolve(&mut self, merged: &BTreeMap<SubjectId, SubjectId>);

    /// Takes in rows of the import's source number `source`, from 0. Memory stays bounded however
    /// many come.
    ///
    /// # Errors
    /// A fault of the file system, for example a full disk.
    fn append(&mut self, source: u32, arrival: &Arrival) -> Result<(), Fault>;

    /// Takes back what source number `source` brought of `people`, by the ids under which it named them;
    /// counts their acts as deleted.
    fn withdraw(&mut self, source: u32, people: SubjectSet);

    /// Writes files that hold the base and everything that was taken in. Nothing of it is visible
    /// until the control store names the manifest.
    ///
    /// # Errors
    /// A fault; files written so far are garbage.
    fn finish(self: Box<Self>, progress: &dyn Progress) -> Result<Staged, Fault>;
}
