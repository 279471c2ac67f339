//! Every layer of EfficientNet-Lite0 at 224 x 224 in f32, on each instruction set, on one thread: time, GFLOP/s and the share
//! of the multiply-adds that this processor does at most. The layers run one after the other in the order of the network, so
//! that each finds its input in the cache where the one before has left it. Instruction sets alternate, and medians count.
//!
//!     cargo bench -p topwork-kernels --bench float [-- avx512 …]

use std::hint::black_box;
use std::time::Instant;

use topwork_kernels::Isa;
use topwork_kernels::bands::{self, Layer};
use topwork_kernels::buffer::Buffer;
use topwork_kernels::convolution::{convolution, gathered_len};
use topwork_kernels::depthwise::{PackedDepthwise, depthwise};
use topwork_kernels::epilogue::{Activation, Epilogue};
use topwork_kernels::gemm::PackedMatrix;
use topwork_kernels::machine::{self, Arithmetic};
use topwork_kernels::reference;
use topwork_kernels::window::Window;

const ROUNDS: usize = 41;

/// Blocks of a stage, kernel, stride of the first, expansion, channels: as in `backbone/efficientnet_lite.rs`.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// One layer without its weights.
struct Shape {
    kind: &'static str,
    window: Window,
    channels: usize,
    columns: usize,
    /// The layer whose output is added.
    residual: Option<usize>,
    activation: Activation,
}

impl Shape {
    fn multiply_adds(&self) -> usize {
        let depth = if self.kind == "depthwise" { 1 } else { self.channels };
        self.window.output_pixels() * self.window.taps() * depth * self.columns
    }
}

fn shapes() -> Vec<Shape> {
    let same = |side: usize, kernel: usize, stride: usize| {
        Window::same((side, side), (kernel, kernel), (stride, stride))
    };
    let layer = |kind, window, channels, columns| {
        let activation = if kind == "project" { Activation::Linear } else { Activation::Relu6 };
        Shape { kind, window, channels, columns, residual: None, activation }
    };
    let mut shapes = vec![layer("stem", same(224, 3, 2), 3, 32)];
    let (mut side, mut channels) = (112, 32);
    for (blocks, kernel, first_stride, expansion, columns) in STAGES {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let (input, wide) = (shapes.len() - 1, channels * expansion);
            if expansion > 1 {
                shapes.push(layer("expand", same(side, 1, 1), channels, wide));
            }
            shapes.push(layer("depthwise", same(side, kernel, stride), wide, wide));
            side = side.div_ceil(stride);
            let residual = (stride == 1 && channels == columns).then_some(input);
            shapes.push(Shape { residual, ..layer("project", same(side, 1, 1), wide, columns) });
            channels = columns;
        }
    }
    shapes.push(layer("head", same(side, 1, 1), channels, 1280));
    shapes
}

enum Weights {
    Matrix(PackedMatrix),
    Depthwise(PackedDepthwise),
}

/// The layers with weights for one instruction set, and a buffer for what each makes. As in a real arena few buffers are shared:
/// the wide tensors of a block, and three that a skip connection can hold.
struct Network<'a> {
    shapes: &'a [Shape],
    weights: Vec<Weights>,
    bias: Vec<f32>,
    gathered: Buffer<f32>,
    between: Buffer<f32>,
    buffers: Vec<Buffer<f32>>,
    seconds: Vec<Vec<f64>>,
    seconds_in_bands: Vec<Vec<f64>>,
}

/// Values between the layers of a unit that [`bands::len`] never exceeds here.
const BETWEEN: usize = 1 << 18;

/// The layers that run together: up to the end of a block.
fn units(shapes: &[Shape]) -> Vec<std::ops::Range<usize>> {
    let mut units = Vec::new();
    let mut start = 0;
    for (index, shape) in shapes.iter().enumerate() {
        if matches!(shape.kind, "project" | "head") {
            units.push(start..index + 1);
            start = index + 1;
        }
    }
    units
}

/// The buffer of each tensor: 0 and 1 are wide, 2 and 3 alternate between the outputs of blocks; 4 is the photo.
fn slots(shapes: &[Shape]) -> Vec<usize> {
    let mut narrow = 2;
    let mut slots = vec![4];
    for shape in shapes {
        slots.push(match shape.kind {
            "expand" | "head" => 0,
            "depthwise" => 1,
            _ => {
                narrow = 5 - narrow;
                narrow
            }
        });
    }
    slots
}

