//! Every f32 kernel on every instruction set that this processor has, against the plain loops of `reference`.
//!
//! Tolerance: two sums of n products in f32, in whatever order and with or without fused multiply-adds, each differ from the
//! exact one by at most γ(n) · Σ|a·b| with γ(n) = n·u / (1 − n·u), u = 2⁻²⁴. So they differ by at most twice that; bias, residual
//! and their roundings count as three more terms. Activations do not enlarge a difference.

use std::cmp::Ordering;

use topwork_kernels::Isa;
use topwork_kernels::bands::{self, Layer, Weights};
use topwork_kernels::convolution::{convolution, gathered_len};
use topwork_kernels::depthwise::{PackedDepthwise, depthwise};
use topwork_kernels::epilogue::{Activation, Epilogue};
use topwork_kernels::gemm::{PackedMatrix, matrix_product};
use topwork_kernels::reference;
use topwork_kernels::window::Window;

const ACTIVATIONS: [Activation; 3] = [Activation::Linear, Activation::Relu, Activation::Relu6];

/// Values in -2 to 2 from a counter, so that no case depends on another.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 22) as f32) - 2.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn magnitudes(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// One layer, to be run by the reference and by a kernel.
struct Case {
    name: String,
    terms: usize,
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    residual: Option<Vec<f32>>,
    activation: Activation,
    outputs: usize,
}

impl Case {
    fn check(
        &self,
        reference: impl Fn(&[f32], &[f32], &Epilogue, &mut [f32]),
        kernel: impl Fn(&[f32], &[f32], &Epilogue, &mut [f32]),
    ) -> Result<(), String> {
        let epilogue =
            Epilogue { bias: &self.bias, residual: self.residual.as_deref(), activation: self.activation };
        let mut expected = vec![f32::NAN; self.outputs];
        reference(&self.input, &self.weights, &epilogue, &mut expected);
        let (bias, residual) = (magnitudes(&self.bias), self.residual.as_deref().map(magnitudes));
        let sizes = Epilogue { bias: &bias, residual: residual.as_deref(), activation: Activation::Linear };
        let mut scale = vec![f32::NAN; self.outputs];
        reference(&magnitudes(&self.input), &magnitudes(&self.weights), &sizes, &mut scale);
        let mut found = vec![f32::NAN; self.outputs];
        kernel(&self.input, &self.weights, &epilogue, &mut found);
        let roundings = (self.terms + 3) as f64 * 2f64.powi(-24);
        let bound = 2.0 * roundings / (1.0 - roundings);
        for (at, ((expected, found), scale)) in expected.iter().zip(&found).zip(&scale).enumerate() {
            let difference = (f64::from(*expected) - f64::from(*found)).abs();
            // `is_none_or` and not `>`: a NaN must fail.
            if difference.partial_cmp(&(bound * f64::from(*scale))).is_none_or(Ordering::is_gt) {
                return Err(format!("{}: output {at} is {found}, not {expected}", self.name));
            }
        }
        Ok(())
    }
}

#[track_caller]
fn report(cases: usize, failures: &[String]) {
    let shown = failures[..failures.len().min(20)].join("\n");
    assert!(failures.is_empty(), "{} of {cases} cases failed:\n{shown}", failures.len());
}

#[test]
fn matrix_products_are_the_reference_s() {
    // Around one and two tiles (AVX2: 6 rows x 16 columns, AVX-512: 14 x 32, 9 x 48 and 14 x 16), with parts of a vector.
    let rows = [0, 1, 2, 5, 6, 7, 9, 12, 13, 14, 15, 18, 19, 27, 28, 29, 49];
    let columns = [0, 1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 49, 64, 65, 80, 97];
    let depths = [0, 1, 2, 3, 16, 27];
    let mut sizes = Vec::new();
    for row in rows {
        for column in columns {
            sizes.extend(depths.map(|depth| (row, depth, column)));
        }
    }
    // And more than one block of rows, or piece of a row.
    sizes.extend([(61, 1152, 24), (200, 1024, 17), (20_000, 3, 5), (1000, 64, 130)]);
    sizes.extend([(49, 4608, 70), (57, 2561, 33), (3, 1281, 48), (131, 64, 256), (130, 64, 300)]);
    let (mut cases, mut failures) = (0, Vec::new());
    for isa in Isa::available() {
        for (index, &(rows, depth, columns)) in sizes.iter().enumerate() {
            let seed = index as u64;
            let case = Case {
                name: format!("{} {rows} x {depth} x {columns}", isa.name()),
                terms: depth,
                input: values(rows * depth, seed),
                weights: values(depth * columns, seed + 1),
                bias: values(columns, seed + 2),
                residual: (index % 2 == 0).then(|| values(rows * columns, seed + 3)),
                activation: ACTIVATIONS[index % 3],
                outputs: rows * columns,
            };
            let kernel = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
                // A product without columns has no rows to speak of, so neither has its input.
                let input = if columns == 0 { &[] } else { input };
                matrix_product(&PackedMatrix::new(isa, weights, depth, columns), input, epilogue, output);
            };
            cases += 1;
            failures.extend(case.check(reference::matrix_product, kernel).err());
        }
    }
    report(cases, &failures);
}

