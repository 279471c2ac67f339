//! The resampler's passes with AVX2: the same bits as the plain loops.
//!
//! A sum of bytes times 22-bit weights needs 32-bit products, which AVX2 makes slowly. A weight is therefore
//! split into `high · 2¹¹ + low`, both of which fit 16 bits, so that `vpmaddwd` multiplies and adds two taps at
//! once, exactly; the two sums are joined in 32 bits at the end. As all of it is exact modulo 2³², and the
//! true sum fits 32 bits, the order of the additions does not matter.

use crate::isa::{Isa, Level};
use crate::resample::{Axis, CHANNELS, PRECISION, Split, View};
use std::arch::x86_64::*;
use std::ops::Range;

const HALF: i32 = 1 << (PRECISION - 1);
/// Bytes that a wide load may read behind the last pixel under the weights.
const SLACK: usize = 4;
/// Rows that share one load of the weights.
const ROWS: usize = 4;

/// From rows of the source's width to rows of the crop's width. `tail` is memory to be reused.
pub(crate) fn horizontal(isa: Isa, axis: &Axis, view: View<'_>, tail: &mut Vec<u8>, out: &mut [u8]) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    let View { pixels, stride, first_column, .. } = view;
    let out_stride = axis.len() * CHANNELS;
    let rows = pixels.len() / stride;
    assert_eq!(out.len(), rows * out_stride, "{rows} rows");
    assert!(axis.starts.is_sorted() && axis.span().start >= first_column, "columns from {first_column}");
    let last = axis.starts.last().map_or(0, |start| *start as usize) - first_column;
    let reach = (last + axis.taps) * CHANNELS + SLACK;
    // Rows behind which the slice goes on far enough; the last ones move to where it does.
    let roomy = if pixels.len() < reach { 0 } else { (pixels.len() - reach) / stride + 1 }.min(rows);
    let rest = &pixels[roomy * stride..];
    tail.clear();
    tail.extend_from_slice(rest);
    tail.resize(rest.len() + reach, 0);
    let (out_body, out_rest) = out.split_at_mut(roomy * out_stride);
    // SAFETY: `isa` proves AVX2. The last target pixel reads furthest, which is `reach` bytes from the row's start,
    // as the starts are sorted and none lies before the first column.
    unsafe {
        horizontal_rows(axis, view, reach, out_body);
        horizontal_rows(axis, View { pixels: tail, ..view }, reach, out_rest);
    }
}

/// # Safety
/// `reach` is what the last target pixel reads from the start of a row, and no other reads further or before.
#[target_feature(enable = "avx2")]
unsafe fn horizontal_rows(axis: &Axis, view: View<'_>, reach: usize, out: &mut [u8]) {
    let out_stride = axis.len() * CHANNELS;
    let rows = out.len() / out_stride;
    for first in (0..rows).step_by(ROWS) {
        // Where fewer rows are left, the last one is made several times.
        let row = |index: usize| (first + index).min(rows - 1);
        let sources = std::array::from_fn(|index| &view.pixels[row(index) * view.stride..][..reach]);
        let offsets = std::array::from_fn(|index| row(index) * out_stride);
        // SAFETY: the slices are `reach` bytes long.
        unsafe { horizontal_group(axis, view.first_column, sources, out, offsets) }
    }
}

