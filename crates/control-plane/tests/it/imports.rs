//! Imports that are taken back, and people whom streams alone know.

use control_plane::Error;
use domain::catalog::TableName;
use domain::consent::ConsentAction;
use domain::lake::{Manifest, Staged};
use domain::record::{AccountKey, NormalizedBatch, SourceInfo, SourceKind, SubjectRecord};
use domain::subject::{AgeBand, SubjectStatus};
use domain::{Platform, Purpose, SubjectId};

use crate::world::World;

async fn advertised(world: &World, subject: u32) -> bool {
    world.permits(subject, Purpose::AdMeasurement).await
}

async fn undo(world: &World, import: i64) {
    let undoing = world.control.undo_begin(import).await.unwrap();
    assert_eq!(world.control.undo_commit(undoing, None).await.unwrap(), None, "nothing of it was in the lake");
}

#[tokio::test]
async fn what_an_undone_import_told_counts_no_more() {
    let world = World::new().await;
    for subject in [1, 10] {
        world.choose(subject, Purpose::AdMeasurement, ConsentAction::Give).await;
    }
    assert_eq!((advertised(&world, 1).await, advertised(&world, 10).await), (true, false));
    // 1 is a minor after all, 10 is of age, and two are new.
    world.import(1..2, |_| AgeBand::From16To17).await;
    let ids = world.import(10..11, |_| AgeBand::From35To44).await;
    assert_eq!(ids, [SubjectId(10)]);
    let new = world.import(40..42, |_| AgeBand::From18To24).await;
    assert_eq!((advertised(&world, 1).await, advertised(&world, 10).await), (false, true));
    world.choose(new[0].0, Purpose::AdMeasurement, ConsentAction::Give).await;
    assert!(advertised(&world, new[0].0).await);
    let plan = world.control.undo_begin(3).await.unwrap();
    assert!(plan.undo().alone.is_empty());
    assert_eq!(plan.undo().known[&SubjectId(10)], (AgeBand::Unknown, None));
    drop(plan);
    for import in [2, 3, 4] {
        undo(&world, import).await;
    }
    assert_eq!((advertised(&world, 1).await, advertised(&world, 10).await, advertised(&world, new[0].0).await), (true, false, false));
    assert!(matches!(world.control.undo_begin(3).await, Err(Error::Refused(_))), "twice");
    assert!(matches!(world.control.undo_begin(9).await, Err(Error::NotFound { .. })));
    let states: Vec<bool> = world.control.import_list().await.unwrap().iter().map(|i| i.undone.is_some()).collect();
    assert_eq!(states, [false, true, true, true]);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    // Ids and choices stayed; the same import makes them whole again.
    assert_eq!(world.import(40..42, |_| AgeBand::From18To24).await, new);
    assert!(advertised(&world, new[0].0).await);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn who_was_named_by_an_import_alone_is_known() {
    let world = World::new().await;
    world.import(30..45, |_| AgeBand::Unknown).await;
    world.import(42..50, |_| AgeBand::Unknown).await;
    let alone: Vec<u32> = world.control.undo_begin(2).await.unwrap().undo().alone.iter().map(|s| s.0).collect();
    assert_eq!(alone, [40, 41]);
    undo(&world, 3).await;
    let alone: Vec<u32> = world.control.undo_begin(2).await.unwrap().undo().alone.iter().map(|s| s.0).collect();
    assert_eq!(alone, [40, 41, 42, 43, 44]);
}

fn of_the_stream(did: &str) -> SubjectRecord {
    let mut subject = SubjectRecord::new(AccountKey { platform: Platform::Bluesky, native_id: did.to_owned() });
    subject.handle = Some(format!("{did}.example"));
    subject
}

#[tokio::test]
async fn a_third_party_is_known_by_a_pseudonym_until_they_enrol() {
    let world = World::new().await;
    let (did, other) = ("did:plc:abcdefghijklmnop", "did:plc:somebodyelseentirely");
    let ids = world.import_records(&[(SourceKind::Stream, vec![of_the_stream(did), of_the_stream(other)])]).await;
    assert_eq!(world.store_files_with("plc:abcdefgh"), Vec::<String>::new());
    let account = format!("bluesky:{did}");
    let person = world.control.subject_find(&account).await.unwrap();
    assert_eq!((person.id, person.status, person.enrolled, person.accounts.len()), (ids[0], SubjectStatus::Active, false, 1));
    assert!(world.control.subject_find(&format!("{did}.example")).await.is_err(), "no name is kept");
    assert!(!advertised(&world, ids[0].0).await);
    // The stream again is nobody new; a source of their own enrols them under the same id.
    assert_eq!(world.import_records(&[(SourceKind::Stream, vec![of_the_stream(did)])]).await, [ids[0]]);
    assert_eq!(world.import_records(&[(SourceKind::Export, vec![of_the_stream(did)])]).await, [ids[0]]);
    let person = world.control.subject_find(&account).await.unwrap();
    assert_eq!((person.id, person.enrolled, person.accounts.len()), (ids[0], true, 1));
    assert_eq!(world.store_files_with("plc:somebodyelse"), Vec::<String>::new());
    assert_eq!(world.import_records(&[(SourceKind::Stream, vec![of_the_stream(did)])]).await, [ids[0]]);
    assert!(world.control.audit_verify(None).await.unwrap().verified);
    world.control.subject_erase(ids[0]).await.unwrap();
    world.control.erasure_finish(&world.control.lake_lock().unwrap(), &[ids[0]].into_iter().collect(), &[]).await.unwrap();
    assert_eq!(world.store_files_with("plc:abcdefgh"), Vec::<String>::new());
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn whoever_a_source_turns_out_not_to_name_stays_unknown() {
    let world = World::new().await;
    let mut import = world.control.import_begin().await.unwrap();
    let mut ids = Vec::new();
    for (number, names) in [(0, &["a", "b", "c", "d"][..]), (1, &["b", "e"])] {
        let source = SourceInfo { path: "events.ndjson".into(), kind: SourceKind::Stream, platform: Platform::Bluesky, parser: "jetstream/1".into() };
        let batch = NormalizedBatch { subjects: names.iter().map(|name| of_the_stream(&format!("did:plc:{name}"))).collect(), ..NormalizedBatch::new(source) };
        ids.push(world.control.import_assign(&mut import, number, &batch).await.unwrap());
    }
    let first = ids[0][0].0;
    let id = |n: u32| SubjectId(first + n);
    import.end(0, "00".into(), &[id(1), id(2)].into_iter().collect()).unwrap();
    import.end(1, "01".into(), &[id(4)].into_iter().collect()).unwrap();
    assert_eq!(import.named(0).unwrap().iter().collect::<Vec<_>>(), [id(0), id(3)]);
    let staged = Staged { manifest: Manifest { schema: 1, bucket_size: 1024, tables: [(TableName::Subject, Vec::new())].into() }, counts: Vec::new() };
    let record = world.control.import_commit(import, &staged).await.unwrap();
    for (name, expected) in [("a", Some(id(0))), ("b", Some(id(1))), ("c", None), ("d", Some(id(3))), ("e", None)] {
        assert_eq!(world.control.subject_find(&format!("bluesky:did:plc:{name}")).await.ok().map(|person| person.id), expected, "{name}");
    }
    let info = world.control.import_show(record.id).await.unwrap();
    assert_eq!(info.sources.iter().map(|source| (source.sha256.as_str(), source.subjects)).collect::<Vec<_>>(), [("00", 2), ("01", 1)]);
    assert_eq!(info.named.iter().collect::<Vec<_>>(), [id(0), id(1), id(3)]);
    assert_eq!(world.import_records(&[(SourceKind::Stream, vec![of_the_stream("did:plc:c")])]).await, [id(4)], "the next id is that after the last");
    assert!(world.control.audit_verify(None).await.unwrap().verified);
}

#[tokio::test]
async fn a_source_that_was_not_read_to_its_end_is_not_recorded() {
    let world = World::new().await;
    let mut import = world.control.import_begin().await.unwrap();
    let source = SourceInfo { path: "events.ndjson".into(), kind: SourceKind::Stream, platform: Platform::Bluesky, parser: "jetstream/1".into() };
    world.control.import_assign(&mut import, 0, &NormalizedBatch::new(source)).await.unwrap();
    let staged = Staged { manifest: Manifest { schema: 1, bucket_size: 1024, tables: [(TableName::Subject, Vec::new())].into() }, counts: Vec::new() };
    let before = world.control.import_list().await.unwrap().len();
    assert!(world.control.import_commit(import, &staged).await.is_err());
    assert_eq!(world.control.import_list().await.unwrap().len(), before);
}

#[tokio::test]
async fn a_stream_and_an_export_in_one_import_are_one_person() {
    for stream_first in [true, false] {
        let world = World::new().await;
        let did = "did:plc:abcdefghijklmnop";
        let mut sources = [(SourceKind::Stream, vec![of_the_stream(did)]), (SourceKind::Export, vec![of_the_stream(did)])];
        if !stream_first {
            sources.reverse();
        }
        let ids = world.import_records(&sources).await;
        assert_eq!(ids[0], ids[1]);
        assert!(world.control.subject_find(&format!("{did}.example")).await.unwrap().enrolled);
        assert!(world.control.audit_verify(None).await.unwrap().verified);
    }
}

#[tokio::test]
async fn a_look_at_rows_is_recorded_before_it() {
    let world = World::new().await;
    let before = world.control.audit_verify(None).await.unwrap().entries;
    let provenance = world.control.staff_read(SubjectId(3), "trace").await.unwrap();
    assert_eq!(provenance.naming(SubjectId(3)).map(|i| i.id).collect::<Vec<_>>(), [1]);
    assert_eq!(provenance.source(0).map(|(i, s)| (i.id, s.parser.as_str())), Some((1, "csv/1")));
    let after = world.control.audit_verify(None).await.unwrap();
    assert_eq!((after.entries, after.verified), (before + 1, true));
    assert!(world.control.staff_read(SubjectId(999), "trace").await.is_err());
}
