//! What one source gives: rows, and what could not become a row.

use serde::{Deserialize, Serialize};

use super::{AccountKey, Activities, ActivityKind, SubjectRecord};
use crate::Platform;

crate::words! {
    /// Who a source's rows come from.
    pub enum SourceKind("kind of source") {
        /// A person's own archive: it enrols the accounts that it names.
        Export = "export",
        /// A table of the controller's own: it enrols likewise.
        Table = "table",
        /// A public stream, or its recording: whoever is known from streams only never enrolled.
        Stream = "stream",
    }
}

impl SourceKind {
    /// Whether the accounts that such a source names belong to people who enrolled.
    #[must_use]
    pub const fn enrols(self) -> bool {
        match self {
            Self::Export | Self::Table => true,
            Self::Stream => false,
        }
    }
}

/// The source that a batch came from, as far as it is known before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Where the operator found it.
    pub path: String,
    /// Who its rows come from.
    pub kind: SourceKind,
    /// Its platform.
    pub platform: Platform,
    /// Which reader made the rows, and its version, e.g. `mastodon/1`.
    pub parser: String,
}

/// What is known of a source when it was read to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceEnd {
    /// SHA-256 of its bytes, in hexadecimal; of a folder, of its files' names and hashes.
    pub sha256: String,
    /// Accounts that the platform says were deleted: if they are here, their people are to be erased.
    pub departed: Vec<AccountKey>,
    /// People whose accounts departed after the source had named them, by their places: nothing that it
    /// brought of theirs is taken in.
    pub withdrawn: Vec<u32>,
}

/// Something in a source that could not become a row. Kept, so that nothing is lost in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// The file, and the member inside an archive: `archive.zip!/outbox.json`.
    pub file: String,
    /// Where in it: a line, a row number or a JSON pointer.
    pub place: String,
    /// Why, in one sentence.
    pub reason: String,
    /// The record itself as found, shortened to 2,000 characters.
    pub record: String,
}

/// A source, or a part of one, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedBatch {
    /// The source.
    pub source: SourceInfo,
    /// The people that the source has not named before.
    pub subjects: Vec<SubjectRecord>,
    /// Their acts.
    pub activities: Activities,
    /// Records that were marked as deleted by their owner, and therefore left out.
    pub deleted: u64,
    /// What could not become a row.
    pub rejected: Vec<RejectedRecord>,
}

impl NormalizedBatch {
    /// Nothing yet of `source`.
    #[must_use]
    pub fn new(source: SourceInfo) -> Self {
        Self { source, subjects: Vec::new(), activities: Activities::default(), deleted: 0, rejected: Vec::new() }
    }

    /// Adds the next batch of the same source.
    pub fn extend(&mut self, next: Self) {
        let Self { source: _, subjects, activities, deleted, rejected } = next;
        self.subjects.extend(subjects);
        self.activities.extend(activities.iter());
        self.deleted += deleted;
        self.rejected.extend(rejected);
    }
}

/// How many rows of each kind; `duplicates` were there before and changed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Acts of kind `post` that were new.
    pub posts: u64,
    /// Likewise for `reply`.
    pub replies: u64,
    /// Likewise for `share`.
    pub shares: u64,
    /// Likewise for `like`.
    pub likes: u64,
    /// Likewise for `follow`.
    pub follows: u64,
    /// Likewise for `view`.
    pub views: u64,
    /// Likewise for every other kind.
    pub other: u64,
    /// Left out because their owner had deleted them.
    pub deleted: u64,
    /// There before, by owner and native key.
    pub duplicates: u64,
    /// Could not become a row.
    pub rejected: u64,
}

impl Counts {
    /// Counts one new act.
    pub const fn count(&mut self, kind: ActivityKind) {
        let field = match kind {
            ActivityKind::Post => &mut self.posts,
            ActivityKind::Reply => &mut self.replies,
            ActivityKind::Share => &mut self.shares,
            ActivityKind::Like => &mut self.likes,
            ActivityKind::Follow => &mut self.follows,
            ActivityKind::View => &mut self.views,
            ActivityKind::Dislike | ActivityKind::Join | ActivityKind::Bookmark | ActivityKind::Other => &mut self.other,
        };
        *field += 1;
    }

    /// New acts of all kinds together.
    #[must_use]
    pub const fn activities(&self) -> u64 {
        self.posts + self.replies + self.shares + self.likes + self.follows + self.views + self.other
    }

    /// Adds the counts of another source.
    pub const fn add(&mut self, other: &Self) {
        self.posts += other.posts;
        self.replies += other.replies;
        self.shares += other.shares;
        self.likes += other.likes;
        self.follows += other.follows;
        self.views += other.views;
        self.other += other.other;
        self.deleted += other.deleted;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
    }
}
