//! What a text says by itself.

/// Features of one act, derived from its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// BCP 47 tag of its language; none when the source said it, or nobody can tell.
    pub language: Option<String>,
    /// Its hashtags as [`ActivityRecord::tags`](super::ActivityRecord::tags) has them.
    pub tags: Vec<String>,
    /// The host of its first link.
    pub link_domain: Option<String>,
    /// Words in it.
    pub word_count: Option<u32>,
}
