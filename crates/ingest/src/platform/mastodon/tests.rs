use std::io::Write;
use std::path::PathBuf;

use domain::CreatorKey;
use domain::port::Unwatched;
use domain::record::{ActivityKind, Media, Visibility};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::source::read_whole;
use crate::{Deletions, IngestError, Options, sources};

fn options() -> Options {
    Options { platform: None, mapping: None, creators: CreatorKey::from_bytes([7; 16]), deletions: Deletions::Apply, today: "2026-11-24".parse().unwrap(), threads: 2 }
}

fn sample() -> PathBuf {
    PathBuf::from("../../samples/exports/mastodon/ada")
}

fn zipped(members: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    let mut zip = ZipWriter::new(file.reopen().unwrap());
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::DEFAULT).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    file
}

fn sample_members() -> Vec<(&'static str, Vec<u8>)> {
    ["actor.json", "outbox.json", "likes.json"].map(|m| (m, std::fs::read(sample().join(m)).unwrap())).to_vec()
}

#[test]
fn an_archive_gives_what_it_says_and_keeps_what_it_cannot_read() {
    let options = options();
    let found = sources(&[sample()], &options).unwrap();
    let batch = read_whole(&found[0], &options, &Unwatched).unwrap();
    let kinds: Vec<_> = batch.activities.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [ActivityKind::Post, ActivityKind::Reply, ActivityKind::Post, ActivityKind::Share, ActivityKind::Like, ActivityKind::Like]);
    assert_eq!((batch.deleted, batch.rejected.len()), (1, 4));
    let first = batch.activities.get(0).unwrap();
    assert_eq!(first.tags, ["harbour"]);
    assert_eq!((first.link_domain.as_deref(), first.language.as_deref()), (Some("news.example"), Some("en")));
    assert_eq!((first.visibility, batch.activities.get(2).unwrap().visibility, batch.activities.get(2).unwrap().media), (Visibility::Public, Visibility::Followers, Media::Image));
    assert_eq!(batch.activities.get(4).unwrap().at, None, "an archive does not say when something was liked");
    assert_eq!(batch.subjects[0].handle.as_deref(), Some("ada"));
    assert_eq!(batch.rejected[0].place, "/orderedItems/5");
}

#[test]
fn a_zip_and_its_folder_say_the_same() {
    let members = sample_members();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(n, c)| (*n, c.as_slice())).collect();
    let zip = zipped(&members);
    let options = options();
    let from_zip = read_whole(&sources(&[zip.path().to_owned()], &options).unwrap()[0], &options, &Unwatched).unwrap();
    let from_folder = read_whole(&sources(&[sample()], &options).unwrap()[0], &options, &Unwatched).unwrap();
    assert_eq!(from_zip.activities, from_folder.activities);
}

#[test]
fn harmful_archives_are_refused() {
    let actor = sample_members()[0].1.clone();
    let bomb = vec![b' '; 300 << 20];
    let zip = zipped(&[("actor.json", &actor), ("outbox.json", &bomb)]);
    let options = options();
    let outcome = read_whole(&sources(&[zip.path().to_owned()], &options).unwrap()[0], &options, &Unwatched);
    assert!(matches!(outcome, Err(IngestError::Unsafe { .. })), "{outcome:?}");
    let deep = format!("{{\"orderedItems\":[{}{}]}}", "[".repeat(100_000), "]".repeat(100_000));
    let zip = zipped(&[("actor.json", &actor), ("outbox.json", deep.as_bytes())]);
    let outcome = read_whole(&sources(&[zip.path().to_owned()], &options).unwrap()[0], &options, &Unwatched);
    assert!(matches!(outcome, Err(IngestError::Malformed { .. })), "{outcome:?}");
    // Names are compared, never used: a path that leads out is just no member.
    let zip = zipped(&[("../outbox.json", b"{}"), ("/outbox.json", b"{}")]);
    assert!(matches!(sources(&[zip.path().to_owned()], &options), Err(IngestError::Unknown { .. })));
    let zip = zipped(&[("outbox.json", b"{\"orderedItems\":[]}")]);
    let outcome = read_whole(&sources(&[zip.path().to_owned()], &options).unwrap()[0], &options, &Unwatched);
    assert!(matches!(outcome, Err(IngestError::Missing { .. })), "{outcome:?}");
}

#[test]
fn damaged_archives_never_panic() {
    let members = sample_members();
    let members: Vec<(&str, &[u8])> = members.iter().map(|(n, c)| (*n, c.as_slice())).collect();
    let whole = std::fs::read(zipped(&members).path()).unwrap();
    let options = options();
    for place in (0..whole.len()).step_by(7) {
        let mut file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
        let mut bytes = whole.clone();
        bytes[place] ^= 0x5a;
        if place % 2 == 0 {
            bytes.truncate(place);
        }
        file.write_all(&bytes).unwrap();
        if let Ok(found) = sources(&[file.path().to_owned()], &options) {
            let _ = read_whole(&found[0], &options, &Unwatched);
        }
    }
}
