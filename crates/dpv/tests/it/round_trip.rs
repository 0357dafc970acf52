//! What is written is read, whatever it is; what is made is complete.

use chrono::{DateTime, TimeDelta};
use dpv::vocabulary::{ConsentStatus, PURPOSES};
use dpv::{
    Concept, ConsentControl, ConsentEvent, ConsentHistory, ConsentReceipt, ConsentRecord, Document, Duration, Entity, Event, Iri, Notice, Process, Right, Text, Validity,
    WriteError, read,
};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;
use testkit::{Generator, env_seed};

use super::made;

fn pick<'a, T>(random: &mut Generator, of: &'a [T]) -> &'a T {
    of.choose(&mut random.0).unwrap()
}

fn many<T>(random: &mut Generator, most: usize, mut make: impl FnMut(&mut Generator) -> T) -> Vec<T> {
    (0..random.0.random_range(0..=most)).map(|_| make(random)).collect()
}

fn word(random: &mut Generator) -> String {
    let nasty = [
        "",
        "\u{0}",
        "\u{7f}\n\r\t",
        "\"}\\",
        "dpv:Marketing",
        "@id",
        "@context",
        "dpv",
        "日本\u{1f602}",
        "https://w3id.org/dpv#",
        "https://w3id.org/dpv#a b",
        "_:b0",
        "urn:x:y",
        "a",
        "xsd://x",
        ":",
    ];
    if random.0.random_ratio(1, 3) { (*pick(random, &nasty)).to_owned() } else { random.text() }
}

fn name(random: &mut Generator) -> Iri {
    let known = ["https://w3id.org/dpv#Marketing", "https://w3id.org/dpv/legal/eu/gdpr#A6-1-a", "https://a.example/1", "urn:uuid:1", "0760c9ba"];
    Iri::new(if random.0.random_ratio(1, 40) { word(random) } else { (*pick(random, &known)).to_owned() })
}

fn text(random: &mut Generator) -> Text {
    let language = random.0.random_ratio(1, 3).then(|| word(random));
    Text { value: word(random), language }
}

fn json(random: &mut Generator, depth: u32) -> Value {
    match random.0.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => Value::Null,
        1 => Value::Bool(random.0.random()),
        2 => Value::from(random.0.random_range(-9_007_199_254_740_991_i64..=9_007_199_254_740_991)),
        3 => word(random).into(),
        4 => many(random, 3, |random| json(random, depth - 1)).into(),
        _ => Value::Object(many(random, 3, |random| (format!("https://b.example/{}", word(random)), json(random, depth - 1))).into_iter().collect()),
    }
}

fn concept(random: &mut Generator) -> Concept {
    let mut concept = Concept {
        id: random.0.random_ratio(2, 3).then(|| name(random)),
        types: many(random, 1, name),
        broader: many(random, 2, name),
        titles: many(random, 2, text),
        identifiers: many(random, 2, word),
        ..Concept::default()
    };
    if random.0.random_ratio(1, 4) {
        concept.other.set(format!("https://b.example/{}", word(random)), json(random, 3));
    }
    concept
}

fn entity(random: &mut Generator) -> Entity {
    Entity {
        id: random.0.random_ratio(2, 3).then(|| name(random)),
        types: many(random, 2, name),
        names: many(random, 1, text),
        identifiers: many(random, 2, word),
        ..Entity::default()
    }
}

fn duration(random: &mut Generator) -> Duration {
    Duration { kinds: many(random, 2, name), value: random.0.random_ratio(2, 3).then(|| word(random)), ..Duration::default() }
}

fn notice(random: &mut Generator) -> Notice {
    Notice { id: random.0.random_ratio(2, 3).then(|| name(random)), languages: many(random, 2, word), urls: many(random, 1, name), ..Notice::default() }
}

fn process(random: &mut Generator, depth: u32) -> Process {
    let mut process = Process { id: random.0.random_ratio(1, 3).then(|| name(random)), types: many(random, 1, name), ..Process::default() };
    process.scope.purposes = many(random, 2, concept);
    process.scope.personal_data = many(random, 2, concept);
    process.scope.recipients = many(random, 2, entity);
    process.scope.notices = many(random, 1, notice);
    process.scope.controls = many(random, 1, |random| ConsentControl { types: many(random, 2, name), exercised_at: many(random, 2, name), ..ConsentControl::default() });
    process.scope.rights = many(random, 1, |random| Right { titles: many(random, 2, text), ..Right::default() });
    if depth > 0 {
        process.scope.processes = many(random, 2, |random| self::process(random, depth - 1));
    }
    process
}

fn record(random: &mut Generator) -> ConsentRecord {
    let mut record = ConsentRecord {
        id: random.0.random_ratio(2, 3).then(|| name(random)),
        types: vec!["https://w3id.org/dpv#ConsentRecord".into()],
        conforms_to: many(random, 1, name),
        identifiers: many(random, 2, word),
        scope: process(random, 2).scope,
        entities: many(random, 2, entity),
        ..ConsentRecord::default()
    };
    record.events = many(random, 3, |random| Event {
        types: many(random, 2, name),
        times: many(random, 1, word),
        durations: many(random, 2, duration),
        indicated_by: many(random, 2, entity),
        methods: many(random, 2, text),
        ..Event::default()
    });
    record
}

