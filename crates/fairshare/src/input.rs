//! Texts that commands are given.

use std::path::Path;

use anyhow::Context;

/// The text of a file, or of standard input for `-`; `what` it is, for whoever named one that cannot be read.
pub(crate) fn text(path: &Path, what: &str) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).with_context(|| format!("reading {what} from standard input"));
    }
    std::fs::read_to_string(path).with_context(|| format!("reading {what} from {}", path.display()))
}
