//! Uniform whole numbers by rejection.

use num_bigint::BigUint;

use super::{BitSource, NoiseError};

/// A uniform number below `end`, which must not be zero.
pub(crate) fn below(bits: &mut dyn BitSource, end: u128) -> Result<u128, NoiseError> {
    let width = 128 - end.saturating_sub(1).leading_zeros();
    let mut bytes = [0_u8; 16];
    loop {
        let used = bytes.get_mut(..usize::try_from(width.div_ceil(8)).unwrap_or(16)).ok_or(NoiseError)?;
        bits.fill(used)?;
        let drawn = u128::from_le_bytes(bytes) & mask(width);
        if drawn < end {
            return Ok(drawn);
        }
    }
}

const fn mask(width: u32) -> u128 {
    if width >= 128 { u128::MAX } else { (1 << width) - 1 }
}

/// The same for numbers of any size.
pub(super) fn below_big(bits: &mut dyn BitSource, end: &BigUint) -> Result<BigUint, NoiseError> {
    let width = end.bits();
    let mut bytes = vec![0_u8; usize::try_from(width.div_ceil(8)).map_err(|_| NoiseError)?];
    loop {
        bits.fill(&mut bytes)?;
        if let (Some(top), spare @ 1..) = (bytes.last_mut(), (8 - width % 8) % 8) {
            *top &= 0xff >> spare;
        }
        let drawn = BigUint::from_bytes_le(&bytes);
        if drawn < *end {
            return Ok(drawn);
        }
    }
}
