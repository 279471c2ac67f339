//! The matrix products and the first convolution of EfficientNet-Lite0 in bytes, on one thread: the time of each layer, its
//! operations a second (two for a multiplication and addition), and their share of what products of bytes alone reach in the same
//! run. Rounds go through all layers, so that a change of the machine's mood meets all.
//!
//!     cargo bench -p topwork-kernels --bench int8_matrix -- [scalar|avx2|avx512|neon ...]

use std::hint::black_box;
use std::time::Instant;
use topwork_kernels::Isa;
use topwork_kernels::buffer::Buffer;
use topwork_kernels::int8::{PackedMatrix, Requantise, Residual, convolution, gathered_len, matrix_product};
use topwork_kernels::machine::{self, Arithmetic};
use topwork_kernels::window::Window;

const ROUNDS: usize = 15;

/// Name, rows, depth, columns, whether there is a skip connection, and how often it occurs in the network.
const LAYERS: [(&str, usize, usize, usize, bool, usize); 22] = [
    ("stem 3x3x3", 12544, 27, 32, false, 1),
    ("project", 12544, 32, 16, false, 1),
    ("expand", 12544, 16, 96, false, 1),
    ("project", 3136, 96, 24, false, 1),
    ("expand", 3136, 24, 144, false, 2),
    ("project + skip", 3136, 144, 24, true, 1),
    ("project", 784, 144, 40, false, 1),
    ("expand", 784, 40, 240, false, 2),
    ("project + skip", 784, 240, 40, true, 1),
    ("project", 196, 240, 80, false, 1),
    ("expand", 196, 80, 480, false, 3),
    ("project + skip", 196, 480, 80, true, 2),
    ("project", 196, 480, 112, false, 1),
    ("expand", 196, 112, 672, false, 3),
    ("project + skip", 196, 672, 112, true, 2),
    ("project", 49, 672, 192, false, 1),
    ("expand", 49, 192, 1152, false, 4),
    ("project + skip", 49, 1152, 192, true, 3),
    ("project", 49, 1152, 320, false, 1),
    ("head", 49, 320, 1280, false, 1),
    ("stem 7x7x3 (ResNet)", 12544, 147, 64, false, 0),
    ("3x3 (ResNet)", 784, 1152, 128, false, 0),
];

struct Layer {
    window: Window,
    packed: PackedMatrix,
    input: Buffer<u8>,
    gathered: Buffer<u8>,
    skip: Option<Buffer<u8>>,
    output: Buffer<u8>,
}

impl Layer {
    fn new(isa: Isa, index: usize) -> Layer {
        let (name, rows, depth, columns, skip, _) = LAYERS[index];
        let (window, channels) = match name {
            "stem 3x3x3" => (Window::same((224, 224), (3, 3), (2, 2)), 3),
            "stem 7x7x3 (ResNet)" => (Window::padded((224, 224), (7, 7), (2, 2), (3, 3)), 3),
            "3x3 (ResNet)" => (Window::same((28, 28), (3, 3), (1, 1)), 128),
            _ => (Window::same((rows, 1), (1, 1), (1, 1)), depth),
        };
        assert_eq!((window.output_pixels(), window.taps() * channels), (rows, depth));
        let weights: Vec<i8> = (0..depth * columns).map(|at| (at * 37 % 255) as u8 as i8).collect();
        let requantise = Requantise { scale: vec![1e-4; columns], bias: vec![100.0; columns], zero_point: 3 };
        let packed = PackedMatrix::new(isa, &weights, depth, columns, 5, requantise);
        let mut input = Buffer::zeros(window.input_pixels() * channels);
        input.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 31) as u8);
        Layer {
            input,
            gathered: Buffer::zeros(gathered_len(&window, &packed)),
            skip: skip.then(|| Buffer::zeros(rows * columns)),
            output: Buffer::zeros(rows * columns),
            window,
            packed,
        }
    }

    fn run(&mut self) {
        let residual = self.skip.as_ref().map(|values| Residual { values, zero_point: 3, ratio: 0.7 });
        let (input, output) = (black_box(&self.input), &mut self.output);
        if self.window.taps() == 1 {
            matrix_product(&self.packed, input, residual.as_ref(), output);
        } else {
            convolution(&self.window, &self.packed, input, &mut self.gathered, residual.as_ref(), output);
        }
        black_box(&self.output);
    }
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let isas = match wanted.is_empty() {
        true => vec![Isa::best()],
        false => wanted.iter().map(|name| Isa::named(name).expect("this processor has it")).collect(),
    };
    for isa in isas {
        let mut layers: Vec<Layer> = (0..LAYERS.len()).map(|index| Layer::new(isa, index)).collect();
        let mut times = vec![Vec::new(); LAYERS.len()];
        let mut peaks = Vec::new();
        for _ in 0..ROUNDS {
            for (layer, times) in layers.iter_mut().zip(&mut times) {
                // The first run brings weights and input into the caches.
                layer.run();
                times.push(time(4, || layer.run()));
            }
            peaks.extend(peak(isa));
        }
        let peak = if peaks.is_empty() { f64::NAN } else { median(&mut peaks) };
        println!("{}: {peak:.0} GOP/s at most", isa.name());
        let mut total = 0.0;
        for ((name, rows, depth, columns, _, count), times) in LAYERS.iter().zip(&mut times) {
            let seconds = median(times);
            let speed = 2.0 * (rows * depth * columns) as f64 / seconds / 1e9;
            total += seconds * *count as f64;
            let sizes = format!("{rows} x {depth} x {columns}");
            let (time, share) = (seconds * 1e6, speed / peak * 100.0);
            println!("  {count} {name:20} {sizes:18} {time:8.1} µs {speed:7.1} GOP/s {share:5.1} %");
        }
        println!("  a photo: {:.3} ms", total * 1e3);
    }
}

/// Seconds of one run.
fn time(repeats: usize, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        run();
    }
    start.elapsed().as_secs_f64() / repeats as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// GOP/s of products of bytes that stay in registers, where the instruction set has such instructions.
fn peak(isa: Isa) -> Option<f64> {
    let peak = machine::peak(isa, Arithmetic::Byte)?;
    let start = Instant::now();
    let operations = peak.run(20_000);
    Some(operations as f64 / start.elapsed().as_secs_f64() / 1e9)
}
