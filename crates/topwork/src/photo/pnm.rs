//! PNM (P1 to P6): a header of numbers and plain samples, read here.

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, SampleRange, Unreadable};

/// The largest value where samples use all of 16 bits.
const ALL_BITS: u32 = 65_535;

pub(super) fn decode(bytes: &[u8], limits: &Limits, range: SampleRange) -> Result<Decoded, Unreadable> {
    let kind = bytes[1] - b'0';
    let mut text = Text { bytes, at: 2 };
    let (width, height) = (text.number()?, text.number()?);
    let is_bitmap = matches!(kind, 1 | 4);
    let largest = if is_bitmap { 1 } else { text.number()? };
    if !(1..=65_535).contains(&largest) {
        return Err(Unreadable::corrupt(format!("a largest value of {largest}")));
    }
    // Samples of 16 bits are held twice.
    let held = if largest == ALL_BITS { 3 * (2 + 1) } else { 3 };
    limits.check_size(u64::from(width), u64::from(height), held + 3)?;
    let layout = if matches!(kind, 3 | 6) { Layout::Rgb } else { Layout::Grey };
    let row = width as usize * layout.samples();
    let count = row * height as usize;
    if largest == ALL_BITS {
        let samples: Vec<u16> = match kind {
            2 | 3 => (0..count)
                .map(|_| text.number().map(|value| value.min(ALL_BITS) as u16))
                .collect::<Result<_, _>>()?,
            _ => text.pairs(count)?.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        };
        let (samples, counts) = range.narrow(&samples, layout, None);
        let photo = Photo { width, height, pixels: pixels::rgb(layout, samples) };
        return Ok(Decoded { photo, orientation: Orientation::UPRIGHT, counts: Some(counts) });
    }
    // What the file declares is stretched and rounded.
    let scale = |value: u32| ((value.min(largest) * 255 + largest / 2) / largest) as u8;
    let samples: Vec<u8> = match kind {
        1 => (0..count).map(|_| text.bit()).collect::<Result<_, _>>()?,
        2 | 3 => (0..count).map(|_| text.number().map(scale)).collect::<Result<_, _>>()?,
        4 => {
            let stride = row.div_ceil(8);
            let data = text.samples(stride * height as usize)?;
            let bits = |line: &[u8]| {
                (0..row).map(|at| grey_of_bit(line[at / 8] >> (7 - at % 8) & 1)).collect::<Vec<_>>()
            };
            data.chunks_exact(stride).flat_map(bits).collect()
        }
        _ if largest < 256 => text.samples(count)?.iter().map(|sample| scale(u32::from(*sample))).collect(),
        _ => text.pairs(count)?.iter().map(|pair| scale(u32::from(u16::from_be_bytes(*pair)))).collect(),
    };
    let photo = Photo { width, height, pixels: pixels::rgb(layout, samples) };
    Ok(Decoded::new(photo, Orientation::UPRIGHT))
}

/// The largest value that the samples of a file have, if they have more than one bit.
pub(super) fn largest_value(bytes: &[u8]) -> Option<u32> {
    let mut text = Text { bytes, at: 2 };
    let is_bitmap = matches!(bytes.get(1)?, b'1' | b'4');
    let mut number = || text.number().ok();
    (!is_bitmap).then(|| number().and(number()).and(number()))?
}

/// A set bit is black.
fn grey_of_bit(bit: u8) -> u8 {
    if bit == 0 { 255 } else { 0 }
}

struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    /// The next decimal number, and the one sign behind it: where the file ends instead, the number may be cut off.
    fn number(&mut self) -> Result<u32, Unreadable> {
        self.skip_space();
        let digits = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = self.at + digits;
        let Ok(text) = str::from_utf8(&self.bytes[self.at..end]) else { return Err(not_a_number()) };
        if end == self.bytes.len() {
            return Err(ends());
        }
        let number = text.parse().map_err(|_| not_a_number())?;
        self.at = end + 1;
        Ok(number)
    }

    /// The next sign of a plain bitmap.
    fn bit(&mut self) -> Result<u8, Unreadable> {
        self.skip_space();
        let sign = *self.bytes.get(self.at).ok_or_else(ends)?;
        self.at += 1;
        match sign {
            b'0' | b'1' => Ok(grey_of_bit(sign - b'0')),
            _ => Err(not_a_number()),
        }
    }

    fn pairs(&self, count: usize) -> Result<&'a [[u8; 2]], Unreadable> {
        Ok(self.samples(count * 2)?.as_chunks::<2>().0)
    }

    fn samples(&self, count: usize) -> Result<&'a [u8], Unreadable> {
        self.bytes[self.at..].get(..count).ok_or_else(ends)
    }

    /// Skips white space, and comments from `#` to the end of the line.
    fn skip_space(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            if *byte == b'#' {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            } else if byte.is_ascii_whitespace() {
                self.at += 1;
            } else {
                return;
            }
        }
    }
}

fn ends() -> Unreadable {
    Unreadable::truncated("the file ends within the picture")
}

fn not_a_number() -> Unreadable {
    Unreadable::corrupt("a number was expected")
}
