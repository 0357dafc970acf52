//! Acts by a person.

use std::borrow::Cow;

use crate::{CreatorId, Timestamp};

crate::words! {
    /// What the person did.
    pub enum ActivityKind("activity kind") {
        /// Published something.
        Post = "post",
        /// Answered something.
        Reply = "reply",
        /// Passed something on.
        Share = "share",
        /// Liked something.
        Like = "like",
        /// Disliked something.
        Dislike = "dislike",
        /// Followed an account.
        Follow = "follow",
        /// Joined a group.
        Join = "join",
        /// Looked at something.
        View = "view",
        /// Kept something for later.
        Bookmark = "bookmark",
        /// Anything else.
        Other = "other",
    }
}

crate::words! {
    /// Who could see it.
    pub enum Visibility("visibility") {
        /// Everybody.
        Public = "public",
        /// Everybody with the link.
        Unlisted = "unlisted",
        /// Followers.
        Followers = "followers",
        /// The people addressed.
        Direct = "direct",
        /// Not known.
        Unknown = "unknown",
    }
}

crate::words! {
    /// What was attached.
    pub enum Media("media") {
        /// Nothing.
        None = "none",
        /// Pictures.
        Image = "image",
        /// Moving pictures.
        Video = "video",
        /// Sound.
        Audio = "audio",
        /// Something else.
        Other = "other",
    }
}

/// One act, as its actor's own source tells it. Many of them are kept as [`super::Activities`].
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityRecord<'a> {
    /// Whose act: the place among the people of the source, in the order in which its batches name them.
    pub owner: u32,
    /// The platform's own key of the act; unique per owner, never across owners.
    pub native_key: Cow<'a, str>,
    /// What was done.
    pub kind: ActivityKind,
    /// When; many exports leave it out.
    pub at: Option<Timestamp>,
    /// BCP 47 tag of the content's language.
    pub language: Option<Cow<'a, str>>,
    /// The content as plain text. Never reachable by a partner.
    pub text: Option<Cow<'a, str>>,
    /// Words in the content.
    pub word_count: Option<u32>,
    /// What was attached.
    pub media: Media,
    /// Who could see it.
    pub visibility: Visibility,
    /// Host of the first link.
    pub link_domain: Option<Cow<'a, str>>,
    /// The group, channel or forum it happened in.
    pub container: Option<Cow<'a, str>>,
    /// The account that it was about, whose post was liked, passed on or answered, or who was followed: where the
    /// source of the actor names it.
    pub creator: Option<CreatorId>,
    /// Likes received when the source was made: an imported constant.
    pub likes_received: Option<u32>,
    /// Replies received, likewise.
    pub replies_received: Option<u32>,
    /// Shares received, likewise.
    pub shares_received: Option<u32>,
    /// Hashtags, normalised: lower case, no `#`, no duplicates.
    pub tags: Vec<Cow<'a, str>>,
    /// The owner deleted the act of this key: it goes if it is there, and nothing else of the record
    /// counts. An act that comes after its deletion is there again.
    pub removed: bool,
}

impl<'a> ActivityRecord<'a> {
    /// An act with nothing known but its key, kind and time.
    #[must_use]
    pub fn new(owner: u32, native_key: impl Into<Cow<'a, str>>, kind: ActivityKind, at: Option<Timestamp>) -> Self {
        Self {
            owner,
            native_key: native_key.into(),
            kind,
            at,
            language: None,
            text: None,
            word_count: None,
            media: Media::None,
            visibility: Visibility::Unknown,
            link_domain: None,
            container: None,
            creator: None,
            likes_received: None,
            replies_received: None,
            shares_received: None,
            tags: Vec::new(),
            removed: false,
        }
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> ActivityRecord<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        ActivityRecord {
            native_key: Cow::Owned(self.native_key.into_owned()),
            language: own(self.language),
            text: own(self.text),
            link_domain: own(self.link_domain),
            container: own(self.container),
            tags: self.tags.into_iter().map(|tag| Cow::Owned(tag.into_owned())).collect(),
            owner: self.owner,
            kind: self.kind,
            at: self.at,
            word_count: self.word_count,
            media: self.media,
            visibility: self.visibility,
            creator: self.creator,
            likes_received: self.likes_received,
            replies_received: self.replies_received,
            shares_received: self.shares_received,
            removed: self.removed,
        }
    }
}
