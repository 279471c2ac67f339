//! Matrix product of bytes in blocks of 32 or 16 rows x 32 columns: two or four tiles of sums, one or two of input, two of weights.
//! A step takes 64 bytes of each row: four products for four loads, so 2 KB from either side every 64 cycles.
//!
//! The weights are packed as for AVX-512 (a line of 64 bytes has four depths of 16 columns): a tile of weights is every
//! so-manieth line. Rows of input lie where they are at one distance from each other, in one or several runs, so a
//! convolution of stride 1 over a plane with its padding needs no gathering: its rows are all places of the kernel in
//! that plane, of which those across the right border are left out at the end.
//!
//! The last block of rows ends with the last row, and makes some of the block before again; fewer rows than a tile has are left to
//! AVX-512.

use std::arch::asm;
use std::arch::x86_64::*;

use super::{Configured, LINE, ROWS};
use crate::int8::matrix::{Grid, Operands, Panel};
use crate::isa::Isa;

/// Columns of a tile of sums.
const LANES: usize = 16;

/// Vectors of the widest panel, as AVX-512 has them.
const WIDEST: usize = crate::arch::avx512::int8_matrix::WIDEST;

/// Bytes of input and output of a block of rows: they stay in the second-level cache while all weights pass.
const BLOCK: usize = 384 * 1024;

/// Sums of a tile.
const TILE: usize = ROWS * LANES;

/// The sums of a block: tiles row by row.
#[repr(align(64))]
struct Sums([i32; 4 * TILE]);

/// Whether there are kernels for such rows.
pub(crate) fn is_suited(grid: &Grid) -> bool {
    grid.length > 0 && grid.length.is_multiple_of(LINE) && grid.places() >= ROWS
}

/// See [`crate::int8::matrix_product`], which has checked the sizes; `grid` tells where rows lie, and must be suited.
pub(crate) fn matrix_product(isa: Isa, operands: &Operands<i8>, grid: &Grid, output: &mut [u8]) {
    assert!(isa.has_tiles() && is_suited(grid), "not an AMX processor, or {grid:?}");
    assert!(grid.runs * grid.length == operands.packed_len, "{grid:?} for {} weights", operands.packed_len);
    let read = (grid.places() - 1) * grid.distance + (grid.runs - 1) * grid.run + grid.length;
    assert!(operands.input.len() >= read, "input of {} bytes for {grid:?}", operands.input.len());
    assert!(
        output.len() >= grid.height * grid.width * operands.columns,
        "output of {} for {grid:?}",
        output.len()
    );
    // SAFETY: the assertion above: this processor has tiles.
    let _configured = unsafe { Configured::new() };
    let mut sums = Sums([0; 4 * TILE]);
    let block = (BLOCK / (grid.distance + operands.columns)).next_multiple_of(2 * ROWS);
    for start in (0..grid.places()).step_by(block) {
        let end = grid.places().min(start + block);
        for panel in operands.panels(LANES, WIDEST) {
            for vector in (0..panel.vectors).step_by(2) {
                let is_pair = vector + 1 < panel.vectors;
                let mut row = start;
                while row < end {
                    let is_tall = end - row > ROWS && grid.places() >= 2 * ROWS;
                    let rows = if is_tall { 2 * ROWS } else { ROWS };
                    let first = row.min(grid.places() - rows);
                    let multiply = match (is_tall, is_pair) {
                        (true, true) => multiply_tall::<LINE>,
                        (true, false) => multiply_tall::<0>,
                        (false, true) => multiply_low::<LINE>,
                        (false, false) => multiply_low::<0>,
                    };
                    // SAFETY: tiles are configured; input and weights reach as far as asserted above and seen to by `panels`.
                    unsafe {
                        let input = operands.input.as_ptr().add(first * grid.distance);
                        let weights = panel.weights.as_ptr().add(vector * LINE);
                        multiply(input, grid, weights, panel.vectors * LINE, &mut sums);
                    }
                    let place = Place { first, rows, vector };
                    // SAFETY: the assertion above: who has AMX has AVX-512.
                    unsafe { finish(&place, operands, grid, &panel, &sums, output) };
                    row += rows;
                }
            }
        }
    }
}

