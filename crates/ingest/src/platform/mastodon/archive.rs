//! The members of an archive, read with care: names are compared, never used; sizes are measured while
//! unpacking, never believed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::IngestError;
use crate::limits::{ARCHIVE_ENTRIES, MEMBER_BYTES, RATIO, RATIO_FREE_BYTES};

/// A zip or an unpacked folder.
pub(super) enum Archive {
    Zip(PathBuf, Box<ZipArchive<File>>),
    Folder(PathBuf),
}

/// Whether a folder is an unpacked archive.
pub(crate) fn recognizes_folder(path: &Path) -> bool {
    path.join("actor.json").is_file() && path.join("outbox.json").is_file()
}

/// Whether a zip is a Mastodon archive.
pub(crate) fn recognizes_archive(path: &Path) -> Result<bool, IngestError> {
    let archive = open_zip(path)?;
    let found = archive.file_names().any(|name| name.is_ok_and(|name| is_member(&name, "outbox.json")));
    Ok(found)
}

fn open_zip(path: &Path) -> Result<ZipArchive<File>, IngestError> {
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let archive = ZipArchive::new(file).map_err(|e| IngestError::malformed(path, format!("this is not a whole zip archive: {e}")))?;
    if archive.len() > ARCHIVE_ENTRIES {
        return Err(IngestError::Unsafe { path: path.to_owned(), why: format!("more than {ARCHIVE_ENTRIES} entries") });
    }
    Ok(archive)
}

/// The member itself, or the member in one leading folder.
fn is_member(name: &str, member: &str) -> bool {
    name == member || name.split_once('/').is_some_and(|(folder, rest)| rest == member && !folder.is_empty() && folder != "." && folder != "..")
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        if path.is_dir() { Ok(Self::Folder(path.to_owned())) } else { Ok(Self::Zip(path.to_owned(), Box::new(open_zip(path)?))) }
    }

    /// Reads one member; `None` when the archive does not have it.
    pub(super) fn with<T>(&mut self, member: &str, read: impl FnOnce(&mut dyn Read) -> Result<T, IngestError>) -> Result<Option<T>, IngestError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(member);
                match File::open(&path) {
                    Ok(file) => read(&mut file.take(MEMBER_BYTES)).map(Some),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(cause) => Err(IngestError::Unreadable { path, cause }),
                }
            }
            Self::Zip(path, archive) => {
                let Some(index) = (0..archive.len()).find(|i| archive.name_for_index(*i).is_some_and(|name| name.is_ok_and(|name| is_member(&name, member)))) else {
                    return Ok(None);
                };
                let entry = archive.by_index(index).map_err(|e| IngestError::malformed(path.as_path(), e))?;
                let unsafe_ = |why: &str| IngestError::Unsafe { path: path.clone(), why: format!("{member} {why}") };
                if entry.is_symlink() || !entry.is_file() {
                    return Err(unsafe_("is not a plain file"));
                }
                let allowed = entry.compressed_size().saturating_mul(RATIO).clamp(RATIO_FREE_BYTES, MEMBER_BYTES);
                let mut limited = Limited { inner: entry, left: allowed, exceeded: false };
                let result = read(&mut limited);
                if limited.exceeded { Err(unsafe_("unpacks to far more than its size")) } else { result.map(Some) }
            }
        }
    }
}

/// Stops when more comes out than may.
struct Limited<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.exceeded = true;
                Err(io::Error::other("the archive unpacks to too much"))
            }
        }
    }
}
