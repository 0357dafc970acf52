//! Notices: versioned texts in several languages, kept for ever, and who was shown which.
//!
//! ```text
//! publish   a version with its words, and words in further languages
//! show      reading them back, and what changed between versions
//! ask       what a notice asks of one person, by the law of where they live
//! served    that somebody was shown it, and is asked by it
//! answer    what they answered, as choices
//! ```

mod answer;
mod ask;
mod publish;
mod served;
mod show;

pub use answer::{Answer, Answered, Answers, Outcome};
pub use ask::{Asking, Barred, Needs, NoticePage};
pub use publish::NewNotice;
pub use served::{Seen, Serving};

pub(crate) use publish::{first_wrong, follow};
pub(crate) use show::{find, not_found};
