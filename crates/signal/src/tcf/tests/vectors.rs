//! Strings from the tests of the IAB's libraries, with what those libraries read in them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
pub(super) use testkit::sample;

use super::*;

pub(super) fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A string, and what a library read: all fields under one name each, or nothing.
type Vector = (String, Option<Value>);

const TCF: &str = "iab-tcf-vectors/tc-strings-upstream.decoded-by-iabtcf-core-1.5.21.json";
pub(super) const SECTIONS: &str = "iab-gpp-vectors/sections-upstream.decoded-by-iabgpp-es-3.2.0.json";
pub(super) const STRINGS: &str = "iab-gpp-vectors/gpp-strings-upstream.decoded-by-iabgpp-es-3.2.0.json";
pub(super) const RUST: &str = "iab-gpp-vectors/iabgpp-rs";

/// The TCF library's words are the ones compared, without what it does not tell.
fn of_tcf(found: &Value) -> Option<Value> {
    let mut found = found.clone();
    found.get("error").is_none().then(|| {
        let fields = found.as_object_mut().unwrap();
        for field in ["tc_string", "source"] {
            fields.remove(field);
        }
        found
    })
}

/// The GPP library has other names, and bits instead of numbers.
fn of_gpp(found: &Value) -> Option<Value> {
    let mut fields = serde_json::Map::new();
    for (name, value) in found.as_object()? {
        let value = match value.as_array() {
            Some(bits) if bits.iter().any(Value::is_boolean) => bits.iter().enumerate().filter(|(_, bit)| **bit == json!(true)).map(|(n, _)| json!(n + 1)).collect(),
            _ => value.clone(),
        };
        let name = match name.as_str() {
            "UseNonStandardStacks" => "useNonStandardTexts".to_owned(),
            name if name.ends_with("SegmentType") => continue,
            name => name.chars().take(1).map(|letter| letter.to_ascii_lowercase()).chain(name.chars().skip(1)).collect(),
        };
        fields.insert(name, value);
    }
    let restrictions = fields["publisherRestrictions"].as_array().unwrap();
    let restrictions = restrictions.iter().map(|r| json!({ "purposeId": r["key"], "restrictionType": r["type"], "vendors": r["ids"] })).collect();
    fields.insert("publisherRestrictions".into(), restrictions);
    Some(fields.into())
}

/// The Rust library has names with underscores, tells segments that are missing, and times in seconds.
fn of_rust(found: &Value) -> Option<Value> {
    let core = &found["core"];
    let publisher = &found["publisher_purposes"];
    let time = |name: &str| json!(DateTime::from_timestamp(core[name].as_i64().unwrap(), 0).unwrap().format("%FT%T").to_string());
    let or_none = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    assert_eq!(core["publisher_restrictions"], json!([]));
    Some(json!({
        "created": time("created"), "lastUpdated": time("last_updated"), "cmpId": core["cmp_id"], "cmpVersion": core["cmp_version"],
        "consentScreen": core["consent_screen"], "consentLanguage": core["consent_language"], "vendorListVersion": core["vendor_list_version"],
        "policyVersion": core["policy_version"], "isServiceSpecific": core["is_service_specific"], "useNonStandardTexts": core["use_non_standard_stacks"],
        "purposeOneTreatment": core["purpose_one_treatment"], "publisherCountryCode": core["publisher_country_code"],
        "specialFeatureOptins": core["special_feature_optins"], "purposeConsents": core["purpose_consents"],
        "purposeLegitimateInterests": core["purpose_legitimate_interests"], "vendorConsents": core["vendor_consents"],
        "vendorLegitimateInterests": core["vendor_legitimate_interests"], "publisherRestrictions": [],
        "vendorsDisclosed": or_none(&found["disclosed_vendors"]), "vendorsAllowed": or_none(&found["allowed_vendors"]),
        "publisherConsents": or_none(&publisher["consents"]), "publisherLegitimateInterests": or_none(&publisher["legitimate_interests"]),
        "publisherCustomConsents": or_none(&publisher["custom_consents"]), "publisherCustomLegitimateInterests": or_none(&publisher["custom_legitimate_interests"]),
    }))
}

/// All strings of a file or folder of samples.
fn vectors(path: &str) -> Option<Vec<Vector>> {
    let path_of = sample(path)?;
    if path == RUST {
        let mut files: Vec<_> = std::fs::read_dir(path_of).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tcfeuv2")));
        files.sort();
        return Some(
            files
                .into_iter()
                .map(json)
                .map(|f| (f["gpp_string"].as_str().unwrap().split('~').nth(1).unwrap().to_owned(), of_rust(&f["expected_sections"][0]["TcfEuV2"])))
                .collect(),
        );
    }
    let found = json(path_of);
    let found = found.as_array().unwrap().iter();
    Some(match path {
        TCF => found.map(|f| (f["tc_string"].as_str().unwrap().to_owned(), of_tcf(f))).collect(),
        SECTIONS => found.filter(|f| f["section"] == "TcfEuV2").map(|f| (f["encoded"].as_str().unwrap().to_owned(), of_gpp(&f["decoded"]))).collect(),
        _ => found
            .filter(|f| f["sections"]["tcfeuv2"].is_object())
            .map(|f| {
                let at = f["section_ids"].as_array().unwrap().iter().position(|id| *id == 2).unwrap();
                (f["gpp_string"].as_str().unwrap().split('~').nth(at + 1).unwrap().to_owned(), of_gpp(&f["sections"]["tcfeuv2"]))
            })
            .collect(),
    })
}

