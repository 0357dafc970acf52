//! The 76 examples of the DPV guide on ISO/IEC TS 27560 (W3C Software and Document licence; not in the repository).
//!
//! They are pieces that each show one field, without contexts. One (74) claims to be complete.

use std::fs;

use dpv::{Check, ConsentReceipt, Document, Finding, Kind, read};
use serde_json::Value;

/// What is wrong with examples, by their place in the file, and why.
const WRONG: &[(usize, Check, &str, &str)] = &[
    (21, Check::NoMeaning, "dpv:hasProcess[0]/dpv:hasPersonalData[2]", "`@skos:broader`: an @ too many"),
    (21, Check::NoDataCategory, "dpv:hasProcess[0]/dpv:hasPersonalData[2]", "so that the category is lost"),
    (47, Check::NoMeaning, "dpv:hasEntity[0]", "`name` and `value` of a schema:PropertyValue without prefix"),
    (49, Check::NoMeaning, "dpv:hasEntity[0]/schema:contactPoint[0]", "`url` without prefix"),
    (65, Check::NoMeaning, "dpv:hasDataSubject[0]", "`type` without its @"),
    (67, Check::UnknownSchema, "", "`dpv-27560` is the schema's document, and no profile in it"),
    (68, Check::UnknownSchema, "", "`dpv-27560-GDPR` was a profile of an earlier draft"),
    (71, Check::NoMeaning, "dpv:hasRecordOfActivity[0]", "`id` without its @"),
    (71, Check::NoMeaning, "dpv:hasRecordOfActivity[1]", "`id` without its @"),
    (75, Check::UnknownSchema, "", "a profile of its own, as a receipt that is a summary"),
];

/// What example 74 lacks, although it is said to have all required fields: the guide's own text says that these
/// MUST be present.
const MISSING_IN_74: &[(Check, &str)] = &[
    (Check::NotDescribed, "dpv:hasRecordOfActivity[0]/dpv:hasDataController[0]"),
    (Check::NotDescribed, "dpv:hasRecordOfActivity[0]/dpv:hasDataProcessor[0]"),
    (Check::NotDescribed, "dpv:hasRecordOfActivity[0]/dpv:hasProcess[0]/dpv:hasRecipient[0]"),
    (Check::NoConsentType, "dpv:hasRecordOfActivity[0]/dpv:hasConsentStatus[1]"),
    (Check::NoValidity, "dpv:hasRecordOfActivity[0]/dpv:hasConsentStatus[0]"),
    (Check::NoValidity, "dpv:hasRecordOfActivity[0]/dpv:hasConsentStatus[1]"),
];

fn examples() -> Option<Vec<Value>> {
    let path = testkit::sample("dpv-2.3/27560/guide-examples.jsonld.json")?;
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn findings(document: &Document) -> Vec<Finding> {
    document.records.iter().flat_map(|record| record.check()).chain(document.receipts.iter().flat_map(ConsentReceipt::check)).collect()
}

fn written(document: &Document) -> String {
    match (document.records.as_slice(), document.receipts.as_slice(), document.others.as_slice()) {
        ([record], [], []) => record.to_json().unwrap(),
        ([], [receipt], []) => receipt.to_json().unwrap(),
        _ => panic!("an example is one record or one receipt"),
    }
}

/// All words and values of a document with their prefixes spelled out, in any order: what "nothing is lost" means
/// to somebody who knows nothing of the model.
pub(crate) fn words(value: &Value, prefixes: &[(&str, &str)], all: &mut Vec<String>) {
    let full = |text: &str| prefixes.iter().find_map(|(short, long)| text.strip_prefix(short).map(|rest| format!("{long}{rest}"))).unwrap_or_else(|| text.to_owned());
    match value {
        Value::Array(values) => values.iter().for_each(|value| words(value, prefixes, all)),
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "@context") {
                all.push(full(key));
                words(value, prefixes, all);
            }
        }
        Value::String(text) => all.push(full(text)),
        other => all.push(other.to_string()),
    }
    all.sort_unstable();
}

