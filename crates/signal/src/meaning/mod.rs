//! What signals mean: which purposes they narrow, in the product's words.
//!
//! Every function gives a list of narrowings, one for each field that says something, with the field's name: it is
//! the evidence. Whoever decides takes from what a person agreed to whatever any narrowing names.
//!
//! # Guarantee
//!
//! There is no way to say "allowed" here: a signal narrows or says nothing. Fields that are absent or not applicable
//! and intents that are undeclared say nothing, with one exception that its standard makes: an account without
//! `indexable` is not to be searched. Where a standard leaves two readings, the stricter one is taken.

mod gpp;
mod platforms;
mod tcf;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use gpp::{of_gpc, of_gpp};
pub use platforms::{of_search_flags, of_user_intents};
pub use tcf::{of_tcf, of_tcf_canada};

/// One thing that a signal says, for some purposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Narrowing {
    /// What was said.
    pub what: What,
    /// For which part of the purposes. Whoever cannot tell that part from the rest takes it for the whole.
    pub reach: Reach,
    /// For which purposes.
    pub purposes: &'static [Purpose],
    /// The field that says it, by its name in the standard.
    pub said_by: String,
}

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The person opted out.
    OptOut,
    /// There is no consent where consent was asked for.
    NoConsent,
    /// The person, or the publisher who asked, does not allow it.
    NotAllowed,
    /// The person is known to be a child, to whom advertising is closed.
    Child,
}

/// The part of a purpose for which something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All of it.
    Whole,
    /// As far as it uses sensitive data.
    SensitiveData,
    /// As far as snapshots of records are redistributed in public.
    PublicSnapshots,
    /// As far as it uses one collection of records, which `said_by` names.
    Collection,
}

impl Narrowing {
    fn new(what: What, purposes: &'static [Purpose], said_by: impl Into<String>) -> Self {
        Self { what, reach: Reach::Whole, purposes, said_by: said_by.into() }
    }

    const fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }
}

/// The product's purposes, by their words in `domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Counting, for statistics about groups.
    AggregateStatistics,
    /// Research by universities and the like.
    AcademicResearch,
    /// Market research.
    CommercialResearch,
    /// Sending offers to people.
    DirectMarketing,
    /// Choosing advertisements by what is known about people.
    TargetedAdvertising,
    /// Measuring whether advertisements worked.
    AdMeasurement,
    /// Selling or sharing personal data.
    SaleOrSharing,
    /// Fitting a service to a person.
    Personalisation,
    /// Making a service better.
    ServiceImprovement,
    /// Training models.
    AiTraining,
    /// Keeping a public archive.
    PublicArchive,
    /// Being found by search.
    SearchIndexing,
    /// Political advertisements.
    PoliticalAdvertising,
    /// Being named in public.
    PublicNaming,
}

impl Purpose {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::AggregateStatistics,
        Self::AcademicResearch,
        Self::CommercialResearch,
        Self::DirectMarketing,
        Self::TargetedAdvertising,
        Self::AdMeasurement,
        Self::SaleOrSharing,
        Self::Personalisation,
        Self::ServiceImprovement,
        Self::AiTraining,
        Self::PublicArchive,
        Self::SearchIndexing,
        Self::PoliticalAdvertising,
        Self::PublicNaming,
    ];
    /// Those that advertise.
    pub(crate) const ADVERTISING: &'static [Self] = &[Self::DirectMarketing, Self::TargetedAdvertising, Self::AdMeasurement, Self::PoliticalAdvertising];

    /// The word by which `domain::Purpose` knows the purpose.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AggregateStatistics => "aggregate_statistics",
            Self::AcademicResearch => "academic_research",
            Self::CommercialResearch => "commercial_research",
            Self::DirectMarketing => "direct_marketing",
            Self::TargetedAdvertising => "targeted_advertising",
            Self::AdMeasurement => "ad_measurement",
            Self::SaleOrSharing => "sale_or_sharing",
            Self::Personalisation => "personalisation",
            Self::ServiceImprovement => "service_improvement",
            Self::AiTraining => "ai_training",
            Self::PublicArchive => "public_archive",
            Self::SearchIndexing => "search_indexing",
            Self::PoliticalAdvertising => "political_advertising",
            Self::PublicNaming => "public_naming",
        }
    }
}
