//! Bit fields in base64url, highest bit first, as TCF and GPP write them.

use crate::SignalError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Reads bit fields one after the other.
#[derive(Debug, Clone)]
pub(crate) struct BitReader {
    bits: Vec<bool>,
    next: usize,
}

impl BitReader {
    /// The bits of a base64url text without padding.
    pub(crate) fn of(text: &str) -> Result<Self, SignalError> {
        let mut bits = Vec::with_capacity(text.len() * 6);
        for (place, letter) in text.char_indices() {
            let value = u8::try_from(letter).ok().and_then(|letter| ALPHABET.iter().position(|a| *a == letter));
            let value = value.ok_or_else(|| SignalError::new(701, format!("`{}` at character {place} is not of the base64url alphabet", letter.escape_default())))?;
            bits.extend((0..6).rev().map(|shift| value >> shift & 1 == 1));
        }
        Ok(Self { bits, next: 0 })
    }

    /// The place of the next bit.
    pub(crate) const fn place(&self) -> usize {
        self.next
    }

    /// Bits that were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.bits.len().saturating_sub(self.next)
    }

    /// The next bit, of the field `name`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, SignalError> {
        let bit = self.bits.get(self.next).copied().ok_or_else(|| SignalError::new(702, format!("the string ends within {name}")).at(self.next))?;
        self.next += 1;
        Ok(bit)
    }

    /// The next `width` bits, at most 64, as a number.
    pub(crate) fn number(&mut self, width: usize, name: &str) -> Result<u64, SignalError> {
        let mut number = 0;
        for _ in 0..width.min(64) {
            number = number << 1 | u64::from(self.flag(name)?);
        }
        Ok(number)
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
    }
}
