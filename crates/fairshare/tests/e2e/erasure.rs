//! An erased person is gone: from answers at once, and from every byte of the deployment.

use std::path::Path;

use serde_json::json;

use crate::command::Deployment;

/// People; each has a canary of 32 characters in every field that can hold one.
pub(crate) const PEOPLE: u32 = 30;

pub(crate) fn canary(person: u32, field: &str) -> String {
    format!("canary{person:02}{field:x<24}")
}

pub(crate) fn write_sources(folder: &Path) -> [String; 2] {
    let mut people = "account,handle,country,region,language,interests\n".to_owned();
    let mut acts = "account,native_key,kind,at,text,language,link_domain,container,tags,likes\n".to_owned();
    for p in 0..PEOPLE {
        let c = |field: &str| canary(p, field);
        people += &format!("{},{},{},{},{},{}\n", c("account"), c("handle"), c("country"), c("region"), c("language"), c("interest"));
        for n in 0..20 {
            acts += &format!(
                "{},{}{n},post,2024-05-{:02}T10:00:00Z,{} {n},{},{}.org,{},{},3\n",
                c("account"),
                c("key"),
                n + 1,
                c("text"),
                c("lang"),
                c("link"),
                c("container"),
                c("tag")
            );
        }
        // A row that cannot be read, with the person's words in it.
        acts += &format!("{},{}bad,no such kind,2024-05-01T10:00:00Z,{},,,,,3\n", c("account"), c("key"), c("rejected"));
    }
    let mapping = |table: &str, columns: &[&str]| {
        let columns: String = columns.iter().map(|c| format!("{c} = \"{}\"\n", if *c == "likes_received" { "likes" } else { c })).collect();
        format!("schema = 1\ntable = \"{table}\"\nplatform = \"csv\"\n[columns]\n{columns}")
    };
    let write = |name: &str, text: &str, mapping: String| {
        std::fs::write(folder.join(format!("{name}.csv")), text).unwrap();
        std::fs::write(folder.join(format!("{name}.mapping.toml")), mapping).unwrap();
        folder.join(format!("{name}.csv")).to_str().unwrap().to_owned()
    };
    [
        write("people", &people, mapping("subject", &["account", "handle", "country", "region", "language", "interests"])),
        write("acts", &acts, mapping("activity", &["account", "native_key", "kind", "at", "text", "language", "link_domain", "container", "tags", "likes_received"])),
    ]
}

/// One more act of person 7.
pub(crate) fn late(folder: &Path) -> String {
    let file = folder.join("late.csv");
    std::fs::write(&file, format!("account,native_key,kind,text\n{},late1,post,{}\n", canary(7, "account"), canary(7, "late"))).unwrap();
    let mapping = "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"account\"\nnative_key = \"native_key\"\nkind = \"kind\"\ntext = \"text\"\n";
    std::fs::write(file.with_extension("mapping.toml"), mapping).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The files of a deployment that hold `needle`.
pub(crate) fn files_with(folder: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|w| w == needle.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn no_byte_of_an_erased_person_stays() {
    let d = Deployment::new().with_partner("9");
    let sources = tempfile::tempdir().unwrap();
    let [people, acts] = write_sources(sources.path());
    d.ok(&["import", &people, &acts]);
    d.everybody_gives(PEOPLE, "aggregate_statistics");
    d.query(&["--rho", "0.5"], "SELECT tag, count(*) AS n FROM activity_tag GROUP BY tag");
    // Compressed pages hide texts from a plain search: the files that DuckDB or we can read must not
    // hold them either, which the second half of this test asks the lake itself.
    assert!(!files_with(&d.path(), "canary07").is_empty());
    let said = d.ok(&["subject", "erase", &format!("csv:{}", canary(7, "account"))]);
    assert_eq!((&said["subject"], &said["files"]), (&json!(7), &json!("gone")));
    assert_eq!(files_with(&d.path(), "canary07"), Vec::<String>::new());
    assert!(!files_with(&d.path(), "canary08").is_empty(), "somebody else is gone as well");
    // Nothing can be read back: everything that lies in the lake is what the other 29 people did.
    let shown = d.ok(&["lake", "show"]);
    assert_eq!(shown["tables"][0]["rows"], 29 * 20);
    assert_eq!(shown["tables"][1]["rows"], 29 * 20);
    assert_eq!(shown["tables"][2]["rows"], 29);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
    assert!(d.fails(3, &["subject", "show", &canary(7, "handle")]).contains("not found") || !d.fails(3, &["subject", "show", &canary(7, "handle")]).is_empty());
    assert!(d.fails(4, &["subject", "erase", "7"]).contains("erased before"));
    let decided = d.run(&["decide", "--subject", "7", "--partner", "acme", "--purpose", "aggregate_statistics"]);
    assert_eq!(decided.status.code(), Some(4));
    // Whoever comes back is somebody new.
    d.ok(&["import", &people]);
    assert_eq!(d.ok(&["subject", "show", &canary(7, "handle")])["subject"], PEOPLE);
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}

#[test]
fn a_dry_run_changes_nothing() {
    let d = Deployment::new();
    let sources = tempfile::tempdir().unwrap();
    let [people, acts] = write_sources(sources.path());
    let said = d.ok(&["import", "--dry-run", &people, &acts]);
    assert_eq!((&said["totals"]["posts"], &said["totals"]["rejected"], &said["snapshot"]), (&json!(600), &json!(30), &json!(null)));
    assert_eq!(files_with(&d.path(), "canary"), Vec::<String>::new());
    assert_eq!(d.ok(&["subject", "list"])["subjects"].as_array().unwrap().len(), 0);
    assert_eq!(d.ok(&["import", &people, &acts])["totals"], said["totals"]);
}

#[test]
fn small_imports_append_and_compaction_makes_one_file() {
    let d = Deployment::new().with_partner("9");
    let sources = tempfile::tempdir().unwrap();
    let [people, acts] = write_sources(sources.path());
    d.ok(&["import", &people, &acts]);
    for n in 0..3 {
        let late = sources.path().join(format!("late{n}.csv"));
        std::fs::write(&late, format!("account,native_key,kind\n{},late{n},post\n", canary(3, "account"))).unwrap();
        std::fs::write(
            sources.path().join(format!("late{n}.mapping.toml")),
            "schema = 1\ntable = \"activity\"\nplatform = \"csv\"\n[columns]\naccount = \"account\"\nnative_key = \"native_key\"\nkind = \"kind\"\n",
        )
        .unwrap();
        assert_eq!(d.ok(&["import", late.to_str().unwrap()])["totals"]["posts"], 1);
        assert_eq!(d.ok(&["import", late.to_str().unwrap()])["totals"]["duplicates"], 1);
    }
    let before = d.ok(&["lake", "show"]);
    assert_eq!((&before["tables"][0]["rows"], &before["tables"][0]["files"], &before["tables"][0]["buckets"]), (&json!(603), &json!(4), &json!(1)));
    let after = d.ok(&["lake", "compact"]);
    assert_eq!((&after["tables"][0]["rows"], &after["tables"][0]["files"]), (&json!(603), &json!(1)));
    assert_eq!(d.ok(&["audit", "verify"])["verified"], true);
}
