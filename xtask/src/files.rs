//! Files that are too large to be one subject, and links in documents that lead nowhere.

use std::fs;
use std::path::{Path, PathBuf};

/// Largest source file, in bytes.
const SOURCE_BYTES_MAX: u64 = 40_000;

/// What is wrong with files below `root`, as sentences.
///
/// # Errors
/// When a file cannot be read.
pub fn wrong_files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    walk(root, &mut files)?;
    let mut wrong = Vec::new();
    for file in files {
        let shown = file.strip_prefix(root).unwrap_or(&file).display();
        match file.extension().and_then(|e| e.to_str()) {
            Some("rs") if fs::metadata(&file)?.len() > SOURCE_BYTES_MAX => wrong.push(format!("{shown} is larger than {SOURCE_BYTES_MAX} bytes: is it one subject?")),
            Some("md") => wrong.extend(dead_links(&file)?.into_iter().map(|link| format!("{shown} links to {link}, which is not there"))),
            _ => {}
        }
    }
    Ok(wrong)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" || name == "fairshare-data" {
            continue;
        }
        if entry.file_type()?.is_dir() { walk(&entry.path(), files)? } else { files.push(entry.path()) }
    }
    Ok(())
}

/// Relative links of a document whose targets do not exist.
fn dead_links(document: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(document)?;
    let folder = document.parent().unwrap_or(Path::new("."));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let relative = links.filter(|l| !l.contains("://") && !l.starts_with('#') && !l.contains(' '));
    Ok(relative.filter(|l| !folder.join(l.split('#').next().unwrap_or(l)).exists()).map(str::to_owned).collect())
}
