//! The lake: nothing twice, nothing visible too early, nothing left behind.

use domain::SubjectId;
use domain::port::Unwatched;
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
    turned.batch.activities.retain(|a| seen.insert((a.owner, a.native_key.clone())));
    let straight = lake.stage(None, std::slice::from_ref(&turned), &Unwatched).unwrap();
    turned.batch.activities.reverse();
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
    for act in planted.batch.activities.iter_mut().filter(|a| a.owner == 3) {
        let secret = || format!("secret{victim}{}", act.native_key);
        (act.language, act.container, act.link_domain, act.text) = (Some(secret()), Some(secret()), Some(secret()), Some(secret()));
        act.tags = vec![secret()];
        act.native_key = secret();
    }
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
