//! Rising ids as ranges, and ranges in Fibonacci code as GPP writes them: the distances to the first id and on
//! to the last, each with a bit for each of 1, 2, 3, 5, 8 …, smallest first, ended by a second 1 in a row.

use crate::SignalError;
use crate::bits::{BitReader, BitWriter};

/// First and last id, both included.
pub(crate) type Span = (u16, u16);

/// Twelve bits count ranges.
pub(crate) const MOST: usize = 4_095;

/// The fewest spans with exactly these rising ids.
pub(crate) fn spans(ids: impl IntoIterator<Item = u16>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for id in ids {
        match spans.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(id) => *end = id,
            _ => spans.push((id, id)),
        }
    }
    spans
}

/// Reads how many ranges there are, and the ranges. No distance is 0: they rise, and no id comes twice.
pub(crate) fn read(bits: &mut BitReader, name: &str) -> Result<Vec<Span>, SignalError> {
    let count = bits.number(12, name)?;
    let mut spans = Vec::new();
    let mut last = 0;
    for _ in 0..count {
        let is_range = bits.flag(name)?;
        let first = after(bits, last, name)?;
        last = if is_range { after(bits, first, name)? } else { first };
        spans.push((first, last));
    }
    Ok(spans)
}

/// Writes at most [`MOST`] ranges of ids from 1, and how many they are.
pub(crate) fn write(bits: &mut BitWriter, spans: &[Span]) {
    bits.number(spans.len() as u64, 12);
    let mut before = 0;
    for (first, last) in spans {
        bits.flag(first != last);
        write_distance(bits, first.saturating_sub(before));
        if first != last {
            write_distance(bits, last.saturating_sub(*first));
        }
        before = *last;
    }
}

/// The id that lies a coded distance after `from`.
fn after(bits: &mut BitReader, from: u16, name: &str) -> Result<u16, SignalError> {
    let place = bits.place();
    let id = distance(bits, name)?.and_then(|distance| from.checked_add(distance));
    id.ok_or_else(|| SignalError::new(703, format!("{name} has a number above 65535")).at(place))
}

/// A distance, or nothing when it is above 65535.
fn distance(bits: &mut BitReader, name: &str) -> Result<Option<u16>, SignalError> {
    let (mut weight, mut next) = (1_u64, 2_u64);
    let (mut sum, mut before) = (0_u64, false);
    loop {
        let bit = bits.flag(name)?;
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

fn write_distance(bits: &mut BitWriter, distance: u16) {
    let mut left = u32::from(distance);
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
}
