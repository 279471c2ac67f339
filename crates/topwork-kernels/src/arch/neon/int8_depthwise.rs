//! Depthwise convolution of bytes for any kernel and stride, 16 channels of a pixel at a time: bytes are widened to words, and
//! `smlal` adds products of words to sums of 32 bits.

use std::arch::aarch64::*;

use crate::int8::Residual;
use crate::int8::depthwise_pairs::{Block, LANES, PackedPairs, Seen, each_strip};
use crate::isa::{Isa, Level};
use crate::window::Window;

/// Sums in a vector.
const SUMS: usize = 4;

/// Vectors of sums of a block.
const VECTORS: usize = LANES / SUMS;

/// See [`crate::int8::depthwise`], which has checked the sizes; `packed` in plain order.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    packed: &PackedPairs,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    assert!(isa.includes(Level::Neon), "not a processor with NEON");
    each_strip(window, packed, input, |from, strip| {
        // SAFETY: the assertion above: this processor has NEON.
        unsafe { pixels(packed, from, strip, residual, output) };
    });
}

/// The output pixels from `from` on, as many as `strip` has.
#[target_feature(enable = "neon")]
fn pixels(packed: &PackedPairs, from: usize, strip: &[Seen], residual: Option<&Residual>, output: &mut [u8]) {
    let zero_point = vdupq_n_s16(packed.zero_point.into());
    for block in packed.blocks() {
        for (index, seen) in strip.iter().enumerate() {
            let at = (from + index) * packed.channels() + block.first;
            let mut values = scaled(&block, sums(&block, seen));
            if let Some(residual) = residual {
                add(residual, at, &mut values);
            }
            // Rounded to nearest even; the saturation of the narrowing is the clamp.
            let [a, b, c, d] = values;
            let low = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a)), vqmovn_s32(vcvtnq_s32_f32(b)));
            let high = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(c)), vqmovn_s32(vcvtnq_s32_f32(d)));
            let (low, high) = (vqaddq_s16(low, zero_point), vqaddq_s16(high, zero_point));
            let bytes = vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
            let output = &mut output[at..at + LANES];
            // SAFETY: `output` has 16 values.
            unsafe { vst1q_u8(output.as_mut_ptr(), bytes) };
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn sums(block: &Block, seen: &Seen) -> [int32x4_t; VECTORS] {
    let mut sums = [vdupq_n_s32(0); VECTORS];
    for (sum, starts) in sums.iter_mut().zip(block.starts.chunks_exact(SUMS)) {
        // SAFETY: `starts` has 4 values.
        *sum = unsafe { vld1q_s32(starts.as_ptr()) };
    }
    for (number, pixels) in seen.pairs() {
        let weights = block.weights[number].chunks_exact(LANES);
        for (pixel, weights) in pixels.iter().zip(weights) {
            let (low, high) = widened(&pixel[block.first..]);
            // SAFETY: `weights` has 16 values, 8 in each vector.
            let (low_weights, high_weights) =
                unsafe { (vld1q_s16(weights.as_ptr()), vld1q_s16(weights.as_ptr().add(LANES / 2))) };
            sums[0] = vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(low_weights));
            sums[1] = vmlal_high_s16(sums[1], low, low_weights);
            sums[2] = vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(high_weights));
            sums[3] = vmlal_high_s16(sums[3], high, high_weights);
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "neon")]
fn scaled(block: &Block, sums: [int32x4_t; VECTORS]) -> [float32x4_t; VECTORS] {
    let mut values = [vdupq_n_f32(0.0); VECTORS];
    for (part, (value, sum)) in values.iter_mut().zip(sums).enumerate() {
        // SAFETY: 16 values each, 4 in each vector.
        let (scale, bias) = unsafe {
            (
                vld1q_f32(block.scales.as_ptr().add(part * SUMS)),
                vld1q_f32(block.biases.as_ptr().add(part * SUMS)),
            )
        };
        // Multiplied and then added: `vmlaq_f32` may round once only.
        *value = vaddq_f32(vmulq_f32(vcvtq_f32_s32(sum), scale), bias);
    }
    values
}

#[inline]
#[target_feature(enable = "neon")]
fn add(residual: &Residual, at: usize, values: &mut [float32x4_t; VECTORS]) {
    let (low, high) = widened(&residual.values[at..]);
    let zero_point = vdupq_n_s16(residual.zero_point.into());
    let (low, high) = (vsubq_s16(low, zero_point), vsubq_s16(high, zero_point));
    let skips = [
        vmovl_s16(vget_low_s16(low)),
        vmovl_high_s16(low),
        vmovl_s16(vget_low_s16(high)),
        vmovl_high_s16(high),
    ];
    for (value, skip) in values.iter_mut().zip(skips) {
        *value = vaddq_f32(*value, vmulq_f32(vcvtq_f32_s32(skip), vdupq_n_f32(residual.ratio)));
    }
}

/// The first 16 bytes as words.
#[inline]
#[target_feature(enable = "neon")]
fn widened(bytes: &[u8]) -> (int16x8_t, int16x8_t) {
    let bytes = &bytes[..LANES];
    // SAFETY: `bytes` has 16 values.
    let bytes = unsafe { vld1q_u8(bytes.as_ptr()) };
    (vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes))), vreinterpretq_s16_u16(vmovl_high_u8(bytes)))
}
