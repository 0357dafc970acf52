//! A file in blocks of whole lines.

use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use super::input::Input;
use crate::{IngestError, limits};

/// Bytes of a block, more or less.
const BLOCK: usize = 1 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Lines, and the buffer that they lie in.
#[derive(Default)]
pub(super) struct Block {
    buffer: Vec<u8>,
    lines: Range<usize>,
}

impl Block {
    /// Whole lines, the last of which may lack its end.
    pub(super) fn lines(&self) -> &[u8] {
        self.buffer.get(self.lines.clone()).unwrap_or_default()
    }

    /// The buffer, for another block.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// The blocks of a file, decompressed if need be. A line that is longer than any may be is cut.
pub(super) struct Blocks {
    input: Input,
    /// What was read after the last whole line.
    rest: Vec<u8>,
    /// Whether the end of a line that was cut is still to come.
    cut: bool,
    ended: bool,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        Ok(Self { input: Input::open(path)?, rest: Vec::new(), cut: false, ended: false })
    }

    /// The next lines, read into `buffer`, whatever it held; none after the last.
    pub(super) fn next(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Block>> {
        loop {
            let mut filled = self.rest.len();
            buffer.resize(buffer.len().max(BLOCK + CHUNK).max(filled + CHUNK), 0);
            buffer.iter_mut().zip(self.rest.drain(..)).for_each(|(to, from)| *to = from);
            while !self.ended && filled < BLOCK {
                let read = self.read_on(buffer.get_mut(filled..).unwrap_or_default())?;
                self.ended = read == 0;
                filled += read;
            }
            let content = buffer.get(..filled).unwrap_or_default();
            if content.is_empty() {
                return Ok(None);
            }
            if self.cut {
                // The end of a line whose beginning was handed out.
                let end = memchr::memchr(b'\n', content);
                self.cut = end.is_none() && !self.ended;
                self.rest.extend_from_slice(content.get(end.map_or(filled, |end| end + 1)..).unwrap_or_default());
                continue;
            }
            let whole = if self.ended { filled } else { memchr::memrchr(b'\n', content).map_or(0, |end| end + 1) };
            if whole == 0 {
                // One line fills the block: its beginning says enough.
                self.cut = true;
                return Ok(Some(Block { buffer, lines: 0..filled.min(limits::LINE_BYTES + 1) }));
            }
            self.rest.extend_from_slice(content.get(whole..).unwrap_or_default());
            return Ok(Some(Block { buffer, lines: 0..whole }));
        }
    }

    fn read_on(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = room.len().min(CHUNK);
        let room = room.get_mut(..most).unwrap_or_default();
        loop {
            match self.input.read(room) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// Bytes of the file that were read.
    pub(super) fn consumed(&self) -> u64 {
        self.input.consumed()
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub(super) fn finish(self) -> io::Result<String> {
        self.input.finish()
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn blocks(content: &[u8]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, content).unwrap();
        let mut blocks = Blocks::open(&path).unwrap();
        let (mut all, mut spare) = (Vec::new(), Vec::new());
        while let Some(block) = blocks.next(spare).unwrap() {
            all.push(block.lines().to_vec());
            spare = block.into_buffer();
        }
        assert_eq!((blocks.consumed(), blocks.finish().unwrap()), (content.len() as u64, hex::encode(Sha256::digest(content))));
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
        for length in [limits::LINE_BYTES - 1, limits::LINE_BYTES, limits::LINE_BYTES + 1, BLOCK + CHUNK, 3 * BLOCK] {
            let content = [b"before\n", &vec![b'x'; length][..], b"\nafter\nlast"].concat();
            let all = blocks(&content).concat();
            let lines: Vec<&[u8]> = all.split(|byte| *byte == b'\n').collect();
            assert!(all.starts_with(b"before\nx") && all.ends_with(b"after\nlast"), "{length}");
            // What is cut is longer than a line may be, or no line by itself.
            let found: Vec<usize> = lines.iter().filter(|line| line.starts_with(b"x")).map(|line| line.len()).collect();
            assert!(matches!(found.as_slice(), [only] if *only == length || length > limits::LINE_BYTES && *only >= limits::LINE_BYTES), "{length}: {found:?}");
        }
    }
}
