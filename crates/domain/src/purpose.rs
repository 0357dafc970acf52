//! Why data may be used.

crate::words! {
    /// A purpose that a person can agree to, in the terms of W3C DPV, Fideslang and IAB TCF
    /// (GDPR Art. 5(1)(b): purposes are specified, explicit and separate).
    pub enum Purpose("purpose") {
        /// Counting, for statistics about groups.
        AggregateStatistics = "aggregate_statistics",
        /// Research by universities and the like.
        AcademicResearch = "academic_research",
        /// Market research.
        CommercialResearch = "commercial_research",
        /// Sending offers to people.
        DirectMarketing = "direct_marketing",
        /// Choosing advertisements by what is known about people.
        TargetedAdvertising = "targeted_advertising",
        /// Measuring whether advertisements worked.
        AdMeasurement = "ad_measurement",
        /// Selling or sharing personal data.
        SaleOrSharing = "sale_or_sharing",
        /// Fitting a service to a person.
        Personalisation = "personalisation",
        /// Making a service better.
        ServiceImprovement = "service_improvement",
        /// Training models.
        AiTraining = "ai_training",
        /// Keeping a public archive.
        PublicArchive = "public_archive",
        /// Being found by search.
        SearchIndexing = "search_indexing",
        /// Political advertisements.
        PoliticalAdvertising = "political_advertising",
        /// Being named in public, as an account that others' acts are about.
        PublicNaming = "public_naming",
    }
}

impl Purpose {
    /// Whether the purpose is advertising: of whom nobody knows the age counts as a child there.
    #[must_use]
    pub const fn is_advertising(self) -> bool {
        match self {
            Self::DirectMarketing | Self::TargetedAdvertising | Self::AdMeasurement | Self::PoliticalAdvertising => true,
            Self::AggregateStatistics
            | Self::AcademicResearch
            | Self::CommercialResearch
            | Self::SaleOrSharing
            | Self::Personalisation
            | Self::ServiceImprovement
            | Self::AiTraining
            | Self::PublicArchive
            | Self::SearchIndexing
            | Self::PublicNaming => false,
        }
    }
}
