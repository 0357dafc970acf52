//! Bit fields in base64url, highest bit first, as TCF and GPP write them.

use crate::SignalError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The value of each byte as a letter of the alphabet; 64 for others.
static VALUES: [u8; 256] = values();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "made when the crate is built, of an alphabet of 64 letters")]
const fn values() -> [u8; 256] {
    let mut values = [64; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// How many zeros follow the bits: what [`BitReader::number`] looks at.
const WINDOW: usize = 9;

/// Reads bit fields one after the other.
#[derive(Debug, Clone)]
pub(crate) struct BitReader {
    /// The bits, and after them enough zeros to look at eight bytes and one more wherever a field begins.
    bytes: Vec<u8>,
    /// How many bits there are: six for each letter.
    length: usize,
    next: usize,
}

impl BitReader {
    /// The bits of a base64url text without padding.
    pub(crate) fn of(text: &str) -> Result<Self, SignalError> {
        let value = |letter: &u8| VALUES.get(usize::from(*letter)).copied().unwrap_or(64);
        let mut bytes = Vec::with_capacity(text.len().div_ceil(4) * 3 + WINDOW);
        let (fours, rest) = text.as_bytes().as_chunks::<4>();
        // All values together: a letter of another alphabet leaves its 64 there.
        let mut seen = 0;
        let mut four = |letters: &[u8; 4]| {
            let [a, b, c, d] = letters.each_ref().map(value);
            seen |= a | b | c | d;
            bytes.extend([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        };
        fours.iter().for_each(&mut four);
        if !rest.is_empty() {
            let mut letters = [b'A'; 4];
            letters.iter_mut().zip(rest).for_each(|(letter, rest)| *letter = *rest);
            four(&letters);
        }
        if seen >= 64 {
            let is_wrong = |(_, letter): &(usize, char)| u8::try_from(*letter).map_or(64, |letter| value(&letter)) == 64;
            let (place, letter) = text.char_indices().find(is_wrong).unwrap_or_default();
            return Err(SignalError::new(701, format!("`{}` at character {place} is not of the base64url alphabet", letter.escape_default())));
        }
        bytes.extend([0; WINDOW]);
        Ok(Self { bytes, length: text.len() * 6, next: 0 })
    }

    /// The place of the next bit.
    pub(crate) const fn place(&self) -> usize {
        self.next
    }

    /// Bits that were not read yet.
    pub(crate) const fn left(&self) -> usize {
        self.length.saturating_sub(self.next)
    }

    /// The next bit, of the field `name`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, SignalError> {
        Ok(self.number(1, name)? == 1)
    }

    /// The next `width` bits, at most 64, as a number.
    pub(crate) fn number(&mut self, width: usize, name: &str) -> Result<u64, SignalError> {
        let wanted = width.min(64);
        if wanted > self.left() {
            self.next = self.length;
            return Err(SignalError::new(702, format!("the string ends within {name}")).at(self.next));
        }
        if wanted == 0 {
            return Ok(0);
        }
        let (byte, skipped) = (self.next / 8, self.next % 8);
        let eight = self.bytes.get(byte..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_be_bytes(*eight));
        let ninth = u64::from(self.bytes.get(byte + 8).copied().unwrap_or(0));
        self.next += wanted;
        Ok((eight << skipped | ninth << skipped >> 8) >> (64 - wanted))
    }
}

/// Writes bit fields one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    pub(crate) fn flag(&mut self, bit: bool) {
        self.bits.push(bit);
    }

    /// The lowest `width` bits, at most 64, of `number`.
    pub(crate) fn number(&mut self, number: u64, width: usize) {
        self.bits.extend((0..width.min(64)).rev().map(|shift| number >> shift & 1 == 1));
    }

    /// The bits that another writer wrote.
    pub(crate) fn append(&mut self, other: &Self) {
        self.bits.extend_from_slice(&other.bits);
    }

    /// How many bits were written.
    pub(crate) fn len(&self) -> usize {
        self.bits.len()
    }

    /// As base64url without padding; zeros fill up to a multiple of `multiple` bits, and the last letter.
    pub(crate) fn into_text(mut self, multiple: usize) -> String {
        let length = self.bits.len().next_multiple_of(multiple.max(1)).next_multiple_of(6);
        self.bits.resize(length, false);
        let value = |bits: &[bool]| bits.iter().fold(0_usize, |value, bit| value << 1 | usize::from(*bit));
        self.bits.chunks(6).filter_map(|bits| ALPHABET.get(value(bits))).map(|letter| char::from(*letter)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = BitWriter::default();
        writer.number(5, 6);
        writer.flag(true);
        writer.number(u64::MAX, 64);
        assert_eq!(writer.len(), 71);
        let text = writer.into_text(8);
        let mut reader = BitReader::of(&text).unwrap();
        assert_eq!((reader.number(6, "a"), reader.flag("b"), reader.number(64, "c"), reader.place()), (Ok(5), Ok(true), Ok(u64::MAX), 71));
        assert!(reader.left() < 8);
        assert_eq!(reader.number(8, "d").unwrap_err().code, 702);
        assert_eq!(BitReader::of("AB=").unwrap_err().code, 701);
        assert!(BitReader::of("AÄB").unwrap_err().what.contains("`\\u{c4}` at character 1"));
    }

    #[test]
    fn fields_of_any_width_are_read_wherever_they_begin() {
        let text: String = (0..40).filter_map(|n| ALPHABET.get(n * 29 % 64)).map(|letter| char::from(*letter)).collect();
        let whole = BitReader::of(&text).unwrap();
        for start in 0..20 {
            for width in 0..=64 {
                let (mut together, mut alone) = (whole.clone(), whole.clone());
                let begin = (together.number(start, "x"), alone.number(start, "x"));
                assert_eq!(begin.0, begin.1);
                let bits = (0..width).fold(0, |number, _| number << 1 | u64::from(alone.flag("x").unwrap()));
                assert_eq!(together.number(width, "x"), Ok(bits), "{width} bits from {start}");
            }
        }
    }
}
