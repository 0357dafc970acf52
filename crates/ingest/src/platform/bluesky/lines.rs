//! Lines of a file, decompressed if need be, without copying them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use memchr::memmem::Finder;
use sha2::{Digest, Sha256};

use crate::{IngestError, limits};

/// Lines of a file. A longer one than [`limits::LINE_BYTES`] is cut there, and then no JSON.
pub(super) struct Lines {
    reader: Box<dyn Read>,
    /// The same file.
    file: File,
    buffer: Vec<u8>,
    /// What of the buffer was read and not handed out.
    unread: Range<usize>,
    /// Whether the rest of a line that was cut is still to come.
    cut: bool,
}

/// Opens a file and reads it by way of `through`, decompressed if need be. The second is the same file, to
/// ask how far it was read.
pub(super) fn open(path: &Path, through: impl FnOnce(File) -> Box<dyn Read>) -> Result<(Box<dyn Read>, File), IngestError> {
    let file = File::open(path).map_err(IngestError::unreadable(path))?;
    let again = through(file.try_clone().map_err(IngestError::unreadable(path))?);
    let is_zstd = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"));
    let reader: Box<dyn Read> = if is_zstd { Box::new(zstd::Decoder::new(again).map_err(IngestError::unreadable(path))?) } else { again };
    Ok((reader, file))
}

/// Bytes that are read at once: few enough to stay in the processor's cache until they are parsed.
const CHUNK: usize = 128 * 1024;

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let (reader, file) = open(path, |file| Box::new(file))?;
        Ok(Self::over(reader, file))
    }

    /// The same, and the hash of the file's bytes as far as they were read.
    pub(super) fn open_hashing(path: &Path) -> Result<(Self, Hashing), IngestError> {
        let digest = Hashing::default();
        let (reader, file) = open(path, |file| Box::new(HashingRead { file, digest: digest.clone() }))?;
        Ok((Self::over(reader, file), digest))
    }

    fn over(reader: Box<dyn Read>, file: File) -> Self {
        Self { reader, file, buffer: vec![0; limits::LINE_BYTES], unread: 0..0, cut: false }
    }

    /// The next line that holds `needle`, without its end. Lines that do not are passed over together.
    pub(super) fn next_with(&mut self, needle: &Finder<'_>) -> io::Result<Option<&[u8]>> {
        loop {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            let whole = memchr::memrchr(b'\n', unread).map_or(0, |end| end + 1);
            if whole == 0 || self.cut {
                // A line that is not all there: as any line is found.
                let Some(line) = self.next_range()? else { return Ok(None) };
                if self.buffer.get(line.clone()).is_some_and(|line| needle.find(line).is_some()) {
                    return Ok(self.buffer.get(line));
                }
                continue;
            }
            let lines = unread.get(..whole).unwrap_or_default();
            let Some(found) = needle.find(lines) else {
                self.unread.start += whole;
                continue;
            };
            let start = memchr::memrchr(b'\n', lines.get(..found).unwrap_or_default()).map_or(0, |end| end + 1);
            let end = lines.get(found..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(whole, |end| found + end);
            let line = self.unread.start + start..self.unread.start + end;
            self.unread.start = line.end + 1;
            return Ok(self.buffer.get(line));
        }
    }

    /// The next line, without its end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        Ok(self.next_range()?.and_then(|line| self.buffer.get(line)))
    }

    /// Where in the buffer the next line is.
    fn next_range(&mut self) -> io::Result<Option<Range<usize>>> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default()) {
                let line = self.unread.start..self.unread.start + searched + end;
                self.unread.start = line.end + 1;
                searched = 0;
                if std::mem::take(&mut self.cut) {
                    continue;
                }
                return Ok(Some(line));
            }
            searched = unread.len();
            if self.unread.len() == self.buffer.len() {
                // Longer than any line may be: its beginning is handed out, the rest passed over.
                self.unread = 0..0;
                searched = 0;
                if !std::mem::replace(&mut self.cut, true) {
                    return Ok(Some(0..self.buffer.len()));
                }
            }
            if !self.fill()? {
                let rest = std::mem::replace(&mut self.unread, 0..0);
                return Ok(if rest.is_empty() || std::mem::take(&mut self.cut) { None } else { Some(rest) });
            }
        }
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let room = self.buffer.get_mut(self.unread.end..).unwrap_or_default();
        let most = room.len().min(CHUNK);
        let room = room.get_mut(..most).unwrap_or_default();
        let read = loop {
            match self.reader.read(room) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.unread.end += read;
        Ok(read > 0)
    }
}

/// The hash of what was read of a file.
#[derive(Clone, Default)]
pub(super) struct Hashing(Rc<RefCell<Sha256>>);

impl Hashing {
    /// The hash of the whole file behind `lines`, whose lines were read.
    pub(super) fn finish(self, lines: Lines) -> io::Result<String> {
        // What follows the end of a compressed stream belongs to the file as well.
        io::copy(&mut HashingRead { file: lines.file, digest: self.clone() }, &mut io::sink())?;
        Ok(hex::encode(self.0.borrow_mut().finalize_reset()))
    }
}

struct HashingRead {
    file: File,
    digest: Hashing,
}

impl Read for HashingRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.digest.0.borrow_mut().update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, content).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn lines_are_those_of_the_file() {
        assert_eq!(lines(b""), Vec::<Vec<u8>>::new());
        assert_eq!(lines(b"a\n\nbc"), [&b"a"[..], b"", b"bc"]);
        let many: Vec<Vec<u8>> = (0..40_000).map(|n| vec![b'x'; n % 97]).collect();
        assert_eq!(lines(&many.join(&b'\n')), many);
    }

    #[test]
    fn lines_with_a_word_are_those_among_all_that_hold_it() {
        let seed = 5_u64;
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap()
        };
        for ends in [&b"\n"[..], b""] {
            let mut all: Vec<Vec<u8>> =
                (0..9_000).map(|_| [vec![b'x'; next() % 200], if next().is_multiple_of(7) { b"word".to_vec() } else { Vec::new() }, vec![b'y'; next() % 50]].concat()).collect();
            all.insert(next() % 9_000, [vec![b'z'; limits::LINE_BYTES + 9], b"word".to_vec()].concat());
            all.push(b"the last word".to_vec());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lines");
            let content = [all.join(&b'\n'), ends.to_vec()].concat();
            std::fs::write(&path, &content).unwrap();
            let (mut lines, hashing) = Lines::open_hashing(&path).unwrap();
            let mut found = Vec::new();
            while let Some(line) = lines.next_with(&Finder::new(b"word")).unwrap() {
                found.push(line.to_vec());
            }
            let expected: Vec<Vec<u8>> = all.iter().filter(|line| line.len() <= limits::LINE_BYTES && line.windows(4).any(|w| w == b"word")).cloned().collect();
            assert!(found == expected, "{} and {} lines", found.len(), expected.len());
            assert_eq!(hashing.finish(lines).unwrap(), hex::encode(Sha256::digest(&content)));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_its_rest_passed_over() {
        for over in [0, 1, limits::LINE_BYTES * 2] {
            let long = vec![b'x'; limits::LINE_BYTES + over];
            let found = lines(&[&long[..], b"\nnext"].concat());
            assert_eq!((found[0].len(), &found[1][..]), (limits::LINE_BYTES, &b"next"[..]), "{over}");
            assert_eq!(lines(&long).len(), 1, "{over}");
        }
    }
}
