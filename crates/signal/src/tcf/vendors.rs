//! Sets of vendors: a bit for each, or ranges.

use std::collections::BTreeSet;

use crate::SignalError;
use crate::bits::{BitReader, BitWriter};

use super::decode::number;

/// First and last vendor, both included.
pub(super) type Span = (u16, u16);

/// `NumEntries` has 12 bits.
pub(super) const MOST_ENTRIES: usize = 4_095;

/// A section with `MaxVendorId`.
pub(super) fn read(bits: &mut BitReader, name: &str) -> Result<BTreeSet<u16>, SignalError> {
    let most: u16 = number(bits, 16, name)?;
    if bits.flag(name)? {
        return Ok(united(entries(bits, most, name)?));
    }
    let mut vendors = Vec::new();
    for vendor in 1..=most {
        if bits.flag(name)? {
            vendors.push(vendor);
        }
    }
    Ok(vendors.into_iter().collect())
}

/// `NumEntries` and the entries, of vendors 1 to `most`. They are not spelled out here: a few bits can name
/// all vendors, again and again.
pub(super) fn entries(bits: &mut BitReader, most: u16, name: &str) -> Result<Vec<Span>, SignalError> {
    let count = bits.number(12, name)?;
    let mut spans = Vec::new();
    for _ in 0..count {
        let is_range = bits.flag(name)?;
        let at = bits.place();
        let start: u16 = number(bits, 16, name)?;
        let end = if is_range { number(bits, 16, name)? } else { start };
        if start == 0 || start > end || end > most {
            let what = format!("{name} has vendors {start} to {end}, and vendors go up from 1 to {most}");
            return Err(SignalError::new(703, what).at(at));
        }
        spans.push((start, end));
    }
    Ok(spans)
}

/// The vendors in any of `spans`, each looked at once.
pub(super) fn united(mut spans: Vec<Span>) -> BTreeSet<u16> {
    spans.sort_unstable();
    let mut vendors = Vec::new();
    let mut last = 0_u16;
    for (start, end) in spans {
        vendors.extend(start.max(last.saturating_add(1))..=end);
        last = last.max(end);
    }
    vendors.into_iter().collect()
}

/// The fewest spans with exactly these vendors.
pub(super) fn spans(vendors: &BTreeSet<u16>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for vendor in vendors {
        match spans.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(*vendor) => *end = *vendor,
            _ => spans.push((*vendor, *vendor)),
        }
    }
    spans
}

/// Writes a section with `MaxVendorId`, in the shorter of the two forms.
pub(super) fn write(bits: &mut BitWriter, vendors: &BTreeSet<u16>, name: &str) -> Result<(), SignalError> {
    without_zero(vendors, name)?;
    let most = vendors.last().copied().unwrap_or(0);
    let spans = spans(vendors);
    let as_entries: usize = 12 + spans.iter().map(|(start, end)| if start == end { 17 } else { 33 }).sum::<usize>();
    // Ranges if both are as long, as the IAB does. More entries than can be counted are always longer.
    let as_ranges = as_entries <= usize::from(most);
    bits.number(u64::from(most), 16);
    bits.flag(as_ranges);
    if as_ranges {
        write_entries(bits, &spans);
    } else {
        (1..=most).for_each(|vendor| bits.flag(vendors.contains(&vendor)));
    }
    Ok(())
}

/// Writes `NumEntries` and the entries, at most [`MOST_ENTRIES`].
pub(super) fn write_entries(bits: &mut BitWriter, spans: &[Span]) {
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
pub(super) fn without_zero(vendors: &BTreeSet<u16>, name: &str) -> Result<(), SignalError> {
    if vendors.contains(&0) { Err(SignalError::new(703, format!("{name} has vendor 0, and vendors go up from 1"))) } else { Ok(()) }
}
