//! Depthwise convolution, tile of 7 (stride 2: 4) output pixels of a row x 8 channels: 7 of the 16 registers hold sums, up to 5 the
//! weights of a kernel row, and each input value is loaded once for all the taps of that row that see it. Networks for
//! 224 x 224 photos have rows of 7, 14, 28, 56 and 112 pixels, so no tile is a sliver, and 7 independent sums almost
//! hide the latency of two multiply-adds a cycle. Channels are the inner loop, so that memory is read in streams.
//!
//! Kernel rows above or below the input are left out for the whole output row. Tiles that reach over the left or right
//! border test each pixel; the test is the same for all channels, so it is predicted.

use std::arch::x86_64::*;
use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::window::{Span, Window};

pub(crate) const LANES: usize = 8;

/// Pixels of a tile at stride 1.
const PIXELS: usize = 7;

/// Pixels of a tile at stride 2: seven would see 17 input pixels, too many for the compiler to unroll; it costs half of
/// the speed.
const STRIDED: usize = 4;

/// See [`crate::depthwise::depthwise`], which has checked the sizes; `weights` as packed there.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
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
        // SAFETY: the assertion above: this processor has AVX2 and FMA.
        unsafe {
            match (window.kernel.1, window.stride.1) {
                (3, 1) => row.tiles::<3, 1>(width),
                (3, 2) => row.tiles::<3, 2>(width),
                (5, 1) => row.tiles::<5, 1>(width),
                (5, 2) => row.tiles::<5, 2>(width),
                _ => (0..width).for_each(|x| row.pixel(x)),
            }
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
    /// The whole row; `K` and `S` are the kernel's width and horizontal stride.
    #[target_feature(enable = "avx2,fma")]
    fn tiles<const K: usize, const S: usize>(&mut self, width: usize) {
        let mut x = 0;
        while x < width {
            let count = if S == 1 { PIXELS } else { STRIDED }.min(width - x);
            let seen = (count - 1) * S + K;
            let before = self.window.before.1;
            // Of the pixels that the tile sees, those within the input.
            let low = before.saturating_sub(x * S).min(seen);
            let inside = low..(self.window.input.1 + before).saturating_sub(x * S).clamp(low, seen);
            match count {
                1 => self.tile::<K, S, 1, true>(x, inside),
                2 => self.tile::<K, S, 2, true>(x, inside),
                3 => self.tile::<K, S, 3, true>(x, inside),
                STRIDED if S > 1 && inside == (0..seen) => self.tile::<K, S, STRIDED, false>(x, inside),
                STRIDED => self.tile::<K, S, STRIDED, true>(x, inside),
                5 => self.tile::<K, S, 5, true>(x, inside),
                6 => self.tile::<K, S, 6, true>(x, inside),
                _ if inside == (0..seen) => self.tile::<K, S, PIXELS, false>(x, inside),
                _ => self.tile::<K, S, PIXELS, true>(x, inside),
            }
            x += count;
        }
        for x in 0..width {
            self.tail(x, self.channels / LANES * LANES);
        }
    }

    /// `P` pixels from column `x` on; of the input pixels that they see, those `inside` exist. `EDGE`: not all do.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn tile<const K: usize, const S: usize, const P: usize, const EDGE: bool>(
        &mut self,
        x: usize,
        inside: Range<usize>,
    ) {
        let channels = self.channels;
        let line = self.window.input.1 * channels;
        let count = self.taps.to - self.taps.from;
        // The first pixel inside, in the first kernel row.
        let column = (x * S + inside.start).saturating_sub(self.window.before.1);
        let first = self.taps.input * line + column * channels;
        let end = first + count.saturating_sub(1) * line + inside.len() * channels;
        assert!(inside.is_empty() || count == 0 || end <= self.input.len());
        assert!(EDGE || inside == (0..(P - 1) * S + K));
        assert!(self.taps.to <= self.window.kernel.0 && self.window.kernel.1 == K);
        assert!(self.weights.len() >= channels.div_ceil(LANES) * self.window.taps() * LANES);
        for group in 0..channels / LANES {
            let mut sums = [_mm256_setzero_ps(); P];
            for tap_row in 0..count {
                let taps = (group * self.window.taps() + (self.taps.from + tap_row) * K) * LANES;
                let source = first + tap_row * line + group * LANES;
                for pixel in 0..(P - 1) * S + K {
                    if EDGE && !inside.contains(&pixel) {
                        continue;
                    }
                    let at = source + (pixel - if EDGE { inside.start } else { 0 }) * channels;
                    // SAFETY: a pixel inside, a kernel row inside and LANES of its channels: before the end asserted above.
                    let value = unsafe { _mm256_loadu_ps(self.input.as_ptr().add(at)) };
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
    }

    /// One pixel under a kernel of any width.
    #[target_feature(enable = "avx2,fma")]
    fn pixel(&mut self, x: usize) {
        let across = self.window.columns(x);
        let whole = self.channels / LANES * LANES;
        for channel in (0..whole).step_by(LANES) {
            let mut sum = _mm256_setzero_ps();
            for tap_row in self.taps.from..self.taps.to {
                for tap_column in across.from..across.to {
                    let value = load(&self.input[self.source(tap_row, tap_column, across) + channel..]);
                    sum = _mm256_fmadd_ps(
                        value,
                        load(&self.weights[self.weight(tap_row, tap_column, channel)..]),
                        sum,
                    );
                }
            }
            self.finish(sum, x, channel);
        }
        self.tail(x, whole);
    }

    /// The channels of a pixel from `from` on, which do not fill a vector.
    #[target_feature(enable = "avx2,fma")]
    fn tail(&mut self, x: usize, from: usize) {
        let across = self.window.columns(x);
        for channel in from..self.channels {
            let mut sum = 0.0f32;
            for tap_row in self.taps.from..self.taps.to {
                for tap_column in across.from..across.to {
                    let value = self.input[self.source(tap_row, tap_column, across) + channel];
                    sum = value.mul_add(self.weights[self.weight(tap_row, tap_column, channel)], sum);
                }
            }
            let at = x * self.channels + channel;
            sum += self.epilogue.bias[channel];
            sum += self.epilogue.residual.map_or(0.0, |residual| residual[at]);
            self.output[at] = crate::reference::activate(self.epilogue.activation, sum);
        }
    }

    /// Where the input pixel under a tap begins.
    fn source(&self, tap_row: usize, tap_column: usize, across: Span) -> usize {
        let y = self.taps.input + tap_row - self.taps.from;
        (y * self.window.input.1 + across.input + tap_column - across.from) * self.channels
    }

    /// Where the weight of a tap and channel lies.
    fn weight(&self, tap_row: usize, tap_column: usize, channel: usize) -> usize {
        let tap = tap_row * self.window.kernel.1 + tap_column;
        (channel / LANES * self.window.taps() + tap) * LANES + channel % LANES
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn finish(&mut self, sum: __m256, x: usize, channel: usize) {
        let at = x * self.channels + channel;
        let mut sum = _mm256_add_ps(sum, load(&self.epilogue.bias[channel..]));
        if let Some(residual) = self.epilogue.residual {
            sum = _mm256_add_ps(sum, load(&residual[at..]));
        }
        let (low, high) = self.epilogue.activation.range();
        let sum = _mm256_min_ps(_mm256_max_ps(sum, _mm256_set1_ps(low)), _mm256_set1_ps(high));
        let place = &mut self.output[at..at + LANES];
        // SAFETY: `place` has LANES values.
        unsafe { _mm256_storeu_ps(place.as_mut_ptr(), sum) };
    }
}

/// The first eight values.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn load(values: &[f32]) -> __m256 {
    let values = &values[..LANES];
    // SAFETY: `values` has LANES values.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}
