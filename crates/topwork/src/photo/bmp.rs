//! BMP: uncompressed pixels of 1 to 32 bits, with bit fields, and run-length coding of 4 and 8 bits; read here.
//!
//! Source: Microsoft's description of BITMAPINFOHEADER. The alpha of 32-bit pixels counts only where the header
//! declares a mask for it, as in Pillow.

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, Unreadable};

/// Compression numbers of the header.
const PLAIN: u32 = 0;
const RUNS_OF_8_BITS: u32 = 1;
const RUNS_OF_4_BITS: u32 = 2;
const BIT_FIELDS: u32 = 3;
const BIT_FIELDS_WITH_ALPHA: u32 = 6;

struct Header {
    width: usize,
    height: usize,
    top_first: bool,
    depth: usize,
    compression: u32,
    /// Masks of red, green, blue and alpha.
    masks: [u32; 4],
    palette: Vec<[u8; 3]>,
    /// Where the pixels start.
    data: usize,
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Unreadable> {
    let header = Header::read(bytes)?;
    let (width, height) = (header.width, header.height);
    limits.check_size(width as u64, height as u64, 4 + 3)?;
    let data = bytes.get(header.data..).ok_or_else(ends)?;
    let pixels = match header.compression {
        RUNS_OF_8_BITS | RUNS_OF_4_BITS => header.colours(&runs(&header, data)?)?,
        _ => header.plain(data)?,
    };
    let photo = Photo { width: width as u32, height: height as u32, pixels };
    Ok(Decoded::new(photo, Orientation::UPRIGHT))
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Unreadable> {
        let field =
            |at: usize| bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).ok_or_else(ends);
        let long = |at: usize| field(at).map(u32::from_le_bytes);
        let short = |at: usize| long(at).map(|value| value & 0xffff);
        let (data, size) = (long(10)? as usize, long(14)? as usize);
        let old = size == 12;
        if !old && !(16..=124).contains(&size) {
            return Err(Unreadable::corrupt(format!("a header of {size} bytes")));
        }
        let (width, height, depth) = if old {
            (short(18)? as i32, short(20)? as i32, short(24)?)
        } else {
            (long(18)? as i32, long(22)? as i32, short(28)?)
        };
        let compression = if size >= 20 { long(30)? } else { PLAIN };
        let mut masks = match depth {
            16 => [31 << 10, 31 << 5, 31, 0],
            _ => [0xff << 16, 0xff << 8, 0xff, 0],
        };
        if matches!(compression, BIT_FIELDS | BIT_FIELDS_WITH_ALPHA) {
            let count = if size >= 56 || compression == BIT_FIELDS_WITH_ALPHA { 4 } else { 3 };
            for (index, mask) in masks.iter_mut().enumerate().take(count) {
                *mask = long(54 + index * 4)?;
            }
        }
        let fits = match compression {
            PLAIN => matches!(depth, 1 | 2 | 4 | 8 | 16 | 24 | 32),
            RUNS_OF_8_BITS => depth == 8,
            RUNS_OF_4_BITS => depth == 4,
            BIT_FIELDS | BIT_FIELDS_WITH_ALPHA => matches!(depth, 16 | 32),
            _ => false,
        };
        if !fits {
            return Err(Unreadable::unsupported(format!(
                "compression {compression} of {depth} bits a pixel"
            )));
        }
        let palette = if depth > 8 {
            Vec::new()
        } else {
            let used = if size >= 36 { long(46)? as usize } else { 0 };
            let count = if used == 0 { 1 << depth } else { used.min(1 << depth) };
            let entry = if old { 3 } else { 4 };
            let entries = bytes.get(14 + size..).unwrap_or_default().chunks_exact(entry).take(count);
            entries.map(|entry| [entry[2], entry[1], entry[0]]).collect()
        };
        let (Ok(width), top_first) = (usize::try_from(width), height < 0) else {
            return Err(Unreadable::corrupt("a negative width"));
        };
        let height = height.unsigned_abs() as usize;
        Ok(Header { width, height, top_first, depth: depth as usize, compression, masks, palette, data })
    }

