//! Matrix product of bytes, tiles of 6 rows x 16 columns or 12 x 8: 12 of the 16 registers hold sums, 2 the weights, 1 the input
//! and 1 the products. `vpmaddubsw` would multiply bytes, but its sums of two products leave 16 bits and saturate; so weights
//! are widened when they are packed, input block by block on the stack, and `vpmaddwd` sums two products of 16 bits exactly.
//! A step takes two values of each row: 12 times that and an addition, on three ports, for 8 loads.
//!
//! The sums begin at minus the zero point times the column's weights, so the zero point costs nothing. They become bytes four
//! vectors at a time: the packing instructions saturate to what the clamp would give, and one permutation puts their halves
//! in order.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use crate::int8::matrix::{Operands, Panel, Tiles, shares};
use crate::isa::{Isa, Level};

/// Columns of a vector of sums.
pub(crate) const LANES: usize = 8;

/// Vectors of the widest panel.
pub(crate) const WIDEST: usize = 2;

/// Depths that one instruction sums.
pub(crate) const GROUP: usize = 2;

/// Rows of a tile of one or two vectors.
const ROWS: [usize; WIDEST] = [12, 6];

/// Widened values of a block of rows: 56 KiB, a tile of the deepest layers of ResNet-50.
const WORDS: usize = 28 * 1024;

/// See [`crate::int8::matrix_product`], which has checked the sizes.
pub(crate) fn matrix_product(isa: Isa, operands: &Operands<i16>, output: &mut [u8]) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    let (row_len, columns) = (operands.row_len, operands.columns);
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let block = (WORDS / row_len.max(1)).clamp(1, rows.max(1));
    let mut small = [MaybeUninit::<i16>::uninit(); WORDS];
    // Depths beyond any network's.
    let mut large = Vec::new();
    let words = if row_len <= WORDS {
        &mut small[..block * row_len]
    } else {
        large.resize(row_len, MaybeUninit::uninit());
        &mut large
    };
    for (start, count) in shares(rows, block) {
        let words = &mut words[..count * row_len];
        // SAFETY: the assertion above: this processor has AVX2.
        unsafe { widen(&operands.input[start * row_len..][..count * row_len], words) };
        for panel in operands.panels(LANES, WIDEST) {
            for tiles in Tiles::of(0, count, ROWS[panel.vectors - 1]) {
                // SAFETY: as above, and `widen` has written all words.
                unsafe { tiles_of_size(&tiles, start, words, operands, &panel, output) };
            }
        }
    }
}

/// Writes each byte as a word.
#[target_feature(enable = "avx2")]
fn widen(bytes: &[u8], words: &mut [MaybeUninit<i16>]) {
    let (bytes, last_bytes) = bytes.as_chunks::<16>();
    let (words, last_words) = words.as_chunks_mut::<16>();
    for (bytes, words) in bytes.iter().zip(words) {
        // SAFETY: 16 bytes are read and 16 words written.
        unsafe {
            let values = _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes.as_ptr().cast()));
            _mm256_storeu_si256(words.as_mut_ptr().cast(), values);
        }
    }
    for (byte, word) in last_bytes.iter().zip(last_words) {
        word.write(i16::from(*byte));
    }
}

/// # Safety
/// All `words` must have been written.
#[target_feature(enable = "avx2")]
unsafe fn tiles_of_size(
    place: &Tiles,
    start: usize,
    words: &[MaybeUninit<i16>],
    operands: &Operands<i16>,
    panel: &Panel<i16>,
    output: &mut [u8],
) {
    let run = match (panel.vectors, place.height) {
        (1, 1) => tiles::<1, 1>,
        (1, 2) => tiles::<2, 1>,
        (1, 3) => tiles::<3, 1>,
        (1, 4) => tiles::<4, 1>,
        (1, 5) => tiles::<5, 1>,
        (1, 6) => tiles::<6, 1>,
        (1, 7) => tiles::<7, 1>,
        (1, 8) => tiles::<8, 1>,
        (1, 9) => tiles::<9, 1>,
        (1, 10) => tiles::<10, 1>,
        (1, 11) => tiles::<11, 1>,
        (1, 12) => tiles::<12, 1>,
        (2, 1) => tiles::<1, 2>,
        (2, 2) => tiles::<2, 2>,
        (2, 3) => tiles::<3, 2>,
        (2, 4) => tiles::<4, 2>,
        (2, 5) => tiles::<5, 2>,
        (2, 6) => tiles::<6, 2>,
        sizes => unreachable!("no tile has so many vectors and rows: {sizes:?}"),
    };
    // SAFETY: the caller's promise.
    unsafe { run(place, start, words, operands, panel, output) }
}

/// Repeats a block for each number below a constant, as a constant: only then do arrays of vectors stay in registers.
macro_rules! each {
    ($index:ident < $count:expr, $body:block) => { each!($index < $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11) };
    ($index:ident < $count:expr, $body:block, $($number:literal)*) => {
        $(if $number < $count {
            let $index: usize = $number;
            $body
        })*
    };
}

