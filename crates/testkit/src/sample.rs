//! Sample data outside the repository.

use std::io::Write;
use std::path::PathBuf;

/// The sample `path`, below `FAIRSHARE_SAMPLES` or `../shared/data` beside the repository.
///
/// When it is not there, says so where everybody sees it: the words of a test that passes are not shown,
/// those that go to the error output past it are.
///
/// # Panics
/// When samples are named and `FAIRSHARE_REQUIRE_ALL` is 1: then a skip is a failure.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests are told where samples are and whether a skip is a failure")]
pub fn sample(path: &str) -> Option<PathBuf> {
    let named = std::env::var("FAIRSHARE_SAMPLES");
    // Tests run in the folder of their crate.
    let found = named.as_ref().map_or_else(|_| PathBuf::from("../../../shared/data"), PathBuf::from).join(path);
    if found.exists() {
        return Some(found);
    }
    let required = named.is_ok() && std::env::var("FAIRSHARE_REQUIRE_ALL").is_ok_and(|v| v == "1");
    assert!(!required, "sample data {} is required", found.display());
    let _ = writeln!(std::io::stderr(), "skipped: there is no sample data at {}", found.display());
    None
}
