//! Python, for comparisons with packages of PyPI.

use std::io::Write;
use std::process::{Command, Stdio};

/// A Python that has the module: `python3`, or what `FAIRSHARE_PYTHON` names.
///
/// When there is none, says so where everybody sees it.
///
/// # Panics
/// When there is none and `FAIRSHARE_REQUIRE_ALL` is 1.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests are told where tools are and whether a skip is a failure")]
pub fn python(module: &str) -> Option<Command> {
    let named = std::env::var("FAIRSHARE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = Command::new(&named).args(["-c", &format!("import {module}")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if import.is_ok_and(|status| status.success()) {
        return Some(Command::new(named));
    }
    let required = std::env::var("FAIRSHARE_REQUIRE_ALL").is_ok_and(|v| v == "1");
    assert!(!required, "{module} for Python is required: pip install {module}, FAIRSHARE_PYTHON=path of python");
    let _ = writeln!(std::io::stderr(), "skipped: there is no Python with {module}; pip install {module}, or name one in FAIRSHARE_PYTHON");
    None
}
