//! A verifier in another language, written from the specifications only, must agree.

use std::io::Write;
use std::process::{Command, Stdio};

use audit_log::{Checkpoint, Signer, consistency_proof, inclusion_proof, root_of};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

#[expect(clippy::disallowed_methods, reason = "tests read whether a skip is a failure")]
fn skipping_fails() -> bool {
    std::env::var("FAIRSHARE_REQUIRE_ALL").is_ok_and(|v| v == "1")
}

#[test]
fn the_python_verifier_agrees_on_random_trees() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(!skipping_fails(), "python3 is required");
        eprintln!("skipped: python3 not found");
        return;
    }
    let seed = 20_261_124;
    eprintln!("seed {seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let signer = Signer::from_seed("town.example/log", &[7; 32]).unwrap();
    let mut input = String::new();
    for case in 0..300 {
        let size = rng.random_range(1..400);
        let leaves = super::trees::random_leaves(&mut rng, size);
        let (index, old) = (rng.random_range(0..size), rng.random_range(1..=size));
        let (inclusion, consistency) = (inclusion_proof(&leaves, index as u64).unwrap(), consistency_proof(&leaves, old as u64).unwrap());
        let root = root_of(&leaves);
        let mut note = signer.sign(&Checkpoint { origin: "town.example/log".into(), size: size as u64, root });
        let mut leaf = leaves[index];
        // Every third case lies, in one of two ways.
        let honest = case % 3 != 0;
        if case % 6 == 0 {
            leaf = root;
        } else if case % 3 == 0 {
            note = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        }
        let line = serde_json::json!({
            "vkey": signer.verifier().to_vkey(), "note": note, "leaf": leaf, "inclusion": inclusion,
            "consistency": consistency, "old_root": root_of(&leaves[..old]), "honest": honest,
        });
        input.push_str(&line.to_string());
        input.push('\n');
    }
    // Tests run in the folder of their crate.
    let script = "tests/verifier/verify.py";
    let mut python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(text.trim(), "300 cases agree");
}
