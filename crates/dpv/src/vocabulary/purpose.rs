//! Purposes, and which of DPV's ours are.

use super::terms;

terms! {
    /// A purpose of DPV that one of ours is, or is near to.
    pub enum PurposeTerm {
        /// Research by universities and the like.
        AcademicResearch = dpv "AcademicResearch",
        /// Advertisements.
        Advertising = dpv "Advertising",
        /// Market research.
        CommercialResearch = dpv "CommercialResearch",
        /// Offers to people directly.
        DirectMarketing = dpv "DirectMarketing",
        /// Advertisements fitted to a person.
        PersonalisedAdvertising = dpv "PersonalisedAdvertising",
        /// Official statistics.
        ProvideOfficialStatistics = dpv "ProvideOfficialStatistics",
        /// Good for the public.
        PublicBenefit = dpv "PublicBenefit",
        /// Research and development.
        ResearchAndDevelopment = dpv "ResearchAndDevelopment",
        /// Scientific research.
        ScientificResearch = dpv "ScientificResearch",
        /// Data sold to third parties.
        SellDataToThirdParties = dpv "SellDataToThirdParties",
        /// What was learnt from data, sold.
        SellInsightsFromData = dpv "SellInsightsFromData",
        /// A service fitted to a person.
        ServicePersonalisation = dpv "ServicePersonalisation",
        /// Advertisements chosen by what is known of people.
        TargetedAdvertising = dpv "TargetedAdvertising",
    }
}

/// How well a term of DPV fits a purpose of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It means the same.
    Same,
    /// It is wider: ours is a case of it.
    Wider,
    /// DPV has none; this one is nearest.
    Nearest,
}

/// A purpose of ours in the terms of DPV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurposeMapping {
    /// Our word.
    pub word: &'static str,
    /// DPV's term and how well it fits; none when DPV has nothing near.
    pub term: Option<(PurposeTerm, Fit)>,
}

impl PurposeMapping {
    /// The mapping of our word.
    #[must_use]
    pub fn of(word: &str) -> Option<&'static Self> {
        PURPOSES.iter().find(|mapping| mapping.word == word)
    }
}

/// All purposes of ours.
pub const PURPOSES: &[PurposeMapping] = &[
    mapping("aggregate_statistics", PurposeTerm::ProvideOfficialStatistics, Fit::Nearest),
    mapping("academic_research", PurposeTerm::AcademicResearch, Fit::Same),
    mapping("commercial_research", PurposeTerm::CommercialResearch, Fit::Same),
    mapping("direct_marketing", PurposeTerm::DirectMarketing, Fit::Same),
    mapping("targeted_advertising", PurposeTerm::TargetedAdvertising, Fit::Same),
    mapping("ad_measurement", PurposeTerm::Advertising, Fit::Wider),
    mapping("sale_or_sharing", PurposeTerm::SellDataToThirdParties, Fit::Nearest),
    mapping("personalisation", PurposeTerm::ServicePersonalisation, Fit::Same),
    mapping("service_improvement", PurposeTerm::ResearchAndDevelopment, Fit::Wider),
    mapping("ai_training", PurposeTerm::ResearchAndDevelopment, Fit::Wider),
    mapping("public_archive", PurposeTerm::PublicBenefit, Fit::Wider),
    PurposeMapping { word: "search_indexing", term: None },
    mapping("political_advertising", PurposeTerm::TargetedAdvertising, Fit::Wider),
    PurposeMapping { word: "public_naming", term: None },
];

const fn mapping(word: &'static str, term: PurposeTerm, fit: Fit) -> PurposeMapping {
    PurposeMapping { word, term: Some((term, fit)) }
}
