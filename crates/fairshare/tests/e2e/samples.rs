//! Larger samples that lie outside the repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_plane::{DataFusionCleanRoom, ParquetLake};
use domain::lake::{Arrival, Snapshot};
use domain::port::{CleanRoom, Lake, PaidLook, Unwatched};
use domain::question::{Narrowing, Plan, Prepared, Question, Value, encode_key};
use domain::release::Charge;
use domain::{SubjectId, SubjectSet, Timestamp};
use dp::{BoundingKey, ContributionBounds};
use ingest::{Deletions, Options};
use serde_json::json;
use testkit::{Part, Reference, ZeroNoise, sample, tables};

use crate::command::Deployment;

#[test]
fn mastodon_archives_import_with_the_right_counts() {
    let Some(folder) = sample("synthetic-exports") else { return };
    let d = Deployment::new().with_partner("1");
    let imported = d.ok(&["import", folder.join("mastodon").to_str().unwrap()]);
    let expected = std::fs::read_to_string(folder.join("expected_counts.csv")).unwrap();
    for line in expected.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [_, handle, _, posts, comments, likes, _] = <[&str; 7]>::try_from(cells).unwrap();
        let source = imported["sources"].as_array().unwrap().iter().find(|s| s["path"].as_str().unwrap().contains(&format!("archive-{handle}."))).unwrap();
        let number = |text: &str| json!(text.parse::<u64>().unwrap());
        assert_eq!((&source["posts"], &source["replies"], &source["likes"], &source["rejected"]), (&number(posts), &number(comments), &number(likes), &json!(0)), "{handle}");
    }
    d.everybody_gives(10, "aggregate_statistics");
    assert!(d.query(&[], "SELECT kind, count(*) FROM activity GROUP BY kind")["rows"].as_array().unwrap().len() > 5);
}

