//! A file in blocks of whole lines.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::{IngestError, limits};

/// Bytes of a block, more or less.
const BLOCK: usize = 2 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// The blocks of a file, decompressed if need be. A line that is longer than any may be is cut.
pub(super) struct Blocks {
    reader: Box<dyn Read>,
    /// The same file, to ask how far it was read.
    file: File,
    /// What was read after the last whole line.
    rest: Vec<u8>,
    /// Whether the end of a line that was cut is still to come.
    cut: bool,
    ended: bool,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        let (reader, file) = super::lines::open(path, |file| Box::new(file))?;
        Ok(Self { reader, file, rest: Vec::new(), cut: false, ended: false })
    }

    /// The next lines, the last of which may lack its end; none after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut block = Vec::with_capacity(BLOCK + CHUNK);
            block.append(&mut self.rest);
            while !self.ended && block.len() < BLOCK {
                self.ended = self.read_on(&mut block)? == 0;
            }
            if block.is_empty() {
                return Ok(None);
            }
            let whole = if self.ended { block.len() } else { memchr::memrchr(b'\n', &block).map_or(0, |end| end + 1) };
            let start = if self.cut { memchr::memchr(b'\n', &block).map_or(block.len(), |end| end + 1) } else { 0 };
            if start > 0 {
                // The end of a line whose beginning was handed out.
                self.cut = start == block.len() && !block.ends_with(b"\n") && !self.ended;
                self.rest = block.split_off(start);
                continue;
            }
            if whole == 0 && !block.is_empty() {
                // One line fills the block: its beginning says enough.
                self.cut = true;
                block.truncate(limits::LINE_BYTES + 1);
                return Ok(Some(block));
            }
            self.rest = block.split_off(whole);
            return Ok(Some(block));
        }
    }

    fn read_on(&mut self, block: &mut Vec<u8>) -> io::Result<usize> {
        let before = block.len();
        block.resize(before + CHUNK, 0);
        let read = loop {
            match self.reader.read(block.get_mut(before..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        block.truncate(before + read);
        Ok(read)
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

    fn blocks(content: &[u8]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, content).unwrap();
        let mut blocks = Blocks::open(&path).unwrap();
        let mut all = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            all.push(block);
        }
        all
    }

    #[test]
    fn blocks_are_the_file_cut_between_lines() {
        assert!(blocks(b"").is_empty());
        assert_eq!(blocks(b"a\n\nbc"), [b"a\n\nbc"]);
        let many: Vec<Vec<u8>> = (0..90_000).map(|n| vec![b'x'; n % 97]).collect();
        for end in [&b""[..], b"\n"] {
            let content = [many.join(&b'\n'), end.to_vec()].concat();
            let blocks = blocks(&content);
            assert!(blocks.len() > 1 && blocks[..blocks.len() - 1].iter().all(|block| block.ends_with(b"\n")));
            assert_eq!(blocks.concat(), content);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_its_rest_passed_over() {
        for length in [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let content = [b"before\n", &vec![b'x'; length][..], b"\nafter\nlast"].concat();
            let all = blocks(&content).concat();
            let lines: Vec<&[u8]> = all.split(|byte| *byte == b'\n').collect();
            assert!(all.starts_with(b"before\nx") && all.ends_with(b"after\nlast"), "{length}");
            assert!(lines.iter().filter(|line| line.starts_with(b"x")).all(|line| line.len() > limits::LINE_BYTES), "{length}");
        }
    }
}
