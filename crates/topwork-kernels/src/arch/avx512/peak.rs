//! What AVX-512 with VNNI can do at most. 20 sums of the 32 registers hide 5 cycles of latency at two instructions a cycle
//! twice over. `vpdpbusd` comes in 512 and in 256 bits: where only one port takes the wide one, they are equally fast.

use std::arch::x86_64::*;
use std::hint::black_box;

use crate::isa::{Isa, Level};

const SUMS: usize = 20;
const LANES: usize = 16;

/// Multiply-adds in a pass of [`float`].
pub(crate) const FLOAT_SUMS: u64 = (SUMS * LANES) as u64;

/// Products in a pass of [`byte_512`]: four a lane of 32 bits.
pub(crate) const BYTE_PRODUCTS_512: u64 = (SUMS * LANES * 4) as u64;

/// Products in a pass of [`byte_256`].
pub(crate) const BYTE_PRODUCTS_256: u64 = BYTE_PRODUCTS_512 / 2;

/// Multiply-adds of f32.
pub(crate) fn float(isa: Isa, passes: u64) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    // SAFETY: the assertion above: this processor has AVX-512 F.
    unsafe { float_passes(passes) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn float_passes(passes: u64) {
    let (one, other) = black_box((_mm512_set1_ps(0.5), _mm512_set1_ps(0.25)));
    let mut sums = black_box([_mm512_setzero_ps(); SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(one, other, *sum);
        }
    }
    black_box(sums);
}

/// Multiply-adds of bytes, 512 bits wide.
pub(crate) fn byte_512(isa: Isa, passes: u64) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    // SAFETY: the assertion above: this processor has AVX-512 VNNI.
    unsafe { byte_512_passes(passes) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn byte_512_passes(passes: u64) {
    let (one, other) = black_box((_mm512_set1_epi8(3), _mm512_set1_epi8(5)));
    let mut sums = black_box([_mm512_setzero_si512(); SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, one, other);
        }
    }
    black_box(sums);
}

/// Multiply-adds of bytes, 256 bits wide.
pub(crate) fn byte_256(isa: Isa, passes: u64) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    // SAFETY: the assertion above: this processor has AVX-512 VL and VNNI.
    unsafe { byte_256_passes(passes) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn byte_256_passes(passes: u64) {
    let (one, other) = black_box((_mm256_set1_epi8(3), _mm256_set1_epi8(5)));
    let mut sums = black_box([_mm256_setzero_si256(); SUMS]);
    for _ in 0..passes {
        for sum in &mut sums {
            *sum = _mm256_dpbusd_epi32(*sum, one, other);
        }
    }
    black_box(sums);
}

/// All bits of all values, folded into one word.
pub(crate) fn read(isa: Isa, values: &[f32]) -> u32 {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    // SAFETY: the assertion above: this processor has AVX-512 F.
    unsafe { read_all(values) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn read_all(values: &[f32]) -> u32 {
    const VECTORS: usize = 8;
    let mut sums = [_mm512_setzero_si512(); VECTORS];
    let chunks = values.chunks_exact(VECTORS * LANES);
    let rest = chunks.remainder().iter().fold(0, |folded, value| folded ^ value.to_bits());
    for chunk in chunks {
        for (vector, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the chunk holds VECTORS * LANES values.
            let line = unsafe { _mm512_loadu_si512(chunk.as_ptr().add(vector * LANES).cast()) };
            *sum = _mm512_xor_si512(*sum, line);
        }
    }
    let sum = sums.into_iter().fold(_mm512_setzero_si512(), |folded, sum| _mm512_xor_si512(folded, sum));
    let mut lanes = [0_u32; LANES];
    // SAFETY: `lanes` has room for 512 bits.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), sum) };
    lanes.into_iter().fold(rest, |folded, lane| folded ^ lane)
}
