//! What accounts declare on their platforms.

use super::{Narrowing, Purpose, Reach, What};
use crate::activitypub::SearchFlags;
use crate::user_intents::{Intent, Scope, UserIntents};

const SEARCH: &[Purpose] = &[Purpose::SearchIndexing];
const TRAINING: &[Purpose] = &[Purpose::AiTraining];

/// What the flags of an account narrow, or those of a post together with its author's ([`SearchFlags::or`]).
///
/// `searchableBy` comes before `indexable` (FEP-268d), but for a plain no, which is heard. An empty `searchableBy` is
/// read as nobody, though FEP-268d reads it as missing: older servers mean it. `discoverable` says nothing about any
/// purpose of ours.
#[must_use]
pub fn of_search_flags(flags: &SearchFlags) -> Vec<Narrowing> {
    let said_by = match (flags.searchable_by.is_some(), flags.indexable) {
        (_, Some(false)) => "indexable",
        (true, _) if !flags.is_searchable_by_all() => "searchableBy",
        (false, None) => "indexable, which is missing",
        (true, _) | (false, Some(true)) => return Vec::new(),
    };
    vec![Narrowing::new(What::NotAllowed, SEARCH, said_by)]
}

/// What a record of intents narrows, for everybody or for one user of the data by DID or domain.
///
/// A record that was made for one user counts for that user, and for all as long as nobody says who asks.
#[must_use]
pub fn of_user_intents(intents: &UserIntents, asked_by: Option<&str>) -> Vec<Narrowing> {
    let disallowed = |intent: &Option<Intent>| intent.is_some_and(|intent| intent.allow == Some(false));
    match intents {
        // Bridges to other protocols are no purpose of ours.
        UserIntents::Declaration(declaration) => [
            (&declaration.synthetic_content_generation, "syntheticContentGeneration", TRAINING, Reach::Whole),
            (&declaration.public_access_archive, "publicAccessArchive", &[Purpose::PublicArchive], Reach::Whole),
            (&declaration.bulk_dataset, "bulkDataset", SNAPSHOTS, Reach::PublicSnapshots),
        ]
        .into_iter()
        .filter(|(intent, ..)| disallowed(intent))
        .map(|(_, name, purposes, reach)| Narrowing::new(What::NotAllowed, purposes, name).reaching(reach))
        .collect(),
        UserIntents::Preference(preference) => {
            let (reach, of_what) = match &preference.scope {
                Scope::Global => (Reach::Whole, String::new()),
                Scope::Entity(entity) if asked_by.is_some_and(|asked| !asked.eq_ignore_ascii_case(entity)) => return Vec::new(),
                Scope::Entity(entity) => (Reach::Whole, format!(" for {entity}")),
                Scope::Collection(collection) => (Reach::Collection, format!(" of {collection}")),
            };
            [
                (&preference.training, "training", TRAINING),
                (&preference.inference, "inference", TRAINING),
                (&preference.synthetic_content, "syntheticContent", TRAINING),
                // Semantic indexes are made for search.
                (&preference.embedding, "embedding", &[Purpose::AiTraining, Purpose::SearchIndexing]),
            ]
            .into_iter()
            .filter(|(intent, ..)| disallowed(intent))
            .map(|(_, name, purposes)| Narrowing::new(What::NotAllowed, purposes, format!("{name}{of_what}")).reaching(reach))
            .collect()
        }
    }
}

/// What snapshots are made for.
const SNAPSHOTS: &[Purpose] = &[Purpose::AcademicResearch, Purpose::CommercialResearch, Purpose::AiTraining, Purpose::PublicArchive];
