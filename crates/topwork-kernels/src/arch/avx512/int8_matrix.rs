//! Matrix product of bytes, tiles of 6 rows x 64 columns, 8 x 48, 12 x 32 or 12 x 16: up to 24 of the 32 registers hold sums, which
//! hide the latency of two `vpdpbusd` a cycle (5 cycles each) more than twice. A step takes four bytes of each row (one broadcast
//! load) and as many weights of each column (one load a vector, kept for all rows): 10 loads for 24 instructions in the widest
//! tile, 13 for 12 in the narrowest, where the two load ports are just about enough.
//!
//! The sums begin at minus the zero point times the column's weights, so the zero point costs nothing. They become bytes four
//! vectors at a time: the packing instructions saturate to what the clamp would give, and leave a 4 x 4 matrix of double words that
//! one permutation transposes.
//!
//! Rows are taken in blocks that stay in the first-level cache while all panels of weights pass.

use std::arch::x86_64::*;

use crate::int8::matrix::{Operands, Panel};
use crate::isa::{Isa, Level};

/// Columns of a vector of sums.
pub(crate) const LANES: usize = 16;

/// Vectors of the widest panel.
pub(crate) const WIDEST: usize = 4;

/// Depths that one instruction sums.
const GROUP: usize = 4;

/// Rows of a tile of one to four vectors.
const ROWS: [usize; WIDEST] = [12, 12, 8, 6];

/// Bytes of input and output of a block of rows.
const BLOCK: usize = 24 * 1024;

/// The fewest rows of a block: each block reads all the weights.
const LEAST: usize = 48;

