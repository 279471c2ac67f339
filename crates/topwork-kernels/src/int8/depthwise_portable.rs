//! Depthwise convolution of bytes for processors without a kernel of their own, and as WebAssembly: plain loops over the 16
//! channels of a block, which the compiler turns into vectors of whatever width it may assume.

use super::Residual;
use super::depthwise_pairs::{Block, LANES, PackedPairs, Seen, each_strip};
use crate::window::Window;

/// See [`crate::int8::depthwise`], which has checked the sizes; `packed` in plain order.
pub(crate) fn depthwise(
    window: &Window,
    packed: &PackedPairs,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let channels = packed.channels();
    each_strip(window, packed, input, |from, strip| {
        for block in packed.blocks() {
            for (index, seen) in strip.iter().enumerate() {
                let at = (from + index) * channels + block.first;
                let mut values = scaled(&block, &sums(&block, seen));
                if let Some(residual) = residual {
                    add(residual, at, &mut values);
                }
                let output: Option<&mut [u8; LANES]> = output[at..].first_chunk_mut();
                if let Some(output) = output {
                    round(&values, packed.zero_point, output);
                }
            }
        }
    });
}

fn sums(block: &Block, seen: &Seen) -> [i32; LANES] {
    let mut sums = *block.starts;
    for (number, [first, second]) in seen.pairs() {
        let (first, second) = (&first[block.first..][..LANES], &second[block.first..][..LANES]);
        let weights = &block.weights[number];
        for lane in 0..LANES {
            // Products of 16 bits, which the compiler knows to be cheaper than those of 32.
            let product = i32::from(i16::from(first[lane])) * i32::from(weights[lane]);
            sums[lane] += product + i32::from(i16::from(second[lane])) * i32::from(weights[LANES + lane]);
        }
    }
    sums
}

fn scaled(block: &Block, sums: &[i32; LANES]) -> [f32; LANES] {
    let mut values = [0.0; LANES];
    for lane in 0..LANES {
        values[lane] = sums[lane] as f32 * block.scales[lane] + block.biases[lane];
    }
    values
}

fn add(residual: &Residual, at: usize, values: &mut [f32; LANES]) {
    for (value, skip) in values.iter_mut().zip(&residual.values[at..]) {
        *value += (i32::from(*skip) - i32::from(residual.zero_point)) as f32 * residual.ratio;
    }
}

/// To the nearest whole number, ties to even: the addition of 1.5 · 2²³ rounds so, as f32 has no places after the point there. The
/// clamp comes first, which changes nothing as its bounds are whole numbers.
fn round(values: &[f32; LANES], zero_point: u8, output: &mut [u8; LANES]) {
    const LARGE: f32 = (3 << 22) as f32;
    let (low, high) = (-f32::from(zero_point), 255.0 - f32::from(zero_point));
    let offset = i32::from(zero_point) - LARGE.to_bits() as i32;
    for (output, value) in output.iter_mut().zip(values) {
        let value = if *value > low { *value } else { low };
        let value = if value < high { value } else { high };
        *output = ((value + LARGE).to_bits() as i32 + offset) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even_and_clamped() {
        let mut failures = Vec::new();
        for zero_point in [0, 1, 127, 255] {
            // Quarters around the bounds, their neighbours, and large values.
            for step in -3000i32..3000 {
                let value = step as f32 / 4.0;
                let wide = step as f32 * 300_000.0;
                let values = [value, value.next_up(), value.next_down(), wide, -value, wide.next_up()];
                let mut all = [0.0; LANES];
                all[..values.len()].copy_from_slice(&values);
                let mut output = [0; LANES];
                round(&all, zero_point, &mut output);
                for (value, found) in values.into_iter().zip(output) {
                    let expected = (value.round_ties_even() + f32::from(zero_point)).clamp(0.0, 255.0) as u8;
                    if found != expected {
                        failures.push(format!("{value} + {zero_point}: {found}, not {expected}"));
                    }
                }
            }
        }
        assert!(
            failures.is_empty(),
            "{} failures: {:?}",
            failures.len(),
            &failures[..failures.len().min(20)]
        );
    }
}
