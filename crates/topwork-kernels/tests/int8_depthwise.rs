//! Depthwise convolutions and averages of bytes on every instruction set that this processor has: the same bits as the plain
//! loops of `reference`.

use topwork_kernels::Isa;
use topwork_kernels::int8::{PackedDepthwise, Requantise, Residual, channel_sums, depthwise};
use topwork_kernels::reference;
use topwork_kernels::window::Window;

type Pair = (usize, usize);

/// Pseudo-random numbers from a counter, so that no case depends on another.
fn numbers(seed: usize) -> impl Iterator<Item = u64> {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    numbers(seed).take(count).map(|number| number as u8).collect()
}

/// What the values of a case are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    /// All bytes, and scales for which about half of the outputs lie between the bounds.
    Any,
    /// Inputs of 0 and 255, weights of -128, -127 and 127.
    Extreme,
    /// All inputs 255, all weights of a channel -128 or 127: the largest sums.
    Largest,
    /// Scales that are powers of two, so that many values lie halfway between two bytes.
    Halves,
}

const VALUES: [Values; 4] = [Values::Any, Values::Extreme, Values::Largest, Values::Halves];

/// One layer.
#[derive(Clone, Copy, Debug)]
struct Case {
    window: Window,
    channels: usize,
    zero_points: (u8, u8),
    /// The zero point of the skip connection.
    residual: Option<u8>,
    values: Values,
    seed: usize,
}

impl Case {
    fn check(&self, isa: Isa) -> Result<(), String> {
        let Case { window, channels, values, seed, .. } = *self;
        let mut input = bytes(window.input_pixels() * channels, seed);
        let mut weights: Vec<i8> =
            bytes(window.taps() * channels, seed + 1).into_iter().map(|value| value as i8).collect();
        match values {
            Values::Any | Values::Halves => {}
            Values::Extreme => {
                input.iter_mut().for_each(|value| *value = if *value < 128 { 0 } else { 255 });
                let extremes = [-128, -127, 127];
                weights.iter_mut().for_each(|value| *value = extremes[value.rem_euclid(3) as usize]);
            }
            Values::Largest => {
                input.fill(255);
                let signs = [-128, 127];
                weights
                    .iter_mut()
                    .enumerate()
                    .for_each(|(at, value)| *value = signs[at % channels.max(1) % 2]);
            }
        }
        let size = match values {
            Values::Any => 1.0 / (80.0 * (window.taps().max(1) as f32).sqrt()),
            Values::Halves => 1.0 / 128.0,
            _ => 1.0 / (200.0 * window.taps().max(1) as f32),
        };
        let scale = numbers(seed + 2).take(channels).map(|number| match values {
            Values::Halves => size / (1 << (number % 4)) as f32,
            _ => size * (0.5 + number as f32 / (1u64 << 31) as f32),
        });
        let bias = numbers(seed + 3).take(channels).map(|number| match values {
            Values::Halves => (number % 256) as f32 / 2.0,
            _ => number as f32 / (1u64 << 31) as f32 * 200.0 - 100.0,
        });
        let requantise =
            Requantise { scale: scale.collect(), bias: bias.collect(), zero_point: self.zero_points.1 };
        let skips = bytes(window.output_pixels() * channels, seed + 4);
        let residual = self.residual.map(|zero_point| Residual {
            values: &skips,
            zero_point,
            ratio: if values == Values::Halves { 0.5 } else { 0.37 },
        });
        let mut expected = vec![1; skips.len()];
        let zero_point = self.zero_points.0;
        reference::int8::depthwise(
            &window,
            &input,
            &weights,
            zero_point,
            &requantise,
            residual.as_ref(),
            &mut expected,
        );
        let packed = PackedDepthwise::new(isa, &weights, window.taps(), channels, zero_point, requantise);
        let mut found = vec![2; skips.len()];
        depthwise(&window, &packed, &input, residual.as_ref(), &mut found);
        match found.iter().zip(&expected).position(|(found, expected)| found != expected) {
            None => Ok(()),
            Some(at) => {
                let (found, expected) = (found[at], expected[at]);
                Err(format!("{} {self:?}: output {at} is {found}, not {expected}", isa.name()))
            }
        }
    }
}

fn check(cases: &[Case]) {
    let mut failures = Vec::new();
    for isa in Isa::available() {
        failures.extend(cases.iter().filter_map(|case| case.check(isa).err()));
    }
    let shown = failures[..failures.len().min(20)].join("\n");
    let all = cases.len() * Isa::available().len();
    assert!(failures.is_empty(), "{} of {all} cases failed:\n{shown}", failures.len());
}

