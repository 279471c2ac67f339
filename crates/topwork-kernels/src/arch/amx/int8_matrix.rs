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

/// Bytes of the next panel that a step asks for.
const AHEAD: usize = 1024;

/// Passes that together ask for all of the next panel: those of the first two blocks of rows over both halves of this one.
const PASSES: usize = 4;

/// Sums of a tile.
const TILE: usize = ROWS * LANES;

/// The sums of a block: tiles row by row; and what the sums of each column begin with.
#[repr(C, align(64))]
struct Sums {
    tiles: [i32; 4 * TILE],
    start: [i32; 2 * LANES],
}

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
    let mut sums = Sums { tiles: [0; 4 * TILE], start: [0; 2 * LANES] };
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
                    let tiles = (row - start) / (2 * ROWS);
                    let pass = vector + tiles;
                    let ahead = if tiles >= PASSES / 2 {
                        std::ptr::null()
                    } else {
                        panel.weights.as_ptr_range().end.wrapping_add(pass * panel.weights.len() / PASSES)
                    };
                    for (sum, start) in sums.start.iter_mut().zip(&panel.start[vector * LANES..]) {
                        *sum = *start;
                    }
                    // SAFETY: tiles are configured; input and weights reach as far as asserted above and seen to by `panels`.
                    unsafe {
                        let input = operands.input.as_ptr().add(first * grid.distance);
                        let weights = panel.weights.as_ptr().add(vector * LINE);
                        let factors = Factors { input, weights, distance: panel.vectors * LINE, ahead };
                        multiply(&factors, grid, &mut sums);
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

/// What a block multiplies.
struct Factors {
    input: *const u8,
    weights: *const i8,
    /// Bytes from one line of weights to the next.
    distance: usize,
    /// What is needed later, or null.
    ahead: *const i8,
}

/// Multiplies 32 rows of input and 32 columns of weights. The second 16 columns are `SECOND` bytes behind the first: with 0 there
/// are only 16, and their sums come twice. The sums begin as `sums.start`, read as a tile whose rows lie at the same place.
///
/// # Safety
/// Tiles are configured; all rows and lines can be read.
unsafe fn multiply_tall<const SECOND: usize>(factors: &Factors, grid: &Grid, sums: &mut Sums) {
    // SAFETY: as the caller promises; `sums` has room for four tiles. Asking for lines reads none.
    unsafe {
        asm!(
            "xor {step:e}, {step:e}",
            "tileloadd tmm0, [{sums} + {step} + {start}]",
            "tileloadd tmm1, [{sums} + {step} + {start} + {second}]",
            "tileloadd tmm2, [{sums} + {step} + {start}]",
            "tileloadd tmm3, [{sums} + {step} + {start} + {second}]",
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
            "test {ahead}, {ahead}",
            "jz 4f",
            "prefetcht1 [{ahead} + 0]",
            "prefetcht1 [{ahead} + 64]",
            "prefetcht1 [{ahead} + 128]",
            "prefetcht1 [{ahead} + 192]",
            "prefetcht1 [{ahead} + 256]",
            "prefetcht1 [{ahead} + 320]",
            "prefetcht1 [{ahead} + 384]",
            "prefetcht1 [{ahead} + 448]",
            "prefetcht1 [{ahead} + 512]",
            "prefetcht1 [{ahead} + 576]",
            "prefetcht1 [{ahead} + 640]",
            "prefetcht1 [{ahead} + 704]",
            "prefetcht1 [{ahead} + 768]",
            "prefetcht1 [{ahead} + 832]",
            "prefetcht1 [{ahead} + 896]",
            "prefetcht1 [{ahead} + 960]",
            "add {ahead}, {piece}",
            "4:",
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
            upper = inout(reg) factors.input => _,
            lower = inout(reg) factors.input.wrapping_add(ROWS * grid.distance) => _,
            row = in(reg) grid.distance,
            weights = inout(reg) factors.weights => _,
            distance = in(reg) factors.distance,
            pace = in(reg) ROWS * factors.distance,
            ahead = inout(reg) factors.ahead => _,
            piece = const AHEAD,
            step = out(reg) _,
            steps = in(reg) grid.length / LINE,
            runs = inout(reg) grid.runs => _,
            skip = in(reg) grid.run.wrapping_sub(grid.length),
            start = const 4 * TILE * size_of::<i32>(),
            sums = in(reg) &raw mut *sums,
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
unsafe fn multiply_low<const SECOND: usize>(factors: &Factors, grid: &Grid, sums: &mut Sums) {
    // SAFETY: as the caller promises; `sums` has room for two tiles.
    unsafe {
        asm!(
            "xor {step:e}, {step:e}",
            "tileloadd tmm0, [{sums} + {step} + {start}]",
            "tileloadd tmm1, [{sums} + {step} + {start} + {second}]",
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
            upper = inout(reg) factors.input => _,
            row = in(reg) grid.distance,
            weights = inout(reg) factors.weights => _,
            distance = in(reg) factors.distance,
            pace = in(reg) ROWS * factors.distance,
            step = out(reg) _,
            steps = in(reg) grid.length / LINE,
            runs = inout(reg) grid.runs => _,
            skip = in(reg) grid.run.wrapping_sub(grid.length),
            start = const 4 * TILE * size_of::<i32>(),
            sums = in(reg) &raw mut *sums,
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
/// matrix of double words to be transposed. Rows across the border are stored with a mask of nothing.
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
    let mask = if width == 2 * LANES { u32::MAX } else { (1 << width) - 1 };
    // Of a place, or of the next that counts.
    let at = |place: usize| {
        let (y, x) = (place / grid.pitch, place % grid.pitch);
        (y * grid.width + x.min(grid.width)) * operands.columns + panel.column + from
    };
    let end = at(place.first + place.rows);
    let (mut at, mut x) = (at(place.first), place.first % grid.pitch);
    assert!(at <= end && end - operands.columns + width <= output.len(), "{end} of {}", output.len());
    // Where there is one vector, it stands for the second too.
    let second = if width > LANES { from + LANES } else { from };
    let scale = [load(&panel.scale[from..]), load(&panel.scale[second..])];
    let bias = [load(&panel.bias[from..]), load(&panel.bias[second..])];
    let zero_point = _mm512_set1_epi16(i16::from(operands.zero_point));
    let transpose = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let residual = operands.residual.map(|all| {
        assert!(end - operands.columns + width <= all.values.len(), "{end} of {}", all.values.len());
        (all.values.as_ptr(), _mm512_set1_epi32(i32::from(all.zero_point)), _mm512_set1_ps(all.ratio))
    });
    let output = output.as_mut_ptr();
    for row in (0..place.rows).step_by(2) {
        let sums = &sums.tiles[row / ROWS * 2 * TILE + row % ROWS * LANES..][..TILE + 2 * LANES];
        let mut places = [at; 2];
        let mut masks = [mask; 2];
        for (place, mask) in places.iter_mut().zip(&mut masks) {
            *place = at;
            let counts = x < grid.width;
            *mask = if counts { *mask } else { 0 };
            at += if counts { operands.columns } else { 0 };
            x = if x + 1 == grid.pitch { 0 } else { x + 1 };
        }
        let mut values = [[_mm512_setzero_ps(); 2]; 2];
        for (row, values) in values.iter_mut().enumerate() {
            for (vector, value) in values.iter_mut().enumerate() {
                // SAFETY: sixteen of the sums, of which there are 288.
                let sum =
                    unsafe { _mm512_loadu_si512(sums.as_ptr().add(vector * TILE + row * LANES).cast()) };
                *value = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale[vector]), bias[vector]);
            }
        }
        if let Some((skips, zero_point, ratio)) = residual {
            for (row, values) in values.iter_mut().enumerate() {
                // SAFETY: only the bytes of the mask are read, which end before the `end` asserted above.
                let skips =
                    unsafe { _mm256_maskz_loadu_epi8(masks[row], skips.wrapping_add(places[row]).cast()) };
                let skips = [_mm256_castsi256_si128(skips), _mm256_extracti128_si256::<1>(skips)];
                for (value, skip) in values.iter_mut().zip(skips) {
                    let skip = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(skip), zero_point));
                    *value = _mm512_add_ps(*value, _mm512_mul_ps(skip, ratio));
                }
            }
        }
        let mut words = [_mm512_setzero_si512(); 2];
        for (words, values) in words.iter_mut().zip(values) {
            let [one, other] = [_mm512_cvtps_epi32(values[0]), _mm512_cvtps_epi32(values[1])];
            // Saturating to i16 before and after adding leaves what lies within 0 to 255 as it is, and the rest outside.
            *words = _mm512_adds_epi16(_mm512_packs_epi32(one, other), zero_point);
        }
        let bytes = _mm512_permutexvar_epi32(transpose, _mm512_packus_epi16(words[0], words[1]));
        let halves = [_mm512_castsi512_si256(bytes), _mm512_extracti64x4_epi64::<1>(bytes)];
        for row in 0..2 {
            // SAFETY: only the bytes of the mask are written, which end before the `end` asserted above.
            unsafe {
                _mm256_mask_storeu_epi8(output.wrapping_add(places[row]).cast(), masks[row], halves[row])
            };
        }
    }
}

/// Sixteen values.
#[target_feature(enable = "avx512f")]
fn load(values: &[f32]) -> __m512 {
    let values = &values[..LANES];
    // SAFETY: sixteen values.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}