/// What we read, in the words of the TCF library, which does not tell a missing segment from an empty one.
fn told(consent: &ConsentString) -> Value {
    let mut told = serde_json::to_value(consent).unwrap();
    let time = |time: DateTime<Utc>| json!(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    let publisher = consent.publisher.clone().unwrap_or_default();
    let fields = told.as_object_mut().unwrap();
    fields.remove("publisher");
    let restrictions =
        consent.publisher_restrictions.iter().map(|r| json!({ "purposeId": r.purpose_id, "restrictionType": r.restriction_type.number(), "vendors": r.vendors })).collect();
    for (name, value) in [
        ("version", json!(VERSION)),
        ("created", time(consent.created)),
        ("lastUpdated", time(consent.last_updated)),
        ("vendorsDisclosed", json!(consent.vendors_disclosed.clone().unwrap_or_default())),
        ("vendorsAllowed", json!(consent.vendors_allowed.clone().unwrap_or_default())),
        ("publisherRestrictions", restrictions),
        ("publisherConsents", json!(publisher.purpose_consents)),
        ("publisherLegitimateInterests", json!(publisher.purpose_legitimate_interests)),
        ("numCustomPurposes", json!(publisher.num_custom_purposes)),
        ("publisherCustomConsents", json!(publisher.custom_consents)),
        ("publisherCustomLegitimateInterests", json!(publisher.custom_legitimate_interests)),
    ] {
        fields.insert(name.into(), value);
    }
    told
}

#[test]
fn the_iabs_strings_are_read_as_its_libraries_read_them() {
    for path in [TCF, SECTIONS, STRINGS, RUST] {
        let Some(vectors) = vectors(path) else { continue };
        let (mut equal, mut old, mut refused) = (0, 0, 0);
        for (text, expected) in vectors {
            match (ConsentString::decode(&text), expected) {
                (Ok(consent), Some(expected)) => {
                    let told = told(&consent);
                    let expected = expected.as_object().unwrap();
                    assert!(expected.len() >= 24, "{} fields", expected.len());
                    for (name, value) in expected {
                        // Times in seconds are the beginning of a time.
                        let seconds = ["created", "lastUpdated"].contains(&name.as_str()).then(|| value.as_str().zip(told[name].as_str())).flatten();
                        let same = seconds.map_or(&told[name] == value, |(value, told)| value.len() >= 19 && told.starts_with(value));
                        assert!(same, "{name} of {text}: {} and {value}", told[name]);
                    }
                    equal += 1;
                }
                (Err(error), expected) if text.starts_with('B') => {
                    assert_eq!((error.code, error.bit), (704, Some(0)), "{text}");
                    assert!(expected.is_none_or(|e| e["version"] == 1), "{text}");
                    old += 1;
                }
                (Err(_), None) => refused += 1,
                (found, expected) => panic!("{text}: {found:?}, and expected was {expected:?}"),
            }
        }
        println!("{path}: {equal} equal, {old} of version 1, {refused} refused by both");
        assert!(equal > 0);
    }
}

#[test]
fn the_iabs_strings_are_written_again() {
    // Without what writers choose: how long the padding is, and the order of the optional segments.
    let bare = |text: &str| text.split('.').map(|segment| segment.trim_end_matches('A').to_owned()).collect::<BTreeSet<_>>();
    for path in [TCF, SECTIONS, STRINGS, RUST] {
        let Some(vectors) = vectors(path) else { continue };
        let (mut all, mut same, mut chosen) = (0, 0, 0);
        for (text, _) in vectors {
            let Ok(consent) = ConsentString::decode(&text) else { continue };
            let written = consent.encode().unwrap();
            assert_eq!(ConsentString::decode(&written), Ok(consent), "{text}");
            all += 1;
            if written == text {
                same += 1;
            } else if bare(&written) == bare(&text) {
                chosen += 1;
            } else {
                println!("other bits: {text} is written as {written}");
            }
        }
        println!("{path}: of {all}, {same} the same byte for byte, {chosen} but for padding and order");
        // Three of the TCF library's strings count vendors beyond the last one, or name some twice.
        assert!(same > 0 && all - same - chosen <= if path == TCF { 3 } else { 0 });
    }
}
