//! The lake: nothing twice, nothing visible too early, nothing left behind.

use domain::SubjectId;
use domain::port::Unwatched;
use domain::record::{ActivityKind, ActivityRecord};
use rand::RngExt;
use testkit::Generator;

use super::*;

fn arrival(seed: u64, people: u32) -> Arrival {
    let mut generator = Generator::new(seed);
    let batch = generator.batch(people);
    let ids = (0..people).map(|n| SubjectId(n * 97)).collect();
    Arrival { batch, ids }
}

#[test]
fn a_second_import_is_all_duplicates_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let first = lake.stage(None, &[arrival(1, 40)], &Unwatched).unwrap();
    let second = lake.stage(Some(&first.manifest), &[arrival(1, 40)], &Unwatched).unwrap();
    assert_eq!(second.manifest, first.manifest);
    assert_eq!(second.counts[0].activities(), 0);
    assert_eq!(second.counts[0].duplicates, first.counts[0].activities() + first.counts[0].duplicates);
}

#[test]
fn the_same_rows_in_any_order_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let mut turned = arrival(2, 30);
    // Keys that occur twice within one owner would make the order matter.
    let mut seen = std::collections::BTreeSet::new();
    let mut acts: Vec<_> = turned.batch.activities.iter().filter(|a| seen.insert((a.owner, a.native_key.to_string()))).map(ActivityRecord::into_owned).collect();
    turned.batch.activities = acts.iter().cloned().collect();
    let straight = lake.stage(None, std::slice::from_ref(&turned), &Unwatched).unwrap();
    acts.reverse();
    turned.batch.activities = acts.into_iter().collect();
    assert_eq!(lake.stage(None, &[turned], &Unwatched).unwrap().manifest, straight.manifest);
}

#[test]
fn one_owner_never_hides_rows_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let planted = arrival(3, 2);
    let first = lake.stage(None, &[planted], &Unwatched).unwrap();
    let mut victim = arrival(3, 2);
    victim.ids = vec![SubjectId(5), SubjectId(6)];
    let second = lake.stage(Some(&first.manifest), &[victim], &Unwatched).unwrap();
    assert_eq!(second.counts[0].activities(), first.counts[0].activities());
}

#[test]
fn what_no_snapshot_names_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let kept = lake.stage(None, &[arrival(4, 30)], &Unwatched).unwrap().manifest;
    let killed = lake.stage(Some(&kept), &[arrival(5, 30)], &Unwatched).unwrap().manifest;
    std::fs::write(folder.path().join("activity/x.tmp"), b"half a file").unwrap();
    assert!(lake.sweep(std::slice::from_ref(&kept)).unwrap() > 0);
    assert_eq!(lake.first_damaged(&kept).unwrap(), None);
    assert!(lake.first_damaged(&killed).unwrap().is_some());
    assert!(!folder.path().join("activity/x.tmp").exists());
}

#[test]
fn a_flipped_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let manifest = lake.stage(None, &[arrival(6, 30)], &Unwatched).unwrap().manifest;
    let file = &manifest.files(TableName::Activity)[0];
    let path = folder.path().join(&file.path);
    let mut bytes = std::fs::read(&path).unwrap();
    let place = Generator::new(6).0.random_range(0..bytes.len());
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(lake.first_damaged(&manifest).unwrap(), Some((TableName::Activity, file.path.clone())));
}