    fn plain(&self, data: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let stride = (self.width * self.depth).div_ceil(32) * 4;
        // The last row need not be padded.
        let needed = stride * (self.height - 1) + (self.width * self.depth).div_ceil(8);
        if data.len() < needed {
            return Err(ends());
        }
        let rows = (0..self.height).map(|row| {
            let row = if self.top_first { row } else { self.height - 1 - row };
            &data[row * stride..data.len().min((row + 1) * stride)]
        });
        match self.depth {
            24 => Ok(rows
                .flat_map(|row| row.chunks_exact(3).take(self.width))
                .flat_map(|it| [it[2], it[1], it[0]])
                .collect()),
            16 | 32 => {
                let bytes = self.depth / 8;
                let fields = self.masks.map(Field::of);
                let layout = if self.masks[3] == 0 { Layout::Rgb } else { Layout::RgbAlpha };
                let mut samples = Vec::with_capacity(self.width * self.height * layout.samples());
                for pixel in rows.flat_map(|row| row.chunks_exact(bytes).take(self.width)) {
                    let value = pixel.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                    samples.extend(fields[..layout.samples()].iter().map(|field| field.sample(value)));
                }
                Ok(pixels::rgb(layout, samples))
            }
            depth => {
                let per_byte = 8 / depth;
                let indices: Vec<u8> = rows
                    .flat_map(|row| {
                        (0..self.width).map(move |column| {
                            let shift = (per_byte - 1 - column % per_byte) * depth;
                            row[column / per_byte] >> shift & ((1u16 << depth) - 1) as u8
                        })
                    })
                    .collect();
                self.colours(&indices)
            }
        }
    }

    fn colours(&self, indices: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut pixels = Vec::with_capacity(indices.len() * 3);
        for index in indices {
            let colour = self.palette.get(usize::from(*index));
            pixels.extend(colour.ok_or_else(|| Unreadable::corrupt("a colour beyond the palette"))?);
        }
        Ok(pixels)
    }
}

/// A mask's place and what it takes to make a byte of it.
struct Field {
    mask: u32,
    shift: u32,
    largest: u64,
}

impl Field {
    fn of(mask: u32) -> Field {
        let shift = if mask == 0 { 0 } else { mask.trailing_zeros() };
        Field { mask, shift, largest: u64::from(mask >> shift) }
    }

    fn sample(&self, value: u32) -> u8 {
        let part = u64::from((value & self.mask) >> self.shift);
        (part * 255).checked_div(self.largest).unwrap_or(0) as u8
    }
}

/// The palette indices of run-length coded rows, top row first.
fn runs(header: &Header, data: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let (width, height) = (header.width, header.height);
    let is_nibbles = header.compression == RUNS_OF_4_BITS;
    let mut indices = vec![0; width * height];
    let (mut x, mut y) = (0, 0);
    let mut bytes = data.iter().copied();
    let mut next = || bytes.next().ok_or_else(ends);
    let mut put = |x: usize, y: usize, index: u8| {
        if x < width && y < height {
            let row = if header.top_first { y } else { height - 1 - y };
            indices[row * width + x] = index;
        }
    };
    while y < height {
        match (next()?, next()?) {
            (0, 0) => (x, y) = (0, y + 1),
            (0, 1) => break,
            (0, 2) => (x, y) = (x + usize::from(next()?), y + usize::from(next()?)),
            (0, count) => {
                let count = usize::from(count);
                let stored = if is_nibbles { count.div_ceil(2) } else { count };
                for place in 0..stored {
                    let byte = next()?;
                    let nibbles = [byte >> 4, byte & 15];
                    let values = if is_nibbles { &nibbles[..2.min(count - place * 2)] } else { &[byte][..] };
                    for value in values {
                        put(x, y, *value);
                        x += 1;
                    }
                }
                if !stored.is_multiple_of(2) {
                    next()?;
                }
            }
            (count, byte) => {
                let pair = if is_nibbles { [byte >> 4, byte & 15] } else { [byte; 2] };
                for place in 0..usize::from(count) {
                    put(x, y, pair[place % 2]);
                    x += 1;
                }
            }
        }
    }
    Ok(indices)
}

fn ends() -> Unreadable {
    Unreadable::truncated("the file ends within the picture")
}