#[test]
fn whatever_is_written_is_read_as_it_was() {
    let seed = env_seed(27_560);
    let mut random = Generator::new(seed);
    let (mut written, mut refused) = (0, 0);
    for case in 0..1_500 {
        let record = record(&mut random);
        // Identifiers that would be read as something else are refused; nothing is written wrongly.
        match record.to_json() {
            Ok(text) => {
                assert_eq!(read(&text), Ok(Document { records: vec![record.clone()], ..Document::default() }), "seed {seed}, case {case}: {text}");
                assert_eq!(record.to_json(), Ok(text), "seed {seed}, case {case}");
                written += 1;
            }
            Err(_) => refused += 1,
        }
        let _ = record.check();
    }
    println!("{written} records written, {refused} refused, seed {seed}");
    assert!(written > 1_000 && refused > 10);
}

#[test]
fn what_could_be_read_otherwise_is_spelled_out_or_refused() {
    let named = |id: &str| ConsentRecord { id: Some(id.into()), types: vec!["https://w3id.org/dpv#ConsentRecord".into()], ..ConsentRecord::default() };
    for (id, written) in
        [("https://w3id.org/dpv#a", "dpv:a"), ("https://w3id.org/dpv#//x", "https://w3id.org/dpv#//x"), ("https://w3id.org/dpv#", "https://w3id.org/dpv#"), ("a", "a")]
    {
        let text = named(id).to_json().unwrap();
        assert!(text.contains(&format!("\"@id\":\"{written}\"")), "{text}");
        assert_eq!(read(&text).unwrap().records, [named(id)]);
    }
    assert_eq!(named("dpv:a").to_json(), Err(WriteError::Identifier("@id".into())));

    let mut twice = named("urn:a");
    twice.identifiers.push("1".into());
    twice.other.set("http://purl.org/dc/terms/identifier", "2".into());
    assert_eq!(twice.to_json(), Err(WriteError::Twice("http://purl.org/dc/terms/identifier".into())));
    let mut number = named("urn:a");
    number.other.set("urn:height", 1.5.into());
    assert_eq!(number.to_json(), Err(WriteError::Number));
}

#[test]
fn an_identifier_under_both_properties_is_one() {
    let text = r#"{"@type": "dpv:ConsentRecord", "dct:identifier": ["1", "2"], "dpv:hasIdentifier": ["2", "3"]}"#;
    assert_eq!(read(text).unwrap().records[0].identifiers, ["1", "2", "3"]);
}

#[test]
fn a_controller_that_receives_is_described_once() {
    let mut history = made::history();
    history.recipient = history.controller.clone();
    assert_eq!(history.record().entities.len(), 1);
    assert_eq!(history.record().check(), []);
}

fn history(random: &mut Generator) -> ConsentHistory {
    let mut history = made::history();
    history.purpose = pick(random, PURPOSES);
    history.explicit = random.0.random();
    if history.explicit && random.0.random() {
        history.personal_data.push(Concept {
            types: vec!["https://w3id.org/dpv#SpecialCategoryPersonalData".into()],
            broader: vec!["https://w3id.org/dpv/pd#Religion".into()],
            ..Concept::default()
        });
    }
    history.identifier = format!("r-{}", word(random));
    let start = made::at("2026-01-01T00:00:00Z");
    let statuses: Vec<_> = ConsentStatus::ALL.iter().copied().filter(|status| !status.is_group()).collect();
    let later = |random: &mut Generator| -> DateTime<_> { start + TimeDelta::milliseconds(random.0.random_range(0..40_000_000_000)) };
    let first = history.events[0].clone();
    history.events = (0..random.0.random_range(1..12))
        .map(|_| ConsentEvent {
            status: *pick(random, &statuses),
            at: later(random),
            validity: if random.0.random() { Validity::Until(later(random)) } else { Validity::UntilEvent(format!("until {}", word(random))) },
            actor: random.0.random_ratio(1, 3).then(|| if random.0.random() { history.controller.id.clone() } else { history.subject.clone() }),
            method: word(random),
            ..first.clone()
        })
        .collect();
    history
}

#[test]
fn whatever_is_made_of_a_history_is_complete_and_comes_back() {
    let seed = env_seed(27_561);
    let mut random = Generator::new(seed);
    for case in 0..400 {
        let receipt = history(&mut random).receipt("https://town.example/receipts/1".into(), "1".into(), made::at("2026-06-07T08:09:10Z"));
        assert_eq!(receipt.check(), [], "seed {seed}, case {case}");
        let text = receipt.to_json().unwrap();
        assert_eq!(ConsentReceipt::from_json(&text), Ok(receipt), "seed {seed}, case {case}");
    }
}

/// Damage is an error or a document, and never a panic; what is read can be written, or is refused.
#[test]
fn damage_is_an_error_or_a_document() {
    let seed = env_seed(27_562);
    let mut random = Generator::new(seed);
    let bases = [include_str!("../samples/record.jsonld").to_owned(), made::receipt().to_json().unwrap()];
    let (mut documents, mut errors) = (0, 0);
    for case in 0..2_000 {
        let mut bytes = pick(&mut random, &bases).clone().into_bytes();
        for _ in 0..random.0.random_range(1..4) {
            let at = random.0.random_range(0..bytes.len());
            match random.0.random_range(0..3) {
                0 => bytes[at] = *pick(&mut random, b"\"{}[],:@0a "),
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(2)),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match read(&text) {
            Err(_) => errors += 1,
            Ok(document) => {
                documents += 1;
                for record in &document.records {
                    let _ = record.check();
                    if let Ok(written) = record.to_json() {
                        assert_eq!(read(&written).unwrap().records.as_slice(), std::slice::from_ref(record), "seed {seed}, case {case}: {text}");
                    }
                }
            }
        }
    }
    println!("{documents} documents and {errors} errors of damaged ones, seed {seed}");
    assert!(documents > 300 && errors > 300);
}
