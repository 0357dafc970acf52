//! The header: type 3, version 1, and the ids of the sections as ranges of Fibonacci-coded distances.

use crate::SignalError;
use crate::bits::{BitReader, BitWriter};

const TYPE: u64 = 3;
const VERSION: u64 = 1;
/// Twelve bits count the groups of ids.
const MOST_GROUPS: usize = 4095;

/// The ids that a header names, rising. Distances are at least 1, so none can come twice.
pub(super) fn decode(text: &str) -> Result<Vec<u16>, SignalError> {
    let mut bits = BitReader::of(text)?;
    for (name, expected) in [("Type", TYPE), ("Version", VERSION)] {
        let place = bits.place();
        let found = bits.number(6, name)?;
        if found != expected {
            return Err(SignalError::new(704, format!("{name} is {found} where this crate knows {expected}")).at(place));
        }
    }
    let groups = bits.number(12, "SectionIds")?;
    let mut ids = Vec::new();
    let mut last = 0;
    // Each id is at most 65535 and more than the one before: so many at most, whatever the header says.
    for _ in 0..groups {
        let is_range = bits.flag("SectionIds")?;
        let first = distance(&mut bits, last)?;
        last = if is_range { distance(&mut bits, first)? } else { first };
        ids.extend(first..=last);
    }
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
    let mut groups: Vec<(u16, u16)> = Vec::new();
    for id in ids {
        match groups.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            _ => groups.push((id, id)),
        }
    }
    let count = u64::try_from(groups.len()).ok().filter(|_| groups.len() <= MOST_GROUPS);
    let count = count.ok_or_else(|| SignalError::new(705, format!("a header holds at most {MOST_GROUPS} groups of sections, and these are {}", groups.len())))?;
    let mut bits = BitWriter::default();
    bits.number(TYPE, 6);
    bits.number(VERSION, 6);
    bits.number(count, 12);
    let mut before = 0;
    for (first, last) in groups {
        bits.flag(first != last);
        write_fibonacci(&mut bits, first.saturating_sub(before))?;
        if first != last {
            write_fibonacci(&mut bits, last.saturating_sub(first))?;
        }
        before = last;
    }
    Ok(bits.into_text(8))
}

/// The id that lies a coded distance after `from`.
fn distance(bits: &mut BitReader, from: u16) -> Result<u16, SignalError> {
    let place = bits.place();
    let distance = fibonacci(bits)?.and_then(|distance| from.checked_add(distance));
    distance.ok_or_else(|| SignalError::new(703, "SectionIds names a section above 65535").at(place))
}

/// A number in Fibonacci code: a bit for each of 1, 2, 3, 5, 8 …, smallest first, ended by a second 1 in a
/// row. Nothing when it is above 65535.
fn fibonacci(bits: &mut BitReader) -> Result<Option<u16>, SignalError> {
    let (mut weight, mut next) = (1_u64, 2_u64);
    let (mut sum, mut before) = (0_u64, false);
    loop {
        let bit = bits.flag("SectionIds")?;
        if bit && before {
            return Ok(u16::try_from(sum).ok());
        }
        if bit {
            sum = sum.saturating_add(weight);
        }
        before = bit;
        (weight, next) = (next, weight.saturating_add(next));
    }
}

fn write_fibonacci(bits: &mut BitWriter, number: u16) -> Result<(), SignalError> {
    if number == 0 {
        return Err(SignalError::new(704, "there is no section 0"));
    }
    let mut left = u32::from(number);
    let steps = std::iter::successors(Some((1_u32, 2_u32)), |(weight, next)| Some((*next, weight + next)));
    let weights: Vec<u32> = steps.map(|(weight, _)| weight).take_while(|weight| *weight <= left).collect();
    let mut code: Vec<bool> = weights
        .iter()
        .rev()
        .map(|weight| {
            let is_part = *weight <= left;
            left -= if is_part { *weight } else { 0 };
            is_part
        })
        .collect();
    code.reverse();
    code.into_iter().chain([true]).for_each(|bit| bits.flag(bit));
    Ok(())
}
