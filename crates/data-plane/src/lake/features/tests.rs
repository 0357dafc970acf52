//! One result however it is reached: in one go or in pieces, again, and after another version.

use domain::SubjectId;
use domain::lake::Arrival;
use domain::port::{Lake as _, Unwatched};
use domain::record::ActivityRecord;
use testkit::Generator;

use super::*;
use crate::ParquetLake;

/// Rules whose results name their version.
struct Rules(u32);

impl FeatureExtractor for Rules {
    fn version(&self) -> u32 {
        self.0
    }

    fn extract(&self, text: &str, said_language: Option<&str>) -> Features {
        Features {
            language: said_language.is_none().then(|| format!("x-{}", self.0)),
            tags: vec!["all".to_owned(), format!("v{}", self.0), text.to_owned()],
            link_domain: (self.0 != 2).then(|| format!("v{}.example", self.0)),
            word_count: Some(self.0 * 1_000),
        }
    }
}

/// People with acts, of which every third has a text, and some of those say everything themselves.
fn arrival(seed: u64, people: u32) -> Arrival {
    let mut batch = Generator::new(seed).batch(people);
    let with_text = |(n, act): (usize, ActivityRecord<'static>)| {
        let act = ActivityRecord { text: (n % 3 == 0).then(|| format!("t{}", n % 7).into()), ..act };
        if n % 4 == 0 { ActivityRecord { language: None, link_domain: None, word_count: None, tags: vec!["all".into(), "said".into()], ..act } } else { act }
    };
    batch.activities = batch.activities.iter().map(ActivityRecord::into_owned).enumerate().map(with_text).collect();
    Arrival { batch, ids: (0..people).map(|n| SubjectId(n * 5)).collect() }
}

fn lake(folder: &tempfile::TempDir, arrivals: &[Arrival]) -> (ParquetLake, Manifest) {
    let lake = ParquetLake::with_bucket_size(folder.path(), 16);
    let mut manifest = None;
    for arrival in arrivals {
        manifest = Some(lake.stage(manifest.as_ref(), std::slice::from_ref(arrival), &Unwatched).unwrap().manifest);
    }
    (lake, manifest.unwrap())
}

fn all(lake: &ParquetLake, base: &Manifest, version: u32) -> Manifest {
    lake.derive(base, &base.without_features(version), &Rules(version)).unwrap()
}

/// Rows as texts, sorted.
fn rows(lake: &ParquetLake, manifest: &Manifest, table: TableName) -> Vec<String> {
    let mut lines = Vec::new();
    for file in manifest.files(table) {
        for batch in files::read(lake.store(), file, table).unwrap() {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|c| datafusion::arrow::util::display::array_value_to_string(c, row).unwrap());
                lines.push(cells.collect::<Vec<_>>().join("|"));
            }
        }
    }
    lines.sort();
    lines
}

fn both(lake: &ParquetLake, manifest: &Manifest) -> [Vec<String>; 2] {
    [rows(lake, manifest, TableName::Activity), rows(lake, manifest, TableName::ActivityTag)]
}

#[test]
fn one_go_and_pieces_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, base) = lake(&folder, &[arrival(1, 60), arrival(2, 60)]);
    let whole = all(&lake, &base, 1);
    let mut pieces = base.clone();
    let stale = base.without_features(1);
    assert!(stale.len() > 3);
    for bucket in stale.into_iter().rev() {
        pieces = lake.derive(&pieces, &[bucket].into(), &Rules(1)).unwrap();
    }
    assert_eq!(pieces, whole);
    assert!(whole.without_features(1).is_empty());
    assert_eq!(all(&lake, &whole, 1), whole, "again changes nothing");
    assert_eq!(lake.derive(&whole, &base.without_features(1), &Rules(1)).unwrap(), whole);
    assert_eq!(lake.first_damaged(&whole).unwrap(), None);
}

#[test]
fn what_sources_said_stays_and_texts_add_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, base) = lake(&folder, &[arrival(3, 40)]);
    let derived = all(&lake, &base, 1);
    let [acts, tags] = both(&lake, &derived);
    assert_eq!(acts.len(), both(&lake, &base)[0].len());
    assert!(acts.iter().any(|row| row.contains("x-1") && row.contains("v1.example") && row.contains("1000")));
    assert!(both(&lake, &base)[1].iter().all(|said| tags.contains(said)), "a tag that was said is gone");
    // A tag that was said is not derived a second time.
    let twice = tags.iter().filter(|row| row.ends_with("|all|true|")).filter(|row| tags.contains(&row.replace("|true|", "|false|"))).count();
    assert_eq!(twice, 0);
    // Rows without text are as they were.
    let textless = |rows: &[String]| rows.iter().filter(|row| row.ends_with("||0|")).cloned().collect::<Vec<_>>();
    assert!(!textless(&acts).is_empty());
    assert_eq!(textless(&acts), textless(&both(&lake, &base)[0]).into_iter().filter(|row| acts.contains(row)).collect::<Vec<_>>());
}

#[test]
fn another_version_leaves_nothing_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, base) = lake(&folder, &[arrival(4, 40)]);
    let one = all(&lake, &base, 1);
    let then_two = all(&lake, &one, 2);
    let two = all(&lake, &base, 2);
    assert_eq!(both(&lake, &then_two), both(&lake, &two));
    assert_eq!(both(&lake, &all(&lake, &then_two, 3)), both(&lake, &all(&lake, &base, 3)));
    assert_ne!(both(&lake, &one), both(&lake, &two));
}

/// Later imports are without features until the next pass, and the result is that of one pass.
#[test]
fn later_imports_join_in() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, first) = lake(&folder, &[arrival(5, 40)]);
    let derived = all(&lake, &first, 1);
    let late = lake.stage(Some(&derived), &[arrival(6, 40)], &Unwatched).unwrap().manifest;
    assert!(!late.without_features(1).is_empty());
    let merged = lake.compact(std::slice::from_ref(&late), &Unwatched).unwrap().remove(0);
    let at_once = lake.stage(Some(&first), &[arrival(6, 40)], &Unwatched).unwrap().manifest;
    let expected = both(&lake, &all(&lake, &at_once, 1));
    assert_eq!(both(&lake, &all(&lake, &late, 1)), expected);
    assert_eq!(both(&lake, &all(&lake, &merged, 1)), expected);
}

/// Removing one person changes no feature of anybody else.
#[test]
fn only_own_rows_matter() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, base) = lake(&folder, &[arrival(7, 40)]);
    let gone = [SubjectId(35)].into_iter().collect();
    let derived_then_gone = lake.erase(&[all(&lake, &base, 1)], &gone).unwrap().remove(0);
    let gone_then_derived = all(&lake, &lake.erase(&[base], &gone).unwrap().remove(0), 1);
    assert_eq!(both(&lake, &derived_then_gone), both(&lake, &gone_then_derived));
}
