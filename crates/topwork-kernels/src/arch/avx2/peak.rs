//! What AVX2 with FMA can do at most. Multiply-adds: 12 sums, which hide 4 cycles of latency at two a cycle with room to
//! spare and leave 4 of the 16 registers for the factors. Reads: 4 sums of 256 bits, at two or three loads a cycle.

use std::arch::x86_64::*;
use std::hint::black_box;

use crate::isa::{Isa, Level};

const SUMS: usize = 12;
const LANES: usize = 8;

/// Multiply-adds in a pass of [`float`].
pub(crate) const FLOAT_SUMS: u64 = (SUMS * LANES) as u64;

/// Products in a pass of [`word`]: two 16-bit products a lane of 32 bits.
pub(crate) const WORD_PRODUCTS: u64 = (SUMS * LANES * 2) as u64;

/// Multiply-adds of f32.
pub(crate) fn float(isa: Isa, passes: u64) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    // SAFETY: the assertion above: this processor has AVX2 and FMA.
    unsafe { float_passes(passes) };
}

#[target_feature(enable = "avx2,fma")]
fn float_passes(passes: u64) {
    let (one, other) = black_box((_mm256_set1_ps(0.5), _mm256_set1_ps(0.25)));
    let mut sums = black_box([_mm256_setzero_ps(); SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(one, other, *sum);
        }
    }
    black_box(sums);
}

/// Products of 16-bit values, pairs of them added, and that to a factor: one product and one addition of a matrix
/// product with bytes widened to 16 bits. Each sum is the next pass's factor, else the product could be taken out of the
/// loop.
pub(crate) fn word(isa: Isa, passes: u64) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    // SAFETY: the assertion above: this processor has AVX2.
    unsafe { word_passes(passes) };
}

#[target_feature(enable = "avx2,fma")]
fn word_passes(passes: u64) {
    let (factor, add) = black_box((_mm256_set1_epi16(3), _mm256_set1_epi32(5)));
    let mut sums = black_box([_mm256_setzero_si256(); SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = _mm256_add_epi32(_mm256_madd_epi16(*sum, factor), add);
        }
    }
    black_box(sums);
}

/// All bits of all values, folded into one word.
pub(crate) fn read(isa: Isa, values: &[f32]) -> u32 {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    // SAFETY: the assertion above: this processor has AVX2.
    unsafe { read_all(values) }
}

#[target_feature(enable = "avx2,fma")]
fn read_all(values: &[f32]) -> u32 {
    const VECTORS: usize = 8;
    let mut sums = [_mm256_setzero_si256(); VECTORS];
    let chunks = values.chunks_exact(VECTORS * LANES);
    let rest = chunks.remainder().iter().fold(0, |folded, value| folded ^ value.to_bits());
    for chunk in chunks {
        for (vector, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the chunk holds VECTORS * LANES values.
            let line = unsafe { _mm256_loadu_si256(chunk.as_ptr().add(vector * LANES).cast()) };
            *sum = _mm256_xor_si256(*sum, line);
        }
    }
    let sum = sums.into_iter().fold(_mm256_setzero_si256(), |folded, sum| _mm256_xor_si256(folded, sum));
    let mut lanes = [0_u32; LANES];
    // SAFETY: `lanes` has room for 256 bits.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    lanes.into_iter().fold(rest, |folded, lane| folded ^ lane)
}