/// Pages are compressed, so that a search for bytes would not see what a reader does: dictionaries and
/// values are read back.
#[test]
fn no_text_of_an_erased_person_is_left_in_any_file() {
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::DataType;
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(folder.path());
    let mut planted = arrival(7, 20);
    let victim = u32::try_from(planted.batch.activities.iter().position(|a| a.owner == 3).unwrap()).unwrap();
    let with_secrets = |mut act: ActivityRecord<'static>| {
        if act.owner == 3 {
            let secret = format!("secret{victim}{}", act.native_key);
            let some = || Some(secret.clone().into());
            (act.language, act.container, act.link_domain, act.text) = (some(), some(), some(), some());
            act.tags = vec![secret.clone().into()];
            act.native_key = secret.into();
        }
        act
    };
    planted.batch.activities = planted.batch.activities.iter().map(ActivityRecord::into_owned).map(with_secrets).collect();
    planted.batch.subjects[3].country = Some("secret country".into());
    let before = lake.stage(None, &[planted], &Unwatched).unwrap().manifest;
    let victim = [SubjectId(3 * 97)].into_iter().collect();
    let after = lake.erase(std::slice::from_ref(&before), &victim).unwrap().remove(0);
    let holds = |manifest: &Manifest| {
        let mut found = 0;
        for (table, files) in &manifest.tables {
            for batch in files.iter().flat_map(|f| files::read(lake.store(), f, *table).unwrap()) {
                for column in batch.columns().iter().filter(|c| matches!(c.data_type(), DataType::Utf8 | DataType::Dictionary(..))) {
                    let values = if let DataType::Dictionary(..) = column.data_type() { column.as_any_dictionary().values().clone() } else { column.clone() };
                    let values = cast(&values, &DataType::Utf8).unwrap();
                    found += values.as_string::<i32>().iter().flatten().filter(|t| t.contains("secret")).count();
                }
            }
        }
        found
    };
    assert!(holds(&before) > 5);
    assert_eq!(holds(&after), 0);
    let rows = |manifest: &Manifest, table| manifest.files(table).iter().map(|f| f.rows).sum::<u64>();
    assert_eq!(rows(&before, TableName::Subject), rows(&after, TableName::Subject) + 1);
    assert_eq!(lake.erase(std::slice::from_ref(&after), &victim).unwrap(), [after], "erasing nobody changes nothing");
}

/// Acts of each person with the source that they came from and the id that they arrived under.
fn acts(lake: &ParquetLake, manifest: &Manifest) -> std::collections::BTreeSet<(u32, Vec<u8>, u32, Option<u32>)> {
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::UInt32Type;
    let mut acts = std::collections::BTreeSet::new();
    for file in manifest.files(TableName::Activity) {
        for batch in files::read(lake.store(), file, TableName::Activity).unwrap() {
            let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<UInt32Type>().clone();
            let (owners, sources, arrived) = (number("subject_id"), number("source"), number("arrived_as"));
            let ids = batch.column_by_name("activity_id").unwrap().as_fixed_size_binary();
            for row in 0..batch.num_rows() {
                let arrived = arrived.is_valid(row).then(|| arrived.value(row));
                assert!(acts.insert((owners.value(row), ids.value(row).to_vec(), sources.value(row), arrived)), "an act twice");
            }
        }
    }
    acts
}

fn tags(manifest: &Manifest) -> u64 {
    manifest.files(TableName::ActivityTag).iter().map(|f| f.rows).sum()
}

#[test]
fn an_import_that_is_undone_leaves_what_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::with_bucket_size(folder.path(), 700);
    let import = |base: Option<&Manifest>, first, arrival: &Arrival| {
        let mut import = lake.import(base, first).unwrap();
        import.append(0, arrival).unwrap();
        import.finish(&Unwatched).unwrap().manifest
    };
    let first = import(None, 0, &arrival(8, 20));
    let mut later = arrival(9, 40);
    let renamed = |mut act: ActivityRecord<'static>| {
        act.native_key.to_mut().push('b');
        act
    };
    later.batch.activities = later.batch.activities.iter().map(ActivityRecord::into_owned).map(renamed).collect();
    // Twenty of them are new; the later import corrects the age of one of the others.
    let second = import(Some(&first), 1, &later);
    let alone: SubjectSet = later.ids[20..].iter().copied().collect();
    let undo = Undo { sources: 1..2, alone, known: later.ids[..20].iter().map(|id| (*id, (domain::subject::AgeBand::From65, Some("XY".to_owned())))).collect() };
    let undone = lake.undo(&second, &undo).unwrap();
    assert_eq!(acts(&lake, &undone), acts(&lake, &first));
    assert!(acts(&lake, &second).len() > acts(&lake, &first).len());
    assert_eq!(tags(&undone), tags(&first));
    let people = |manifest: &Manifest| manifest.files(TableName::Subject).iter().map(|f| f.rows).sum::<u64>();
    assert_eq!((people(&first), people(&second), people(&undone)), (20, 40, 20));
    assert_eq!(lake.undo(&undone, &undo).unwrap(), undone, "undoing nothing changes nothing");
    // And it can come again.
    assert_eq!(acts(&lake, &import(Some(&undone), 1, &later)), acts(&lake, &second));
}

