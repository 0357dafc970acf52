//! Where the lake's files lie: a folder on local disk, or a bucket behind the S3 interface.
//!
//! A file is written locally first and becomes a file of the lake by [`Store::keep`]: renamed, or put
//! into the bucket. Its name holds the hash of its content, so that keeping it twice is harmless.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use domain::Fault;
use domain::catalog::TableName;
use sha2::{Digest, Sha256};

use super::s3::S3;
use super::spill;

/// The place of a lake's files.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// The lake itself, or the files that are on their way into the bucket.
    folder: PathBuf,
    s3: Option<Arc<S3>>,
}

impl Store {
    /// Files below `folder`.
    pub(super) fn local(folder: PathBuf) -> Self {
        Self { folder, s3: None }
    }

    /// Files in a bucket; `folder` is where they are written first.
    pub(super) fn bucket(s3: S3, folder: PathBuf) -> Self {
        Self { folder, s3: Some(Arc::new(s3)) }
    }

    /// The local folder: for files that are being written, and for rows on their way.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bucket, when it is not the folder that holds the files.
    pub(super) fn s3(&self) -> Option<&Arc<S3>> {
        self.s3.as_ref()
    }

    /// The path on local disk of a file of the lake; none when it lies in a bucket.
    pub(super) fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.s3.is_none().then(|| self.folder.join(path))
    }

    /// What the engine reads files from, by the paths of the manifest.
    pub(crate) fn object_store(&self) -> Result<Arc<dyn ObjectStore>, Fault> {
        match &self.s3 {
            Some(s3) => Ok(s3.object_store()),
            None => Ok(Arc::new(LocalFileSystem::new_with_prefix(&self.folder).map_err(|e| Fault::new("opening the lake", e))?)),
        }
    }

    /// Makes a local file that is written and synced the lake's file `path`.
    ///
    /// # Guarantee
    /// When it returns, the file is durable under its name. Before, nothing names it.
    pub(super) fn keep(&self, temporary: &Path, path: &str) -> Result<(), Fault> {
        let doing = || format!("putting the file {path} into the lake");
        match &self.s3 {
            Some(s3) => {
                s3.put(temporary, path, &self.folder)?;
                fs::remove_file(temporary).map_err(|e| Fault::new(doing(), e))
            }
            None => {
                let target = self.folder.join(path);
                fs::rename(temporary, &target).map_err(|e| Fault::new(doing(), e))?;
                target.parent().map_or(Ok(()), sync_folder)
            }
        }
    }

    /// Makes new folders durable.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        sync_folder(&self.folder)
    }

    /// The hash of a file; `None` when it is not there.
    pub(super) fn sha256(&self, path: &str) -> Result<Option<String>, Fault> {
        match &self.s3 {
            Some(s3) => s3.sha256(path),
            None => sha256(&self.folder.join(path)),
        }
    }

    /// Copies a file into the local file `to`, which becomes durable; tells its size.
    pub(super) fn fetch(&self, path: &str, to: &Path) -> Result<u64, Fault> {
        let doing = |e: io::Error| Fault::new(format!("copying {path} to {}", to.display()), e);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(doing)?;
        }
        let bytes = match &self.s3 {
            Some(s3) => s3.fetch(path, to)?,
            None => fs::copy(self.folder.join(path), to).map_err(doing)?,
        };
        File::open(to).and_then(|file| file.sync_all()).map_err(doing)?;
        Ok(bytes)
    }

    /// Removes every file whose path is not in `named`, and what killed work left on its way; tells
    /// how many.
    pub(super) fn remove_all_but(&self, named: &BTreeSet<&str>) -> Result<u64, Fault> {
        match &self.s3 {
            Some(s3) => Ok(remove_local(&self.folder, &BTreeSet::new())? + s3.remove_all_but(named, &self.folder)?),
            None => remove_local(&self.folder, named),
        }
    }
}

/// Makes new names in a folder durable.
fn sync_folder(folder: &Path) -> Result<(), Fault> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all().map_err(|e| Fault::new("syncing the lake's folder", e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Fault::new("opening the lake's folder", e)),
    }
}

/// The hash of a local file; `None` when it is not there.
fn sha256(path: &Path) -> Result<Option<String>, Fault> {
    let doing = || format!("hashing {}", path.display());
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Fault::new(doing(), e)),
    };
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(|e| Fault::new(doing(), e))?;
        if read == 0 {
            return Ok(Some(hex::encode(digest.finalize())));
        }
        digest.update(buffer.get(..read).unwrap_or(&buffer));
    }
}

fn remove_local(folder: &Path, named: &BTreeSet<&str>) -> Result<u64, Fault> {
    let fault = |e: io::Error| Fault::new("sweeping the lake", e);
    let mut removed = 0;
    match fs::remove_dir_all(folder.join(spill::FOLDER)) {
        Ok(()) => removed += 1,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(fault(e)),
    }
    for &table in TableName::FOLDERS {
        let entries = match fs::read_dir(folder.join(table)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(fault(e)),
        };
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let path = format!("{table}/{}", entry.file_name().to_string_lossy());
            if !named.contains(path.as_str()) {
                fs::remove_file(entry.path()).map_err(fault)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
