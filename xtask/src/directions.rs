//! Who may depend on whom, and who may name which foreign thing. The table is `crates/README.md` in
//! code; change both.

use cargo_metadata::{DependencyKind, Metadata};

/// Crate, and which of ours it may depend on.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("dp", &[]),
    ("audit-log", &[]),
    ("domain", &["dp"]),
    ("ingest", &["domain"]),
    ("signal", &[]),
    ("dpv", &[]),
    ("data-plane", &["domain", "dp"]),
    ("control-plane", &["domain", "dp", "dpv", "audit-log"]),
    ("server", &["control-plane", "domain", "signal"]),
    ("fairshare", &["audit-log", "control-plane", "data-plane", "domain", "dp", "dpv", "ingest", "server", "signal"]),
    ("testkit", &["domain", "dp"]),
    ("xtask", &[]),
];

/// A foreign thing, and the only crates that may name it.
const WALLS: &[(&str, &[&str])] = &[
    ("datafusion", &["data-plane"]),
    ("parquet", &["data-plane", "ingest"]),
    ("arrow-array", &["ingest"]),
    ("rusqlite", &["control-plane"]),
    ("sqlx", &["control-plane"]),
    ("axum", &["server"]),
    ("lettre", &["server"]),
    ("maud", &["server"]),
    ("clap", &["fairshare"]),
    ("num-bigint", &["dp"]),
    // For the ids of acts and of accounts only: bounding hashes in `dp`.
    ("siphasher", &["domain", "dp", "data-plane"]),
    ("ed25519-dalek", &["audit-log"]),
    ("csv", &["ingest", "fairshare"]),
    ("zip", &["ingest", "fairshare"]),
    ("tokio", &["control-plane", "data-plane", "server", "fairshare"]),
];

/// What breaks the table, as sentences.
#[must_use]
pub fn wrong_directions(metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    let members = metadata.workspace_packages();
    for package in &members {
        let name = package.name.as_str();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(n, _)| *n == name) else {
            wrong.push(format!("the crate {name} is not in the table of directions (xtask/src/directions.rs and crates/README.md)"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            let on = dependency.name.as_str();
            let ours = DIRECTIONS.iter().any(|(n, _)| *n == on);
            if ours && !allowed.contains(&on) {
                wrong.push(format!("{name} must not depend on {on}: see crates/README.md"));
            }
            if let Some((_, only)) = WALLS.iter().find(|(thing, _)| *thing == on)
                && !only.contains(&name)
            {
                wrong.push(format!("{name} must not name {on}: only {} may", only.join(", ")));
            }
            if on == "testkit" {
                wrong.push(format!("{name} must not depend on testkit outside its tests: it holds a clean room without noise"));
            }
        }
    }
    wrong
}
