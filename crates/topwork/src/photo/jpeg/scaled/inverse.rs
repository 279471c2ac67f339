//! The inverse cosine transform of a block's lowest coefficients, to as many samples.
//!
//! The W x H lowest of a block's 8 x 8 coefficients are the coefficients of the block shrunk to W x H samples: what is finer
//! than such samples is left out, as it should be before shrinking (IJG's libjpeg does the same from version 7 on). Whole
//! numbers throughout, so that the result is the same everywhere.

/// Fractional bits of a factor.
const PRECISION: u32 = 11;
/// Fractional bits between the passes.
const BETWEEN: u32 = 2;
/// Coefficients are clamped to this size, so that no sum overflows: eight times what 8-bit samples give.
const LARGEST: i32 = 1 << 13;

/// `cos(π / 4) / 2`, `cos(π / 8) / 2` and `cos(3π / 8) / 2`.
const EIGHTH_TURN: i32 = 724;
const SIXTEENTH_TURN: i32 = 946;
const THREE_SIXTEENTHS_TURN: i32 = 392;

/// The samples of a block of `W` x `H`, into `out` of which a row takes `stride` bytes. `coefficients` are multiplied by
/// their quantisation steps, in rows of `W`.
pub(super) fn inverse<const W: usize, const H: usize>(coefficients: &[i32], out: &mut [u8], stride: usize) {
    let (coefficients, _) = coefficients.as_chunks::<W>();
    let mut columns = [[0; H]; W];
    for (across, column) in columns.iter_mut().enumerate() {
        *column = line(std::array::from_fn(|down| coefficients[down][across].clamp(-LARGEST, LARGEST)));
        *column = column.map(|sum| (sum + (1 << (PRECISION - BETWEEN - 1))) >> (PRECISION - BETWEEN));
    }
    for (down, out) in out.chunks_mut(stride).enumerate().take(H) {
        let samples = line(columns.map(|column| column[down])).map(|sum| sample(sum, PRECISION + BETWEEN));
        out[..W].copy_from_slice(&samples);
    }
}

/// One direction: 1, 2 or 4 values.
#[inline(always)]
fn line<const N: usize>(values: [i32; N]) -> [i32; N] {
    let mut out = [0; N];
    match values[..] {
        [a] => out.copy_from_slice(&[a * EIGHTH_TURN]),
        [a, b] => out.copy_from_slice(&[(a + b) * EIGHTH_TURN, (a - b) * EIGHTH_TURN]),
        [a, b, c, d] => {
            let (even, odd) = ((a + c) * EIGHTH_TURN, (a - c) * EIGHTH_TURN);
            let first = b * SIXTEENTH_TURN + d * THREE_SIXTEENTHS_TURN;
            let second = b * THREE_SIXTEENTHS_TURN - d * SIXTEENTH_TURN;
            out.copy_from_slice(&[even + first, odd + second, odd - second, even - first]);
        }
        _ => {}
    }
    out
}

/// The same as `inverse::<2, 2>`, whose factors are an eighth together.
pub(super) fn inverse_2x2(coefficients: &[i32], out: &mut [u8], stride: usize) {
    let [a, b, c, d] = *coefficients else { return };
    let [a, b, c, d] = [a, b, c, d].map(|coefficient| coefficient.clamp(-LARGEST, LARGEST));
    out[..2].copy_from_slice(&[a + b + c + d, a - b + c - d].map(|sum| sample(sum, 3)));
    out[stride..stride + 2].copy_from_slice(&[a + b - c - d, a - b - c + d].map(|sum| sample(sum, 3)));
}

/// The sample that all of a block share whose other coefficients are zero.
#[inline(always)]
pub(super) fn flat(coefficient: i32) -> u8 {
    sample(coefficient.clamp(-LARGEST, LARGEST), 3)
}

/// Rounds off fractional bits; coefficients are differences from the middle of the samples' range.
#[inline(always)]
fn sample(sum: i32, bits: u32) -> u8 {
    ((sum + (128 << bits) + (1 << (bits - 1))) >> bits).clamp(0, 255) as u8
}
