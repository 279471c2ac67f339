//! Rows of features as they are kept, to rows of f32 about a centre: what training reads again and again.

use crate::Isa;
use crate::isa::Level;

/// Values as they are kept, little endian.
#[derive(Clone, Copy, Debug)]
pub enum Kept<'a> {
    /// f32.
    F32(&'a [f32]),
    /// f32, as bytes.
    Bytes(&'a [u8]),
    /// Whole numbers of two, three or four bytes; below 2^24, so that an f32 holds them.
    Whole(usize, &'a [u8]),
}

impl Kept<'_> {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Kept::F32(values) => values.len(),
            Kept::Bytes(bytes) => bytes.len() / 4,
            Kept::Whole(size, bytes) => bytes.len() / size,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `out[j] = (values[j] − centre[j]) · scale`, two rounded operations.
///
/// # Panics
/// If the lengths differ, or whole numbers have another size.
pub fn centred(isa: Isa, values: Kept, centre: &[f32], scale: f32, out: &mut [f32]) {
    assert_eq!((values.len(), centre.len()), (out.len(), out.len()), "rows of different lengths");
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { centred_avx512(values, centre, scale, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { centred_avx2(values, centre, scale, out) },
        _ => centred_in_a_loop(values, centre, scale, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn centred_avx512(values: Kept, centre: &[f32], scale: f32, out: &mut [f32]) {
    centred_in_a_loop(values, centre, scale, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn centred_avx2(values: Kept, centre: &[f32], scale: f32, out: &mut [f32]) {
    centred_in_a_loop(values, centre, scale, out);
}

#[inline(always)]
fn centred_in_a_loop(values: Kept, centre: &[f32], scale: f32, out: &mut [f32]) {
    match values {
        Kept::F32(values) => each(values.iter().copied(), centre, scale, out),
        Kept::Bytes(bytes) => {
            each(bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)), centre, scale, out);
        }
        Kept::Whole(2, bytes) => {
            let values = bytes.as_chunks().0.iter().map(|value| f32::from(u16::from_le_bytes(*value)));
            each(values, centre, scale, out);
        }
        Kept::Whole(3, bytes) => {
            let values = bytes.as_chunks().0.iter();
            let values =
                values.map(|[low, middle, high]| u32::from_le_bytes([*low, *middle, *high, 0]) as f32);
            each(values, centre, scale, out);
        }
        Kept::Whole(4, bytes) => {
            each(
                bytes.as_chunks().0.iter().map(|value| u32::from_le_bytes(*value) as f32),
                centre,
                scale,
                out,
            );
        }
        Kept::Whole(size, _) => panic!("whole numbers of {size} bytes"),
    }
}

#[inline(always)]
fn each(values: impl Iterator<Item = f32>, centre: &[f32], scale: f32, out: &mut [f32]) {
    for ((out, value), centre) in out.iter_mut().zip(values).zip(centre) {
        *out = (value - centre) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_reads_what_was_kept() {
        for length in [0, 1, 7, 8, 33, 672, 1281] {
            let whole: Vec<u32> = (0..length as u32).map(|at| at.wrapping_mul(2_654_435_761) >> 16).collect();
            let centre: Vec<f32> = (0..length).map(|at| (at * 97 % 65_536) as f32).collect();
            let values: Vec<f32> = whole.iter().map(|value| *value as f32).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let sized = |size: usize| -> Vec<u8> {
                whole.iter().flat_map(|value| value.to_le_bytes()[..size].to_vec()).collect()
            };
            let (two, three, four) = (sized(2), sized(3), sized(4));
            let expected: Vec<f32> =
                values.iter().zip(&centre).map(|(value, centre)| (value - centre) * 0.37).collect();
            for isa in Isa::available() {
                for kept in [
                    Kept::F32(&values),
                    Kept::Bytes(&bytes),
                    Kept::Whole(2, &two),
                    Kept::Whole(3, &three),
                    Kept::Whole(4, &four),
                ] {
                    let mut found = vec![f32::NAN; length];
                    centred(isa, kept, &centre, 0.37, &mut found);
                    assert_eq!(found, expected, "{length} {} {kept:?}", isa.name());
                }
            }
        }
    }
}
