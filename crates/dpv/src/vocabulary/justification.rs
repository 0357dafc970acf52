//! Reasons for not doing what a request asks, or not yet (DPV's justifications; GDPR Art. 12(3) and (4)).

/// The namespace of justifications.
pub const JUSTIFICATIONS: &str = "https://w3id.org/dpv/justifications#";

/// Why a request is carried out late.
pub const DELAYS: &[&str] = &["ComplexityOfProcess", "HighVolumeOfProcesses", "IdentityVerificationRequired", "InformationRequired"];

/// Why a request is not carried out. Some are groups of others, and may be given as reasons too.
pub const NON_FULFILMENTS: &[&str] = &[
    "CivilLawEnforcementImpaired",
    "ConfidentialityObligationCompromised",
    "ConsentProvided",
    "ContractEstablishmentNecessity",
    "ContractPerformanceNecessity",
    "CrimeDetectionImpaired",
    "CrimeInvestigationImpaired",
    "CrimePenaltyExecutionImpaired",
    "CrimePreventionImpaired",
    "CrimeProsecutionImpaired",
    "DataSubjectProtectionImpaired",
    "DefenceImpaired",
    "DisproportionateEffortRequired",
    "EntityAlreadyInformed",
    "EthicsBreachDetectionImpaired",
    "EthicsBreachInvestigationImpaired",
    "EthicsBreachPreventionImpaired",
    "EthicsBreachProsecutionImpaired",
    "EthicsProcedureImpaired",
    "FreedomOfExpressionImpaired",
    "FulfilmentImpossible",
    "IdentityVerificationFailure",
    "JudicialProceedingsImpaired",
    "LackOfIntent",
    "LegalClaimDefenceImpaired",
    "LegalClaimEstablishmentImpaired",
    "LegalClaimExerciseImpaired",
    "LegalClaimImpaired",
    "LegalObligationImpaired",
    "LegalProcessImpaired",
    "LegallyExempted",
    "LegitimateInterestOverride",
    "NationalSecurityImpaired",
    "ObjectivesImpaired",
    "OfficialAuthorityExerciseImpaired",
    "OfficialStatisticsImpaired",
    "ProcessExcessive",
    "ProcessFrivolous",
    "ProcessMalicious",
    "ProcessRejected",
    "ProcessUnfounded",
    "PublicHealthCompromised",
    "PublicInterestArchivingImpaired",
    "PublicInterestCompromised",
    "PublicSecurityImpaired",
    "ScientificHistoricalResearchImpaired",
    "SecurityImpaired",
    "ThirdPartyRightsImpaired",
];

/// The IRI of a justification in [`DELAYS`] or [`NON_FULFILMENTS`].
#[must_use]
pub fn justification_iri(term: &str) -> Option<String> {
    DELAYS.iter().chain(NON_FULFILMENTS).any(|known| *known == term).then(|| format!("{JUSTIFICATIONS}{term}"))
}