const PREFIXES: &[(&str, &str)] = &[
    ("dpv:", "https://w3id.org/dpv#"),
    ("pd:", "https://w3id.org/dpv/pd#"),
    ("loc:", "https://w3id.org/dpv/loc#"),
    ("eu-gdpr:", "https://w3id.org/dpv/legal/eu/gdpr#"),
    ("dct:", "http://purl.org/dc/terms/"),
    ("skos:", "http://www.w3.org/2004/02/skos/core#"),
    ("rdf:", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("rdfs:", "http://www.w3.org/2000/01/rdf-schema#"),
    ("schema:", "https://schema.org/"),
    ("xsd:", "http://www.w3.org/2001/XMLSchema#"),
    ("ex:", "https://example.com/"),
];

#[test]
fn all_examples_are_read_and_nothing_is_lost() {
    let Some(examples) = examples() else { return };
    assert_eq!(examples.len(), 76);
    for (n, example) in examples.iter().enumerate() {
        let document = read(&example.to_string()).unwrap();
        let text = written(&document);
        assert_eq!(read(&text).as_ref(), Ok(&document), "example {n}");
        let (mut before, mut after) = (Vec::new(), Vec::new());
        words(example, PREFIXES, &mut before);
        words(&serde_json::from_str(&text).unwrap(), PREFIXES, &mut after);
        // The guide has two properties for identifiers; we write the one that its text asks for.
        let one_identifier =
            |words: Vec<String>| -> Vec<String> { words.into_iter().map(|w| w.replace("https://w3id.org/dpv#hasIdentifier", "http://purl.org/dc/terms/identifier")).collect() };
        let (mut before, mut after) = (one_identifier(before), one_identifier(after));
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(before, after, "example {n}");
    }
}

#[test]
fn what_examples_say_is_as_it_must_be_with_recorded_exceptions() {
    let Some(examples) = examples() else { return };
    let mut wrong = Vec::new();
    for (n, example) in examples.iter().enumerate() {
        let findings = findings(&read(&example.to_string()).unwrap());
        wrong.extend(findings.into_iter().filter(|finding| finding.check.kind() == Kind::Wrong).map(|finding| (n, finding.check, finding.path)));
    }
    let mut recorded: Vec<_> = WRONG.iter().map(|(n, check, path, _)| (*n, *check, (*path).to_owned())).collect();
    wrong.sort_unstable();
    recorded.sort_unstable();
    assert_eq!(wrong, recorded);
}

#[test]
fn the_example_that_claims_to_be_complete_lacks_what_is_recorded() {
    let Some(examples) = examples() else { return };
    let found: Vec<_> = findings(&read(&examples[74].to_string()).unwrap()).into_iter().map(|finding| (finding.check, finding.path)).collect();
    let mut recorded: Vec<_> = MISSING_IN_74.iter().map(|(check, path)| (*check, (*path).to_owned())).collect();
    recorded.sort_unstable();
    assert_eq!(found, recorded);
}

/// With what it lacks, example 74 passes: the checks ask for no more than that.
#[test]
fn the_example_that_claims_to_be_complete_passes_when_completed() {
    let Some(mut examples) = examples() else { return };
    let record = &mut examples[74]["dpv:hasRecordOfActivity"];
    record["dpv:hasEntity"] = ["ex:Acme", "ex:Beta"]
        .map(|id| {
            let address = serde_json::json!({ "@type": "schema:PostalAddress", "schema:streetAddress": "1 Road" });
            serde_json::json!({ "@id": id, "dpv:hasIdentifier": id, "dpv:hasName": "A name", "schema:contactPoint": address })
        })
        .into();
    record["dpv:hasConsentStatus"][0]["dpv:hasDuration"] = "P12M".into();
    record["dpv:hasConsentStatus"][1]["dpv:hasDuration"] = serde_json::json!({ "@type": "dpv:EndlessDuration" });
    record["dpv:hasConsentStatus"][1]["@type"] = serde_json::json!(["dpv:ConsentWithdrawn", "dpv:ExpressedConsent"]);
    assert_eq!(findings(&read(&examples[74].to_string()).unwrap()), []);
}