#[test]
fn merged_acts_say_how_they_arrived_and_go_back_by_that() {
    for bucket_size in [10, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let lake = ParquetLake::with_bucket_size(folder.path(), bucket_size);
        let mut all = arrival(10, 6);
        all.batch.activities = all.batch.activities.iter().enumerate().map(|(n, act)| ActivityRecord { native_key: format!("k{n}").into(), ..act }).collect();
        let before = lake.stage(None, &[all], &Unwatched).unwrap().manifest;
        let (keep, other) = (SubjectId(97), SubjectId(3 * 97));
        let merged = lake.merge(&before, keep, other).unwrap();
        assert!(acts(&lake, &merged).iter().all(|(owner, .., arrived)| *owner != other.0 && (arrived.is_none() || *owner == keep.0)));
        assert_eq!((acts(&lake, &merged).len(), tags(&merged)), (acts(&lake, &before).len(), tags(&before)));
        // What comes later under the other id is the person's as well.
        let mut import = lake.import(Some(&merged), 5).unwrap();
        import.resolve(&[(other, keep)].into());
        let mut late = arrival(10, 1);
        late.ids = vec![other];
        late.batch.activities = [ActivityRecord::new(0, "late", ActivityKind::Post, None)].into_iter().collect();
        import.append(0, &late).unwrap();
        let merged = import.finish(&Unwatched).unwrap().manifest;
        let late: Vec<_> = acts(&lake, &merged).into_iter().filter(|(_, _, source, _)| *source == 5).collect();
        assert!(matches!(late.as_slice(), [(owner, _, _, Some(arrived))] if *owner == keep.0 && *arrived == other.0), "{late:?}");
        let traced = lake.trace(&merged, keep, None).unwrap();
        assert!(traced.iter().any(|t| t.arrived_as == Some(other) && t.source == Some(5) && t.rows == 1), "{traced:?}");
        assert_eq!(lake.trace(&merged, keep, Some("late")).unwrap().iter().map(|t| t.rows).sum::<u64>(), 1);
        let split = lake.split(&merged, keep, other).unwrap();
        let mut expected = acts(&lake, &before);
        expected.extend(late.into_iter().map(|(_, act, source, _)| (other.0, act, source, None)));
        assert_eq!(acts(&lake, &split), expected);
        assert_eq!(tags(&split), tags(&before));
        // Erasing both leaves nothing of either.
        let gone = lake.erase(std::slice::from_ref(&merged), &[keep, other].into_iter().collect()).unwrap().remove(0);
        assert!(acts(&lake, &gone).iter().all(|(owner, .., arrived)| *owner != keep.0 && *owner != other.0 && arrived.is_none()));
        assert!(lake.trace(&gone, keep, None).unwrap().is_empty() && lake.trace(&gone, other, None).unwrap().is_empty());
    }
}

#[test]
fn an_act_that_both_had_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::with_bucket_size(folder.path(), 10);
    let mut both = arrival(11, 2);
    let act = |owner: u32, key: &'static str| {
        let mut act = ActivityRecord::new(owner, key, ActivityKind::Post, None);
        act.tags = vec![format!("of{owner}").into()];
        act
    };
    both.batch.activities = [act(0, "a"), act(0, "both"), act(1, "both"), act(1, "b")].into_iter().collect();
    let before = lake.stage(None, &[both], &Unwatched).unwrap().manifest;
    let (keep, other) = (SubjectId(0), SubjectId(97));
    let merged = lake.merge(&before, keep, other).unwrap();
    assert_eq!((acts(&lake, &merged).len(), tags(&merged)), (3, 3));
    let split = lake.split(&merged, keep, other).unwrap();
    assert_eq!(acts(&lake, &split).iter().filter(|(owner, ..)| *owner == other.0).count(), 1, "what both had stays with the first");
}

