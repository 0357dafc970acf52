//! IAB's own libraries must read in our encodings what they read in the recorded strings, and what random values
//! hold.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rand::RngExt;
use serde_json::{Map, Value, json};
use signal::IdSet;
use signal::gpp::{GppString, Section, section_name};
use signal::tcf::{CanadaConsentString, ConsentString, PublisherRestriction, RestrictionType};
use testkit::{Generator, env_seed, sample};

/// Runs Node with IAB's libraries on lines of JSON, and returns what it says; says so, or fails, where they are not
/// installed.
#[expect(clippy::disallowed_methods, reason = "tests are told where tools are and whether a skip is a failure")]
fn check(lines: &[Value]) -> Option<(bool, String)> {
    let cache = || std::env::var("XDG_CACHE_HOME").map_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache"), PathBuf::from);
    let folder = std::env::var("FAIRSHARE_NODE_MODULES").map_or_else(|_| cache().join("fairshare/node"), PathBuf::from);
    let is_there = |package: &str| folder.join("node_modules").join(package).is_dir();
    let node = Command::new("node").arg("--version").output().is_ok();
    if !node || !is_there("@iabgpp/cmpapi") || !is_there("@iabtechlabtcf/core") {
        let missing = "IAB's libraries are not there: node, and `npm ci` of crates/signal/tests/npm in the folder that FAIRSHARE_NODE_MODULES names";
        assert!(std::env::var("FAIRSHARE_REQUIRE_ALL").map_or(true, |v| v != "1"), "{missing}");
        let _ = writeln!(std::io::stderr(), "skipped: {missing}");
        return None;
    }
    // Tests run in the folder of their crate.
    let mut node = Command::new("node").arg("tests/npm/check.mjs").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    node.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

fn assert_agree(lines: &[Value]) {
    let Some((success, said)) = check(lines) else { return };
    assert!(success, "{said}");
    assert_eq!(said.trim(), format!("{} agree, 0 do not", lines.len()));
    eprintln!("{} strings of ours read by IAB's libraries", lines.len());
}

fn tcf(text: &str, expected: &Value) -> Option<Value> {
    let consent = ConsentString::decode(text).ok()?;
    Some(json!({ "kind": "tcf", "text": consent.encode().unwrap(), "expected": expected, "original": text }))
}

fn gpp(text: &str, expected: &Value) -> Option<Value> {
    let string = GppString::decode(text).ok()?;
    Some(json!({ "kind": "gpp", "text": string.encode().unwrap(), "expected": expected, "original": text }))
}

fn recorded(path: &str) -> Vec<Value> {
    sample(path).map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).unwrap_or_default()
}

