//! Ready-made questions: what each asks, and what is read out of its answer.
//!
//! # Guarantee
//! An insight is a question like any other: it goes through the same validator, price and clean room, and
//! what is made of its answer is made of released numbers only. What the asker names is a parameter of the
//! question, never part of its text.

mod ask;
mod read;
mod share;
mod trend;

pub(crate) use ask::{Asked, Params, Period};
pub(crate) use read::{Reading, read};

domain::words! {
    /// The insights.
    pub(crate) enum Kind("insight") {
        /// People by age band and country.
        Audience = "audience",
        /// Hashtags by the people who use them.
        TopTags = "top-tags",
        /// People per hashtag over time, and what rises or falls.
        Trends = "trends",
        /// Each hashtag's part of all that are named.
        ShareOfVoice = "share-of-voice",
        /// People by weekday and hour.
        PostingTimes = "posting-times",
        /// What a post receives.
        Engagement = "engagement",
        /// How active people are.
        ActivityLevels = "activity-levels",
        /// Creators by the people who react to them.
        TopCreators = "top-creators",
        /// What people do with what each creator made.
        CreatorReactions = "creator-reactions",
        /// People of a partner's table who are here.
        Overlap = "overlap",
    }
}

impl Kind {
    /// What it answers.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Audience => "who is there: people by age band and country, among those who did something",
            Self::TopTags => "what is talked about: hashtags by people who use them; those of few people are left out, decided with noise",
            Self::Trends => "what rises and falls: people per named hashtag and period, each period against the mean of those before it",
            Self::ShareOfVoice => "whose topic is largest: each named hashtag's part of the people of all of them",
            Self::PostingTimes => "when people are there: people by weekday and hour (UTC)",
            Self::Engagement => "what a post receives: likes, replies and shares per post of which they are known",
            Self::ActivityLevels => "how active people are: quartiles of acts per person who did something, and people by acts",
            Self::TopCreators => "who is reacted to: listed creators by people who like, share, answer or follow them; those of few people are left out, decided with noise",
            Self::CreatorReactions => "how creators are reacted to: people by creator and by what they did",
            Self::Overlap => "who of yours is here: people of one of your tables, and their part of its rows; how many matched is known only like this",
        }
    }

    /// The options that it takes besides those of all.
    pub(crate) const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Audience => &["from", "to", "kind", "platform", "table", "top"],
            Self::TopTags => &["from", "to", "kind", "platform", "country", "table", "top"],
            Self::Trends => &["tag", "from", "to", "by", "kind", "platform", "country", "table"],
            Self::ShareOfVoice => &["tag", "from", "to", "kind", "platform", "country", "table"],
            Self::PostingTimes | Self::ActivityLevels => &["from", "to", "kind", "platform", "country", "table"],
            Self::Overlap => &["table"],
            Self::Engagement => &["from", "to", "platform", "country", "table"],
            Self::TopCreators => &["category", "from", "to", "kind", "platform", "country", "table", "top"],
            Self::CreatorReactions => &["category", "from", "to", "platform", "country", "table"],
        }
    }
}
