//! The orientation out of an EXIF block: the one tag of the first directory, and nothing else.
//!
//! The block is a small TIFF file. Each number is read through a bounds check, and no offset is followed but the
//! first directory's, so that a broken or looping block costs nothing and means "no orientation".

use super::orientation::Orientation;
use super::xmp;

/// Tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// Types of a 16-bit and of a 32-bit number.
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// The orientation in a block that starts with its byte order (`II` or `MM`), with or without the `Exif\0\0`
/// that JPEG puts before it; where it tells none, in the XMP packet. Anything invalid is upright.
pub(super) fn orientation(block: Option<&[u8]>, packet: Option<&[u8]>) -> Orientation {
    let tagged = block.and_then(|block| tag(block.strip_prefix(b"Exif\0\0").unwrap_or(block), ORIENTATION));
    Orientation::of(tagged.or_else(|| packet.and_then(xmp::orientation)).unwrap_or(1))
}

/// The first value of a tag of the first directory, of which the lower 16 bits count where it has 32.
pub(super) fn tag(block: &[u8], wanted: u16) -> Option<u16> {
    short(block, tag_place(block, wanted)?)
}

/// Where its 16 bits stand.
pub(super) fn tag_place(block: &[u8], wanted: u16) -> Option<usize> {
    let directory = usize::try_from(long(block, 4)?).ok()?;
    let entries = usize::from(short(block, directory)?);
    for entry in 0..entries {
        let at = directory.checked_add(2 + entry * 12)?;
        if short(block, at)? == wanted {
            if long(block, at + 4)? == 0 {
                return None;
            }
            // The lower half of a number comes last where its highest byte comes first.
            return match short(block, at + 2)? {
                SHORT => Some(at + 8),
                LONG if is_big_endian(block)? => Some(at + 10),
                LONG => Some(at + 8),
                _ => None,
            };
        }
    }
    None
}

/// Whether the first byte of a number is its highest.
pub(super) fn is_big_endian(block: &[u8]) -> Option<bool> {
    match block.get(..4)? {
        b"II*\0" => Some(false),
        b"MM\0*" => Some(true),
        _ => None,
    }
}

fn short(block: &[u8], at: usize) -> Option<u16> {
    let bytes = block.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(if is_big_endian(block)? { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

fn long(block: &[u8], at: usize) -> Option<u32> {
    let bytes = block.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if is_big_endian(block)? { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orientation_may_be_a_long_number() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0";
        for block in [little, big] {
            assert_eq!(orientation(Some(block), None), Orientation::of(6), "{block:?}");
        }
        // Of another type, or without a value, it is none.
        for (place, byte) in [(12, 2), (14, 0)] {
            let mut block = *little;
            block[place] = byte;
            assert_eq!(orientation(Some(&block), None), Orientation::UPRIGHT);
        }
    }
}
