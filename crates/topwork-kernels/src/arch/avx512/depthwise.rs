//! Depthwise convolution, tile of 7 output pixels of a row x 16 channels: 7 registers hold sums, up to 5 the weights of a
//! kernel row, and each input value is loaded once for all the taps of that row that see it. Networks for 224 x 224 photos
//! have rows of 7, 14, 28, 56 and 112 pixels, so no tile is a sliver. A tile has 63 to 175 multiply-adds, few enough that
//! the processor begins the next one before the sums of this one are complete.
//!
//! All output rows of a band are made for 16 channels, then for the next 16: the input rows that several output rows
//! see are still in the first-level cache when they are read again, and the band's other channels in the second.
//!
//! Kernel rows above or below the input are left out for the whole output row. Tiles that reach over the left or right
//! border leave out the pixels outside; all others test nothing.

use std::arch::x86_64::*;

use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::window::{Span, Window};

pub(crate) const LANES: usize = 16;

/// Pixels of a tile.
const PIXELS: usize = 7;

/// Input values of a band: 256 KiB.
const BAND: usize = 64 * 1024;

/// See [`crate::depthwise::depthwise`], which has checked the sizes; `weights` as packed there.
pub(crate) fn depthwise(
    isa: Isa,
    window: &Window,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    let channels = epilogue.bias.len();
    let height = window.output().0;
    let taps = window.taps() * LANES;
    let rows = (BAND / (window.input.1 * channels * window.stride.0).max(1)).max(1);
    for band in (0..height).step_by(rows) {
        for channel in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - channel);
            let mut bias = [0.0; LANES];
            bias[..lanes].copy_from_slice(&epilogue.bias[channel..channel + lanes]);
            let group = Group {
                window,
                channels,
                channel,
                lanes,
                input,
                weights: &weights[channel / LANES * taps..][..taps],
                bias,
                residual: epilogue.residual,
                range: epilogue.activation.range(),
            };
            for y in band..height.min(band + rows) {
                // SAFETY: the assertion above: this processor has AVX-512.
                unsafe {
                    match (window.kernel.1, window.stride.1) {
                        (3, 1) => group.row::<3, 1, 1, 1>(y, output),
                        (3, 2) => group.row::<3, 2, 0, 1>(y, output),
                        (5, 1) => group.row::<5, 1, 2, 2>(y, output),
                        (5, 2) => group.row::<5, 2, 1, 2>(y, output),
                        _ => group.plain_row(y, output),
                    }
                }
            }
        }
    }
}

/// Up to 16 channels of a layer.
struct Group<'a> {
    window: &'a Window,
    channels: usize,
    /// The first of them.
    channel: usize,
    /// How many there are.
    lanes: usize,
    input: &'a [f32],
    /// 16 values a tap.
    weights: &'a [f32],
    bias: [f32; LANES],
    residual: Option<&'a [f32]>,
    range: (f32, f32),
}

/// Where a tile lies.
struct Place {
    /// The kernel rows that lie within the input.
    rows: Span,
    /// The first input value that the tile would see in the first of these rows, border or not.
    source: usize,
    /// Of the input pixels that it sees in a row, one bit each: whether they lie within the input.
    inside: u32,
    /// The first output value.
    target: usize,
}

