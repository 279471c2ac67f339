//! Depthwise convolution of bytes for any kernel and stride, 16 channels of a pixel at a time: the bytes of two taps are
//! widened to words and unpacked to pairs, and `vpmaddwd` adds the two products of a pair in 32 bits. (`vpmaddubsw` would
//! spare the widening, but saturates.) Weights, scales and biases lie in the order of the unpacking, which the packing of
//! the epilogue undoes. The sums are two registers, so that the processor overlaps several pixels.

use std::arch::x86_64::*;

use crate::int8::Residual;
use crate::int8::depthwise_pairs::{Block, LANES, PackedPairs, Seen, each_strip};
use crate::isa::{Isa, Level};
use crate::window::Window;

/// See [`crate::int8::depthwise`], which has checked the sizes; `packed` in unpacked order.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    packed: &PackedPairs,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    each_strip(window, packed, input, |from, strip| {
        // SAFETY: the assertion above: this processor has AVX2.
        unsafe { pixels(packed, from, strip, residual, output) };
    });
}

/// The output pixels from `from` on, as many as `strip` has.
#[target_feature(enable = "avx2")]
fn pixels(packed: &PackedPairs, from: usize, strip: &[Seen], residual: Option<&Residual>, output: &mut [u8]) {
    let zero_point = _mm256_set1_epi16(packed.zero_point.into());
    for block in packed.blocks() {
        for (index, seen) in strip.iter().enumerate() {
            let at = (from + index) * packed.channels() + block.first;
            let mut values = scaled(&block, sums(&block, seen));
            if let Some(residual) = residual {
                add(residual, at, &mut values);
            }
            // Rounded to nearest even; the saturation of the packings is the clamp.
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(values[0]), _mm256_cvtps_epi32(values[1]));
            let words = _mm256_adds_epi16(words, zero_point);
            let bytes = _mm256_permute4x64_epi64::<0b1000>(_mm256_packus_epi16(words, words));
            let output = &mut output[at..at + LANES];
            // SAFETY: `output` has 16 values.
            unsafe { _mm_storeu_si128(output.as_mut_ptr().cast(), _mm256_castsi256_si128(bytes)) };
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn sums(block: &Block, seen: &Seen) -> [__m256i; 2] {
    // SAFETY: 16 values, 8 in each vector.
    let (mut low, mut high) = unsafe {
        let starts = block.starts.as_ptr();
        (_mm256_loadu_si256(starts.cast()), _mm256_loadu_si256(starts.add(LANES / 2).cast()))
    };
    for (number, [first, second]) in seen.pairs() {
        let (first, second) = (widened(&first[block.first..]), widened(&second[block.first..]));
        let weights = &block.weights[number];
        // SAFETY: 32 values, 16 in each vector.
        let (low_weights, high_weights) = unsafe {
            (
                _mm256_loadu_si256(weights.as_ptr().cast()),
                _mm256_loadu_si256(weights.as_ptr().add(LANES).cast()),
            )
        };
        let products = _mm256_madd_epi16(_mm256_unpacklo_epi16(first, second), low_weights);
        low = _mm256_add_epi32(low, products);
        let products = _mm256_madd_epi16(_mm256_unpackhi_epi16(first, second), high_weights);
        high = _mm256_add_epi32(high, products);
    }
    [low, high]
}

#[inline]
#[target_feature(enable = "avx2")]
fn scaled(block: &Block, sums: [__m256i; 2]) -> [__m256; 2] {
    let mut values = [_mm256_setzero_ps(); 2];
    for half in 0..2 {
        // SAFETY: 16 values each, 8 in each vector.
        let (scale, bias) = unsafe {
            (
                _mm256_loadu_ps(block.scales.as_ptr().add(half * LANES / 2)),
                _mm256_loadu_ps(block.biases.as_ptr().add(half * LANES / 2)),
            )
        };
        values[half] = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums[half]), scale), bias);
    }
    values
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(residual: &Residual, at: usize, values: &mut [__m256; 2]) {
    let skips =
        _mm256_sub_epi16(widened(&residual.values[at..]), _mm256_set1_epi16(residual.zero_point.into()));
    // To 32 bits with their signs, in the order of the sums.
    let signs = _mm256_srai_epi16::<15>(skips);
    let skips = [_mm256_unpacklo_epi16(skips, signs), _mm256_unpackhi_epi16(skips, signs)];
    let ratio = _mm256_set1_ps(residual.ratio);
    for half in 0..2 {
        values[half] = _mm256_add_ps(values[half], _mm256_mul_ps(_mm256_cvtepi32_ps(skips[half]), ratio));
    }
}

/// The first 16 bytes as words.
#[inline]
#[target_feature(enable = "avx2")]
fn widened(bytes: &[u8]) -> __m256i {
    let bytes = &bytes[..LANES];
    // SAFETY: `bytes` has 16 values.
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}
