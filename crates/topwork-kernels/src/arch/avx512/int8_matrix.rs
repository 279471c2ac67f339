//! Matrix product of bytes, tiles of 6 rows x 64 columns, 8 x 48, 12 x 32 or 12 x 16: up to 24 of the 32 registers hold sums, which
//! hide the latency of two `vpdpbusd` a cycle (5 cycles each) more than twice. A step takes four bytes of each row (one broadcast
//! load) and as many weights of each column (one load a vector, kept for all rows): 10 loads for 24 instructions in the widest
//! tile, 13 for 12 in the narrowest, where the two load ports are just about enough.
//!
//! The sums begin at minus the zero point times the column's weights, so the zero point costs nothing. They become bytes four
//! vectors at a time: the packing instructions saturate to what the clamp would give, and leave a 4 x 4 matrix of double words that
//! one permutation transposes.
//!
//! Rows are taken in blocks that stay in the first-level cache while all panels of weights pass. While rows pass one panel,
//! each step asks for a piece of the next: the weights of a network lie in the third-level cache, and layers of 7 x 7 pixels
//! read them faster than it gives them unasked.

use std::arch::x86_64::*;

use crate::int8::matrix::{Operands, Panel, Tiles, shares};
use crate::isa::{Isa, Level};

/// Columns of a vector of sums.
pub(crate) const LANES: usize = 16;

/// Vectors of the widest panel.
pub(crate) const WIDEST: usize = 4;

/// Depths that one instruction sums.
const GROUP: usize = 4;

/// Rows of a tile of one to four vectors.
const ROWS: [usize; WIDEST] = [12, 12, 8, 6];

/// Weights of a vector and step: a cache line.
const LINE: usize = LANES * GROUP;

/// Bytes of input and output of a block of rows.
const BLOCK: usize = 24 * 1024;

/// The fewest rows of a block: each block reads all the weights.
const LEAST: usize = 64;

