use std::collections::BTreeSet;

use rand::RngExt;
use testkit::{Generator, env_seed, sample};

use super::*;
use crate::activitypub::SearchFlags;
use crate::gpc;
use crate::gpp::{FieldValue, GppString, Section};
use crate::tcf::{ConsentString, PublisherRestriction, RestrictionType};
use crate::user_intents::UserIntents;

/// What is said of each purpose in any part, in words.
fn told(narrowings: &[Narrowing]) -> BTreeSet<(Purpose, What, Reach)> {
    narrowings.iter().flat_map(|narrowing| narrowing.purposes.iter().map(|purpose| (*purpose, narrowing.what, narrowing.reach))).collect()
}

fn fields(narrowings: &[Narrowing]) -> Vec<&str> {
    narrowings.iter().map(|narrowing| narrowing.said_by.as_str()).collect()
}

fn purposes(narrowings: &[Narrowing]) -> BTreeSet<Purpose> {
    told(narrowings).into_iter().map(|(purpose, ..)| purpose).collect()
}

#[test]
fn purposes_are_those_of_the_product() {
    let ours: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.word()).collect();
    let theirs: Vec<&str> = domain::Purpose::ALL.iter().map(|purpose| purpose.as_str()).collect();
    assert_eq!(ours, theirs);
    for purpose in Purpose::ALL {
        assert_eq!(serde_json::json!(purpose), purpose.word());
        let advertises = domain::Purpose::ALL.iter().any(|theirs| theirs.as_str() == purpose.word() && theirs.is_advertising());
        assert_eq!(Purpose::ADVERTISING.contains(purpose), advertises, "{purpose:?}");
    }
}

fn consent() -> ConsentString {
    let mut consent = ConsentString::decode("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").unwrap();
    consent.purpose_consents = (1..=11).collect();
    consent.vendor_consents = [7].into();
    consent
}

#[test]
fn a_purpose_of_tcf_without_consent_narrows_what_needs_it() {
    assert_eq!(of_tcf(&consent(), None), []);
    for (number, expected) in [
        (1, &[][..]),
        (2, &[Purpose::TargetedAdvertising, Purpose::PoliticalAdvertising]),
        (3, &[Purpose::TargetedAdvertising, Purpose::PoliticalAdvertising]),
        (4, &[Purpose::TargetedAdvertising, Purpose::PoliticalAdvertising]),
        (5, &[Purpose::Personalisation]),
        (6, &[Purpose::Personalisation]),
        (7, &[Purpose::AdMeasurement]),
        (8, &[Purpose::ServiceImprovement]),
        (9, &[Purpose::AggregateStatistics, Purpose::CommercialResearch]),
        (10, &[Purpose::ServiceImprovement]),
        (11, &[Purpose::Personalisation]),
    ] {
        let mut consent = consent();
        consent.purpose_consents.remove(number);
        // A legitimate interest is no consent.
        consent.purpose_legitimate_interests = [number].into();
        let narrowings = of_tcf(&consent, None);
        assert_eq!(purposes(&narrowings), expected.iter().copied().collect(), "{number}");
        assert!(narrowings.iter().all(|n| n.what == What::NoConsent && n.said_by == format!("PurposesConsent {number}")), "{narrowings:?}");
    }
}

#[test]
fn a_vendor_of_tcf_needs_consent_of_its_own() {
    let mut consent = consent();
    assert_eq!(of_tcf(&consent, Some(7)), []);
    let without = of_tcf(&consent, Some(8));
    assert_eq!(fields(&without), ["Vendor Consent Section 8"]);
    let spared = [Purpose::AcademicResearch, Purpose::DirectMarketing, Purpose::AiTraining, Purpose::PublicArchive, Purpose::SearchIndexing, Purpose::PublicNaming];
    assert_eq!(purposes(&without), Purpose::ALL.iter().filter(|purpose| !spared.contains(purpose)).copied().collect());
    consent.vendors_disclosed = Some([8].into());
    assert_eq!(fields(&of_tcf(&consent, Some(7))), ["DisclosedVendors 7"]);
    consent.vendors_disclosed = None;
    let restriction = |purpose_id, restriction_type| PublisherRestriction { purpose_id, restriction_type, vendors: [7].into() };
    consent.publisher_restrictions = vec![
        restriction(1, RestrictionType::NotAllowed),
        restriction(7, RestrictionType::NotAllowed),
        restriction(9, RestrictionType::RequireConsent),
        restriction(10, RestrictionType::RequireLegitimateInterest),
    ];
    let restricted = of_tcf(&consent, Some(7));
    assert_eq!(fields(&restricted), ["PubRestrictions 7 of vendor 7", "PubRestrictions 10 of vendor 7"]);
    assert!(restricted.iter().all(|narrowing| narrowing.what == What::NotAllowed));
    assert_eq!(of_tcf(&consent, None), []);
}