/// Runs on disk, windows, files that are opened anew and texts that are not shared: what a large import
/// goes through changes nothing about what is written.
#[test]
fn how_much_fits_into_memory_changes_nothing() {
    let seed = testkit::env_seed(12);
    eprintln!("seed {seed}");
    for round in 0..6 {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let roomy = ParquetLake::with_bucket_size(folders[0].path(), 700);
        let mut tight = ParquetLake::with_bucket_size(folders[1].path(), 700);
        tight.limits = Limits::TINY;
        let import = |lake: &ParquetLake, base: Option<&Manifest>, seed: u64| {
            let mut import = lake.import(base, 0).unwrap();
            for part in 0..7 {
                let mut arrival = arrival(seed + part, 25);
                let mut generator = Generator::new(seed + part);
                // Some acts go again, also such as came earlier, and texts differ more and more.
                let changed = |act: ActivityRecord<'static>| {
                    let removed = generator.0.random_ratio(1, 9);
                    let container = act.container.as_ref().map(|text| format!("{text}{part}").into());
                    ActivityRecord { removed, container, tags: if removed { Vec::new() } else { act.tags.clone() }, ..act }
                };
                arrival.batch.activities = arrival.batch.activities.iter().map(ActivityRecord::into_owned).map(changed).collect();
                import.append(u32::try_from(part / 3).unwrap(), &arrival).unwrap();
            }
            import.finish(&Unwatched).unwrap()
        };
        let mut bases: [Option<Manifest>; 2] = [None, None];
        for again in 0..2 {
            let seed = seed * 1_000 + round * 100 + again * 3;
            let (one, other) = (import(&roomy, bases[0].as_ref(), seed), import(&tight, bases[1].as_ref(), seed));
            assert_eq!(one, other, "round {round}, import {again}");
            assert!(one.counts.iter().all(|c| c.deleted > 0 && c.duplicates > 0 && c.activities() > 0));
            bases = [Some(one.manifest), Some(other.manifest)];
        }
    }
}

#[test]
fn what_is_withdrawn_is_as_if_it_had_not_come() {
    let gone = SubjectId(5_000);
    let with_gone = |seed: u64| {
        let mut arrival = arrival(seed, 12);
        arrival.ids[11] = gone;
        arrival
    };
    let without = |mut arrival: Arrival| {
        arrival.ids.pop();
        arrival.batch.subjects.pop();
        arrival.batch.activities = arrival.batch.activities.iter().filter(|act| act.owner != 11).map(ActivityRecord::into_owned).collect();
        arrival
    };
    for merged in [BTreeMap::new(), [(gone, SubjectId(97))].into()] {
        for named_again in [false, true] {
            let import = |second: Arrival, withdrawn: SubjectSet| {
                let folder = tempfile::tempdir().unwrap();
                let mut import = ParquetLake::with_bucket_size(folder.path(), 700).import(None, 7).unwrap();
                import.resolve(&merged);
                import.append(0, &arrival(30, 11)).unwrap();
                import.append(1, &second).unwrap();
                import.withdraw(1, withdrawn);
                import.append(2, &if named_again { with_gone(32) } else { arrival(32, 11) }).unwrap();
                import.finish(&Unwatched).unwrap()
            };
            let acts = with_gone(31).batch.activities.iter().filter(|act| act.owner == 11).count() as u64;
            let (withdrawn, never) = (import(with_gone(31), [gone].into_iter().collect()), import(without(with_gone(31)), SubjectSet::new()));
            assert_eq!(withdrawn.manifest, never.manifest, "{merged:?}, named again: {named_again}");
            assert_eq!(withdrawn.counts[1], Counts { deleted: never.counts[1].deleted + acts, ..never.counts[1] });
            assert_ne!(import(with_gone(31), SubjectSet::new()).manifest, never.manifest);
        }
    }
}
