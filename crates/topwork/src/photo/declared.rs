//! Which files have samples of 16 bits, and how many of these they say that they use.

use super::format::Format;
use super::samples::SAMPLE_BITS;
use super::{pnm, tiff};

/// `Some` for a file whose samples have 16 bits, with the fewer bits that it declares if it does.
pub(super) fn declared(bytes: &[u8]) -> Option<Option<u8>> {
    let bits = match Format::of(bytes) {
        Ok(Format::Png) => png_bits(bytes)?,
        Ok(Format::Tiff) => tiff::declared_bits(bytes)?,
        Ok(Format::Pnm) => (pnm::largest_value(bytes)? == 65_535).then_some(16)?,
        _ => return None,
    };
    Some(SAMPLE_BITS.into_iter().find(|one| *one >= bits).filter(|bits| *bits < 16))
}

/// The significant bits of a PNG of 16 bits: 16, or the most that its chunk `sBIT` says of a channel.
fn png_bits(bytes: &[u8]) -> Option<u8> {
    const SIGNATURE: usize = 8;
    if *bytes.get(SIGNATURE + 16)? != 16 {
        return None;
    }
    let mut at = SIGNATURE;
    loop {
        let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        match bytes.get(at + 4..at + 8)? {
            b"sBIT" => {
                let bits = bytes.get(at + 8..)?.get(..length.min(4))?;
                return Some(bits.iter().copied().max().filter(|bits| (1..=16).contains(bits)).unwrap_or(16));
            }
            b"IDAT" | b"IEND" => return Some(16),
            _ => at = at.checked_add(length)?.checked_add(12)?,
        }
    }
}
