//! Lines of a file, decompressed if need be, without copying them.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::{IngestError, limits};

/// Lines of a file. A longer one than [`limits::LINE_BYTES`] is cut there, and then no JSON.
pub(super) struct Lines {
    reader: Box<dyn Read>,
    /// The same file, to ask how far it was read.
    file: File,
    buffer: Vec<u8>,
    /// What of the buffer was read and not handed out.
    unread: std::ops::Range<usize>,
    /// Whether the rest of a line that was cut is still to come.
    cut: bool,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let file = File::open(path).map_err(IngestError::unreadable(path))?;
        let again = file.try_clone().map_err(IngestError::unreadable(path))?;
        let is_zstd = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zst"));
        let reader: Box<dyn Read> = if is_zstd { Box::new(zstd::Decoder::new(again).map_err(IngestError::unreadable(path))?) } else { Box::new(again) };
        Ok(Self { reader, file, buffer: vec![0; limits::LINE_BYTES], unread: 0..0, cut: false })
    }

    /// The next line, without its end.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
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
                return Ok(self.buffer.get(line));
            }
            searched = unread.len();
            if self.unread.len() == self.buffer.len() {
                // Longer than any line may be: its beginning is handed out, the rest passed over.
                self.unread = 0..0;
                searched = 0;
                if !std::mem::replace(&mut self.cut, true) {
                    return Ok(Some(&self.buffer));
                }
            }
            if !self.fill()? {
                let rest = std::mem::replace(&mut self.unread, 0..0);
                return Ok(if rest.is_empty() || std::mem::take(&mut self.cut) { None } else { self.buffer.get(rest) });
            }
        }
    }

    /// Reads on; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let room = self.buffer.get_mut(self.unread.end..).unwrap_or_default();
        let read = loop {
            match self.reader.read(room) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        self.unread.end += read;
        Ok(read > 0)
    }

    /// Bytes of the file that were read.
    pub(super) fn consumed(&mut self) -> u64 {
        // The clone shares its place with the file that is read.
        self.file.stream_position().unwrap_or(0)
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
    fn a_line_that_is_too_long_is_cut_and_its_rest_passed_over() {
        for over in [0, 1, limits::LINE_BYTES * 2] {
            let long = vec![b'x'; limits::LINE_BYTES + over];
            let found = lines(&[&long[..], b"\nnext"].concat());
            assert_eq!((found[0].len(), &found[1][..]), (limits::LINE_BYTES, &b"next"[..]), "{over}");
            assert_eq!(lines(&long).len(), 1, "{over}");
        }
    }
}
