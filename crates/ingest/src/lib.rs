//! How a row arrives and is made plain: other people's archives and files → [`NormalizedBatch`].
//!
//! The only crate that knows other people's formats. One folder per platform below `platform`; a
//! reader keeps everything it understands and puts the rest, with place and reason, among the
//! rejected records. It knows no store, no consent rules and no clock.

mod choices;
mod contacts;
mod error;
mod features;
mod limits;
mod normalize;
mod parallel;
mod partner;
mod platform;
mod source;

pub use choices::{BadChoice, ChoiceRow, choices};
pub use contacts::{BadContact, ContactRow, contacts};
pub use error::IngestError;
pub use features::TextFeatures;
pub use partner::{PartnerColumns, PartnerFile, partner_rows};
pub use source::{Deletions, Options, Sink, Source, read, sources};

#[doc(no_inline)]
pub use domain::record::NormalizedBatch;