type Pair = (usize, usize);

/// Kernel, stride and padding; `None` is TensorFlow's.
const WINDOWS: [(Pair, Pair, Option<Pair>); 13] = [
    ((1, 1), (1, 1), None),
    ((1, 1), (2, 2), None),
    ((3, 3), (1, 1), None),
    ((3, 3), (2, 2), None),
    ((5, 5), (1, 1), None),
    ((5, 5), (2, 2), None),
    ((7, 7), (2, 2), Some((3, 3))),
    ((3, 3), (2, 2), Some((1, 1))),
    ((3, 3), (1, 1), Some((0, 0))),
    ((5, 5), (2, 2), Some((4, 0))),
    ((2, 3), (1, 2), Some((1, 0))),
    ((3, 5), (2, 1), None),
    ((4, 2), (3, 3), None),
];

const PLANES: [Pair; 14] = [
    (0, 0),
    (1, 1),
    (1, 9),
    (9, 1),
    (2, 2),
    (3, 4),
    (5, 3),
    (6, 7),
    (7, 7),
    (8, 5),
    (9, 10),
    (12, 13),
    (13, 21),
    (6, 31),
];

fn windows() -> impl Iterator<Item = Window> {
    PLANES.into_iter().flat_map(|plane| {
        WINDOWS.into_iter().map(move |(kernel, stride, padding)| match padding {
            None => Window::same(plane, kernel, stride),
            Some(padding) => Window::padded(plane, kernel, stride, padding),
        })
    })
}

#[test]
fn convolutions_are_the_reference_s() {
    let (mut cases, mut failures) = (0, Vec::new());
    for isa in Isa::available() {
        for (index, window) in windows().enumerate() {
            for (channels, columns) in [(3, 32), (1, 1), (4, 17), (16, 24), (5, 49)] {
                let seed = (index * 31 + channels) as u64;
                let depth = window.taps() * channels;
                let outputs = window.output_pixels() * columns;
                let case = Case {
                    name: format!("{} {window:?} {channels} → {columns}", isa.name()),
                    terms: depth,
                    input: values(window.input_pixels() * channels, seed),
                    weights: values(depth * columns, seed + 1),
                    bias: values(columns, seed + 2),
                    residual: (index % 2 == 0).then(|| values(outputs, seed + 3)),
                    activation: ACTIVATIONS[index % 3],
                    outputs,
                };
                let plain = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
                    reference::convolution(&window, channels, input, weights, epilogue, output);
                };
                let kernel = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
                    let weights = PackedMatrix::new(isa, weights, depth, columns);
                    let mut gathered = vec![f32::NAN; gathered_len(&window, channels)];
                    convolution(&window, &weights, input, &mut gathered, epilogue, output);
                };
                cases += 1;
                failures.extend(case.check(plain, kernel).err());
            }
        }
    }
    report(cases, &failures);
}