/// See [`crate::int8::matrix_product`], which has checked the sizes.
pub(crate) fn matrix_product(isa: Isa, operands: &Operands<i8>, output: &mut [u8]) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    let (row_len, columns) = (operands.row_len, operands.columns);
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let block = (BLOCK / (row_len + columns).max(1)).max(LEAST);
    for (start, count) in shares(rows, block) {
        for panel in operands.panels(LANES, WIDEST) {
            for tiles in Tiles::of(start, count, ROWS[panel.vectors - 1]) {
                // SAFETY: the assertion above: this processor has these instructions.
                unsafe { tiles_of_size(&tiles, (start, count), operands, &panel, output) };
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn tiles_of_size(
    place: &Tiles,
    block: (usize, usize),
    operands: &Operands<i8>,
    panel: &Panel<i8>,
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
        (2, 7) => tiles::<7, 2>,
        (2, 8) => tiles::<8, 2>,
        (2, 9) => tiles::<9, 2>,
        (2, 10) => tiles::<10, 2>,
        (2, 11) => tiles::<11, 2>,
        (2, 12) => tiles::<12, 2>,
        (3, 1) => tiles::<1, 3>,
        (3, 2) => tiles::<2, 3>,
        (3, 3) => tiles::<3, 3>,
        (3, 4) => tiles::<4, 3>,
        (3, 5) => tiles::<5, 3>,
        (3, 6) => tiles::<6, 3>,
        (3, 7) => tiles::<7, 3>,
        (3, 8) => tiles::<8, 3>,
        (4, 1) => tiles::<1, 4>,
        (4, 2) => tiles::<2, 4>,
        (4, 3) => tiles::<3, 4>,
        (4, 4) => tiles::<4, 4>,
        (4, 5) => tiles::<5, 4>,
        (4, 6) => tiles::<6, 4>,
        sizes => unreachable!("no tile has so many vectors and rows: {sizes:?}"),
    };
    run(place, block, operands, panel, output);
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

/// Tiles of `R` rows x `V` vectors of output, in a block of rows given by its first and their number.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn tiles<const R: usize, const V: usize>(
    place: &Tiles,
    (first_row, block_rows): (usize, usize),
    operands: &Operands<i8>,
    panel: &Panel<i8>,
    output: &mut [u8],
) {
    let (row_len, stride) = (operands.row_len, operands.columns);
    let steps = row_len / GROUP;
    let rows = place.count * R;
    let input = &operands.input[place.row * row_len..][..rows * row_len];
    let weights = panel.weights[..steps * V * LANES * GROUP].as_ptr();
    let start = panel.start[..V * LANES].as_ptr();
    let (scale, bias) = (panel.scale[..V * LANES].as_ptr(), panel.bias[..V * LANES].as_ptr());
    let at = place.row * stride + panel.column;
    let output = &mut output[at..][..(rows - 1) * stride + panel.width];
    let residual =
        operands.residual.map(|all| (&all.values[at..][..output.len()], all.zero_point, all.ratio));
    let zero_point = _mm512_set1_epi16(i16::from(operands.zero_point));
    let transpose = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let width = mask(panel.width);
    for tile in 0..place.count {
        // SAFETY: within `input`, which has a row for each row of a tile.
        let input = unsafe { input.as_ptr().add(tile * R * row_len) };
        let mut sums = [[_mm512_setzero_si512(); V]; R];
        each!(vector < V, {
            // SAFETY: V * LANES values.
            let start = unsafe { _mm512_loadu_si512(start.add(vector * LANES).cast()) };
            each!(row < R, { sums[row][vector] = start });
        });
        // All tiles of the block together ask for all of the next panel.
        let passed = place.row - first_row + tile * R;
        let mut next = weights.wrapping_add(steps * V * LINE * (block_rows + passed) / block_rows);
        let pace = 2 * V * LINE * R / block_rows;
        let mut step = 0;
        macro_rules! multiply_and_add {
            ($step:expr) => {
                let mut lines = [_mm512_setzero_si512(); V];
                each!(vector < V, {
                    let at = ($step * V + vector) * LANES * GROUP;
                    // SAFETY: the step is below `steps` and vector < V: within the length of the weights.
                    lines[vector] = unsafe { _mm512_loadu_si512(weights.add(at).cast()) };
                });
                each!(row < R, {
                    let at = row * row_len + $step * GROUP;
                    // SAFETY: row < R and the step is below `steps`: four bytes of that row.
                    let group = unsafe { input.add(at).cast::<i32>().read_unaligned() };
                    let group = _mm512_set1_epi32(group);
                    each!(vector < V, {
                        sums[row][vector] = _mm512_dpbusd_epi32(sums[row][vector], group, lines[vector])
                    });
                });
            };
        }
        while step + 2 <= steps {
            _mm_prefetch::<_MM_HINT_T0>(next);
            next = next.wrapping_add(pace);
            multiply_and_add!(step);
            multiply_and_add!(step + 1);
            step += 2;
        }
        if step < steps {
            multiply_and_add!(step);
        }

        // Rounded to nearest, ties to even, which is how the control register stands in every Rust program.
        if let Some((values, zero_point, ratio)) = residual {
            // SAFETY: within `values`, which is as long as `output`.
            let values = unsafe { values.as_ptr().add(tile * R * stride) };
            let zero_point = _mm512_set1_epi32(i32::from(zero_point));
            let ratio = _mm512_set1_ps(ratio);
            each!(vector < V, {
                let mask = mask(panel.width.saturating_sub(vector * LANES)) as __mmask16;
                // SAFETY: V * LANES values in each.
                let (scale, bias) = unsafe {
                    (_mm512_loadu_ps(scale.add(vector * LANES)), _mm512_loadu_ps(bias.add(vector * LANES)))
                };
                each!(row < R, {
                    let value =
                        _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][vector]), scale), bias);
                    // SAFETY: only the bytes of the mask are read, which lie within this row's part of `values`.
                    let skip = unsafe {
                        _mm_maskz_loadu_epi8(mask, values.wrapping_add(row * stride + vector * LANES).cast())
                    };
                    let skip = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(skip), zero_point));
                    sums[row][vector] = _mm512_cvtps_epi32(_mm512_add_ps(value, _mm512_mul_ps(skip, ratio)));
                });
            });
        } else {
            each!(vector < V, {
                // SAFETY: V * LANES values in each.
                let (scale, bias) = unsafe {
                    (_mm512_loadu_ps(scale.add(vector * LANES)), _mm512_loadu_ps(bias.add(vector * LANES)))
                };
                each!(row < R, {
                    let value =
                        _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][vector]), scale), bias);
                    sums[row][vector] = _mm512_cvtps_epi32(value);
                });
            });
        }

        // Four vectors at a time: those of one row, or of two or four rows. Where there are fewer, one is there twice.
        // SAFETY: within `output`.
        let output = unsafe { output.as_mut_ptr().add(tile * R * stride) };
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
                        let place = output.add((first + row) * stride).cast();
                        match (V, row) {
                            (1, 0) => {
                                _mm_mask_storeu_epi8(place, width as u16, _mm512_castsi512_si128(bytes))
                            }
                            (1, 1) => _mm_mask_storeu_epi8(
                                place,
                                width as u16,
                                _mm512_extracti32x4_epi32::<1>(bytes),
                            ),
                            (1, 2) => _mm_mask_storeu_epi8(
                                place,
                                width as u16,
                                _mm512_extracti32x4_epi32::<2>(bytes),
                            ),
                            (1, _) => _mm_mask_storeu_epi8(
                                place,
                                width as u16,
                                _mm512_extracti32x4_epi32::<3>(bytes),
                            ),
                            (2, 0) => {
                                _mm256_mask_storeu_epi8(place, width as u32, _mm512_castsi512_si256(bytes))
                            }
                            (2, _) => _mm256_mask_storeu_epi8(
                                place,
                                width as u32,
                                _mm512_extracti64x4_epi64::<1>(bytes),
                            ),
                            _ => _mm512_mask_storeu_epi8(place, width, bytes),
                        }
                    }
                }
            });
        });
    }
}

/// Rows of that many vectors that are packed together.
const fn together(vectors: usize) -> usize {
    if vectors > 2 { 1 } else { WIDEST / vectors }
}

/// That many ones from the lowest bit on, at most 64.
#[inline]
fn mask(width: usize) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}
