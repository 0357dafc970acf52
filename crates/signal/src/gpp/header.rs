//! The header: type 3, version 1, and the ids of the sections as ranges of Fibonacci-coded distances.

use crate::SignalError;
use crate::bits::{BitReader, BitWriter};
use crate::ranges;

const TYPE: u64 = 3;
const VERSION: u64 = 1;

/// The ids that a header names, rising: at most 65535, whatever the header says.
pub(super) fn decode(text: &str) -> Result<Vec<u16>, SignalError> {
    let mut bits = BitReader::of(text)?;
    for (name, expected) in [("Type", TYPE), ("Version", VERSION)] {
        let place = bits.place();
        let found = bits.number(6, name)?;
        if found != expected {
            return Err(SignalError::new(704, format!("{name} is {found} where this crate knows {expected}")).at(place));
        }
    }
    let ids = ranges::read(&mut bits, "SectionIds")?.into_iter().flat_map(|(first, last)| first..=last).collect();
    // Only zeros fill up: anything else is a header that is not understood, and the ids are perhaps not these.
    while bits.left() > 0 {
        let place = bits.place();
        if bits.flag("padding")? {
            return Err(SignalError::new(705, "there is more after the last section id").at(place));
        }
    }
    Ok(ids)
}

/// The header of rising ids: two or more in a row are a range, as IAB's library writes it.
pub(super) fn encode(ids: impl Iterator<Item = u16>) -> Result<String, SignalError> {
    let spans = ranges::spans(ids);
    if spans.first().is_some_and(|(first, _)| *first == 0) {
        return Err(SignalError::new(704, "there is no section 0"));
    }
    if spans.len() > ranges::MOST {
        return Err(SignalError::new(705, format!("a header holds at most {} groups of sections, and these are {}", ranges::MOST, spans.len())));
    }
    let mut bits = BitWriter::default();
    bits.number(TYPE, 6);
    bits.number(VERSION, 6);
    ranges::write(&mut bits, &spans);
    Ok(bits.into_text(8))
}