/// Four rows: a vector holds one pixel's channels of two rows, one in each half.
///
/// # Safety
/// The sources are as long as the last target pixel reads, and a row of `out` lies at each offset.
#[target_feature(enable = "avx2")]
unsafe fn horizontal_group(
    axis: &Axis,
    first_column: usize,
    sources: [&[u8]; ROWS],
    out: &mut [u8],
    offsets: [usize; ROWS],
) {
    const NONE: i8 = -1;
    // Of each half, the three bytes that count of two pixels of the first row, and of the second.
    #[rustfmt::skip]
    let compact = _mm256_setr_epi8(
        0, 1, 2, 8, 9, 10, NONE, NONE, 4, 5, 6, 12, 13, 14, NONE, NONE,
        0, 1, 2, 8, 9, 10, NONE, NONE, 4, 5, 6, 12, 13, 14, NONE, NONE,
    );
    let starts = sources.map(|source| source.as_ptr());
    let (pairs, width) = (axis.taps / 2, axis.len());
    let weights = axis.split.chunks_exact(pairs);
    let mut targets =
        axis.starts.iter().map(|start| (*start as usize - first_column) * CHANNELS).zip(weights);
    let mut at = 0;
    while let Some((start, weights)) = targets.next() {
        // SAFETY: the caller's promise.
        let first = unsafe { horizontal_words(starts, start, weights) };
        let second = match targets.next() {
            // SAFETY: the caller's promise.
            Some((start, weights)) => unsafe { horizontal_words(starts, start, weights) },
            None => first,
        };
        let bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(first, second), compact);
        let (even, odd) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
        let rows = [even, odd, _mm_unpackhi_epi64(even, even), _mm_unpackhi_epi64(odd, odd)];
        let left = (width - at) * CHANNELS;
        for (offset, row) in offsets.into_iter().zip(rows) {
            let place = offset + at * CHANNELS;
            if left >= 8 {
                debug_assert!(place + 8 <= out.len());
                // SAFETY: eight bytes of this row are left. The last two belong to the pixel behind these two,
                // which is written later.
                unsafe { _mm_storel_epi64(out.as_mut_ptr().add(place).cast(), row) };
            } else {
                let count = left.min(2 * CHANNELS);
                out[place..place + count].copy_from_slice(&_mm_cvtsi128_si64(row).to_le_bytes()[..count]);
            }
        }
        at += 2;
    }
}

/// One target pixel of four rows, as 16-bit numbers: the rows 0 and 2 in the lower half, 1 and 3 in the upper.
///
/// # Safety
/// Behind each of `sources` at `start` lie as many pixels as there are weights, and `SLACK`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn horizontal_words(sources: [*const u8; ROWS], start: usize, weights: &[Split]) -> __m256i {
    const NONE: i8 = -1;
    // Channel by channel, two neighbouring pixels as 16-bit numbers: r0 r1 g0 g1 b0 b1 and four zero bytes.
    #[rustfmt::skip]
    let front = _mm256_setr_epi8(
        0, NONE, 3, NONE, 1, NONE, 4, NONE, 2, NONE, 5, NONE, NONE, NONE, NONE, NONE,
        0, NONE, 3, NONE, 1, NONE, 4, NONE, 2, NONE, 5, NONE, NONE, NONE, NONE, NONE,
    );
    #[rustfmt::skip]
    let back = _mm256_setr_epi8(
        6, NONE, 9, NONE, 7, NONE, 10, NONE, 8, NONE, 11, NONE, NONE, NONE, NONE, NONE,
        6, NONE, 9, NONE, 7, NONE, 10, NONE, 8, NONE, 11, NONE, NONE, NONE, NONE, NONE,
    );
    let (mut low, mut high) = ([_mm256_set1_epi32(HALF); 2], [_mm256_setzero_si256(); 2]);
    let (quads, rest) = weights.as_chunks::<2>();
    let mut at = start;
    for [first, second] in quads {
        for half in 0..2 {
            // SAFETY: 16 bytes from the first of four pixels that are read: 12 and SLACK.
            let bytes = unsafe {
                _mm256_set_m128i(
                    _mm_loadu_si128(sources[half * 2 + 1].add(at).cast()),
                    _mm_loadu_si128(sources[half * 2].add(at).cast()),
                )
            };
            for (order, weight) in [(front, first), (back, second)] {
                let values = _mm256_shuffle_epi8(bytes, order);
                low[half] = multiply_add(low[half], values, weight.low);
                high[half] = multiply_add(high[half], values, weight.high);
            }
        }
        at += 4 * CHANNELS;
    }
    if let [weight] = rest {
        for half in 0..2 {
            // SAFETY: 8 bytes from the first of two pixels that are read: 6, and within SLACK.
            let bytes = unsafe {
                _mm256_set_m128i(
                    _mm_loadl_epi64(sources[half * 2 + 1].add(at).cast()),
                    _mm_loadl_epi64(sources[half * 2].add(at).cast()),
                )
            };
            let values = _mm256_shuffle_epi8(bytes, front);
            low[half] = multiply_add(low[half], values, weight.low);
            high[half] = multiply_add(high[half], values, weight.high);
        }
    }
    _mm256_packs_epi32(join(low[0], high[0]), join(low[1], high[1]))
}

