use std::fs;
use std::path::PathBuf;

use domain::CreatorKey;
use domain::port::Unwatched;
use domain::subject::AgeBand;

use crate::source::read_whole;
use crate::{Deletions, IngestError, NormalizedBatch, Options, sources};

fn options() -> Options {
    Options { platform: None, mapping: None, creators: CreatorKey::from_bytes([7; 16]), deletions: Deletions::Apply, today: "2026-11-24".parse().unwrap(), threads: 2 }
}

fn import(csv: &[u8], mapping: &str) -> Result<NormalizedBatch, IngestError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    fs::write(&path, csv).unwrap();
    fs::write(folder.path().join("rows.mapping.toml"), mapping).unwrap();
    let options = options();
    read_whole(&sources(&[path], &options)?[0], &options, &Unwatched)
}

const ACTS: &str = "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"who\"\nnative_key = \"id\"\nkind = { constant = \"post\" }\nat = { column = \"at\", format = \"unix_seconds\" }\ndeleted = \"gone\"\n";

#[test]
fn the_committed_sample_reads() {
    let options = options();
    let folder = PathBuf::from("../../samples/exports/forum");
    let found = sources(&[folder], &options).unwrap();
    assert_eq!(found.len(), 2);
    let activity = read_whole(&found[0], &options, &Unwatched).unwrap();
    assert_eq!((activity.subjects.len(), activity.rejected.len()), (60, 2));
    assert!(activity.rejected[0].place.starts_with("line "));
    let people = read_whole(&found[1], &options, &Unwatched).unwrap();
    assert_eq!(people.subjects[3].age, AgeBand::From13To15);
}

#[test]
fn bad_rows_are_kept_with_line_and_reason() {
    let csv = b"id,who,at,gone\n1,a,1700000000,\n2,a,never,\n3,,1,\n4,a\n5,a,\xff,\n6,a,1700000000,true\n7,\"a\nb\",1,no\n";
    let batch = import(csv, ACTS).unwrap();
    let reasons: Vec<_> = batch.rejected.iter().map(|r| (r.place.as_str(), r.reason.as_str())).collect();
    assert_eq!(reasons, [("line 3", "`never` is not a time"), ("line 4", "no account"), ("line 5", "2 fields where the header has 4"), ("line 6", "a field is not UTF-8")]);
    assert_eq!((batch.activities.len(), batch.deleted), (2, 1));
}

#[test]
fn mappings_that_do_not_fit_say_why() {
    for (mapping, expected) in [
        ("schema = 2\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\n", "schema 2"),
        ("schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"who\"\n", "`native_key` is not mapped"),
        ("schema = 1\ntable = \"subject\"\nplatform = \"csv\"\n[columns]\naccount = \"whom\"\n", "no column `whom`; it has: id, who, at, gone"),
        ("schema = 1\ntable = \"subject\"\nplatform = \"csv\"\n[columns]\naccount = \"who\"\nshoe_size = \"x\"\n", "`shoe_size` is no column"),
        ("nonsense", "expected"),
    ] {
        let Err(IngestError::Mapping { why, .. }) = import(b"id,who,at,gone\n", mapping) else { panic!("accepted: {mapping}") };
        assert!(why.contains(expected), "{why}");
    }
}