impl Group<'_> {
    /// An output row; `K` and `S` are the kernel's width and horizontal stride, `LEFT` and `RIGHT` the pixels that tiles at the
    /// borders usually miss: those of TensorFlow's padding of planes with even sides.
    #[target_feature(enable = "avx512f")]
    fn row<const K: usize, const S: usize, const LEFT: usize, const RIGHT: usize>(
        &self,
        y: usize,
        output: &mut [f32],
    ) {
        let (rows, before, width) = (self.window.rows(y), self.window.before.1, self.window.output().1);
        let line = self.window.input.1 * self.channels;
        let last = self.window.input.1 + before;
        for x in (0..width).step_by(PIXELS) {
            let count = PIXELS.min(width - x);
            let seen = (count - 1) * S + K;
            let (low, high) = (before.saturating_sub(x * S).min(seen), last.saturating_sub(x * S).min(seen));
            let inside = ((1u32 << high) - 1) & !((1u32 << low) - 1);
            // Wrapping: left of the input only pixels that are not `inside`.
            let source = (rows.input * line + x * S * self.channels + self.channel)
                .wrapping_sub(before * self.channels);
            let target = (y * width + x) * self.channels + self.channel;
            let place = Place { rows, source, inside, target };
            let beyond = (low, seen - high);
            match count {
                PIXELS if beyond == (0, 0) => self.tile::<K, S, PIXELS, 0, 0, false>(&place, output),
                PIXELS if beyond == (LEFT, 0) => self.tile::<K, S, PIXELS, LEFT, 0, false>(&place, output),
                PIXELS if beyond == (0, RIGHT) => self.tile::<K, S, PIXELS, 0, RIGHT, false>(&place, output),
                PIXELS if beyond == (LEFT, RIGHT) => {
                    self.tile::<K, S, PIXELS, LEFT, RIGHT, false>(&place, output)
                }
                1 => self.tile::<K, S, 1, 0, 0, true>(&place, output),
                2 => self.tile::<K, S, 2, 0, 0, true>(&place, output),
                3 => self.tile::<K, S, 3, 0, 0, true>(&place, output),
                4 => self.tile::<K, S, 4, 0, 0, true>(&place, output),
                5 => self.tile::<K, S, 5, 0, 0, true>(&place, output),
                6 => self.tile::<K, S, 6, 0, 0, true>(&place, output),
                _ => self.tile::<K, S, PIXELS, 0, 0, true>(&place, output),
            }
        }
    }

    /// `P` pixels. Of the input pixels that they see, `LEFT` and `RIGHT` lie beyond the borders; or, if `TEST`, any.
    #[inline(never)]
    #[target_feature(enable = "avx512f")]
    fn tile<
        const K: usize,
        const S: usize,
        const P: usize,
        const LEFT: usize,
        const RIGHT: usize,
        const TEST: bool,
    >(
        &self,
        place: &Place,
        output: &mut [f32],
    ) {
        let Place { rows, source, inside, target } = *place;
        let (channels, count) = (self.channels, rows.to - rows.from);
        let line = self.window.input.1 * channels;
        if inside != 0 && count > 0 {
            let (first, last) = (inside.trailing_zeros() as usize, inside.ilog2() as usize);
            let begin = source.wrapping_add(first * channels);
            assert!(begin + (count - 1) * line + (last - first) * channels + self.lanes <= self.input.len());
        }
        let seen = (P - 1) * S + K;
        assert!(TEST || inside == ((1 << (seen - RIGHT)) - 1) & !((1 << LEFT) - 1));
        assert!(rows.to * K * LANES <= self.weights.len());
        let mask = ((1u32 << self.lanes) - 1) as __mmask16;
        let mut source = self.input.as_ptr().wrapping_add(source);
        let mut taps = self.weights.as_ptr().wrapping_add(rows.from * K * LANES);
        let end = target + (P - 1) * channels + self.lanes;
        // SAFETY: `bias` has LANES values.
        let mut sums = [unsafe { _mm512_loadu_ps(self.bias.as_ptr()) }; P];
        if let Some(residual) = self.residual {
            let residual = &residual[target..end];
            for (pixel, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the slice ends with the last channel of the last pixel; the mask leaves out what lies behind.
                let skip = unsafe { _mm512_maskz_loadu_ps(mask, residual.as_ptr().add(pixel * channels)) };
                *sum = _mm512_add_ps(*sum, skip);
            }
        }
        for _ in 0..count {
            // SAFETY: a kernel row below `rows.to`, within the length asserted above.
            let weights: [__m512; K] =
                std::array::from_fn(|tap| unsafe { _mm512_loadu_ps(taps.add(tap * LANES)) });
            let mut values = source;
            // Written out: the compiler gives up a loop of seventeen turns, and keeps the sums in memory.
            macro_rules! pixels {
                ($($pixel:literal)*) => {$(
                    if $pixel < seen {
                        if TEST && inside & (1 << $pixel) != 0 || !TEST && LEFT <= $pixel && $pixel < seen - RIGHT {
                            // SAFETY: a kernel row and a pixel inside; the mask leaves out what lies behind its channels.
                            let value = unsafe { _mm512_maskz_loadu_ps(mask, values) };
                            for (tap, weights) in weights.into_iter().enumerate() {
                                if tap <= $pixel && ($pixel - tap) % S == 0 && ($pixel - tap) / S < P {
                                    let sum = &mut sums[($pixel - tap) / S];
                                    *sum = _mm512_fmadd_ps(value, weights, *sum);
                                }
                            }
                        }
                        values = values.wrapping_add(channels);
                    }
                )*};
            }
            pixels!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
            source = source.wrapping_add(line);
            taps = taps.wrapping_add(K * LANES);
        }
        let targets = &mut output[target..end];
        let (low, high) = (_mm512_set1_ps(self.range.0), _mm512_set1_ps(self.range.1));
        for (pixel, sum) in sums.into_iter().enumerate() {
            let sum = _mm512_min_ps(_mm512_max_ps(sum, low), high);
            // SAFETY: as for the residual.
            unsafe { _mm512_mask_storeu_ps(targets.as_mut_ptr().add(pixel * channels), mask, sum) };
        }
    }

    /// An output row under a kernel of any width, with the loops of the reference.
    #[target_feature(enable = "avx512f")]
    fn plain_row(&self, y: usize, output: &mut [f32]) {
        let (rows, (_, width)) = (self.window.rows(y), self.window.output());
        for x in 0..width {
            let across = self.window.columns(x);
            let mut sums = self.bias;
            for tap_row in rows.from..rows.to {
                for tap_column in across.from..across.to {
                    let row = rows.input + tap_row - rows.from;
                    let column = across.input + tap_column - across.from;
                    let at = (row * self.window.input.1 + column) * self.channels + self.channel;
                    let weights = &self.weights[(tap_row * self.window.kernel.1 + tap_column) * LANES..];
                    for ((sum, value), weight) in
                        sums.iter_mut().zip(&self.input[at..at + self.lanes]).zip(weights)
                    {
                        *sum = value.mul_add(*weight, *sum);
                    }
                }
            }
            let target = (y * width + x) * self.channels + self.channel;
            for (lane, sum) in sums.into_iter().take(self.lanes).enumerate() {
                let skip = self.residual.map_or(0.0, |residual| residual[target + lane]);
                output[target + lane] = (sum + skip).max(self.range.0).min(self.range.1);
            }
        }
    }
}
