//! The inverse cosine transform of a block's lowest coefficients, to as many pixels.
//!
//! The W x H lowest of a block's 8 x 8 coefficients are the coefficients of the block shrunk to W x H pixels, but for a
//! constant: what is finer than such pixels is left out, as it should be before shrinking (IJG's libjpeg does the same from
//! version 7 on). Whole numbers throughout, so that the result is the same everywhere.

/// Fractional bits of a factor of [`BASIS`].
const PRECISION: u32 = 11;
/// Fractional bits between the passes.
const BETWEEN: u32 = 2;
/// Coefficients are clamped to this size, so that no sum overflows: eight times what 8-bit samples give.
const LARGEST: i32 = 1 << 13;

/// For 1, 2, 4 and 8 pixels: `C(u) / 2 · cos((2x + 1) u π / 2N)` by pixel x and coefficient u, where C(0) is the root of a half.
const BASIS: [[[i32; 8]; 8]; 4] = [
    [[724, 0, 0, 0, 0, 0, 0, 0], [0; 8], [0; 8], [0; 8], [0; 8], [0; 8], [0; 8], [0; 8]],
    [
        [724, 724, 0, 0, 0, 0, 0, 0],
        [724, -724, 0, 0, 0, 0, 0, 0],
        [0; 8],
        [0; 8],
        [0; 8],
        [0; 8],
        [0; 8],
        [0; 8],
    ],
    [
        [724, 946, 724, 392, 0, 0, 0, 0],
        [724, 392, -724, -946, 0, 0, 0, 0],
        [724, -392, -724, 946, 0, 0, 0, 0],
        [724, -946, 724, -392, 0, 0, 0, 0],
        [0; 8],
        [0; 8],
        [0; 8],
        [0; 8],
    ],
    [
        [724, 1004, 946, 851, 724, 569, 392, 200],
        [724, 851, 392, -200, -724, -1004, -946, -569],
        [724, 569, -392, -1004, -724, 200, 946, 851],
        [724, 200, -946, -569, 724, 851, -392, -1004],
        [724, -200, -946, 569, 724, -851, -392, 1004],
        [724, -569, -392, 1004, -724, -200, 946, -851],
        [724, -851, 392, 200, -724, 1004, -946, 569],
        [724, -1004, 946, -851, 724, -569, 392, -200],
    ],
];

/// The samples of a block of `W` x `H` pixels, into `out` of which a row takes `stride` bytes. `coefficients` are multiplied
/// by their quantisation steps, in rows of `W`.
#[inline(always)]
pub(super) fn inverse<const W: usize, const H: usize>(coefficients: &[i32], out: &mut [u8], stride: usize) {
    let (across, down) = (&BASIS[W.ilog2() as usize], &BASIS[H.ilog2() as usize]);
    let mut rows = [[0i32; W]; H];
    let (coefficients, _) = coefficients.as_chunks::<W>();
    let rounding = 1 << (PRECISION - BETWEEN - 1);
    for (y, row) in rows.iter_mut().enumerate() {
        for (v, coefficients) in coefficients.iter().enumerate().take(H) {
            for (sum, coefficient) in row.iter_mut().zip(coefficients) {
                *sum += coefficient.clamp(&-LARGEST, &LARGEST) * down[y][v];
            }
        }
        row.iter_mut().for_each(|sum| *sum = (*sum + rounding) >> (PRECISION - BETWEEN));
    }
    let rounding = (128 << (PRECISION + BETWEEN)) + (1 << (PRECISION + BETWEEN - 1));
    for (row, out) in rows.iter().zip(out.chunks_mut(stride)) {
        for (x, sample) in out.iter_mut().enumerate().take(W) {
            let sum: i32 = row.iter().zip(&across[x]).map(|(sum, factor)| sum * factor).sum();
            *sample = ((sum + rounding) >> (PRECISION + BETWEEN)).clamp(0, 255) as u8;
        }
    }
}

/// The sample that all pixels of a block share whose other coefficients are zero.
#[inline(always)]
pub(super) fn flat(coefficient: i32) -> u8 {
    (((coefficient.clamp(-LARGEST, LARGEST) + 4) >> 3) + 128).clamp(0, 255) as u8
}
