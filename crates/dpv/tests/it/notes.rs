//! Receipts as signed notes, opened offline.

use std::fs;
use std::process::Command;

use audit_log::{Checkpoint, NoteError, Signer, Verifier, leaf_hash};
use dpv::{NOTE_HEADER, ReadError, receipt_of_note_text};

use super::made;

#[test]
fn a_receipt_is_signed_and_opened_with_the_published_key() {
    let receipt = made::receipt();
    let signer = Signer::from_seed("town.example/receipts", &[9; 32]).unwrap();
    let note = signer.sign_text(&receipt.to_note_text().unwrap()).unwrap();
    assert_eq!(note.lines().count(), 4, "header, receipt, empty line, signature");

    let published = signer.verifier().to_vkey();
    let text = Verifier::parse(&published).unwrap().open_text(&note).unwrap();
    let opened = receipt_of_note_text(&text).unwrap();
    assert_eq!(opened, receipt);
    assert_eq!(opened.check(), []);

    let altered = note.replacen("dpv:ConsentWithdrawn", "dpv:ConsentGiven", 1);
    assert_eq!(signer.verifier().open_text(&altered), Err(NoteError::Forged));
    let other = Signer::from_seed("town.example/log", &[8; 32]).unwrap();
    assert_eq!(other.verifier().open_text(&note), Err(NoteError::Unsigned));
}

#[expect(clippy::disallowed_methods, reason = "tests read whether a skip is a failure")]
fn skipping_fails() -> bool {
    std::env::var("FAIRSHARE_REQUIRE_ALL").is_ok_and(|v| v == "1")
}

/// What an outsider has: Python, the published key and the receipt.
#[test]
fn the_python_verifier_opens_receipts_and_refuses_altered_ones() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(!skipping_fails(), "python3 is required");
        eprintln!("skipped: python3 not found");
        return;
    }
    let signer = Signer::from_seed("town.example/receipts", &[9; 32]).unwrap();
    let receipt = made::receipt();
    let note = signer.sign_text(&receipt.to_note_text().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (key, file) = (folder.path().join("key"), folder.path().join("receipt"));
    fs::write(&key, signer.verifier().to_vkey() + "\n").unwrap();
    let verify = |note: &str| {
        fs::write(&file, note).unwrap();
        // Tests run in the folder of their crate.
        Command::new("python3").args(["../audit-log/tests/verifier/verify.py", "receipt"]).args([&key, &file]).env("PYTHONIOENCODING", "utf-8").output().unwrap()
    };
    let opened = verify(&note);
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let printed: serde_json::Value = serde_json::from_slice(&opened.stdout).unwrap();
    assert_eq!(printed, serde_json::from_str::<serde_json::Value>(&receipt.to_json().unwrap()).unwrap());
    assert!(!verify(&note.replacen("2026-02-03", "2026-02-04", 1)).status.success());
    let checkpoint = Checkpoint { origin: "town.example/receipts".into(), size: 1, root: leaf_hash(b"x") };
    assert!(!verify(&signer.sign(&checkpoint)).status.success());
}

/// Under one key even, a checkpoint is no receipt and a receipt no checkpoint.
#[test]
fn notes_of_other_kinds_are_no_receipts() {
    let signer = Signer::from_seed(NOTE_HEADER, &[9; 32]).unwrap();
    let checkpoint = Checkpoint { origin: NOTE_HEADER.into(), size: 1, root: leaf_hash(b"x") };
    let text = signer.verifier().open_text(&signer.sign(&checkpoint)).unwrap();
    assert!(receipt_of_note_text(&text).is_err());
    let note = signer.sign_text(&made::receipt().to_note_text().unwrap()).unwrap();
    assert!(signer.verifier().open(&note).is_err());
}

#[test]
fn only_the_one_spelling_is_a_receipt() {
    let text = made::receipt().to_note_text().unwrap();
    assert!(receipt_of_note_text(&text).is_ok());
    let spaced = text.replacen(',', ", ", 1);
    let reordered = text.replacen("\"dpv:ConsentGiven\",\"dpv:ExpressedConsent\"", "\"dpv:ExpressedConsent\",\"dpv:ConsentGiven\"", 1);
    assert!(receipt_of_note_text(&reordered).is_ok(), "another order of values is another receipt, with one spelling as well");
    let spelled_out = text.replacen("\"dpv:DataSubject\"", "\"https://w3id.org/dpv#DataSubject\"", 1);
    for other in [spaced, spelled_out, text.replacen("/1", "/2", 1), format!("{text}\n"), text.trim_end().to_owned(), String::new(), format!("{NOTE_HEADER}\n{{}}\n")] {
        assert!(matches!(receipt_of_note_text(&other), Err(ReadError::Note | ReadError::NoNodes)), "{other}");
    }
}

/// The bytes themselves: whoever changes them changes what old signatures are for.
#[test]
fn the_bytes_of_a_receipt_stay_as_they_are() {
    let golden = include_str!("../samples/receipt.txt");
    let text = made::receipt().to_note_text().unwrap();
    assert!(text == golden, "not the bytes of samples/receipt.txt:\n{text}");
}