#[test]
fn sections_of_the_united_states_narrow_by_their_opt_outs() {
    let said = |text: &str| of_gpp(&GppString::decode(text).unwrap(), None);
    assert_eq!(said("DBAA"), []);
    // Everything not applicable, and everything allowed.
    assert_eq!(said("DBABLA~BAAAAAAAAQA.QA"), []);
    assert_eq!(fields(&said("DBABBg~BVqqqqpY")), ["usca KnownChildSensitiveDataConsents"]);
    assert_eq!((said("DBABTA~1YNN"), said("DBABTA~1---")), (vec![], vec![]));
    let gpc = said("DBABLA~BAAAAAAAAQA.YA");
    assert_eq!((fields(&gpc), purposes(&gpc)), (vec!["usnat Gpc"], purposes(&of_gpc(true))));
    assert_eq!(fields(&said("DBABTA~1YYN")), ["uspv1 OptOutSale"]);
}

/// Fields of sections, and what each narrows when it is 1.
#[test]
fn each_field_narrows_its_purposes_when_it_is_one() {
    let with = |id: u16, text: &str, name: &str, value: FieldValue| {
        let mut string = GppString::decode(text).unwrap();
        let Some(Section::Us(section)) = string.sections.get_mut(&id) else { panic!("{id}") };
        section.fields.iter_mut().find(|(field, _)| *field == name).unwrap().1 = value;
        of_gpp(&string, None)
    };
    let national = "DBABLA~BAAAAAAAAQA";
    for (name, what, some) in [
        ("SaleOptOut", What::OptOut, Purpose::SaleOrSharing),
        ("SaleOptOut", What::OptOut, Purpose::DirectMarketing),
        ("SharingOptOut", What::OptOut, Purpose::TargetedAdvertising),
        ("SharingOptOut", What::OptOut, Purpose::AdMeasurement),
        ("TargetedAdvertisingOptOut", What::OptOut, Purpose::TargetedAdvertising),
        ("PersonalDataConsents", What::NoConsent, Purpose::Personalisation),
    ] {
        let one = with(7, national, name, FieldValue::Number(1));
        assert_eq!((fields(&one), told(&one).contains(&(some, what, Reach::Whole))), (vec![format!("usnat {name}").as_str()], true));
        assert!(!told(&one).iter().any(|(purpose, ..)| *purpose == Purpose::AggregateStatistics));
        assert_eq!(with(7, national, name, FieldValue::Number(2)), []);
        assert_eq!(with(7, national, name, FieldValue::Number(0)), []);
    }
    for other in ["SharingNotice", "SaleOptOutNotice", "MspaServiceProviderMode", "MspaOptOutOptionMode"] {
        assert_eq!(with(7, national, other, FieldValue::Number(1)), [], "{other}");
    }
    let mut kinds = vec![0; 12];
    (kinds[3], kinds[11]) = (1, 1);
    let sensitive = with(7, national, "SensitiveDataProcessing", FieldValue::List(kinds));
    assert_eq!(fields(&sensitive), ["usnat SensitiveDataProcessing 4 12"]);
    assert_eq!(told(&sensitive), Purpose::ALL.iter().map(|purpose| (*purpose, What::NoConsent, Reach::SensitiveData)).collect());
    let california = with(8, "DBABBg~BAAAAABA", "SensitiveDataProcessing", FieldValue::List(vec![1, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert!(california.iter().all(|narrowing| narrowing.what == What::OptOut));
    let child = with(7, national, "KnownChildSensitiveDataConsents", FieldValue::List(vec![0, 1]));
    assert_eq!(fields(&child), ["usnat KnownChildSensitiveDataConsents 2", "usnat KnownChildSensitiveDataConsents"]);
    assert_eq!(purposes(&child).len(), Purpose::ALL.len());
    let consented = with(7, national, "KnownChildSensitiveDataConsents", FieldValue::List(vec![2, 0]));
    assert_eq!(told(&consented), Purpose::ADVERTISING.iter().map(|purpose| (*purpose, What::Child, Reach::Whole)).collect());
}

#[test]
fn choices_that_the_declared_version_does_not_have_count() {
    // US National in version 1, as long as version 2: the sixteenth kind of data and the third age group.
    let narrowings = of_gpp(&GppString::decode("DBABLA~BAAAAAAAAQRA").unwrap(), None);
    assert_eq!(fields(&narrowings), ["usnat SensitiveDataProcessing 16", "usnat KnownChildSensitiveDataConsents 3", "usnat KnownChildSensitiveDataConsents"]);
}

#[test]
fn a_section_of_tcf_counts_within_gpp() {
    let string = GppString::decode("DBABMA~COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").unwrap();
    let narrowings = of_gpp(&string, Some(3));
    assert_eq!(narrowings.len(), 9 + 1 - 1);
    assert!(fields(&narrowings).contains(&"tcfeuv2 PurposesConsent 3") && fields(&narrowings).contains(&"tcfeuv2 Vendor Consent Section 3"));
    let canada = of_gpp(&GppString::decode("DBABDA~BPSG_8APSG_8AAyACAENGdCgf_gfgAfgfgBhADVqxGAD0AILVgAA").unwrap(), Some(12));
    // Purposes 1 to 6 have express consent; of 7 to 12 there is implied consent only.
    assert_eq!(fields(&canada).first(), Some(&"tcfcav1 PurposesExpressConsent 11"));
    assert_eq!(canada.len(), 5);
}

#[test]
fn global_privacy_control_opts_out() {
    let cases = [("absent", false), ("Sec-GPC: 1", true), ("Sec-GPC: 0", false), ("Sec-GPC: true", false), ("Sec-GPC: 1, 1", false), ("Sec-GPC:  1 ", true)];
    for (header, expected) in cases {
        let narrowings = of_gpc(gpc::is_signal(header.strip_prefix("Sec-GPC:")));
        assert_eq!(!narrowings.is_empty(), expected, "{header}");
    }
    assert!(!purposes(&of_gpc(true)).contains(&Purpose::AggregateStatistics));
}

fn of_flags(text: &str) -> Vec<Narrowing> {
    of_search_flags(&SearchFlags::decode(text).unwrap())
}

#[test]
fn accounts_that_do_not_say_may_not_be_searched() {
    for (text, expected) in [
        (r#"{"indexable": true}"#, vec![]),
        (r#"{"indexable": false}"#, vec!["indexable"]),
        ("{}", vec!["indexable, which is missing"]),
        (r#"{"discoverable": false}"#, vec!["indexable, which is missing"]),
        (r#"{"discoverable": false, "indexable": true}"#, vec![]),
        (r#"{"searchableBy": "as:Public"}"#, vec![]),
        (r#"{"searchableBy": "as:Public", "indexable": false}"#, vec!["indexable"]),
        (r#"{"searchableBy": "https://a.example/followers", "indexable": true}"#, vec!["searchableBy"]),
        (r#"{"searchableBy": [], "indexable": true}"#, vec!["searchableBy"]),
    ] {
        let narrowings = of_flags(text);
        assert_eq!(fields(&narrowings), expected, "{text}");
        assert!(narrowings.iter().all(|narrowing| (narrowing.what, narrowing.purposes) == (What::NotAllowed, &[Purpose::SearchIndexing])));
    }
}

#[test]
fn intents_narrow_where_they_disallow() {
    let said = |text: &str, asked: Option<&str>| of_user_intents(&UserIntents::decode(text).unwrap(), asked);
    let example = r#"{"$type":"org.user-intents.declaration","publicAccessArchive":{"allow":true},"syntheticContentGeneration":{"allow":false},"protocolBridging":{}}"#;
    let narrowings = said(example, None);
    assert_eq!(told(&narrowings), BTreeSet::from([(Purpose::AiTraining, What::NotAllowed, Reach::Whole)]));
    assert_eq!(fields(&narrowings), ["syntheticContentGeneration"]);
    let all = said(r#"{"$type":"org.user-intents.declaration","publicAccessArchive":{"allow":false},"bulkDataset":{"allow":false},"protocolBridging":{"allow":false}}"#, None);
    assert_eq!(fields(&all), ["publicAccessArchive", "bulkDataset"]);
    // Research data with restricted access is no snapshot.
    assert!(told(&all).contains(&(Purpose::AcademicResearch, What::NotAllowed, Reach::PublicSnapshots)));
    let preference = |scope: &str| {
        format!(
            r#"{{"$type":"community.lexicon.preference.ai","scope":{{"$type":"community.lexicon.preference.ai#{scope}}},"preferences":{{"training":{{"allow":true}},"embedding":{{"allow":false}}}}}}"#
        )
    };
    assert_eq!(purposes(&said(&preference(r#"globalScope""#), Some("lab.example"))), [Purpose::AiTraining, Purpose::SearchIndexing].into());
    let one = preference(r#"entityScope","entity":"Lab.example""#);
    assert_eq!((said(&one, None).len(), said(&one, Some("lab.example")).len(), said(&one, Some("shop.example")).len()), (1, 1, 0));
    assert_eq!(fields(&said(&one, None)), ["embedding for Lab.example"]);
    let collection = said(&preference(r#"collectionScope","collection":"app.bsky.feed.post""#), None);
    assert_eq!((fields(&collection), collection[0].reach), (vec!["embedding of app.bsky.feed.post"], Reach::Collection));
}

/// The flags of the table of samples, as documents.
#[test]
fn the_samples_mean_what_their_table_says() {
    let read = |name: &str| sample(&format!("signals/{name}")).map(|path| std::fs::read_to_string(path).unwrap());
    let Some(table) = read("activitypub-actor-flags.tsv") else { return };
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let (flags, consent) = row.split_once('\t').unwrap();
        let document = match flags {
            "indexable=true" => r#"{"indexable": true}"#,
            "indexable=false" => r#"{"indexable": false}"#,
            "indexable missing" => "{}",
            "searchableBy=as:Public (object)" => r#"{"searchableBy": "as:Public"}"#,
            "searchableBy=followers collection (object)" => r#"{"searchableBy": "https://a.example/users/1/followers"}"#,
            "searchableBy=[] (object)" => r#"{"searchableBy": []}"#,
            // It says nothing: what counts is the rest.
            "discoverable=false only" => {
                assert_eq!(of_flags(r#"{"discoverable": false, "indexable": true}"#), []);
                rows += 1;
                continue;
            }
            other => panic!("a new row: {other}"),
        };
        assert_eq!(of_flags(document).is_empty(), consent == "allowed", "{row}");
        rows += 1;
    }
    assert_eq!(rows, 7);
    let intents = UserIntents::decode(&read("atproto-user-intents.example.json").unwrap()).unwrap();
    assert_eq!(purposes(&of_user_intents(&intents, None)), [Purpose::AiTraining].into());
    for row in read("gpc-header-cases.tsv").unwrap().lines().skip(1) {
        let (header, expected) = row.rsplit_once('\t').unwrap();
        assert_eq!(of_gpc(gpc::is_signal(header.strip_prefix("Sec-GPC:"))).is_empty(), expected == "false", "{row}");
    }
    assert!(serde_json::from_str::<gpc::Support>(&read("gpc.example.json").unwrap()).unwrap().gpc);
}

/// Saying no to one thing more never narrows less.
#[test]
fn more_noes_never_widen() {
    let seed = env_seed(20_305);
    eprintln!("FAIRSHARE_SEED={seed}");
    let mut random = Generator::new(seed);
    for _ in 0..2_000 {
        let mut consent = consent();
        let mut string = GppString::decode("DBABLA~BAAAAAAAAQA.QA").unwrap();
        let mut before = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..8 {
            match random.0.random_range(0..3) {
                0 => consent.purpose_consents.remove(random.0.random_range(1..12)),
                1 => consent.vendor_consents.remove(7),
                _ => consent.publisher_restrictions.push(PublisherRestriction {
                    purpose_id: random.0.random_range(1..12),
                    restriction_type: RestrictionType::NotAllowed,
                    vendors: [7].into(),
                }),
            }
            let Some(Section::Us(section)) = string.sections.get_mut(&7) else { panic!("a section") };
            let place = random.0.random_range(1..section.fields.len());
            match &mut section.fields[place].1 {
                FieldValue::Number(value) => *value = 1,
                FieldValue::List(values) => {
                    let place = random.0.random_range(0..values.len());
                    values[place] = 1;
                }
            }
            let after = (told(&of_tcf(&consent, Some(7))), told(&of_gpp(&string, None)));
            assert!(before.0.is_subset(&after.0) && before.1.is_subset(&after.1), "{before:?} {after:?}");
            before = after;
        }
    }
}