/// Multiplies 32 rows of input and 32 columns of weights, whose lines lie `distance` bytes apart. The second 16 columns are
/// `SECOND` bytes behind the first: with 0 there are only 16, and their sums come twice.
///
/// # Safety
/// Tiles are configured; all rows and lines can be read.
unsafe fn multiply_tall<const SECOND: usize>(
    input: *const u8,
    grid: &Grid,
    weights: *const i8,
    distance: usize,
    sums: &mut Sums,
) {
    // SAFETY: as the caller promises; `sums` has room for four tiles.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "mov {step}, {steps}",
            "3:",
            "tileloadd tmm6, [{weights} + {distance}]",
            "tileloadd tmm4, [{upper} + {row}]",
            "tileloadd tmm7, [{weights} + {distance} + {second}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{lower} + {row}]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {upper}, {line}",
            "add {lower}, {line}",
            "add {weights}, {pace}",
            "dec {step}",
            "jnz 3b",
            "add {upper}, {skip}",
            "add {lower}, {skip}",
            "dec {runs}",
            "jnz 2b",
            "mov {step}, {line}",
            "tilestored [{sums} + {step}], tmm0",
            "tilestored [{sums} + {step} + {tile}], tmm1",
            "tilestored [{sums} + {step} + 2 * {tile}], tmm2",
            "tilestored [{sums} + {step} + 3 * {tile}], tmm3",
            upper = inout(reg) input => _,
            lower = inout(reg) input.wrapping_add(ROWS * grid.distance) => _,
            row = in(reg) grid.distance,
            weights = inout(reg) weights => _,
            distance = in(reg) distance,
            pace = in(reg) ROWS * distance,
            step = out(reg) _,
            steps = in(reg) grid.length / LINE,
            runs = inout(reg) grid.runs => _,
            skip = in(reg) grid.run.wrapping_sub(grid.length),
            sums = in(reg) sums.0.as_mut_ptr(),
            second = const SECOND,
            line = const LINE,
            tile = const TILE * size_of::<i32>(),
            options(nostack),
        );
    }
}

/// The same for 16 rows, of whose sums the tiles of the lower rows are left alone.
///
/// # Safety
/// As for `multiply_tall`.
unsafe fn multiply_low<const SECOND: usize>(
    input: *const u8,
    grid: &Grid,
    weights: *const i8,
    distance: usize,
    sums: &mut Sums,
) {
    // SAFETY: as the caller promises; `sums` has room for two tiles.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "mov {step}, {steps}",
            "3:",
            "tileloadd tmm6, [{weights} + {distance}]",
            "tileloadd tmm4, [{upper} + {row}]",
            "tileloadd tmm7, [{weights} + {distance} + {second}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm4, tmm7",
            "add {upper}, {line}",
            "add {weights}, {pace}",
            "dec {step}",
            "jnz 3b",
            "add {upper}, {skip}",
            "dec {runs}",
            "jnz 2b",
            "mov {step}, {line}",
            "tilestored [{sums} + {step}], tmm0",
            "tilestored [{sums} + {step} + {tile}], tmm1",
            upper = inout(reg) input => _,
            row = in(reg) grid.distance,
            weights = inout(reg) weights => _,
            distance = in(reg) distance,
            pace = in(reg) ROWS * distance,
            step = out(reg) _,
            steps = in(reg) grid.length / LINE,
            runs = inout(reg) grid.runs => _,
            skip = in(reg) grid.run.wrapping_sub(grid.length),
            sums = in(reg) sums.0.as_mut_ptr(),
            second = const SECOND,
            line = const LINE,
            tile = const TILE * size_of::<i32>(),
            options(nostack),
        );
    }
}

/// Where the sums of a block belong.
struct Place {
    /// The first place of the grid.
    first: usize,
    rows: usize,
    /// The first of up to two vectors of the panel.
    vector: usize,
}