/// The fields without what is said about the string.
fn fields(vector: &Value) -> Value {
    let Value::Object(fields) = vector else { panic!("an object") };
    fields.iter().filter(|(name, _)| !["tc_string", "source"].contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

#[test]
fn a_few_strings_are_read_the_same() {
    let mut lines: Vec<Value> =
        ["DBAA", "DBABTA~1YNN", "DBABLA~CAAAVVVVVVRA.QA", "DBABLA~BVVVVVVVVWA.YA", "DBABBg~BVqqqqpY.YA", "DBABVg~BVVVVVVg", "DBABJg~BAAAAEA", "DBABLA~BAAAAAAAAQRA"]
            .iter()
            .filter_map(|text| gpp(text, &Value::Null))
            .collect();
    lines.extend(tcf("CPTtLAAPTtLAAAKAAAENAAFgALwAAEAAAAAAAOgAgABgAAAA.IAoAAgABgAAEAQAAEAAA.d4AACEAAAAAA", &json!({ "vendorsDisclosed": [11, 28, 29, 50, 60, 80] })));
    assert_eq!(lines.len(), 9);
    assert_agree(&lines);
    // The check can fail.
    let Some((success, said)) = check(&[json!({ "kind": "gpp", "text": "DBABTA~1YNN", "expected": { "uspv1": { "Notice": "N" } }, "original": null })]) else { return };
    assert!(!success && said.ends_with("0 agree, 1 do not\n"), "{said}");
}

#[test]
fn recorded_strings_of_tcf_are_read_as_recorded() {
    let vectors = recorded("iab-tcf-vectors/tc-strings-upstream.decoded-by-iabtcf-core-1.5.21.json");
    let lines: Vec<Value> =
        vectors.iter().filter(|vector| vector.get("error").is_none()).filter_map(|vector| tcf(vector["tc_string"].as_str().unwrap(), &fields(vector))).collect();
    assert!(vectors.is_empty() || lines.len() == 16, "{}", lines.len());
    assert_agree(&lines);
}

#[test]
fn recorded_strings_of_gpp_are_read_as_recorded() {
    let strings = recorded("iab-gpp-vectors/gpp-strings-upstream.decoded-by-iabgpp-es-3.2.0.json");
    let is_whole = |vector: &&Value| vector["sections"].as_object().is_some_and(|all| all.values().all(|section| section.get("error").is_none()));
    let mut lines: Vec<Value> = strings.iter().filter(is_whole).filter_map(|vector| gpp(vector["gpp_string"].as_str().unwrap(), &vector["sections"])).collect();
    let whole = lines.len();
    let sections = recorded("iab-gpp-vectors/sections-upstream.decoded-by-iabgpp-es-3.2.0.json");
    for vector in sections.iter().filter(|vector| vector["section"] != "HeaderV1" && vector["decoded"].is_object()) {
        let name = vector["section"].as_str().unwrap().to_lowercase();
        let id = (1..28).find(|id| section_name(*id) == Some(&name)).unwrap();
        let text = vector["encoded"].as_str().unwrap();
        let Ok(section) = Section::decode(id, text) else { continue };
        let string = GppString { sections: [(id, section)].into() }.encode().unwrap();
        let header = string.split('~').next().unwrap();
        lines.push(json!({ "kind": "gpp", "text": string, "expected": { name: vector["decoded"] }, "original": format!("{header}~{text}") }));
    }
    let sections = lines.len() - whole;
    lines.extend(other_librarys());
    eprintln!("{whole} strings, {sections} sections, {} strings of another library", lines.len() - whole - sections);
    assert!(strings.is_empty() || (whole, sections) == (36, 61), "{whole} {sections}");
    assert_agree(&lines);
}

/// What another library recorded is read by IAB's like the original; but of Canada's, whose older ranges take IAB's
/// library all its memory, only our encodings are read.
fn other_librarys() -> Vec<Value> {
    let Some(folder) = sample("iab-gpp-vectors/iabgpp-rs") else { return Vec::new() };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_json).collect();
    files.sort();
    let line = |path: &PathBuf| {
        let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let text = vector["gpp_string"].as_str().unwrap();
        let canada = vector["expected_sections"][0].get("TcfCaV1");
        let expected = canada.map_or(Value::Null, |canada| json!({ "tcfcav1": { "VendorExpressConsent": canada["core"]["vendor_express_consents"] } }));
        let mut line = gpp(text, &expected)?;
        if canada.is_some() {
            line["original"] = Value::Null;
        }
        Some(line)
    };
    files.iter().filter_map(line).collect()
}

/// Few, runs, every second, or the last one.
fn vendors(random: &mut Generator) -> IdSet {
    let most = random.0.random_range(1..900);
    match random.0.random_range(0..5) {
        0 => IdSet::default(),
        1 => (0..random.0.random_range(1..60)).map(|_| random.0.random_range(1..=most)).collect(),
        2 => (random.0.random_range(1..=most)..=most).collect(),
        3 => (1..=most).step_by(2).chain([random.0.random_range(1..=u16::MAX)]).collect(),
        _ => (1..=most).filter(|_| random.0.random_ratio(3, 4)).collect(),
    }
}

fn purposes(random: &mut Generator) -> IdSet {
    (1..=24).filter(|_| random.0.random_bool(0.5)).collect()
}

fn restrictions(random: &mut Generator) -> Vec<PublisherRestriction> {
    let kinds = [RestrictionType::NotAllowed, RestrictionType::RequireConsent, RestrictionType::RequireLegitimateInterest];
    let keys: BTreeSet<_> = (0..random.0.random_range(0..4)).map(|_| (random.0.random_range(1..=11), random.0.random_range(0..3_usize))).collect();
    let restriction = |(purpose_id, kind): (u8, usize)| PublisherRestriction { purpose_id, restriction_type: kinds[kind], vendors: vendors(random).iter().chain([7]).collect() };
    keys.into_iter().map(restriction).collect()
}

fn told(restrictions: &[PublisherRestriction], names: [&str; 3]) -> Value {
    let told = |restriction: &PublisherRestriction| json!({ names[0]: restriction.purpose_id, names[1]: restriction.restriction_type as u8, names[2]: restriction.vendors });
    restrictions.iter().map(told).collect()
}

#[test]
fn random_consents_are_read_as_they_are() {
    let seed = env_seed(20_306);
    eprintln!("FAIRSHARE_SEED={seed}");
    let mut random = Generator::new(seed);
    let mut lines = Vec::new();
    for _ in 0..150 {
        let mut consent = ConsentString::decode("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA").unwrap();
        consent.purpose_consents = purposes(&mut random);
        consent.vendor_consents = vendors(&mut random);
        consent.vendor_legitimate_interests = vendors(&mut random);
        consent.vendors_disclosed = Some(vendors(&mut random));
        consent.publisher_restrictions = restrictions(&mut random);
        let expected = json!({
            "purposeConsents": consent.purpose_consents, "vendorConsents": consent.vendor_consents,
            "vendorLegitimateInterests": consent.vendor_legitimate_interests, "vendorsDisclosed": consent.vendors_disclosed,
            "publisherRestrictions": told(&consent.publisher_restrictions, ["purposeId", "restrictionType", "vendors"]),
        });
        lines.push(json!({ "kind": "tcf", "text": consent.encode().unwrap(), "expected": expected, "original": null }));
    }
    for _ in 0..150 {
        let mut consent = CanadaConsentString::decode("BPSG_8APSG_8AAAAAAENAACAAAAAAAAAAAAAAAAAAA").unwrap();
        consent.vendor_express_consent = vendors(&mut random);
        consent.vendor_implied_consent = vendors(&mut random);
        consent.disclosed_vendors = Some(vendors(&mut random));
        consent.pub_restrictions = restrictions(&mut random);
        let expected = json!({ "tcfcav1": {
            "VendorExpressConsent": consent.vendor_express_consent, "VendorImpliedConsent": consent.vendor_implied_consent,
            "DisclosedVendors": consent.disclosed_vendors, "PubRestrictions": told(&consent.pub_restrictions, ["key", "type", "ids"]),
        } });
        let string = GppString { sections: [(5, Section::TcfCanada(Box::new(consent)))].into() };
        lines.push(json!({ "kind": "gpp", "text": string.encode().unwrap(), "expected": expected, "original": null }));
    }
    assert_agree(&lines);
}