/// From the rows that the crop needs to the rows of the crop, for some columns.
pub(crate) fn vertical(isa: Isa, axis: &Axis, view: View<'_>, columns: Range<usize>, out: &mut [u8]) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    let (left, width) = ((columns.start - view.first_column) * CHANNELS, columns.len() * CHANNELS);
    assert_eq!(out.len(), axis.len() * width);
    for (target, out) in out.chunks_exact_mut(width).enumerate() {
        let (first, count) = (axis.starts[target] as usize - view.first_row, axis.counts[target] as usize);
        let weights = &axis.split[target * axis.taps / 2..][..count.div_ceil(2)];
        let from = first * view.stride + left;
        let rows = &view.pixels[from..from + (count - 1) * view.stride + width];
        // SAFETY: `isa` proves AVX2; `rows` goes to the end of the last of `count` rows, and `out` is one row.
        unsafe { vertical_row(weights, count, view.stride, rows, out) }
    }
}

/// # Safety
/// `rows` holds `count` rows as long as `out`, each `stride` bytes behind the one before; there is no weight
/// without a row.
#[target_feature(enable = "avx2")]
unsafe fn vertical_row(weights: &[Split], count: usize, stride: usize, rows: &[u8], out: &mut [u8]) {
    const BLOCK: usize = 32;
    let width = out.len();
    if width < BLOCK {
        return vertical_narrow(weights, count, stride, rows, out);
    }
    let mut column = 0;
    loop {
        let zero = _mm256_setzero_si256();
        let (mut low, mut high) = ([_mm256_set1_epi32(HALF); 4], [zero; 4]);
        for (pair, weight) in weights.iter().enumerate() {
            let upper = pair * 2 * stride + column;
            // An odd last row is paired with itself: its partner's weight is zero.
            let lower = (pair * 2 + 1).min(count - 1) * stride + column;
            // SAFETY: both rows are below `count`, and `column + BLOCK <= width`.
            let (upper, lower) = unsafe {
                (
                    _mm256_loadu_si256(rows.as_ptr().add(upper).cast()),
                    _mm256_loadu_si256(rows.as_ptr().add(lower).cast()),
                )
            };
            let (left, right) = (_mm256_unpacklo_epi8(upper, lower), _mm256_unpackhi_epi8(upper, lower));
            let values = [
                _mm256_unpacklo_epi8(left, zero),
                _mm256_unpackhi_epi8(left, zero),
                _mm256_unpacklo_epi8(right, zero),
                _mm256_unpackhi_epi8(right, zero),
            ];
            for quarter in 0..4 {
                low[quarter] = multiply_add(low[quarter], values[quarter], weight.low);
                high[quarter] = multiply_add(high[quarter], values[quarter], weight.high);
            }
        }
        // The packing undoes the unpacking: both work within the halves of a vector.
        let bytes = _mm256_packus_epi16(
            _mm256_packs_epi32(join(low[0], high[0]), join(low[1], high[1])),
            _mm256_packs_epi32(join(low[2], high[2]), join(low[3], high[3])),
        );
        // SAFETY: `column + BLOCK <= out.len()`.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(column).cast(), bytes) };
        if column + BLOCK == width {
            return;
        }
        // The last block overlaps the one before and makes some bytes again.
        column = (column + BLOCK).min(width - BLOCK);
    }
}

/// A crop too narrow for a vector.
fn vertical_narrow(weights: &[Split], count: usize, stride: usize, rows: &[u8], out: &mut [u8]) {
    for (column, out) in out.iter_mut().enumerate() {
        let sum = (0..count).fold(HALF, |sum, row| {
            let weight = weights[row / 2].weight(row % 2);
            sum.wrapping_add(i32::from(rows[row * stride + column]).wrapping_mul(weight))
        });
        *out = (sum >> PRECISION).clamp(0, 255) as u8;
    }
}

/// Adds two taps to each sum.
#[inline]
#[target_feature(enable = "avx2")]
fn multiply_add(sums: __m256i, values: __m256i, weights: i32) -> __m256i {
    _mm256_add_epi32(sums, _mm256_madd_epi16(values, _mm256_set1_epi32(weights)))
}

/// The whole numbers of the sums whose parts are given.
#[inline]
#[target_feature(enable = "avx2")]
fn join(low: __m256i, high: __m256i) -> __m256i {
    let sums = _mm256_add_epi32(low, _mm256_slli_epi32::<{ Split::LOW_BITS as i32 }>(high));
    _mm256_srai_epi32::<{ PRECISION as i32 }>(sums)
}
