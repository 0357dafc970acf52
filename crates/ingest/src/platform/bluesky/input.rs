//! The bytes of a file, decompressed if need be, and hashed as they are in the file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::IngestError;

/// A file that is read once.
pub(super) enum Input {
    Plain(HashingFile),
    Zstd(zstd::Decoder<'static, BufReader<HashingFile>>),
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let file = HashingFile { file: File::open(path).map_err(IngestError::unreadable(path))?, digest: Sha256::new(), bytes: 0 };
        let is_zstd = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"));
        if is_zstd { zstd::Decoder::new(file).map(Self::Zstd).map_err(IngestError::unreadable(path)) } else { Ok(Self::Plain(file)) }
    }

    /// Bytes of the file that were read.
    pub(super) fn consumed(&self) -> u64 {
        match self {
            Self::Plain(file) => file.bytes,
            Self::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub(super) fn finish(self) -> io::Result<String> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Zstd(decoder) => decoder.finish().into_inner(),
        };
        // What follows the end of a compressed stream belongs to the file as well.
        io::copy(&mut file, &mut io::sink())?;
        Ok(hex::encode(file.digest.finalize()))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// A file that is hashed while it is read.
pub(super) struct HashingFile {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Read for HashingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}
