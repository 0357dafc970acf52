//! How large things may be. A limit on everything: sources come from outside.

/// Bytes of text kept of one act.
pub(crate) const TEXT_BYTES: usize = 64 * 1024;
/// Characters of a short text: language, country, container, host.
pub(crate) const SHORT_CHARS: usize = 256;
/// Characters of a hashtag or interest.
pub(crate) const TAG_CHARS: usize = 100;
/// Hashtags of one act, and interests of one person.
pub(crate) const TAGS: usize = 100;
/// Bytes of a native key.
pub(crate) const KEY_BYTES: usize = 2_048;
/// Characters of a rejected record that are kept.
pub(crate) const REJECTED_CHARS: usize = 2_000;
/// Rejected records kept of one source.
pub(crate) const REJECTED: usize = 100_000;
/// Bytes of one member of an archive, unpacked.
pub(crate) const MEMBER_BYTES: u64 = 2 << 30;
/// Entries of an archive.
pub(crate) const ARCHIVE_ENTRIES: usize = 100_000;
/// How far a member may unpack to more than its size, beyond [`RATIO_FREE_BYTES`].
pub(crate) const RATIO: u64 = 200;
/// Unpacked bytes below which the ratio does not matter.
pub(crate) const RATIO_FREE_BYTES: u64 = 10 << 20;
/// Bytes of one line of JSON.
pub(crate) const LINE_BYTES: usize = 1 << 20;
