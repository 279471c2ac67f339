//! The numbers that a photo leaves behind, as they are kept: averages of the last map, and where it is asked for of one
//! in the middle. On bytes an average is kept as the exact sum that it is made of, in as few bytes as that needs.

use super::quantise::Scale;

/// How a row of bytes is to be read: the averages of the last map, then those of the tapped map if they are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    parts: Vec<Part>,
}

/// The averages of one map, one a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The layer whose output is averaged.
    pub layer: String,
    /// Averages.
    pub channels: usize,
    /// How each is written.
    pub encoding: Encoding,
}

/// How an average is written, little endian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// As it is.
    F32,
    /// A sum of bytes: the average is `(sum − zero) · factor`, in f32.
    Sum {
        /// Bytes of the sum: two, three or four.
        size: usize,
        /// Pixels times the byte that stands for 0.
        zero: i32,
        /// The step between two bytes, divided by the number of pixels.
        factor: f32,
    },
}

impl Encoding {
    /// That of sums over so many pixels, whose bytes are read with this scale.
    pub(super) fn of_sums(pixels: usize, scale: Scale) -> Encoding {
        let size = match 255 * pixels {
            0..=0xffff => 2,
            0x1_0000..=0xff_ffff => 3,
            _ => 4,
        };
        let zero = pixels as i32 * i32::from(scale.zero_point);
        Encoding::Sum { size, zero, factor: (scale.scale / pixels as f64) as f32 }
    }

    /// Bytes of an average.
    pub fn size(self) -> usize {
        match self {
            Encoding::F32 => 4,
            Encoding::Sum { size, .. } => size,
        }
    }
}

impl Part {
    /// Bytes of the part in a row.
    pub fn bytes(&self) -> usize {
        self.channels * self.encoding.size()
    }

    /// The averages.
    ///
    /// # Panics
    /// If `bytes` or `out` have another length.
    pub fn read(&self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!((bytes.len(), out.len()), (self.bytes(), self.channels), "averages of {}", self.layer);
        match self.encoding {
            Encoding::F32 => {
                let (values, _) = bytes.as_chunks::<4>();
                out.iter_mut().zip(values).for_each(|(out, value)| *out = f32::from_le_bytes(*value));
            }
            Encoding::Sum { size, zero, factor } => {
                let average = |sum: u32| (sum as i32 - zero) as f32 * factor;
                for (out, bytes) in out.iter_mut().zip(bytes.chunks_exact(size)) {
                    let mut sum = [0; 4];
                    sum[..size].copy_from_slice(bytes);
                    *out = average(u32::from_le_bytes(sum));
                }
            }
        }
    }

    /// Writes averages as they are.
    pub(super) fn write(&self, averages: &[f32], out: &mut [u8]) {
        assert_eq!(self.encoding, Encoding::F32, "{}", self.layer);
        out.as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(averages)
            .for_each(|(out, value)| *out = value.to_le_bytes());
    }

    /// Writes sums; each fits, because the size follows from the number of pixels.
    pub(crate) fn write_sums(&self, sums: &[u32], out: &mut [u8]) {
        let size = self.encoding.size();
        for (out, sum) in out.chunks_exact_mut(size).zip(sums) {
            out.copy_from_slice(&sum.to_le_bytes()[..size]);
        }
    }
}

impl Layout {
    pub(super) fn new(parts: Vec<Part>) -> Layout {
        Layout { parts }
    }

    /// A row of f32: so many of the last map, and of a tapped one, or 0 without one.
    pub fn plain(last: usize, tapped: usize) -> Layout {
        Layout::of([(last, Encoding::F32), (tapped, Encoding::F32)])
    }

    /// A row of sums of two bytes, where 0 stands for 0.
    pub(crate) fn sums(last: usize, tapped: usize, factors: [f32; 2]) -> Layout {
        let [one, other] = factors.map(|factor| Encoding::Sum { size: 2, zero: 0, factor });
        Layout::of([(last, one), (tapped, other)])
    }

    fn of([last, tapped]: [(usize, Encoding); 2]) -> Layout {
        let part = |layer: &str, (channels, encoding)| Part { layer: layer.to_owned(), channels, encoding };
        let tap = (tapped.0 > 0).then(|| part("middle", tapped));
        Layout::new([part("last", last)].into_iter().chain(tap).collect())
    }

    /// What a row holds: the last map, then the tapped one.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The tapped map, if rows hold one.
    pub fn tap(&self) -> Option<&Part> {
        self.parts.get(1)
    }

    /// The same without the tapped map.
    pub fn last(&self) -> Layout {
        Layout::new(self.parts[..1].to_vec())
    }

    /// Averages of a row.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|part| part.channels).sum()
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.parts.iter().map(Part::bytes).sum()
    }

    /// Whether all averages of a row, or of the beginning that holds the last map, are numbers.
    pub fn is_finite(&self, row: &[u8]) -> bool {
        self.is_within(row, f32::MAX)
    }

    /// Whether the magnitudes of all averages of a row, or of the beginning that holds the last map, are at most that.
    pub(crate) fn is_within(&self, row: &[u8], largest: f32) -> bool {
        let mut rest = row;
        self.parts.iter().all(|part| {
            let (bytes, others) = rest.split_at(part.bytes().min(rest.len()));
            rest = others;
            let within = |value: &[u8; 4]| f32::from_le_bytes(*value).abs() <= largest;
            part.encoding != Encoding::F32 || bytes.as_chunks::<4>().0.iter().all(within)
        })
    }

    /// The averages of a row.
    ///
    /// # Panics
    /// If `row` has other than [`row_bytes`](Layout::row_bytes) bytes, or `out` other than [`width`](Layout::width) values.
    pub fn read(&self, row: &[u8], out: &mut [f32]) {
        assert_eq!((row.len(), out.len()), (self.row_bytes(), self.width()), "a row of another layout");
        let (mut row, mut out) = (row, out);
        for part in &self.parts {
            let (bytes, rest) = row.split_at(part.bytes());
            let (averages, others) = out.split_at_mut(part.channels);
            part.read(bytes, averages);
            (row, out) = (rest, others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_take_as_many_bytes_as_their_map_asks_for() {
        let scale = Scale { scale: 0.5, zero_point: 3 };
        for (pixels, size) in [(1, 2), (196, 2), (257, 2), (258, 3), (289, 3), (65_793, 3), (65_794, 4)] {
            let encoding = Encoding::of_sums(pixels, scale);
            assert_eq!(encoding.size(), size, "{pixels} pixels");
            let part = Part { layer: "map".into(), channels: 3, encoding };
            // No byte is 0, all are, some are.
            let sums = [255 * pixels as u32, 0, 77 * pixels as u32];
            let (mut bytes, mut averages) = (vec![9; part.bytes()], [0.0; 3]);
            part.write_sums(&sums, &mut bytes);
            part.read(&bytes, &mut averages);
            let expected = [126.0, -1.5, 37.0];
            let close = |(found, expected): (&f32, &f32)| (found - expected).abs() <= 1e-5 * expected.abs();
            assert!(averages.iter().zip(&expected).all(close), "{pixels} pixels: {averages:?}");
        }
    }
}
