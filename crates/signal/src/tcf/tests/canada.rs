//! Canada: strings from the tests of the IAB's libraries, random values, damage.

use rand::RngExt;
use serde_json::{Map, Value, json};
use testkit::{Generator, env_seed};

use super::random::{letters, numbers, restrictions, time, vendors};
use super::vectors::{RUST, SECTIONS, STRINGS, json, sample};
use super::*;
use crate::tcf::{CanadaConsentString, CanadaPublisher};

/// With ranges in Fibonacci code, and the same in the code of Europe.
const NEW: &str = "BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAACCgAS7o.YAAAAAAAAAA.IAGO5wAA";
const OLD: &str = "BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAACCgBwABAAOAAoADgAJA.YAAAAAAAAAA.IAGO5w";

#[test]
fn both_codes_are_read_and_the_newer_one_is_written() {
    let consent = CanadaConsentString::decode(NEW).unwrap();
    assert_eq!(CanadaConsentString::decode(OLD).as_ref(), Ok(&consent));
    let restriction = PublisherRestriction { purpose_id: 1, restriction_type: RestrictionType::RequireConsent, vendors: [1, 2, 3, 5, 6, 7, 9].into() };
    assert_eq!((&consent.pub_restrictions, &consent.disclosed_vendors), (&vec![restriction], &Some([1, 2, 3, 5, 6, 7, 10, 11, 12].into())));
    assert_eq!(consent.encode().as_deref(), Ok(NEW.strip_suffix("AA").unwrap()));
}

#[test]
fn mistakes_have_a_number_and_a_place() {
    let core = NEW.split('.').next().unwrap();
    for (text, code, bit) in [
        (String::new(), 702, 0),
        (core.replacen('B', "C", 1), 704, 0),
        (core.chars().take(30).collect(), 702, 180),
        (format!("{core}.{core}"), 705, 0),
        (format!("{core}.gAAA"), 704, 0),
        (format!("{core}.IAAA.IAAA"), 705, 0),
        (format!("{core}.IAGO5w*"), 701, 36),
        // MaxVendorId is 10, and the only range ends with vendor 1.
        (format!("{core}.{}", fields(&[(1, 3), (10, 16), (1, 1), (1, 12), (0, 1), (3, 2)])), 703, 3),
        // The one string of IAB's tests with a restriction of purpose 56.
        ("BPSG_8APSG_8AAyACAENGdCgf_gfgAfgfgBgABABAAABAB4AACACADwAAEAE".into(), 703, 323),
    ] {
        let error = CanadaConsentString::decode(&text).unwrap_err();
        assert_eq!((error.code, error.bit), (code, Some(bit)), "{text}: {error}");
    }
}

