//! What the operator named → sources, each read by its platform's reader.

use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use domain::port::Progress;
use domain::record::{NormalizedBatch, SourceEnd, SourceInfo, SourceKind};
use domain::{CreatorKey, Platform};
use sha2::{Digest, Sha256};

use crate::IngestError;
use crate::platform::{bluesky, csv, ldbc, mastodon, parquet};

domain::words! {
    /// What to do with records that their owner had deleted.
    pub enum Deletions("deletions") {
        /// Leave them out, and count them.
        Apply = "apply",
        /// Keep them, as if nothing had been deleted.
        Ignore = "ignore",
    }
}

/// How to read sources.
#[derive(Debug, Clone)]
pub struct Options {
    /// The platform; recognised when not named.
    pub platform: Option<Platform>,
    /// The mapping of CSV files; `NAME.mapping.toml` beside `NAME.csv` when not named.
    pub mapping: Option<PathBuf>,
    /// What to do with deleted records.
    pub deletions: Deletions,
    /// Under which accounts of others have their numbers: nothing else is kept of them.
    pub creators: CreatorKey,
    /// The day on which ages are counted.
    pub today: NaiveDate,
    /// Threads that decode side by side, where a format allows.
    pub threads: usize,
}

/// One thing to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file or folder.
    pub path: PathBuf,
    /// Its platform.
    pub platform: Platform,
}

/// Turns what the operator named into single sources: a folder of archives into its archives, sorted
/// by name.
///
/// # Errors
/// When something cannot be read or is not recognised.
pub fn sources(paths: &[PathBuf], options: &Options) -> Result<Vec<Source>, IngestError> {
    let mut found = Vec::new();
    for path in paths {
        match recognize(path, options)? {
            Some(platform) => found.push(Source { path: path.clone(), platform }),
            None => found.extend(folder(path, options)?),
        }
    }
    Ok(found)
}

fn folder(path: &Path, options: &Options) -> Result<Vec<Source>, IngestError> {
    let unknown = || IngestError::Unknown { path: path.to_owned() };
    if !path.is_dir() {
        return Err(unknown());
    }
    let mut inside = fs::read_dir(path).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()).map_err(IngestError::unreadable(path))?;
    inside.sort();
    let mut found = Vec::new();
    for path in inside {
        if let Some(platform) = recognize(&path, options)? {
            found.push(Source { path, platform });
        }
    }
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

/// The platform of one file or folder, if it is a source by itself.
fn recognize(path: &Path, options: &Options) -> Result<Option<Platform>, IngestError> {
    let metadata = fs::metadata(path).map_err(IngestError::unreadable(path))?;
    let found = if metadata.is_dir() {
        if ldbc::recognizes(path) {
            Some(Platform::Ldbc)
        } else if mastodon::recognizes_folder(path) {
            Some(Platform::Mastodon)
        } else {
            None
        }
    } else {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("zip") => mastodon::recognizes_archive(path)?.then_some(Platform::Mastodon),
            Some("csv" | "parquet") if options.mapping.is_some() || csv::sibling_mapping(path).exists() => Some(Platform::Csv),
            Some("ndjson" | "jsonl" | "zst") => bluesky::recognizes(path)?.then_some(Platform::Bluesky),
            _ => None,
        }
    };
    Ok(match (options.platform, found) {
        (None, found) => found,
        // Naming a platform insists on its reader; a folder of archives is still looked into.
        (Some(_), None) if metadata.is_dir() => None,
        (Some(named), _) => Some(named),
    })
}

/// Takes the batches of a source, one after the other; says whether to go on.
pub type Sink<'a> = dyn FnMut(NormalizedBatch) -> ControlFlow<()> + 'a;

/// Reads one source and hands it over in one batch or many, at least one; then tells what is known at its
/// end, unless `sink` stopped before.
///
/// # Errors
/// When it cannot be read at all; single bad records are kept among the rejected.
pub fn read(source: &Source, options: &Options, progress: &dyn Progress, sink: &mut Sink<'_>) -> Result<Option<SourceEnd>, IngestError> {
    let path = &source.path;
    let info = |kind, parser: &str| SourceInfo { path: path.display().to_string(), kind, platform: source.platform, parser: parser.to_owned() };
    // Readers of streams hash what they read while they read it.
    if source.platform == Platform::Bluesky {
        return bluesky::read(path, info(SourceKind::Stream, "jetstream/2"), options, progress, sink);
    }
    let sha256 = sha256(path)?;
    let flow = match source.platform {
        Platform::Mastodon => sink(mastodon::read(path, info(SourceKind::Export, "mastodon/2"), options, progress)?),
        Platform::Ldbc => sink(ldbc::read(path, info(SourceKind::Table, "ldbc/2"), options, progress)?),
        Platform::Csv if is_parquet(path) => parquet::read(path, info(SourceKind::Table, "parquet/1"), options, progress, sink)?,
        Platform::Csv => csv::read(path, info(SourceKind::Table, "csv/1"), options, progress, sink)?,
        platform @ (Platform::Bluesky | Platform::X | Platform::Instagram | Platform::Facebook | Platform::Tiktok | Platform::Youtube | Platform::Reddit | Platform::Linkedin) => {
            return Err(IngestError::Unsupported { platform });
        }
    };
    Ok(flow.is_continue().then(|| SourceEnd { sha256, ..SourceEnd::default() }))
}

/// Reads one source into memory as one batch.
#[cfg(test)]
pub(crate) fn read_whole(source: &Source, options: &Options, progress: &dyn Progress) -> Result<NormalizedBatch, IngestError> {
    read_to_end(source, options, progress).map(|(batch, _)| batch)
}

/// The same, and what is known at its end.
#[cfg(test)]
pub(crate) fn read_to_end(source: &Source, options: &Options, progress: &dyn Progress) -> Result<(NormalizedBatch, SourceEnd), IngestError> {
    let mut all: Option<NormalizedBatch> = None;
    let end = read(source, options, progress, &mut |batch| {
        match &mut all {
            None => all = Some(batch),
            Some(all) => all.extend(batch),
        }
        ControlFlow::Continue(())
    })?;
    all.zip(end).ok_or_else(|| IngestError::malformed(&source.path, "no batch"))
}

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
}

/// SHA-256 of a file's bytes; of a folder, of its files' names and hashes, sorted.
pub(crate) fn sha256(path: &Path) -> Result<String, IngestError> {
    let mut digest = Sha256::new();
    if path.is_dir() {
        let mut files = fs::read_dir(path).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()).map_err(IngestError::unreadable(path))?;
        files.retain(|f| f.is_file());
        files.sort();
        for file in files {
            digest.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            digest.update(format!(" {}\n", sha256(&file)?));
        }
    } else {
        let mut file = File::open(path).map_err(IngestError::unreadable(path))?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = file.read(&mut buffer).map_err(IngestError::unreadable(path))?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
        }
    }
    Ok(hex::encode(digest.finalize()))
}
