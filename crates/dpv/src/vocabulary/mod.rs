//! The terms of DPV 2.3 that we use, as closed lists. Tests compare each with the published vocabulary.

mod consent;
mod justification;
mod legal_basis;
mod notice;
mod profile;
mod purpose;
mod rights;

pub use consent::{ConsentControlKind, ConsentStatus, ConsentType};
pub use justification::{DELAYS, JUSTIFICATIONS, NON_FULFILMENTS, justification_iri};
pub use legal_basis::LegalBasis;
pub use notice::NoticeStatus;
pub use profile::Profile;
pub use purpose::{Fit, PURPOSES, PurposeMapping, PurposeTerm};
pub use rights::{DataSubjectRight, RequestStatus};

/// Declares a closed list of terms, each with its namespace and its name there.
macro_rules! terms {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $space:ident $term:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every term, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The term's IRI.
            #[must_use]
            pub const fn iri(self) -> &'static str {
                match self { $(Self::$variant => $crate::iri::iri!($space $term),)+ }
            }

            /// The term of this IRI.
            #[must_use]
            pub fn from_iri(iri: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|term| term.iri() == iri)
            }
        }

        impl From<$name> for $crate::Iri {
            fn from(term: $name) -> Self {
                Self::new(term.iri())
            }
        }
    };
}
pub(crate) use terms;