/// What we read, in the words of IAB's library, which does not tell a missing segment from an empty one.
fn told(consent: &CanadaConsentString) -> Map<String, Value> {
    let Value::Object(mut told) = json!(consent) else { panic!("an object") };
    told.remove("Publisher");
    let Value::Object(publisher) = json!(consent.publisher.clone().unwrap_or_default()) else { panic!("an object") };
    told.extend(publisher);
    let restrictions = consent.pub_restrictions.iter();
    let restrictions = restrictions.map(|r| json!({ "key": r.purpose_id, "type": r.restriction_type.number(), "ids": r.vendors })).collect();
    let time = |time: DateTime<Utc>| json!(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    for (name, value) in [
        ("Version", json!(1)),
        ("Created", time(consent.created)),
        ("LastUpdated", time(consent.last_updated)),
        ("PubRestrictions", restrictions),
        ("DisclosedVendors", json!(consent.disclosed_vendors.clone().unwrap_or_default())),
        ("PubPurposesSegmentType", json!(3)),
        ("DisclosedVendorsSegmentType", json!(1)),
    ] {
        told.insert(name.into(), value);
    }
    told
}

/// Bits as the numbers of those that are set.
fn numbered(recorded: &Value) -> Map<String, Value> {
    let bits = |bits: &Vec<Value>| bits.iter().enumerate().filter(|(_, bit)| **bit == json!(true)).map(|(n, _)| json!(n + 1)).collect::<Value>();
    let all = recorded.as_object().unwrap().iter();
    all.map(|(name, value)| (name.clone(), value.as_array().filter(|all| all.first().is_some_and(Value::is_boolean)).map_or_else(|| value.clone(), bits))).collect()
}

#[test]
fn the_iabs_strings_are_read_as_its_library_reads_them() {
    let recorded = |path: &str| sample(path).map(|path| json(path).as_array().unwrap().clone()).unwrap_or_default();
    let mut vectors: Vec<(String, Value)> = Vec::new();
    for vector in recorded(SECTIONS).iter().filter(|vector| vector["section"] == "TcfCaV1") {
        vectors.push((vector["encoded"].as_str().unwrap().to_owned(), vector["decoded"].clone()));
    }
    for vector in recorded(STRINGS).iter().filter(|vector| vector["sections"]["tcfcav1"].is_object()) {
        let at = vector["section_ids"].as_array().unwrap().iter().position(|id| *id == 5).unwrap();
        let section = &vector["sections"]["tcfcav1"];
        let section = if section.get("error").is_some() { Value::Null } else { section.clone() };
        vectors.push((vector["gpp_string"].as_str().unwrap().split('~').nth(at + 1).unwrap().to_owned(), section));
    }
    let (mut equal, mut refused, mut same) = (0, 0, 0);
    for (text, recorded) in &vectors {
        match CanadaConsentString::decode(text) {
            Ok(consent) => {
                assert_eq!(told(&consent), numbered(recorded), "{text}");
                let written = consent.encode().unwrap();
                assert_eq!(CanadaConsentString::decode(&written), Ok(consent), "{text}");
                same += usize::from(*text == written);
                equal += 1;
            }
            Err(error) => {
                assert!(recorded.is_null() || text.contains("CADwAAEAE"), "{text}: {error}");
                refused += 1;
            }
        }
    }
    eprintln!("{equal} strings of Canada equal, {same} written the same byte for byte, {refused} refused");
    assert!(vectors.is_empty() || (equal, refused, same) == (13, 4, 9));
}

#[test]
fn another_librarys_strings_are_read_as_it_says() {
    for name in ["basic", "full", "with_publisher_purposes"] {
        let Some(path) = sample(&format!("{RUST}/tcfcav1_{name}.json")) else { return };
        let vector = json(path);
        let consent = CanadaConsentString::decode(vector["gpp_string"].as_str().unwrap().split('~').nth(1).unwrap()).unwrap();
        let recorded = &vector["expected_sections"][0]["TcfCaV1"];
        let core = &recorded["core"];
        for (name, value) in [
            ("created", json!(consent.created.timestamp())),
            ("cmp_id", json!(consent.cmp_id)),
            ("cmp_version", json!(consent.cmp_version)),
            ("consent_language", json!(consent.consent_language)),
            ("policy_version", json!(consent.tcf_policy_version)),
            ("use_non_standard_stacks", json!(consent.use_non_standard_stacks)),
            ("special_feature_express_consents", json!(consent.special_feature_express_consent)),
            ("purpose_express_consents", json!(consent.purposes_express_consent)),
            ("purpose_implied_consents", json!(consent.purposes_implied_consent)),
            ("vendor_express_consents", json!(consent.vendor_express_consent)),
            ("vendor_implied_consents", json!(consent.vendor_implied_consent)),
            ("vendor_list_version", json!(consent.vendor_list_version)),
            ("pub_restrictions", json!(consent.pub_restrictions)),
        ] {
            assert_eq!(value, core[name], "{name}");
        }
        assert_eq!(consent.publisher.is_some(), !recorded["publisher_purposes"].is_null());
    }
}

fn consent(random: &mut Generator) -> CanadaConsentString {
    let num_custom_purposes = random.0.random_range(0..=63);
    CanadaConsentString {
        created: time(random),
        last_updated: time(random),
        cmp_id: random.0.random_range(0..4_096),
        cmp_version: random.0.random_range(0..4_096),
        consent_screen: random.0.random_range(0..64),
        consent_language: letters(random),
        vendor_list_version: random.0.random_range(0..4_096),
        tcf_policy_version: random.0.random_range(0..64),
        use_non_standard_stacks: random.0.random(),
        special_feature_express_consent: numbers(random, 12),
        purposes_express_consent: numbers(random, 24),
        purposes_implied_consent: numbers(random, 24),
        vendor_express_consent: vendors(random),
        vendor_implied_consent: vendors(random),
        pub_restrictions: restrictions(random),
        disclosed_vendors: random.0.random_bool(0.5).then(|| vendors(random)),
        publisher: random.0.random_bool(0.5).then(|| CanadaPublisher {
            pub_purposes_express_consent: numbers(random, 24),
            pub_purposes_implied_consent: numbers(random, 24),
            num_custom_purposes,
            custom_purposes_express_consent: numbers(random, num_custom_purposes),
            custom_purposes_implied_consent: numbers(random, num_custom_purposes),
        }),
    }
}

#[test]
fn what_is_written_is_read() {
    let seed = env_seed(20_303);
    let mut random = Generator::new(seed);
    for case in 0..2_000 {
        let consent = consent(&mut random);
        let text = consent.encode().unwrap();
        assert_eq!(CanadaConsentString::decode(&text), Ok(consent), "seed {seed}, case {case}: {text}");
    }
}

#[test]
fn damage_is_an_error_or_a_value() {
    let seed = env_seed(20_304);
    let mut random = Generator::new(seed);
    let (mut values, mut errors) = (0, 0);
    for case in 0..10_000 {
        let mut text: Vec<u8> = [NEW, OLD][random.0.random_range(0..2_usize)].into();
        for _ in 0..random.0.random_range(1..5) {
            let at = random.0.random_range(0..text.len());
            text[at] = b"ABCDQgwz019-_.*"[random.0.random_range(0..15_usize)];
        }
        let text = String::from_utf8(text).unwrap();
        match CanadaConsentString::decode(&text) {
            Ok(consent) => {
                assert_eq!(CanadaConsentString::decode(&consent.encode().unwrap()), Ok(consent), "seed {seed}, case {case}: {text}");
                values += 1;
            }
            Err(error) => {
                assert!((701..=705).contains(&error.code), "seed {seed}, case {case}: {text}: {error}");
                errors += 1;
            }
        }
    }
    assert!(values > 100 && errors > 1_000, "{values} and {errors}");
}
