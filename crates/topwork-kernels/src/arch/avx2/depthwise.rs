//! Depthwise convolution, tile of 4 output pixels of a row x 8 channels: each input value is loaded once for all the
//! taps of a kernel row that see it, which for 3 x 3 makes 9 loads for 12 multiply-adds (7.4 a tap by tap walk
//! would need 15). Channels are the inner loop, so that memory is read in streams.
//!
//! Tiles lie where the kernel does not stick out to the left or right; the pixels beside them go one by one.
//! Kernel rows above or below the input are left out for the whole output row.

use std::arch::x86_64::*;

use crate::depthwise::LANES;
use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::window::{Span, Window};

/// See [`crate::depthwise::depthwise`], which has checked the sizes; `weights` as packed there.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert_eq!(isa.level(), Level::Avx2, "not an AVX2 processor");
    // SAFETY: the assertion above: this processor has AVX2 and FMA.
    unsafe {
        match (window.kernel.1, window.stride.1) {
            (3, 1) => rows::<3, 1>(window, input, weights, epilogue, output),
            (3, 2) => rows::<3, 2>(window, input, weights, epilogue, output),
            (5, 1) => rows::<5, 1>(window, input, weights, epilogue, output),
            (5, 2) => rows::<5, 2>(window, input, weights, epilogue, output),
            _ => rows::<0, 1>(window, input, weights, epilogue, output),
        }
    }
}

/// All output rows. `K` and `S` are the kernel's width and horizontal stride; `K` = 0: without tiles.
#[target_feature(enable = "avx2,fma")]
fn rows<const K: usize, const S: usize>(
    window: &Window,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    let channels = epilogue.bias.len();
    let (height, width) = window.output();
    for y in 0..height {
        let start = y * width * channels;
        let end = start + width * channels;
        let mut row = Row {
            window,
            taps: window.rows(y),
            channels,
            input,
            weights,
            epilogue: Epilogue { residual: epilogue.residual.map(|all| &all[start..end]), ..*epilogue },
            output: &mut output[start..end],
        };
        let mut x = 0;
        while x < width {
            let across = window.columns(x);
            if K == 0 || across.to - across.from < K {
                row.pixel(x, across);
                x += 1;
                continue;
            }
            // The kernel fits at x; the last place where it fits is this.
            let last = ((window.input.1 + window.before.1 - K) / S).min(width - 1);
            x += match last + 1 - x {
                1 => row.tile::<K, S, 1>(x, across),
                2 => row.tile::<K, S, 2>(x, across),
                3 => row.tile::<K, S, 3>(x, across),
                _ => row.tile::<K, S, 4>(x, across),
            };
        }
    }
}

/// One row of the output.
struct Row<'a> {
    window: &'a Window,
    /// The kernel rows within the input.
    taps: Span,
    channels: usize,
    input: &'a [f32],
    weights: &'a [f32],
    epilogue: Epilogue<'a>,
    output: &'a mut [f32],
}