/// The LDBC-style folder through importer, lake and clean room without noise: plain SQL's answers.
#[test]
fn the_clean_room_without_noise_gives_the_answers_of_plain_sql() {
    let Some(folder) = sample("ldbc-datagen-raw-1700p") else { return };
    let oracle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.join("oracle_duckdb.json")).unwrap()).unwrap();
    let options = Options { platform: None, mapping: None, deletions: Deletions::Ignore, creators: testkit::creator_key(), today: "2013-01-01".parse().unwrap(), threads: 2 };
    let source = ingest::sources(&[folder], &options).unwrap().remove(0);
    let mut batches = Vec::new();
    ingest::read(&source, &options, &Unwatched, &mut |batch| {
        batches.push(batch);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let batch = batches.pop().unwrap();
    assert_eq!((batch.subjects.len(), batch.rejected.len()), (1_700, 0));
    let ids: Vec<SubjectId> = (0..1_700).map(SubjectId).collect();
    let arrivals = [Arrival { batch, ids: ids.clone() }];
    let lake_folder = tempfile::tempdir().unwrap();
    let lake = ParquetLake::new(lake_folder.path());
    let staged = lake.stage(None, &arrivals, &Unwatched).unwrap();
    let counts = staged.counts[0];
    assert_eq!((counts.posts, counts.replies, counts.likes, counts.follows, counts.other, counts.duplicates), (171_861, 232_033, 183_747, 2 * 17_994, 275_379, 0));
    let room = DataFusionCleanRoom::new(lake, Arc::new(ZeroNoise), 2).unwrap();
    let snapshot = Snapshot { id: 1, cause: domain::lake::SnapshotCause::Import, at: Timestamp::UNIX_EPOCH, visible_from: Timestamp::UNIX_EPOCH, manifest: staged.manifest };
    let everybody: SubjectSet = ids.into_iter().collect();
    let key = BoundingKey::from_bytes([3; 16]);
    let ask = |sql: &str| -> (Plan, BTreeMap<Vec<u8>, Vec<i64>>) {
        // Bounds wide enough to cut nothing, at a price at which the threshold is 2.
        let mut prepared: Prepared =
            room.prepare(&Question { sql: sql.into(), params: Vec::new(), rho: "1000000".parse().unwrap(), narrowing: Narrowing::default() }, &[], &Arc::default()).unwrap();
        prepared.plan.bounds = ContributionBounds::new(10_000, 1_000_000, 1_000_000).unwrap();
        let charge = Charge::of_durable_reservation(prepared.cost);
        let look = PaidLook { prepared: &prepared, charge: &charge, snapshot: &snapshot, eligible: &everybody, bounding_key: &key };
        let table = room.answer(&look).unwrap().table;
        (prepared.plan, table.rows.into_iter().map(|r| (encode_key(&r.key), r.values)).collect())
    };
    // Values come in the order of the plan: people, then rows.
    let (_, messages) = ask("SELECT count(*), count(distinct subject_id) FROM activity WHERE kind IN ('post', 'reply')");
    assert_eq!(messages[&encode_key(&[])], [1_692, 403_894]);
    let (_, likes) = ask("SELECT count(*), count(distinct subject_id) FROM activity WHERE kind = 'like'");
    assert_eq!(likes[&encode_key(&[])], [1_670, 183_747]);

    let (plan, months) = ask("SELECT month, kind, count(*), count(distinct subject_id) FROM activity WHERE kind IN ('post', 'reply') GROUP BY month, kind");
    let mut compared = 0;
    for row in oracle["monthly_volume"]["rows"].as_array().unwrap() {
        let kind = if row[1] == true { "reply" } else { "post" };
        let month = format!("{}-01", row[0].as_str().unwrap()).parse().unwrap();
        let values = months.get(&encode_key(&[Value::Text(kind.into()), Value::Date(month)]));
        // Groups of one person stay below the threshold even without noise.
        if row[3].as_i64().unwrap() >= 2 {
            assert_eq!(values.unwrap(), &[row[3].as_i64().unwrap(), row[2].as_i64().unwrap()], "{row}");
            compared += 1;
        }
    }
    assert!(compared > 60);
    let expected = Reference { plan: &plan, eligible: &everybody, key: &key, creators: &[] }.answer(&tables(&plan.tables, &arrivals));
    assert_eq!(expected.groups.values().filter(|v| matches!(v[0], Part::Number(people) if people >= 2)).count(), months.len());

    let (_, hours) = ask("SELECT hour, count(*), count(distinct subject_id) FROM activity WHERE kind = 'like' GROUP BY hour");
    for row in oracle["engagement_by_hour"]["rows"].as_array().unwrap() {
        assert_eq!(hours[&encode_key(&[Value::Integer(row[0].as_i64().unwrap())])], [row[2].as_i64().unwrap(), row[1].as_i64().unwrap()], "{row}");
    }
    let (_, countries) = ask("SELECT country, count(*) FROM subject GROUP BY country");
    for row in oracle["country_audience"]["rows"].as_array().unwrap() {
        if row[1].as_i64().unwrap() >= 2 {
            assert_eq!(countries[&encode_key(&[Value::Text(row[0].as_str().unwrap().into())])][0], row[1].as_i64().unwrap(), "{row}");
        }
    }
    // Hashtags joined to the messages that they are in. The importer writes them in lower case.
    let (_, tags) = ask("SELECT tag, count(*), count(distinct subject_id) FROM activity a JOIN activity_tag USING (activity_id) WHERE a.kind IN ('post', 'reply') GROUP BY tag");
    for row in oracle["top_tags_by_distinct_authors"]["rows"].as_array().unwrap() {
        let tag = row[0].as_str().unwrap().to_lowercase();
        assert_eq!(tags[&encode_key(&[Value::Text(tag)])], [row[2].as_i64().unwrap(), row[1].as_i64().unwrap()], "{row}");
    }
    // Listed keys are there whether or not anybody is, and the same numbers as without a list.
    let (_, listed) = ask("SELECT country, count(*) FROM subject GROUP BY country KEYS ('India', 'China', 'Atlantis')");
    let of = |country: &str| encode_key(&[Value::Text(country.into())]);
    assert_eq!(listed, [("India", 259), ("China", 237), ("Atlantis", 0)].map(|(country, people)| (of(country), vec![people])).into());
}

/// The stream's events, replayed in plain loops, are what an import counts and the lake holds.
#[test]
fn a_jetstream_file_imports_with_its_deletions_applied() {
    let Some(events) = sample("synthetic-exports/bluesky-jetstream/events.ndjson") else { return };
    let text = std::fs::read_to_string(&events).unwrap();
    let events_of: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let gone: std::collections::BTreeSet<&str> =
        events_of.iter().filter(|e| e["kind"] == "account" && e["account"]["status"] == "deleted").map(|e| e["did"].as_str().unwrap()).collect();
    let mut left = std::collections::BTreeMap::new();
    for event in events_of.iter().filter(|e| e["kind"] == "commit" && !gone.contains(e["did"].as_str().unwrap())) {
        let commit = &event["commit"];
        let key = (event["did"].as_str().unwrap(), commit["collection"].as_str().unwrap(), commit["rkey"].as_str().unwrap());
        match (commit["operation"].as_str().unwrap(), key.1) {
            ("delete", _) => {
                left.remove(&key);
            }
            (_, "app.bsky.feed.post") => {
                left.insert(key, if commit["record"].get("reply").is_some() { "replies" } else { "posts" });
            }
            (_, "app.bsky.feed.like") => {
                left.insert(key, "likes");
            }
            (_, "app.bsky.graph.follow") => {
                left.insert(key, "follows");
            }
            _ => {}
        }
    }
    let expected = |kind: &str| left.values().filter(|k| **k == kind).count();
    let d = Deployment::new();
    let said = d.ok(&["import", events.to_str().unwrap()]);
    for kind in ["posts", "replies", "likes", "follows"] {
        assert_eq!(said["totals"][kind], expected(kind), "{kind}");
    }
    assert_eq!((&said["totals"]["rejected"], &said["sources"][0]["subjects"]), (&json!(0), &json!(50 - gone.len())));
    assert_eq!(d.ok(&["lake", "show"])["tables"][0]["rows"], left.len());
    let again = d.ok(&["import", events.to_str().unwrap()]);
    assert_eq!(again["snapshot"], serde_json::Value::Null, "a second import changed something");
    // Nobody of them enrolled: the store knows none of their accounts, and whoever knows one finds it.
    let dids: std::collections::BTreeSet<&str> = events_of.iter().map(|e| e["did"].as_str().unwrap()).filter(|did| !gone.contains(did)).collect();
    let store: Vec<Vec<u8>> = ["control.sqlite", "control.sqlite-wal"].iter().filter_map(|name| std::fs::read(d.path().join(name)).ok()).collect();
    for did in &dids {
        assert!(!store.iter().any(|bytes| bytes.windows(did.len()).any(|w| w == did.as_bytes())), "the store holds {did}");
    }
    let d = d.with_partner("1");
    let account = format!("bluesky:{}", dids.first().unwrap());
    assert_eq!(d.ok(&["subject", "show", &account])["enrolled"], false);
    d.query(&["--rho", "0.5"], "SELECT kind, count(*) FROM activity GROUP BY kind");
    assert!(d.ok(&["subject", "meter", &account])["loss"]["rho"] == 0.0, "a third party was counted");
    d.ok(&["consent", "record", "--subject", &account, "--partner", "acme", "--purpose", "aggregate_statistics", "--action", "give", "--notice", "acme", "--explicit"]);
    assert_eq!(d.ok(&["decide", "--subject", &account, "--partner", "acme", "--purpose", "aggregate_statistics"])["decision"], "permit");
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