/// See [`crate::int8::matrix_product`], which has checked the sizes.
pub(crate) fn matrix_product(isa: Isa, operands: &Operands<i8>, output: &mut [u8]) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    let (row_len, columns) = (operands.row_len, operands.columns);
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let block = (BLOCK / (row_len + columns).max(1)).max(LEAST);
    for (start, count) in crate::int8::matrix::shares(rows, block) {
        for panel in operands.panels(LANES, WIDEST) {
            for (first, height) in crate::int8::matrix::shares(count, ROWS[panel.vectors - 1]) {
                let row = start + first;
                // SAFETY: the assertion above: this processor has these instructions.
                unsafe { tile_of_size(height, row, operands, &panel, output) };
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn tile_of_size(height: usize, row: usize, operands: &Operands<i8>, panel: &Panel<i8>, output: &mut [u8]) {
    let run = match (panel.vectors, height) {
        (1, 1) => tile::<1, 1>,
        (1, 2) => tile::<2, 1>,
        (1, 3) => tile::<3, 1>,
        (1, 4) => tile::<4, 1>,
        (1, 5) => tile::<5, 1>,
        (1, 6) => tile::<6, 1>,
        (1, 7) => tile::<7, 1>,
        (1, 8) => tile::<8, 1>,
        (1, 9) => tile::<9, 1>,
        (1, 10) => tile::<10, 1>,
        (1, 11) => tile::<11, 1>,
        (1, 12) => tile::<12, 1>,
        (2, 1) => tile::<1, 2>,
        (2, 2) => tile::<2, 2>,
        (2, 3) => tile::<3, 2>,
        (2, 4) => tile::<4, 2>,
        (2, 5) => tile::<5, 2>,
        (2, 6) => tile::<6, 2>,
        (2, 7) => tile::<7, 2>,
        (2, 8) => tile::<8, 2>,
        (2, 9) => tile::<9, 2>,
        (2, 10) => tile::<10, 2>,
        (2, 11) => tile::<11, 2>,
        (2, 12) => tile::<12, 2>,
        (3, 1) => tile::<1, 3>,
        (3, 2) => tile::<2, 3>,
        (3, 3) => tile::<3, 3>,
        (3, 4) => tile::<4, 3>,
        (3, 5) => tile::<5, 3>,
        (3, 6) => tile::<6, 3>,
        (3, 7) => tile::<7, 3>,
        (3, 8) => tile::<8, 3>,
        (4, 1) => tile::<1, 4>,
        (4, 2) => tile::<2, 4>,
        (4, 3) => tile::<3, 4>,
        (4, 4) => tile::<4, 4>,
        (4, 5) => tile::<5, 4>,
        (4, 6) => tile::<6, 4>,
        sizes => unreachable!("no tile has so many vectors and rows: {sizes:?}"),
    };
    run(row, operands, panel, output);
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

/// `R` rows x `V` vectors of output.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn tile<const R: usize, const V: usize>(
    row: usize,
    operands: &Operands<i8>,
    panel: &Panel<i8>,
    output: &mut [u8],
) {
    let (row_len, stride) = (operands.row_len, operands.columns);
    let steps = row_len / GROUP;
    let input = &operands.input[row * row_len..][..R * row_len];
    let weights = &panel.weights[..steps * V * LANES * GROUP];
    let start = &panel.start[..V * LANES];
    let mut sums = [[_mm512_setzero_si512(); V]; R];
    each!(vector < V, {
        // SAFETY: V * LANES values.
        let start = unsafe { _mm512_loadu_si512(start.as_ptr().add(vector * LANES).cast()) };
        each!(row < R, { sums[row][vector] = start });
    });
    for step in 0..steps {
        let mut lines = [_mm512_setzero_si512(); V];
        each!(vector < V, {
            let at = (step * V + vector) * LANES * GROUP;
            // SAFETY: step < steps and vector < V: within the length of `weights`.
            lines[vector] = unsafe { _mm512_loadu_si512(weights.as_ptr().add(at).cast()) };
        });
        each!(row < R, {
            // SAFETY: row < R and step < steps: four bytes within the R * row_len of `input`.
            let group =
                unsafe { input.as_ptr().add(row * row_len + step * GROUP).cast::<i32>().read_unaligned() };
            let group = _mm512_set1_epi32(group);
            each!(vector < V, {
                sums[row][vector] = _mm512_dpbusd_epi32(sums[row][vector], group, lines[vector])
            });
        });
    }

    let at = row * stride + panel.column;
    let output = &mut output[at..][..(R - 1) * stride + panel.width];
    let (scale, bias) = (&panel.scale[..V * LANES], &panel.bias[..V * LANES]);
    // Rounded to nearest, ties to even, which is how the control register stands in every Rust program.
    if let Some(residual) = operands.residual {
        let values = &residual.values[at..][..output.len()];
        let zero_point = _mm512_set1_epi32(i32::from(residual.zero_point));
        let ratio = _mm512_set1_ps(residual.ratio);
        each!(vector < V, {
            let mask = mask(panel.width.saturating_sub(vector * LANES)) as __mmask16;
            let (scale, bias) = (load(scale, vector), load(bias, vector));
            each!(row < R, {
                let value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][vector]), scale), bias);
                // SAFETY: only the bytes of the mask are read, which lie within this row's part of `values`.
                let skip = unsafe {
                    _mm_maskz_loadu_epi8(
                        mask,
                        values.as_ptr().wrapping_add(row * stride + vector * LANES).cast(),
                    )
                };
                let skip = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(skip), zero_point));
                sums[row][vector] = _mm512_cvtps_epi32(_mm512_add_ps(value, _mm512_mul_ps(skip, ratio)));
            });
        });
    } else {
        each!(vector < V, {
            let (scale, bias) = (load(scale, vector), load(bias, vector));
            each!(row < R, {
                let value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][vector]), scale), bias);
                sums[row][vector] = _mm512_cvtps_epi32(value);
            });
        });
    }

    // Four vectors at a time: those of one row, or of two or four rows. Where there are fewer, one is there twice.
    let zero_point = _mm512_set1_epi16(i16::from(operands.zero_point));
    let transpose = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let mask = mask(panel.width);
    each!(pack < R.div_ceil(const { together(V) }), {
        let first = pack * const { together(V) };
        let vector = |slot: usize| sums[(first + slot / V).min(R - 1)][slot % V];
        // Saturating to i16 before and after adding leaves what lies within 0 to 255 as it is, and the rest outside.
        let low = _mm512_adds_epi16(_mm512_packs_epi32(vector(0), vector(1)), zero_point);
        let high = _mm512_adds_epi16(_mm512_packs_epi32(vector(2), vector(3)), zero_point);
        let bytes = _mm512_permutexvar_epi32(transpose, _mm512_packus_epi16(low, high));
        each!(row < const { together(V) }, {
            if first + row < R {
                // SAFETY: only the bytes of the mask are written: `panel.width` of a row of the tile, within `output`.
                unsafe {
                    let place = output.as_mut_ptr().add((first + row) * stride).cast();
                    match (V, row) {
                        (1, 0) => _mm_mask_storeu_epi8(place, mask as u16, _mm512_castsi512_si128(bytes)),
                        (1, 1) => {
                            _mm_mask_storeu_epi8(place, mask as u16, _mm512_extracti32x4_epi32::<1>(bytes))
                        }
                        (1, 2) => {
                            _mm_mask_storeu_epi8(place, mask as u16, _mm512_extracti32x4_epi32::<2>(bytes))
                        }
                        (1, _) => {
                            _mm_mask_storeu_epi8(place, mask as u16, _mm512_extracti32x4_epi32::<3>(bytes))
                        }
                        (2, 0) => _mm256_mask_storeu_epi8(place, mask as u32, _mm512_castsi512_si256(bytes)),
                        (2, _) => {
                            _mm256_mask_storeu_epi8(place, mask as u32, _mm512_extracti64x4_epi64::<1>(bytes))
                        }
                        _ => _mm512_mask_storeu_epi8(place, mask, bytes),
                    }
                }
            }
        });
    });
}

/// Rows of that many vectors that are packed together.
const fn together(vectors: usize) -> usize {
    if vectors > 2 { 1 } else { WIDEST / vectors }
}

/// That vector of the values.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[f32], vector: usize) -> __m512 {
    let values = &values[vector * LANES..][..LANES];
    // SAFETY: LANES values.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

/// That many ones from the lowest bit on, at most 64.
#[inline]
fn mask(width: usize) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}