impl Network<'_> {
    fn new(shapes: &[Shape], isa: Isa) -> Network<'_> {
        let weights = shapes.iter().map(|shape| {
            let taps = shape.window.taps();
            if shape.kind == "depthwise" {
                let values = values(taps * shape.columns, 0.3);
                return Weights::Depthwise(PackedDepthwise::new(isa, &values, taps, shape.columns));
            }
            let depth = taps * shape.channels;
            let values = values(depth * shape.columns, (3.0 / depth as f32).sqrt());
            Weights::Matrix(PackedMatrix::new(isa, &values, depth, shape.columns))
        });
        let weights = weights.collect();
        let gathered = shapes.iter().map(|shape| match shape.kind {
            "depthwise" => 0,
            _ => gathered_len(&shape.window, shape.channels),
        });
        let mut sizes = vec![0; 5];
        sizes[4] = shapes[0].window.input_pixels() * shapes[0].channels;
        for (shape, slot) in shapes.iter().zip(&slots(shapes)[1..]) {
            sizes[*slot] = sizes[*slot].max(shape.window.output_pixels() * shape.columns);
        }
        Network {
            shapes,
            weights,
            bias: values(1280, 0.1),
            gathered: Buffer::zeros(gathered.max().unwrap_or(0)),
            buffers: sizes.into_iter().map(|size| Buffer::copy_of(&values(size, 1.0))).collect(),
            between: Buffer::zeros(BETWEEN),
            seconds: vec![Vec::new(); shapes.len()],
            seconds_in_bands: vec![Vec::new(); units(shapes).len()],
        }
    }

    /// All units once, and how long each took.
    fn run_in_bands(&mut self) {
        let slots = slots(self.shapes);
        for (unit, seconds) in units(self.shapes).into_iter().zip(&mut self.seconds_in_bands) {
            let (first, last) = (unit.start, unit.end - 1);
            let mut written = std::mem::take(&mut self.buffers[slots[unit.end]]);
            let shape = &self.shapes[last];
            let output = &mut written[..shape.window.output_pixels() * shape.columns];
            let start = Instant::now();
            let layer = |index: usize| Layer {
                window: self.shapes[index].window,
                weights: match &self.weights[index] {
                    Weights::Matrix(weights) => bands::Weights::Matrix(weights),
                    Weights::Depthwise(weights) => bands::Weights::Depthwise(weights),
                },
                bias: &self.bias[..self.shapes[index].columns],
                activation: self.shapes[index].activation,
            };
            let input = &self.buffers[slots[first]];
            let input = &input[..self.shapes[first].window.input_pixels() * self.shapes[first].channels];
            let residual = shape.residual.map(|layer| &self.buffers[slots[layer + 1]][..output.len()]);
            let layers: [Layer; 3] = std::array::from_fn(|index| layer((first + index).min(last)));
            let layers = &layers[..unit.len()];
            let between = &mut self.between[..bands::len(layers)];
            bands::run(layers, input, residual, between, &mut self.gathered, output);
            black_box(&output);
            seconds.push(start.elapsed().as_secs_f64());
            self.buffers[slots[unit.end]] = written;
        }
    }

    /// All layers once, and how long each took.
    fn run(&mut self) {
        let slots = slots(self.shapes);
        for (index, (shape, weights)) in self.shapes.iter().zip(&self.weights).enumerate() {
            let mut written = std::mem::take(&mut self.buffers[slots[index + 1]]);
            let start = Instant::now();
            let output = &mut written[..shape.window.output_pixels() * shape.columns];
            let input = &self.buffers[slots[index]][..shape.window.input_pixels() * shape.channels];
            let residual = shape.residual.map(|layer| &self.buffers[slots[layer + 1]][..output.len()]);
            let (bias, activation) = (&self.bias[..shape.columns], shape.activation);
            let epilogue = Epilogue { bias, residual, activation };
            match weights {
                Weights::Matrix(weights) => {
                    convolution(&shape.window, weights, input, &mut self.gathered, &epilogue, output);
                }
                Weights::Depthwise(weights) => depthwise(&shape.window, weights, input, &epilogue, output),
            }
            black_box(&output);
            self.seconds[index].push(start.elapsed().as_secs_f64());
            self.buffers[slots[index + 1]] = written;
        }
    }
}

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sets = if wanted.is_empty() {
        vec!["avx2".to_owned(), "avx512".to_owned(), "neon".to_owned()]
    } else {
        wanted
    };
    let isas: Vec<Isa> = sets.iter().filter_map(|name| Isa::named(name)).collect();
    let shapes = shapes();
    let mut networks: Vec<Network> = isas.iter().map(|isa| Network::new(&shapes, *isa)).collect();
    let mut peaks = vec![Vec::new(); isas.len()];
    let (mut table, mut pixels) = (Box::new([[0.0; 256]; 3]), vec![0; 224 * 224 * 3]);
    (table[0][1], pixels[3]) = (1.0, 1);
    let mut normalised = Buffer::zeros(pixels.len());
    let mut normalise = Vec::new();
    for _ in 0..ROUNDS {
        for ((network, isa), peaks) in networks.iter_mut().zip(&isas).zip(&mut peaks) {
            network.run();
            network.run_in_bands();
            peaks.extend(peak(*isa));
        }
        let start = Instant::now();
        reference::normalise(black_box(&table), black_box(&pixels), &mut normalised);
        black_box(&normalised);
        normalise.push(start.elapsed().as_secs_f64());
    }
    for ((network, isa), peaks) in networks.into_iter().zip(&isas).zip(peaks) {
        let peak = if peaks.is_empty() { f64::NAN } else { median(peaks) };
        println!("{}: {peak:.0} GFLOP/s at most", isa.name());
        let mut totals: Vec<(&str, f64, f64)> = Vec::new();
        for (shape, seconds) in shapes.iter().zip(network.seconds) {
            let (work, seconds) = (2.0 * shape.multiply_adds() as f64, fastest(seconds));
            let name = format!(
                "{:9} {}x{} /{} {:3} px {:4} → {:4}",
                shape.kind,
                shape.window.kernel.0,
                shape.window.kernel.1,
                shape.window.stride.0,
                shape.window.output().0,
                shape.channels,
                shape.columns
            );
            line(&name, work, seconds, peak);
            match totals.iter_mut().find(|total| total.0 == shape.kind) {
                Some(total) => *total = (total.0, total.1 + work, total.2 + seconds),
                None => totals.push((shape.kind, work, seconds)),
            }
        }
        let whole = totals.iter().fold((0.0, 0.0), |sum, total| (sum.0 + total.1, sum.1 + total.2));
        let mut in_bands = 0.0;
        for (unit, seconds) in units(&shapes).into_iter().zip(network.seconds_in_bands) {
            let work: usize = shapes[unit.clone()].iter().map(Shape::multiply_adds).sum();
            let (seconds, window) = (fastest(seconds), shapes[unit.start].window);
            in_bands += seconds;
            let name = format!("in bands, {} layers from {} px", unit.len(), window.input.0);
            line(&name, 2.0 * work as f64, seconds, peak);
        }
        for (kind, work, seconds) in totals {
            line(&format!("all of {kind}"), work, seconds, peak);
        }
        line("all, one by one", whole.0, whole.1, peak);
        line("all, in bands", whole.0, in_bands, peak);
    }
    println!("normalise: {:.1} µs", median(normalise) * 1e6);
}

fn line(name: &str, work: f64, seconds: f64, peak: f64) {
    let speed = work / seconds / 1e9;
    println!("  {name:36} {:8.1} µs {speed:6.1} GFLOP/s {:4.0} %", seconds * 1e6, speed / peak * 100.0);
}

/// What the layer needs where nobody disturbs it: other programs on the machine only ever add to a time.
fn fastest(values: Vec<f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Values between plus and minus `size`.
fn values(count: usize, size: f32) -> Vec<f32> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * size
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// GFLOP/s of independent multiply-adds in registers.
fn peak(isa: Isa) -> Option<f64> {
    let peak = machine::peak(isa, Arithmetic::Float)?;
    let start = Instant::now();
    let operations = peak.run(20_000);
    Some(operations as f64 / start.elapsed().as_secs_f64() / 1e9)
}