/// More output pixels than one gathered block has.
#[test]
fn a_convolution_of_several_blocks_is_the_reference_s() {
    let window = Window::same((61, 45), (3, 3), (1, 1));
    let (channels, columns) = (24, 9);
    assert!(gathered_len(&window, channels) < window.output_pixels() * window.taps() * channels);
    for isa in Isa::available() {
        let depth = window.taps() * channels;
        let case = Case {
            name: format!("{} {window:?}", isa.name()),
            terms: depth,
            input: values(window.input_pixels() * channels, 1),
            weights: values(depth * columns, 2),
            bias: values(columns, 3),
            residual: Some(values(window.output_pixels() * columns, 4)),
            activation: Activation::Linear,
            outputs: window.output_pixels() * columns,
        };
        let plain = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
            reference::convolution(&window, channels, input, weights, epilogue, output);
        };
        let kernel = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
            let weights = PackedMatrix::new(isa, weights, depth, columns);
            let mut gathered = vec![f32::NAN; gathered_len(&window, channels)];
            convolution(&window, &weights, input, &mut gathered, epilogue, output);
        };
        report(1, &case.check(plain, kernel).err().into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn depthwise_convolutions_are_the_reference_s() {
    let (mut cases, mut failures) = (0, Vec::new());
    for isa in Isa::available() {
        for (index, window) in windows().enumerate() {
            for channels in [0, 1, 7, 8, 9, 15, 16, 17, 33, 40] {
                let seed = (index * 31 + channels) as u64;
                let outputs = window.output_pixels() * channels;
                let case = Case {
                    name: format!("{} {window:?} x {channels}", isa.name()),
                    terms: window.taps(),
                    input: values(window.input_pixels() * channels, seed),
                    weights: values(window.taps() * channels, seed + 1),
                    bias: values(channels, seed + 2),
                    residual: (index % 2 == 0).then(|| values(outputs, seed + 3)),
                    activation: ACTIVATIONS[index % 3],
                    outputs,
                };
                let plain = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
                    reference::depthwise(&window, input, weights, epilogue, output);
                };
                let kernel = |input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]| {
                    let weights = PackedDepthwise::new(isa, weights, window.taps(), channels);
                    depthwise(&window, &weights, input, epilogue, output);
                };
                cases += 1;
                failures.extend(case.check(plain, kernel).err());
            }
        }
    }
    report(cases, &failures);
}

/// A first layer or an expansion, a depthwise and a pointwise layer: the bits that they give one after the other.
#[test]
fn bands_give_the_same_bits() {
    let (mut cases, mut failures) = (0, Vec::new());
    for isa in Isa::available() {
        for (index, (first, second, channels)) in [
            (Window::same((224, 120), (3, 3), (2, 2)), Window::same((112, 60), (3, 3), (1, 1)), [3, 32, 16]),
            (Window::same((112, 60), (1, 1), (1, 1)), Window::same((112, 60), (3, 3), (2, 2)), [16, 96, 24]),
            (Window::same((56, 56), (1, 1), (1, 1)), Window::same((56, 56), (5, 5), (2, 2)), [24, 144, 24]),
            (Window::same((55, 63), (1, 1), (1, 1)), Window::same((55, 63), (5, 5), (1, 1)), [24, 144, 24]),
            (Window::same((7, 7), (1, 1), (1, 1)), Window::same((7, 7), (5, 5), (1, 1)), [24, 48, 20]),
            (Window::same((1, 3), (1, 1), (1, 1)), Window::same((1, 3), (3, 3), (2, 2)), [1, 5, 7]),
        ]
        .into_iter()
        .enumerate()
        {
            let [before, wide, after] = channels;
            let third = Window::same(second.output(), (1, 1), (1, 1));
            let depth = first.taps() * before;
            let weights = PackedMatrix::new(isa, &values(depth * wide, 1), depth, wide);
            let each = PackedDepthwise::new(isa, &values(second.taps() * wide, 2), second.taps(), wide);
            let last = PackedMatrix::new(isa, &values(wide * after, 3), wide, after);
            let (bias, input) = (values(wide.max(after), 4), values(first.input_pixels() * before, 5));
            let skip = (index % 2 == 0).then(|| values(third.output_pixels() * after, 6));
            let layers = [
                Layer {
                    window: first,
                    weights: Weights::Matrix(&weights),
                    bias: &bias[..wide],
                    activation: Activation::Relu6,
                },
                Layer {
                    window: second,
                    weights: Weights::Depthwise(&each),
                    bias: &bias[..wide],
                    activation: Activation::Relu,
                },
                Layer {
                    window: third,
                    weights: Weights::Matrix(&last),
                    bias: &bias[..after],
                    activation: Activation::Linear,
                },
            ];
            for count in 1..=layers.len() {
                let layers = &layers[..count];
                let skip = skip.as_deref().filter(|_| count == 3);
                let mut gathered = vec![f32::NAN; gathered_len(&first, before)];
                let mut expected = input.clone();
                for (index, layer) in layers.iter().enumerate() {
                    let residual = skip.filter(|_| index == 2);
                    let epilogue = Epilogue { bias: layer.bias, residual, activation: layer.activation };
                    let mut output = vec![f32::NAN; layer.window.output_pixels() * layer.bias.len()];
                    match layer.weights {
                        Weights::Matrix(weights) => {
                            convolution(
                                &layer.window,
                                weights,
                                &expected,
                                &mut gathered,
                                &epilogue,
                                &mut output,
                            );
                        }
                        Weights::Depthwise(weights) => {
                            depthwise(&layer.window, weights, &expected, &epilogue, &mut output);
                        }
                    }
                    expected = output;
                }
                let mut found = vec![f32::NAN; expected.len()];
                let mut between = vec![f32::NAN; bands::len(layers)];
                bands::run(layers, &input, skip, &mut between, &mut gathered, &mut found);
                cases += 1;
                let same = expected.iter().zip(&found).all(|(one, other)| one.to_bits() == other.to_bits());
                if !same {
                    failures.push(format!("{} {count} layers of case {index}", isa.name()));
                }
            }
        }
    }
    report(cases, &failures);
}

