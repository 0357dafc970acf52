//! Jetstream events: order, deletions, and what others say about people.

use std::io::Write;

use chrono::NaiveDate;
use domain::CreatorKey;
use domain::port::Unwatched;

use domain::record::{ActivityKind, Media};
use rand::RngExt;
use sha2::{Digest, Sha256};

use super::event::{Embed, Facet, Record};
use super::*;
use crate::source::{Source, read_to_end, read_whole};

/// All that is read of an event.
pub(super) fn told(event: &Event<'_>) -> String {
    let features = |f: &Facet<'_>| f.features.iter().map(|f| format!("{:?} {:?}", f.tag, f.uri)).collect::<Vec<_>>();
    let embed = |e: &Embed<'_>| format!("{} {:?} {:?}", e.ty, e.media.as_ref().map(|m| &m.ty), e.external.as_ref().map(|e| &e.uri));
    let record = |r: &Record<'_>| {
        let facets = r.facets.as_ref().map(|facets| facets.iter().map(features).collect::<Vec<_>>());
        format!("{:?} {:?} {:?} {:?} {:?} {:?} {facets:?} {:?}", r.created_at, r.text, r.langs, r.tags, r.subject, r.reply, r.embed.as_ref().map(embed))
    };
    let commit = event.commit.as_ref().map(|c| (c.operation as u8, c.collection.to_string(), c.rkey.to_string(), c.record.as_ref().map(record)));
    format!("{} {:?} {commit:?} {} {}", event.did, event.time_us, event.identity.is_some(), event.account.is_some())
}

/// Spoils a line a little, or changes a value in it.
pub(super) fn alter(line: &mut Vec<u8>, rng: &mut impl RngExt) {
    if line.is_empty() {
        return;
    }
    let at = rng.random_range(0..line.len());
    match rng.random_range(0..6) {
        0 => line[at] = *b"\"\\{}[],:0a \n\x01\xff".get(rng.random_range(0..14)).unwrap(),
        1 => drop(line.remove(at)),
        2 => line.insert(at, rng.random()),
        3 => line.truncate(at.max(1)),
        4 => {
            // Another value in the place of one, or in the middle of it.
            let value =
                *[&b"null"[..], b"true", b"-1", b"1.5e3", b"00", b"[]", b"{}", b"\"\"", b"[[{\"a\":[]}]]", b"\"\\ud800\"", b"\"\\x\""].get(rng.random_range(0..11)).unwrap();
            let at = line[at..].iter().position(|byte| *byte == b':').map_or(at, |colon| at + colon + 1);
            let end = line[at..].iter().position(|byte| b",}]".contains(byte)).map_or(at, |end| at + end);
            line.splice(at..end, value.iter().copied());
        }
        _ => {
            // A piece twice: fields that occur again, records after records.
            let end = rng.random_range(at..=line.len());
            let piece = line[at..end].to_vec();
            line.splice(at..at, piece);
        }
    }
}

fn options(deletions: Deletions) -> Options {
    Options { platform: None, mapping: None, creators: CreatorKey::from_bytes([7; 16]), deletions, today: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(), threads: 3 }
}

fn commit(did: &str, operation: &str, collection: &str, rkey: &str, record: &str) -> String {
    let record = if record.is_empty() { String::new() } else { format!(",\"record\":{record}") };
    format!(
        "{{\"did\":\"did:plc:{did}\",\"time_us\":1700000000000000,\"kind\":\"commit\",\"commit\":{{\"rev\":\"r\",\"operation\":\"{operation}\",\"collection\":\"{collection}\",\"rkey\":\"{rkey}\"{record}}}}}"
    )
}

fn batch(lines: &[String], deletions: Deletions) -> NormalizedBatch {
    to_end(lines, deletions).0
}

fn to_end(lines: &[String], deletions: Deletions) -> (NormalizedBatch, SourceEnd) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, lines.join("\n")).unwrap();
    read_to_end(&Source { path, platform: Platform::Bluesky }, &options(deletions), &Unwatched).unwrap()
}

const POST: &str = r##"{"$type":"app.bsky.feed.post","createdAt":"2024-01-02T03:04:05.678Z","langs":["de"],"text":"Hallo \"Welt\"","facets":[{"index":{"byteStart":0,"byteEnd":1},"features":[{"$type":"app.bsky.richtext.facet#tag","tag":"Rust"},{"$type":"app.bsky.richtext.facet#link","uri":"https://Example.org/a"}]}],"embed":{"$type":"app.bsky.embed.images","images":[]}}"##;

