//! The exponential of many f32 at once, with the same bits on every instruction set.

use crate::Isa;
use crate::isa::Level;

/// Below it e^x is smaller than any normal f32, and counts as 0 would: the result is that of the limit, 1.2e-38.
const LEAST: f32 = -87.0;

/// Above it e^x is larger than any f32; the result is that of the limit, 1.7e38.
const LARGEST: f32 = 88.0;

/// Every value becomes e to its power: x = n · ln 2 + r, e^r by a polynomial of degree 7, and n goes into the exponent.
///
/// Multiplications and additions are rounded one by one, never fused. Within 2 units in the last place for −87 ≤ x ≤ 88,
/// which is as far as it goes: what lies outside is moved to the nearer end. Not for NaN.
pub fn exponentials(isa: Isa, values: &mut [f32]) {
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { exponentials_avx512(values) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { exponentials_avx2(values) },
        _ => exponentials_in_a_loop(values),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn exponentials_avx512(values: &mut [f32]) {
    exponentials_in_a_loop(values);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn exponentials_avx2(values: &mut [f32]) {
    exponentials_in_a_loop(values);
}

#[inline(always)]
fn exponentials_in_a_loop(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = exponential(*value));
}

#[inline(always)]
fn exponential(x: f32) -> f32 {
    /// ln 2 in two parts, of which the first has so few digits that its multiples are exact.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    /// 1.5 · 2^23: what is added to it is rounded to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(LEAST, LARGEST);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    // Taylor's, to 1/7!: the next term is below 2^-26 for |r| ≤ ln 2 / 2.
    let mut sum = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * r + factor;
    }
    // The whole number stands in the lowest bits of the shifted one.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    sum * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_exponential() {
        let inputs: Vec<f32> = (0..200_001).map(|at| -88.0 + at as f32 * 8.85e-4).collect();
        let mut scalar = inputs.clone();
        exponentials(Isa::SCALAR, &mut scalar);
        let mut worst = 0.0_f64;
        for (x, found) in inputs.iter().zip(&scalar) {
            let exact = f64::from(x.clamp(LEAST, LARGEST)).exp();
            worst = worst.max((f64::from(*found) / exact - 1.0).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "relative error {worst}");
        for isa in Isa::available() {
            let mut found = inputs.clone();
            exponentials(isa, &mut found);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&scalar), "{}", isa.name());
        }
    }

    #[test]
    fn the_ends_stay_finite() {
        let mut values = [f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY, 0.0, -0.0];
        exponentials(Isa::best(), &mut values);
        assert!(values.iter().all(|value| value.is_finite() && *value > 0.0), "{values:?}");
        assert_eq!(values[4..], [1.0, 1.0]);
    }
}