/// Kernel, stride and padding; `None` is TensorFlow's.
const WINDOWS: [(Pair, Pair, Option<Pair>); 18] = [
    ((3, 3), (1, 1), None),
    ((3, 3), (2, 2), None),
    ((5, 5), (1, 1), None),
    ((5, 5), (2, 2), None),
    ((3, 3), (2, 2), Some((1, 1))),
    ((3, 3), (1, 1), Some((0, 0))),
    ((3, 3), (1, 2), Some((2, 7))),
    ((5, 5), (2, 1), Some((4, 0))),
    ((5, 5), (1, 2), Some((0, 3))),
    ((3, 3), (3, 3), None),
    ((5, 5), (3, 1), None),
    ((1, 1), (1, 1), None),
    ((1, 1), (2, 2), None),
    ((2, 3), (1, 2), Some((1, 0))),
    ((3, 5), (2, 1), None),
    ((7, 7), (2, 2), Some((3, 3))),
    ((9, 1), (1, 1), None),
    ((1, 25), (1, 2), None),
];

fn window(plane: Pair, (kernel, stride, padding): (Pair, Pair, Option<Pair>)) -> Window {
    match padding {
        None => Window::same(plane, kernel, stride),
        Some(padding) => Window::padded(plane, kernel, stride, padding),
    }
}

const ZERO_POINTS: [u8; 4] = [0, 127, 255, 3];

#[test]
fn planes_of_every_size() {
    let mut cases = Vec::new();
    for kind in WINDOWS {
        // Up to beyond two tiles of four outputs at stride 2.
        for side in 0..19 {
            for plane in [(side, side), (side, 7), (4, side), (2, side + 16)] {
                let seed = cases.len();
                for channels in [16 + seed % 3 * 16, 64] {
                    let seed = cases.len();
                    cases.push(Case {
                        window: window(plane, kind),
                        channels,
                        zero_points: (ZERO_POINTS[seed % 4], ZERO_POINTS[seed / 4 % 4]),
                        residual: (seed % 3 == 0).then_some(ZERO_POINTS[seed / 3 % 4]),
                        values: Values::Any,
                        seed,
                    });
                }
            }
        }
    }
    check(&cases);
}

#[test]
fn any_number_of_channels() {
    let mut cases = Vec::new();
    for kind in WINDOWS {
        for channels in
            (0..36).chain(46..51).chain(62..68).chain([80, 95, 96, 97, 112, 127, 129, 130, 144, 150])
        {
            for plane in [(5, 9), (7, 4)] {
                let seed = cases.len();
                cases.push(Case {
                    window: window(plane, kind),
                    channels,
                    zero_points: (ZERO_POINTS[seed % 4], ZERO_POINTS[seed / 4 % 4]),
                    residual: (seed % 3 == 0).then_some(ZERO_POINTS[seed / 3 % 4]),
                    values: Values::Any,
                    seed,
                });
            }
        }
    }
    check(&cases);
}

#[test]
fn all_zero_points_and_values() {
    let mut cases = Vec::new();
    for kind in WINDOWS {
        for values in VALUES {
            for zero_point in [0, 1, 127, 128, 255] {
                for output in [0, 127, 255] {
                    for residual in [None, Some(0), Some(127), Some(255)] {
                        cases.push(Case {
                            window: window((6, 11), kind),
                            channels: [20, 64, 33, 80][cases.len() % 4],
                            zero_points: (zero_point, output),
                            residual,
                            values,
                            seed: cases.len(),
                        });
                    }
                }
            }
        }
    }
    check(&cases);
}

/// Planes larger than what is computed band by band.
#[test]
fn planes_of_several_bands() {
    let mut cases = Vec::new();
    for kind in WINDOWS.into_iter().take(4) {
        for (plane, channels) in [((20, 35), 240), ((90, 60), 40)] {
            cases.push(Case {
                window: window(plane, kind),
                channels,
                zero_points: (0, 0),
                residual: None,
                values: Values::Any,
                seed: cases.len(),
            });
        }
    }
    check(&cases);
}

#[test]
fn sums_of_channels() {
    let mut failures = Vec::new();
    for channels in (1..70).chain([96, 127, 128, 129, 144, 320, 672, 1280]) {
        for pixels in [0, 1, 2, 3, 4, 5, 7, 8, 9, 49, 196, 256, 257, 258, 289, 300, 784] {
            for largest in [false, true] {
                let mut input = bytes(channels * pixels, channels + pixels);
                if largest {
                    input.fill(255);
                }
                let (mut expected, mut found) = (vec![1; channels], vec![2; channels]);
                reference::int8::channel_sums(&input, &mut expected);
                channel_sums(&input, &mut found);
                if found != expected || (largest && found[0] != 255 * pixels as u32) {
                    failures.push(format!("{pixels} x {channels}, {largest}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