#[test]
fn posts_replies_likes_and_follows_become_acts_of_their_actor_only() {
    let reply = POST
        .replace("\"text\"", "\"reply\":{\"root\":{\"uri\":\"at://did:plc:root/app.bsky.feed.post/1\"},\"parent\":{\"uri\":\"at://did:plc:other/app.bsky.feed.post/2\"}},\"text\"");
    let like = r#"{"createdAt":"2024-01-02T03:04:05Z","subject":{"uri":"at://did:plc:other/app.bsky.feed.post/1","cid":"x"}}"#;
    let follow = r#"{"createdAt":"not a time","subject":"did:plc:other"}"#;
    let batch = batch(
        &[
            commit("a", "create", "app.bsky.feed.post", "1", POST),
            commit("a", "create", "app.bsky.feed.post", "2", &reply),
            commit("b", "create", "app.bsky.feed.like", "3", like),
            commit("b", "create", "app.bsky.graph.follow", "4", follow),
            commit("b", "create", "app.bsky.graph.block", "5", follow),
        ],
        Deletions::Apply,
    );
    let kinds: Vec<_> = batch.activities.iter().map(|a| (a.owner, a.kind)).collect();
    assert_eq!(kinds, [(0, ActivityKind::Post), (0, ActivityKind::Reply), (1, ActivityKind::Like), (1, ActivityKind::Follow)]);
    let post = batch.activities.get(0).unwrap();
    assert_eq!((post.text.as_deref(), post.word_count, post.language.as_deref()), (Some("Hallo \"Welt\""), Some(2), Some("de")));
    assert_eq!(post.tags, ["rust"]);
    assert_eq!((post.link_domain.as_deref(), post.media), (Some("example.org"), Media::Image));
    assert_eq!(post.at.unwrap().to_rfc3339(), "2024-01-02T03:04:05.678+00:00");
    assert_eq!(batch.activities.get(3).unwrap().at.unwrap().timestamp_micros(), 1_700_000_000_000_000, "the stream's time where the record has none");
    let other = Some(CreatorKey::from_bytes([7; 16]).id(Platform::Bluesky, "did:plc:other"));
    assert_eq!(batch.activities.creators, [None, other, other, other], "whose post was answered and liked, and who was followed");
    assert!(!format!("{batch:?}").contains("other"), "somebody else's account or record is kept");
}