/// The reference itself, where every sum is a small integer: no rounding, so the results can be counted by hand.
#[test]
fn the_reference_counts_taps() {
    let window = Window::same((3, 4), (3, 3), (1, 1));
    let (ones, bias) = ([1.0; 12], [-5.0]);
    let epilogue = Epilogue { bias: &bias, residual: None, activation: Activation::Linear };
    // Each output is the number of taps within the plane, minus 5.
    let expected = [-1.0, 1.0, 1.0, -1.0, 1.0, 4.0, 4.0, 1.0, -1.0, 1.0, 1.0, -1.0];
    let mut output = [f32::NAN; 12];
    reference::convolution(&window, 1, &ones, &[1.0; 9], &epilogue, &mut output);
    assert_eq!(output, expected);
    reference::depthwise(&window, &ones, &[1.0; 9], &epilogue, &mut output);
    assert_eq!(output, expected);

    let epilogue =
        Epilogue { bias: &[1.0, -9.0], residual: Some(&[0.5, 0.0]), activation: Activation::Relu6 };
    let mut output = [f32::NAN; 2];
    reference::matrix_product(&[1.0, 2.0], &[1.0, 3.0, 10.0, 2.0], &epilogue, &mut output);
    assert_eq!(output, [6.0, 0.0], "1·1 + 2·10 + 1.5 is cut at 6; 1·3 + 2·2 - 9 at 0");
}

#[test]
fn averages_and_normalised_pixels() {
    let mut means = [f32::NAN; 2];
    reference::global_average(&[1.0, 10.0, 2.0, 20.0, 6.0, 60.0], &mut means);
    assert_eq!(means, [3.0, 30.0]);
    reference::global_average(&[], &mut means);
    assert_eq!(means, [0.0, 0.0]);

    let table: [[f32; 256]; 3] =
        std::array::from_fn(|channel| std::array::from_fn(|pixel| (channel * 1000 + pixel) as f32));
    let mut output = [f32::NAN; 6];
    reference::normalise(&table, &[0, 1, 2, 255, 254, 253], &mut output);
    assert_eq!(output, [0.0, 1001.0, 2002.0, 255.0, 1254.0, 2253.0]);
}

#[test]
fn wrong_sizes_are_refused_by_name() {
    for isa in Isa::available() {
        let message = |run: &dyn Fn()| {
            let panic =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("must be refused");
            panic.downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let epilogue = Epilogue { bias: &[0.0; 2], residual: None, activation: Activation::Linear };
        let weights = PackedMatrix::new(isa, &[0.0; 6], 3, 2);
        let run = || matrix_product(&weights, &[0.0; 5], &epilogue, &mut [0.0; 4]);
        assert!(message(&run).contains("input of 5 values for 2 rows of 3"), "{}", message(&run));
        let short = Epilogue { residual: Some(&[0.0; 3]), ..epilogue };
        let run = || matrix_product(&weights, &[0.0; 6], &short, &mut [0.0; 4]);
        assert!(
            message(&run).contains("residual of 3 values for 2 pixels x 2 channels"),
            "{}",
            message(&run)
        );
        let window = Window::same((2, 2), (3, 3), (1, 1));
        let weights = PackedDepthwise::new(isa, &[0.0; 18], 9, 2);
        let run = || depthwise(&window, &weights, &[0.0; 8], &epilogue, &mut [0.0; 7]);
        assert!(message(&run).contains("output of 7 values"), "{}", message(&run));
        let weights = PackedMatrix::new(isa, &[0.0; 18], 9, 2);
        let run = || convolution(&window, &weights, &[0.0; 4], &mut [0.0; 35], &epilogue, &mut [0.0; 8]);
        assert!(message(&run).contains("room for 35 gathered values, 36 needed"), "{}", message(&run));
    }
}
