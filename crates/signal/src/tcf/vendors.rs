//! Sets of vendors: a bit for each, or ranges.

use crate::bits::{BitReader, BitWriter};
use crate::ranges::{self, MOST, Span};
use crate::{IdSet, SignalError};

use super::decode::number;

/// How the ranges of a set are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Ids of 16 bits: TCF of Europe, and of Canada in older strings.
    Fixed,
    /// Distances in Fibonacci code: TCF of Canada.
    Fibonacci,
}

/// A section with `MaxVendorId`.
pub(super) fn read(bits: &mut BitReader, coding: Coding, name: &str) -> Result<IdSet, SignalError> {
    let at = bits.place();
    let most: u16 = number(bits, 16, name)?;
    match (bits.flag(name)?, coding) {
        (false, _) => IdSet::read(bits, most, name),
        (true, Coding::Fixed) => entries(bits, most, name),
        (true, Coding::Fibonacci) => {
            let mut vendors = IdSet::default();
            ranges::read(bits, name)?.into_iter().for_each(|span| vendors.insert_span(span));
            // Writers agree on this: where it does not hold, the ranges are in the other code.
            let ends = vendors.last().unwrap_or(0) == most;
            ends.then_some(vendors).ok_or_else(|| SignalError::new(703, format!("{name} does not end with vendor {most}, its MaxVendorId")).at(at))
        }
    }
}

/// `NumEntries` and the entries, of vendors 1 to `most`.
pub(super) fn entries(bits: &mut BitReader, most: u16, name: &str) -> Result<IdSet, SignalError> {
    let count = bits.number(12, name)?;
    let mut vendors = IdSet::default();
    for _ in 0..count {
        let is_range = bits.flag(name)?;
        let at = bits.place();
        let start: u16 = number(bits, 16, name)?;
        let end = if is_range { number(bits, 16, name)? } else { start };
        if start == 0 || start > end || end > most {
            let what = format!("{name} has vendors {start} to {end}, and vendors go up from 1 to {most}");
            return Err(SignalError::new(703, what).at(at));
        }
        vendors.insert_span((start, end));
    }
    Ok(vendors)
}

/// Writes a section with `MaxVendorId`, in the shorter of the two forms.
pub(super) fn write(bits: &mut BitWriter, vendors: &IdSet, coding: Coding, name: &str) -> Result<(), SignalError> {
    without_zero(vendors, name)?;
    let most = vendors.last().unwrap_or(0);
    let spans = ranges::spans(vendors);
    let mut as_ranges = BitWriter::default();
    write_entries(&mut as_ranges, &spans, coding);
    // Ranges if both are as long, as the IAB does. More of them than can be counted take more bits in Fixed,
    // and can take fewer in Fibonacci.
    let is_ranges = as_ranges.len() <= usize::from(most) && spans.len() <= MOST;
    bits.number(u64::from(most), 16);
    bits.flag(is_ranges);
    if is_ranges {
        bits.append(&as_ranges);
    } else {
        vendors.write(bits, most);
    }
    Ok(())
}

/// Writes how many entries there are, at most [`MOST`], and the entries.
pub(super) fn write_entries(bits: &mut BitWriter, spans: &[Span], coding: Coding) {
    if coding == Coding::Fibonacci {
        return ranges::write(bits, spans);
    }
    bits.number(spans.len() as u64, 12);
    for (start, end) in spans {
        bits.flag(start != end);
        bits.number(u64::from(*start), 16);
        if start != end {
            bits.number(u64::from(*end), 16);
        }
    }
}

/// Vendors are numbered from 1.
pub(super) fn without_zero(vendors: &IdSet, name: &str) -> Result<(), SignalError> {
    if vendors.contains(0) { Err(SignalError::new(703, format!("{name} has vendor 0, and vendors go up from 1"))) } else { Ok(()) }
}