#[test]
fn an_update_replaces_and_a_deletion_removes() {
    let lines = [
        commit("a", "create", "app.bsky.feed.post", "1", POST),
        commit("a", "update", "app.bsky.feed.post", "1", &POST.replace("Hallo", "Moin")),
        commit("a", "delete", "app.bsky.feed.post", "1", ""),
    ];
    let removed: Vec<_> = batch(&lines, Deletions::Apply).activities.iter().map(|a| a.removed).collect();
    assert_eq!(removed, [false, true, false, true]);
    let ignored = batch(&lines, Deletions::Ignore);
    assert_eq!(ignored.activities.iter().map(|a| a.removed).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn the_end_tells_whose_accounts_were_deleted_wherever_it_was_said() {
    let end = |did: &str, active: bool| {
        format!("{{\"did\":\"did:plc:{did}\",\"time_us\":1,\"kind\":\"account\",\"account\":{{\"active\":{active},\"did\":\"did:plc:{did}\",\"seq\":1,\"status\":\"deleted\"}}}}")
    };
    let lines = [commit("a", "create", "app.bsky.feed.post", "1", POST), commit("b", "create", "app.bsky.feed.post", "1", POST), end("a", false), end("b", false), end("b", true)];
    let lines = [lines.as_slice(), &[end("c", false), end("d", true)]].concat();
    let (batch, end) = to_end(&lines, Deletions::Apply);
    assert_eq!(batch.subjects.iter().map(|s| s.account.native_id.as_str()).collect::<Vec<_>>(), ["did:plc:a", "did:plc:b"], "who only ends is nobody");
    assert_eq!(end.departed.iter().map(|a| a.native_id.as_str()).collect::<Vec<_>>(), ["did:plc:a", "did:plc:c"]);
    assert_eq!((end.withdrawn, end.sha256), (vec![0], hex::encode(Sha256::digest(lines.join("\n")))));
    let (_, end) = to_end(&lines, Deletions::Ignore);
    assert_eq!((end.departed.len(), end.withdrawn.len()), (0, 0));
}

#[test]
fn what_cannot_be_read_is_kept_with_its_line() {
    let lines = [commit("a", "create", "app.bsky.feed.post", "1", POST), "{".to_owned(), commit("a", "create", "fm.teal.play", "1", "{}"), String::new(), "x".repeat(2 << 20)];
    let batch = batch(&lines, Deletions::Apply);
    assert_eq!(batch.rejected.iter().map(|r| r.place.as_str()).collect::<Vec<_>>(), ["line 2", "line 3", "line 5"]);
}

#[test]
fn compressed_files_and_many_batches_read_alike() {
    let lines: Vec<String> =
        (0..20_005).map(|n| commit(&format!("p{}", n % 700), "create", "app.bsky.feed.like", &n.to_string(), "{\"createdAt\":\"2024-01-02T03:04:05Z\"}")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson.zst");
    let mut file = zstd::Encoder::new(std::fs::File::create(&path).unwrap(), 1).unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    file.finish().unwrap();
    assert!(recognizes(&path).unwrap());
    let plain = batch(&lines, Deletions::Apply);
    let packed = read_whole(&Source { path, platform: Platform::Bluesky }, &options(Deletions::Apply), &Unwatched).unwrap();
    assert_eq!((&packed.subjects, &packed.activities), (&plain.subjects, &plain.activities));
    assert_eq!((plain.subjects.len(), plain.activities.len()), (700, 20_005));
}

#[test]
fn hostile_lines_are_rejected_and_spoil_nothing() {
    let deep = "[".repeat(400_000);
    let good = commit("a", "create", "app.bsky.feed.post", "1", POST);
    let lines = [
        format!("{{\"did\":\"did:plc:a\",\"unknown\":{deep}"),
        commit("a", "create", "app.bsky.feed.post", "2", &format!("{{\"reply\":{deep}")),
        commit("a", "create", "app.bsky.feed.post", "3", &format!("{{\"langs\":{deep}")),
        format!("{good}trailing"),
        format!("{{\"did\":\"did:plc:a\",{}", good.strip_prefix('{').unwrap()),
        "{\"did\":\"did:plc:\\ud800\",\"commit\":null}".to_owned(),
        "null".to_owned(),
        good,
    ];
    let batch = batch(&lines, Deletions::Apply);
    assert_eq!((batch.activities.len(), batch.rejected.len()), (1, 7), "{:?}", batch.rejected.iter().map(|r| &r.reason).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let good = commit("a", "create", "app.bsky.feed.post", "1", POST);
    std::fs::write(&path, [good.replace("Hallo", "\u{1}").as_bytes(), b"\n", &good.as_bytes()[..40], &[0xff, 0xfe], b"\n", good.as_bytes()].concat()).unwrap();
    let batch = read_whole(&Source { path, platform: Platform::Bluesky }, &options(Deletions::Apply), &Unwatched).unwrap();
    assert_eq!((batch.activities.len(), batch.rejected.len()), (1, 2), "a control character, and bytes that are no UTF-8");
}

#[test]
fn what_is_told_of_nobody_is_told_of_nobody_else() {
    let identity = |did: &str, handle: &str| format!("{{\"did\":\"{did}\",\"time_us\":1,\"kind\":\"identity\",\"identity\":{{\"handle\":\"{handle}\"}}}}");
    let lines = [identity("nobody", "wrong.example"), commit("a", "create", "app.bsky.feed.post", "1", POST), identity("did:plc:b", "b.example"), identity("x", "last.example")];
    let batch = batch(&lines, Deletions::Apply);
    let people: Vec<_> = batch.subjects.iter().map(|s| (s.account.native_id.as_str(), s.handle.as_deref())).collect();
    assert_eq!(people, [("did:plc:a", None), ("did:plc:b", Some("b.example"))]);
    assert_eq!(batch.rejected.iter().map(|r| r.place.as_str()).collect::<Vec<_>>(), ["line 1", "line 4"]);
}
