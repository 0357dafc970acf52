use audit_log::{BadEntry, Checkpoint, Claimed, NoteError, Salt, Signer, Verifier, commitment, entry_leaf, leaf_hash, root_of, verify_entries};

fn log(bodies: &[&str]) -> Vec<Claimed> {
    bodies
        .iter()
        .enumerate()
        .map(|(index, body)| {
            let salt = Salt::from_bytes([index as u8; 32]);
            Claimed { index: index as u64, salt, body: body.as_bytes().to_vec(), leaf: entry_leaf(&salt, body.as_bytes()) }
        })
        .collect()
}

fn bad(entries: Vec<Claimed>) -> BadEntry {
    verify_entries(entries).unwrap_err()
}

#[test]
fn a_good_log_has_the_root_of_its_leaves() {
    let entries = log(&["a", "b", "c"]);
    let leaves: Vec<_> = entries.iter().map(|e| e.leaf).collect();
    assert_eq!(verify_entries(entries).unwrap().root(), root_of(&leaves));
}

#[test]
fn edits_gaps_and_moves_are_named() {
    let mut edited = log(&["a", "b", "c", "d"]);
    edited[2].body = b"C".to_vec();
    assert_eq!(bad(edited).index, 2);

    let mut salted = log(&["a", "b", "c"]);
    salted[1].salt = Salt::from_bytes([9; 32]);
    assert_eq!(bad(salted).index, 1);

    let mut flipped = log(&["a", "b", "c"]);
    let mut bytes = *flipped[1].leaf.as_bytes();
    bytes[31] ^= 1;
    flipped[1].leaf = audit_log::Hash::from_bytes(bytes);
    assert_eq!(bad(flipped).index, 1);

    let mut missing = log(&["a", "b", "c", "d"]);
    missing.remove(1);
    assert_eq!(bad(missing).index, 1);

    let mut moved = log(&["a", "b", "c", "d"]);
    moved.swap(1, 2);
    assert_eq!(bad(moved).index, 1);
}

#[test]
fn truncation_forks_and_rollbacks_do_not_fit_the_checkpoint() {
    let signer = Signer::from_seed("town.example/log", &[1; 32]).unwrap();
    let verifier = signer.verifier();
    let entries = log(&["a", "b", "c", "d"]);
    let frontier = verify_entries(entries.clone()).unwrap();
    let note = signer.sign(&Checkpoint { origin: "town.example/log".into(), size: frontier.size(), root: frontier.root() });
    let checkpoint = verifier.open(&note).unwrap();

    let truncated = verify_entries(entries[..3].to_vec()).unwrap();
    assert!(truncated.size() < checkpoint.size);
    // Rewritten with valid leaves and the true key: the checkpoint that an outsider holds still tells.
    let rewritten = verify_entries(log(&["a", "X", "c", "d"])).unwrap();
    assert_ne!(rewritten.root(), checkpoint.root);
}

#[test]
fn forged_notes_are_refused() {
    let signer = Signer::from_seed("town.example/log", &[1; 32]).unwrap();
    let other = Signer::from_seed("other.example/log", &[1; 32]).unwrap();
    let impostor = Signer::from_seed("town.example/log", &[2; 32]).unwrap();
    let verifier = Verifier::parse(&signer.verifier().to_vkey()).unwrap();
    assert_eq!(verifier, signer.verifier());
    let checkpoint = Checkpoint { origin: "town.example/log".into(), size: 4, root: leaf_hash(b"root") };
    let note = signer.sign(&checkpoint);
    assert_eq!(verifier.open(&note).unwrap(), checkpoint);
    assert_eq!(verifier.open(&impostor.sign(&checkpoint)), Err(NoteError::Unsigned));
    assert_eq!(verifier.open(&other.sign(&checkpoint)), Err(NoteError::Unsigned));
    assert_eq!(verifier.open(&note.replacen("\n4\n", "\n5\n", 1)), Err(NoteError::Forged));
    let of_other_log = signer.sign(&Checkpoint { origin: "other.example/log".into(), ..checkpoint });
    assert_eq!(verifier.open(&of_other_log), Err(NoteError::Origin));
    for garbage in ["", "\n\n", "a\n\nb\n", &note[..note.len() - 1], &note.replace('\u{2014}', "-")] {
        assert!(verifier.open(garbage).is_err());
    }
    let vkey = signer.verifier().to_vkey();
    for garbage in ["", "a+b+c", &vkey.replacen('+', "x+", 1)] {
        assert!(Verifier::parse(garbage).is_err());
    }
}

#[test]
fn texts_of_other_kinds_are_signed_and_never_taken_for_checkpoints() {
    let signer = Signer::from_seed("town.example/receipts", &[3; 32]).unwrap();
    let verifier = signer.verifier();
    let text = "consent-receipt/1\n{\"name\":\"Żółw 日本\"}\n";
    let note = signer.sign_text(text).unwrap();
    assert_eq!(verifier.open_text(&note).unwrap(), text);
    assert_eq!(verifier.open(&note), Err(NoteError::Malformed("checkpoint")));
    for at in (0..text.len()).filter(|at| note.is_char_boundary(*at) && note.is_char_boundary(at + 1)) {
        let mut forged = note.clone();
        let other = if &forged[at..=at] == "x" { "y" } else { "x" };
        forged.replace_range(at..=at, other);
        assert!(verifier.open_text(&forged).is_err(), "{forged}");
    }
    let checkpoint = Checkpoint { origin: "town.example/receipts".into(), size: 4, root: leaf_hash(b"root") };
    assert_eq!(verifier.open_text(&signer.sign(&checkpoint)).unwrap(), checkpoint.to_text());
    for garbage in ["", "\n", "a", "a\n\nb\n", "\na\n", "a\n\n", "a\r\n", "a\tb\n", "a\u{0}\n"] {
        assert_eq!(signer.sign_text(garbage), Err(NoteError::Text), "{garbage:?}");
    }
}

/// The example key and signature of the C2SP signed-note specification's lineage: Go's sumdb key.
#[test]
fn the_key_of_the_go_checksum_database_is_read() {
    let verifier = Verifier::parse("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8").unwrap();
    assert_eq!(verifier.to_vkey(), "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8");
}

#[test]
fn a_commitment_hides_and_binds() {
    let (a, b) = (Salt::from_bytes([1; 32]), Salt::from_bytes([2; 32]));
    assert_ne!(commitment(&a, b"body"), commitment(&b, b"body"));
    assert_ne!(commitment(&a, b"body"), commitment(&a, b"Body"));
}