/// From sums to bytes of the output, two rows at a time: packing saturates to what the clamp would give, and leaves a 4 x 4
/// matrix of double words to be transposed.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn finish(
    place: &Place,
    operands: &Operands<i8>,
    grid: &Grid,
    panel: &Panel<i8>,
    sums: &Sums,
    output: &mut [u8],
) {
    let from = place.vector * LANES;
    let width = (panel.width - from).min(2 * LANES);
    let store = if width == 2 * LANES { u32::MAX } else { (1 << width) - 1 };
    // Where there is one vector, it stands for the second too.
    let second = if width > LANES { from + LANES } else { from };
    let start = [from, second].map(|at| load_i32(&panel.start[at..]));
    let scale = [from, second].map(|at| load_f32(&panel.scale[at..]));
    let bias = [from, second].map(|at| load_f32(&panel.bias[at..]));
    let zero_point = _mm512_set1_epi16(i16::from(operands.zero_point));
    let transpose = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let residual =
        operands.residual.map(|all| (all.values, _mm512_set1_epi32(i32::from(all.zero_point)), all.ratio));
    let (mut y, mut x) = (place.first / grid.pitch, place.first % grid.pitch);
    for pair in 0..place.rows / 2 {
        let mut places = [None; 2];
        let mut bytes = [_mm512_setzero_si512(); 2];
        for (row, bytes) in bytes.iter_mut().enumerate() {
            let number = 2 * pair + row;
            let at = (y * grid.width + x) * operands.columns + panel.column + from;
            if x < grid.width {
                places[row] = Some(at);
            }
            x += 1;
            if x == grid.pitch {
                (y, x) = (y + 1, 0);
            }
            let tiles = number / ROWS * 2 * TILE + number % ROWS * LANES;
            let mut values = [_mm512_setzero_si512(); 2];
            for (vector, value) in values.iter_mut().enumerate() {
                let sum = _mm512_add_epi32(load_i32(&sums.0[tiles + vector * TILE..]), start[vector]);
                let scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale[vector]);
                let mut real = _mm512_add_ps(scaled, bias[vector]);
                if let (Some((values, zero_point, ratio)), Some(at)) = (residual, places[row]) {
                    let values = values[at..at + width].get(vector * LANES..).unwrap_or_default();
                    let mask = ((1_u32 << values.len().min(LANES)) - 1) as __mmask16;
                    // SAFETY: only the bytes of the mask are read, which lie within `values`.
                    let skip = unsafe { _mm_maskz_loadu_epi8(mask, values.as_ptr().cast()) };
                    let skip = _mm512_sub_epi32(_mm512_cvtepu8_epi32(skip), zero_point);
                    real =
                        _mm512_add_ps(real, _mm512_mul_ps(_mm512_cvtepi32_ps(skip), _mm512_set1_ps(ratio)));
                }
                *value = _mm512_cvtps_epi32(real);
            }
            // Saturating to i16 before and after adding leaves what lies within 0 to 255 as it is, and the rest outside.
            *bytes = _mm512_adds_epi16(_mm512_packs_epi32(values[0], values[1]), zero_point);
        }
        let bytes = _mm512_permutexvar_epi32(transpose, _mm512_packus_epi16(bytes[0], bytes[1]));
        for (row, at) in places.into_iter().enumerate() {
            let Some(at) = at else { continue };
            let half =
                if row == 0 { _mm512_castsi512_si256(bytes) } else { _mm512_extracti64x4_epi64::<1>(bytes) };
            let output = &mut output[at..at + width];
            // SAFETY: only the bytes of the mask are written: `width`, the length of `output`.
            unsafe { _mm256_mask_storeu_epi8(output.as_mut_ptr().cast(), store, half) };
        }
    }
}

#[target_feature(enable = "avx512f")]
fn load_i32(values: &[i32]) -> __m512i {
    let values = &values[..LANES];
    // SAFETY: sixteen values.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn load_f32(values: &[f32]) -> __m512 {
    let values = &values[..LANES];
    // SAFETY: sixteen values.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}