/// Tiles of `R` rows x `V` vectors of output; `words` begin with the input of row `start`.
///
/// # Safety
/// All `words` must have been written.
#[target_feature(enable = "avx2")]
unsafe fn tiles<const R: usize, const V: usize>(
    place: &Tiles,
    start: usize,
    words: &[MaybeUninit<i16>],
    operands: &Operands<i16>,
    panel: &Panel<i16>,
    output: &mut [u8],
) {
    let (row_len, stride) = (operands.row_len, operands.columns);
    let steps = row_len / GROUP;
    let rows = place.count * R;
    let words = &words[place.row * row_len..][..rows * row_len];
    let weights = panel.weights[..steps * V * LANES * GROUP].as_ptr();
    let begin = panel.start[..V * LANES].as_ptr();
    let (scale, bias) = (panel.scale[..V * LANES].as_ptr(), panel.bias[..V * LANES].as_ptr());
    let at = (start + place.row) * stride + panel.column;
    let output = &mut output[at..][..(rows - 1) * stride + panel.width];
    let residual =
        operands.residual.map(|all| (&all.values[at..][..output.len()], all.zero_point, all.ratio));
    let zero_point = _mm256_set1_epi16(i16::from(operands.zero_point));
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for tile in 0..place.count {
        // SAFETY: within `words`, which has a row for each row of a tile.
        let words = unsafe { words.as_ptr().add(tile * R * row_len) };
        let mut sums = [[_mm256_setzero_si256(); V]; R];
        each!(vector < V, {
            // SAFETY: V * LANES values.
            let begin = unsafe { _mm256_loadu_si256(begin.add(vector * LANES).cast()) };
            each!(row < R, { sums[row][vector] = begin });
        });
        for step in 0..steps {
            let mut lines = [_mm256_setzero_si256(); V];
            each!(vector < V, {
                let at = (step * V + vector) * LANES * GROUP;
                // SAFETY: step < steps and vector < V: within the length of the weights.
                lines[vector] = unsafe { _mm256_loadu_si256(weights.add(at).cast()) };
            });
            each!(row < R, {
                let at = row * row_len + step * GROUP;
                // SAFETY: row < R and step < steps: two words of that row, which have been written.
                let pair = unsafe { words.add(at).cast::<i32>().read_unaligned() };
                let pair = _mm256_set1_epi32(pair);
                each!(vector < V, {
                    let products = _mm256_madd_epi16(pair, lines[vector]);
                    sums[row][vector] = _mm256_add_epi32(sums[row][vector], products);
                });
            });
        }

        each!(vector < V, {
            // SAFETY: V * LANES values in each.
            let (scale, bias) = unsafe {
                (_mm256_loadu_ps(scale.add(vector * LANES)), _mm256_loadu_ps(bias.add(vector * LANES)))
            };
            let width = panel.width.saturating_sub(vector * LANES);
            each!(row < R, {
                let sum = _mm256_cvtepi32_ps(sums[row][vector]);
                let mut value = _mm256_add_ps(_mm256_mul_ps(sum, scale), bias);
                if let Some((values, zero_point, ratio)) = residual {
                    let at = (tile * R + row) * stride + vector * LANES;
                    let skip = _mm256_cvtepu8_epi32(load(&values[at.min(values.len())..], width));
                    let skip = _mm256_sub_epi32(skip, _mm256_set1_epi32(i32::from(zero_point)));
                    let skip = _mm256_mul_ps(_mm256_cvtepi32_ps(skip), _mm256_set1_ps(ratio));
                    value = _mm256_add_ps(value, skip);
                }
                // To nearest, ties to even: how the control register stands in every Rust program.
                sums[row][vector] = _mm256_cvtps_epi32(value);
            });
        });

        // Four vectors at a time: those of two or of four rows. Where there are fewer, one is there twice.
        each!(pack < R.div_ceil(4 / V), {
            let first = pack * (4 / V);
            let vector = |slot: usize| sums[(first + slot / V).min(R - 1)][slot % V];
            // Saturating to i16 before and after adding leaves what lies within 0 to 255 as it is, and the rest outside.
            let low = _mm256_adds_epi16(_mm256_packs_epi32(vector(0), vector(1)), zero_point);
            let high = _mm256_adds_epi16(_mm256_packs_epi32(vector(2), vector(3)), zero_point);
            let bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
            let halves = [_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes)];
            each!(row < 4 / V, {
                if first + row < R {
                    let place = &mut output[(tile * R + first + row) * stride..][..panel.width];
                    let half = halves[row * V / 2];
                    let half = if V == 1 && row % 2 == 1 { _mm_unpackhi_epi64(half, half) } else { half };
                    store::<V>(half, place);
                }
            });
        });
    }
}

/// The first `width` values, at most eight; the others are zero.
#[inline]
#[target_feature(enable = "avx2")]
fn load(values: &[u8], width: usize) -> __m128i {
    let mut whole = [0; LANES];
    match values.first_chunk() {
        Some(values) if width >= LANES => whole = *values,
        _ => whole[..width].copy_from_slice(&values[..width]),
    }
    _mm_cvtsi64_si128(i64::from_le_bytes(whole))
}

/// Stores the first bytes of `V` times eight, as many as there is room for.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const V: usize>(bytes: __m128i, place: &mut [u8]) {
    let whole = (_mm_cvtsi128_si64(bytes) as u64).to_le_bytes();
    if V == 1 && place.len() == LANES {
        place.copy_from_slice(&whole);
    } else if place.len() == 2 * LANES {
        // SAFETY: room for 16 bytes.
        unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), bytes) };
    } else {
        let mut whole = [0u8; 2 * LANES];
        // SAFETY: room for 16 bytes.
        unsafe { _mm_storeu_si128(whole.as_mut_ptr().cast(), bytes) };
        let count = place.len();
        place.copy_from_slice(&whole[..count]);
    }
}
