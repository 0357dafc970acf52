//! Documents in other words than ours, and documents that are refused.

use dpv::vocabulary::{ConsentStatus, ConsentType};
use dpv::{Iri, ReadError, read};
use serde_json::Value;

const RECORD: &str = include_str!("../samples/record.jsonld");

fn iri(text: &str) -> Iri {
    Iri::new(text)
}

#[test]
fn a_graph_in_its_own_words_is_one_record() {
    let document = read(RECORD).unwrap();
    let [record] = document.records.as_slice() else { panic!("one record") };
    assert_eq!(record.check(), []);
    assert_eq!(record.id, Some(iri("https://village.example/consents/3")));
    assert_eq!(record.scope.data_subjects[0].id, Some(iri("urn:person:4f")));
    assert_eq!(record.scope.notices[0].languages, ["fr"], "the notice is in its place");
    assert_eq!(record.events[0].indicated_by[0].names[0].value, "Commune", "so is whoever asked");

    let [feasts, offers] = record.scope.processes[0].scope.processes.as_slice() else { panic!("two processes within one") };
    let title = &feasts.scope.purposes[0].titles[0];
    assert_eq!((title.value.as_str(), title.language.as_deref()), ("Où vont les fêtes", Some("fr")));
    assert_eq!(feasts.scope.purposes[0].broader, [iri("https://w3id.org/dpv#AcademicResearch")]);
    assert!(offers.scope.personal_data[0].is_special_category() && offers.scope.personal_data[0].is_sensitive());
    assert!(!offers.scope.personal_data[1].is_sensitive());

    let given = &record.events[1];
    assert_eq!(given.statuses().collect::<Vec<_>>(), [ConsentStatus::Given]);
    assert_eq!(given.consent_types().collect::<Vec<_>>(), [ConsentType::Expressed]);
    assert_eq!(record.events[0].times, ["2026-01-02T10:00:00Z"]);
    assert_eq!(given.methods[0].language.as_deref(), Some("fr"));

    // What the model does not know is kept, with full names and as it came.
    assert_eq!(record.other.get("https://village.example/desk-number"), Some(&Value::from(4)));
    assert_eq!(record.other.get("https://village.example/mood"), Some(&serde_json::json!({ "@id": "https://village.example/good" })));
    assert_eq!(record.other.get("https://village.example/seen"), Some(&serde_json::json!([true, null, { "https://village.example/by": "two eyes" }])));
    assert_eq!(document.others, [serde_json::json!({ "@id": "https://village.example/weather", "https://village.example/sky": "blue" })]);
    assert!(document.receipts.is_empty());

    let again = read(&record.to_json().unwrap()).unwrap();
    assert_eq!(again.records, document.records);
}

#[test]
fn a_value_of_another_shape_stays_as_it_came() {
    let text = r#"{"@type": "dpv:ConsentRecord", "dpv:hasPurpose": ["dpv:Marketing", 5], "dct:identifier": {"@list": ["a"]}, "dpv:hasJurisdiction": null}"#;
    let record = read(text).unwrap().records.remove(0);
    assert!(record.scope.purposes.is_empty() && record.identifiers.is_empty());
    assert_eq!(record.other.get("https://w3id.org/dpv#hasPurpose"), Some(&serde_json::json!(["dpv:Marketing", 5]).into_full()));
    assert_eq!(read(&record.to_json().unwrap()).unwrap().records, [record]);
}

trait Full {
    fn into_full(self) -> Value;
}

impl Full for Value {
    /// Identifiers under properties that we know have full names also where the shape is not read.
    fn into_full(self) -> Value {
        serde_json::from_str(&self.to_string().replace("\"dpv:", "\"https://w3id.org/dpv#")).unwrap()
    }
}

#[test]
fn circles_and_long_chains_of_references_end() {
    let circle = r#"{"@graph": [
        {"@id": "urn:a", "@type": "dpv:ConsentRecord", "dpv:hasProcess": "urn:b"},
        {"@id": "urn:b", "dpv:hasProcess": {"@id": "urn:c"}},
        {"@id": "urn:c", "dpv:hasProcess": ["urn:a", "urn:b"]}]}"#;
    let document = read(circle).unwrap();
    let c = &document.records[0].scope.processes[0].scope.processes[0];
    assert_eq!(c.scope.processes.iter().filter_map(|process| process.id.as_ref()).map(Iri::as_str).collect::<Vec<_>>(), ["urn:a", "urn:b"]);

    let chain: Vec<_> = (0..30_000).map(|n| format!(r#"{{"@id": "urn:{n}", "@type": ["dpv:ConsentRecord"], "dpv:hasProcess": "urn:{}"}}"#, n + 1)).collect();
    let document = read(&format!("[{}]", chain.join(","))).unwrap();
    assert!(document.records.len() > 1_000);
}

#[test]
fn what_cannot_be_read_for_sure_is_refused() {
    let refused = |text: &str| read(text).unwrap_err();
    for context in [
        r#""https://w3id.org/dpv/context.jsonld""#,
        r#"[{"dpv": "https://w3id.org/dpv#"}, "https://schema.org"]"#,
        r#"{"@base": "https://a.example/"}"#,
        r#"{"@language": "de"}"#,
        r#"{"a": {"@id": "b:c", "@container": "@list"}}"#,
        r#"{"a": {"@reverse": "b:c"}}"#,
        r#"{"a": "b:x", "b": "a:y"}"#,
        r#"{"a": 5}"#,
        "7",
    ] {
        let error = refused(&format!(r#"{{"@context": {context}, "@type": "dpv:ConsentRecord"}}"#));
        assert!(matches!(error, ReadError::Context(_)), "{context}: {error}");
    }
    let long = "x".repeat(600);
    for context in [format!(r#"{{"a": "a:{long}"}}"#), format!(r#"{{"a": "b:{long}", "b": "a:{long}"}}"#), format!(r#"{{"@vocab": "https://{long}"}}"#)] {
        assert!(matches!(refused(&format!(r#"{{"@context": {context}}}"#)), ReadError::Context(_)));
    }
    assert!(matches!(refused(r#"{"a:b": {"@context": {}, "c": 1}}"#), ReadError::Context(_)));
    assert_eq!(refused(r#"{"dct:title": "a", "http://purl.org/dc/terms/title": "b"}"#), ReadError::Twice("http://purl.org/dc/terms/title".into()));
    assert_eq!(refused(r#"[{"@id": "a:b"}, {"@id": "a:b"}]"#), ReadError::SameId);
    for text in ["5", "[5]", r#""dpv:ConsentRecord""#, r#"{"@graph": 5}"#, r#"{"@id": "a:g", "@graph": []}"#] {
        assert_eq!(refused(text), ReadError::NoNodes, "{text}");
    }
    assert_eq!(refused(r#"{"loc:height": 1.5}"#), ReadError::Number);
    assert!(refused("{").to_string().starts_with("V890: not JSON (line 1, column 1)"));
}
