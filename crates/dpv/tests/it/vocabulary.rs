//! Every term of ours is in DPV 2.3 under the same IRI, and every list that says to be whole is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dpv::vocabulary::{
    ConsentControlKind, ConsentStatus, ConsentType, DELAYS, DataSubjectRight, JUSTIFICATIONS, LegalBasis, NON_FULFILMENTS, NoticeStatus, PURPOSES, Profile, PurposeMapping,
    PurposeTerm, RequestStatus, justification_iri,
};

/// Terms of one published table: IRI and wider terms, without properties.
fn table(path: &Path) -> BTreeMap<String, Vec<String>> {
    let mut rows = csv::Reader::from_path(path).unwrap();
    let headers = rows.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (iri, kind, wider) = (column("iri"), column("type"), column("hasbroader"));
    let rows = rows.records().map(Result::unwrap).filter(|row| &row[kind] == "class");
    rows.map(|row| (row[iri].to_owned(), row[wider].split(';').map(str::to_owned).collect())).collect()
}

fn published(name: &str) -> Option<BTreeMap<String, Vec<String>>> {
    Some(table(&testkit::sample("dpv-2.3")?.join(name)))
}

fn set<'a>(iris: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    iris.into_iter().collect()
}

#[test]
fn lists_of_terms_are_those_of_the_vocabulary() {
    let Some(statuses) = published("modules/consent_status.csv") else { return };
    assert_eq!(set(ConsentStatus::ALL.iter().map(|term| term.iri())), set(statuses.keys().map(String::as_str)));
    for status in ConsentStatus::ALL.iter().filter(|status| !status.is_group()) {
        let valid = statuses[status.iri()].iter().any(|wider| wider == ConsentStatus::ValidForProcessing.iri());
        assert_eq!(status.is_valid_for_processing(), valid, "{status:?}");
    }

    let types = published("modules/consent_types.csv").unwrap();
    let consent = set(["https://w3id.org/dpv#Consent"]);
    assert_eq!(set(ConsentType::ALL.iter().map(|term| term.iri())), &set(types.keys().map(String::as_str)) | &consent);
    assert!(published("modules/legal_basis.csv").unwrap().contains_key(ConsentType::Consent.iri()));

    let controls = published("modules/consent_controls.csv").unwrap();
    assert_eq!(set(ConsentControlKind::ALL.iter().map(|term| term.iri())), set(controls.keys().map(String::as_str)));

    let under = |table: &'static str, top: &'static str| -> BTreeSet<String> {
        published(table).unwrap().into_iter().filter(|(_, wider)| wider.iter().any(|wider| wider == top)).map(|(iri, _)| iri).collect()
    };
    let notices = under("modules/notice.csv", "https://w3id.org/dpv#NoticeStatus");
    assert_eq!(set(NoticeStatus::ALL.iter().map(|term| term.iri())), set(notices.iter().map(String::as_str)));
    let requests = under("modules/status.csv", "https://w3id.org/dpv#RequestStatus");
    assert_eq!(set(RequestStatus::ALL.iter().map(|term| term.iri())), set(requests.iter().map(String::as_str)));
}

#[test]
fn terms_of_ours_are_in_the_vocabulary() {
    let Some(rights) = published("eu-gdpr/rights.csv") else { return };
    assert!(DataSubjectRight::ALL.iter().all(|right| rights.contains_key(right.iri())));
    let purposes = published("modules/purposes.csv").unwrap();
    for purpose in PurposeTerm::ALL {
        assert!(purposes.contains_key(purpose.iri()), "{purpose:?}");
    }
    let mut bases = published("eu-gdpr/legal_basis.csv").unwrap();
    bases.extend(published("eu-gdpr/legal_basis_special.csv").unwrap());
    for basis in LegalBasis::ALL {
        let wider = &bases[basis.iri()];
        let consents: Vec<_> = wider.iter().filter_map(|wider| ConsentType::from_iri(wider)).filter(|kind| *kind != ConsentType::Consent).collect();
        assert_eq!(basis.consent_type().into_iter().collect::<Vec<_>>(), consents, "{basis:?}");
    }
    let schema = fs::read_to_string(testkit::sample("dpv-2.3/27560/dpv-27560.ttl").unwrap()).unwrap();
    let (_, space) = schema.split_once("@prefix dpv-27560: <").unwrap();
    let (space, _) = space.split_once('>').unwrap();
    let declared: BTreeSet<_> =
        schema.lines().filter_map(|line| line.strip_prefix("dpv-27560:")?.strip_suffix(" a skos:Concept, rdfs:Class ;")).map(|term| format!("{space}{term}")).collect();
    assert_eq!(set(Profile::ALL.iter().map(|profile| profile.iri())), set(declared.iter().map(String::as_str)));
}

#[test]
fn justifications_are_all_of_the_vocabulary() {
    let Some(path) = testkit::sample("dpv-2.3/justifications") else { return };
    for (file, top, ours) in [("delay.csv", "DelayJustification", DELAYS), ("nonfulfilment.csv", "NonFulfilmentJustification", NON_FULFILMENTS)] {
        let mut published: BTreeSet<_> = table(&path.join(file)).into_keys().collect();
        assert!(published.remove(&format!("{JUSTIFICATIONS}{top}")));
        assert_eq!(ours.iter().map(|term| justification_iri(term).unwrap()).collect::<BTreeSet<_>>(), published);
        println!("{}: {}", file, ours.len());
    }
    assert_eq!(justification_iri("BecauseWeSaySo"), None);
}

/// The draft of the rule packs names a term for these; the crate and the packs must not drift apart.
#[test]
fn purposes_of_ours_are_mapped_as_the_rule_packs_say() {
    let packs = [
        ("aggregate_statistics", "ProvideOfficialStatistics"),
        ("academic_research", "AcademicResearch"),
        ("commercial_research", "CommercialResearch"),
        ("direct_marketing", "DirectMarketing"),
        ("targeted_advertising", "TargetedAdvertising"),
        ("sale_or_sharing", "SellDataToThirdParties"),
        ("personalisation", "ServicePersonalisation"),
        ("political_advertising", "TargetedAdvertising"),
        ("ai_training", "ResearchAndDevelopment"),
    ];
    for (word, term) in packs {
        let (ours, _) = PurposeMapping::of(word).unwrap().term.unwrap();
        assert_eq!(ours.iri(), format!("https://w3id.org/dpv#{term}"), "{word}");
    }
    let words: BTreeSet<_> = PURPOSES.iter().map(|mapping| mapping.word).collect();
    assert_eq!((PURPOSES.len(), words.len()), (14, 14));
    assert!(PurposeMapping::of("search_indexing").unwrap().term.is_none() && PurposeMapping::of("something").is_none());
}