impl Row<'_> {
    /// `P` pixels from column `x` on, under which the kernel (`K` wide) lies within the input. Returns `P`.
    #[target_feature(enable = "avx2,fma")]
    fn tile<const K: usize, const S: usize, const P: usize>(&mut self, x: usize, across: Span) -> usize {
        let channels = self.channels;
        let line = self.window.input.1 * channels;
        let seen = (P - 1) * S + K;
        let first = (self.taps.input * self.window.input.1 + across.input) * channels;
        let count = self.taps.to - self.taps.from;
        // The last value that the tile reads is in its last kernel row, last pixel, last channel.
        assert!(count == 0 || first + (count - 1) * line + seen * channels <= self.input.len());
        assert!(self.weights.len() >= channels.div_ceil(LANES) * self.window.taps() * LANES);
        let vectors = channels / LANES;
        for group in 0..vectors {
            let mut sums = [_mm256_setzero_ps(); P];
            for tap_row in 0..count {
                let source = first + tap_row * line + group * LANES;
                let taps = (group * self.window.taps() + (self.taps.from + tap_row) * K) * LANES;
                for pixel in 0..seen {
                    // SAFETY: within the bound asserted above, as group * LANES + LANES <= channels.
                    let value =
                        unsafe { _mm256_loadu_ps(self.input.as_ptr().add(source + pixel * channels)) };
                    for (place, sum) in sums.iter_mut().enumerate() {
                        if pixel >= place * S && pixel - place * S < K {
                            let at = taps + (pixel - place * S) * LANES;
                            // SAFETY: a tap of this group, within the length asserted above.
                            let weight = unsafe { _mm256_loadu_ps(self.weights.as_ptr().add(at)) };
                            *sum = _mm256_fmadd_ps(value, weight, *sum);
                        }
                    }
                }
            }
            for (place, sum) in sums.into_iter().enumerate() {
                self.finish(sum, x + place, group * LANES);
            }
        }
        for place in 0..P {
            self.tail(x + place, Span { from: 0, to: K, input: across.input + place * S });
        }
        P
    }

    /// One pixel, with the kernel columns that lie within the input.
    #[target_feature(enable = "avx2,fma")]
    fn pixel(&mut self, x: usize, across: Span) {
        let channels = self.channels;
        for group in 0..channels / LANES {
            let mut sum = _mm256_setzero_ps();
            for tap_row in self.taps.from..self.taps.to {
                for tap_column in across.from..across.to {
                    let source = self.source(tap_row, tap_column, across) + group * LANES;
                    let tap = tap_row * self.window.kernel.1 + tap_column;
                    let at = (group * self.window.taps() + tap) * LANES;
                    let value = load(&self.input[source..source + LANES]);
                    sum = _mm256_fmadd_ps(value, load(&self.weights[at..at + LANES]), sum);
                }
            }
            self.finish(sum, x, group * LANES);
        }
        self.tail(x, across);
    }

    /// The channels of a pixel beyond the last whole vector.
    #[target_feature(enable = "avx2,fma")]
    fn tail(&mut self, x: usize, across: Span) {
        let from = self.channels / LANES * LANES;
        for channel in from..self.channels {
            let mut sum = 0.0f32;
            for tap_row in self.taps.from..self.taps.to {
                for tap_column in across.from..across.to {
                    let value = self.input[self.source(tap_row, tap_column, across) + channel];
                    let tap = tap_row * self.window.kernel.1 + tap_column;
                    let at = (from / LANES * self.window.taps() + tap) * LANES + channel - from;
                    sum = value.mul_add(self.weights[at], sum);
                }
            }
            sum += self.epilogue.bias[channel];
            let at = x * self.channels + channel;
            if let Some(residual) = self.epilogue.residual {
                sum += residual[at];
            }
            self.output[at] = crate::reference::activate(self.epilogue.activation, sum);
        }
    }

    /// Where the input pixel under a tap begins.
    fn source(&self, tap_row: usize, tap_column: usize, across: Span) -> usize {
        let y = self.taps.input + tap_row - self.taps.from;
        (y * self.window.input.1 + across.input + tap_column - across.from) * self.channels
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn finish(&mut self, sum: __m256, x: usize, channel: usize) {
        let at = x * self.channels + channel;
        let mut sum = _mm256_add_ps(sum, load(&self.epilogue.bias[channel..channel + LANES]));
        if let Some(residual) = self.epilogue.residual {
            sum = _mm256_add_ps(sum, load(&residual[at..at + LANES]));
        }
        let (low, high) = self.epilogue.activation.range();
        let sum = _mm256_min_ps(_mm256_max_ps(sum, _mm256_set1_ps(low)), _mm256_set1_ps(high));
        let place = &mut self.output[at..at + LANES];
        // SAFETY: `place` has LANES values.
        unsafe { _mm256_storeu_ps(place.as_mut_ptr(), sum) };
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn load(values: &[f32]) -> __m256 {
    assert!(values.len() >= LANES);
    // SAFETY: there are at least LANES values.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}
