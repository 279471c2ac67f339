//! The depthwise layers of EfficientNet-Lite0 at 224 x 224 on one thread, in bytes: microseconds and GOP/s (an operation is a
//! multiplication or an addition) of each, and all of them for one photo: medians, and the fastest rounds, which other work
//! on the machine disturbs less. `TOPWORK_BENCH_ISA` names one instruction set.
//!
//!     cargo bench -p topwork-kernels --bench int8_depthwise

use std::hint::black_box;
use std::time::Instant;
use topwork_kernels::Isa;
use topwork_kernels::int8::{PackedDepthwise, Requantise, channel_sums, depthwise};
use topwork_kernels::window::Window;

/// Channels, side of the input, side of the kernel, stride, how often.
const LAYERS: [(usize, usize, usize, usize, usize); 12] = [
    (32, 112, 3, 1, 1),
    (96, 112, 3, 2, 1),
    (144, 56, 3, 1, 1),
    (144, 56, 5, 2, 1),
    (240, 28, 5, 1, 1),
    (240, 28, 3, 2, 1),
    (480, 14, 3, 1, 2),
    (480, 14, 5, 1, 1),
    (672, 14, 5, 1, 2),
    (672, 14, 5, 2, 1),
    (1152, 7, 5, 1, 3),
    (1152, 7, 3, 1, 1),
];

const ROUNDS: usize = 21;

fn main() {
    let wanted = std::env::var("TOPWORK_BENCH_ISA").ok();
    for isa in Isa::available() {
        if wanted.as_deref().is_none_or(|wanted| wanted == isa.name()) {
            all(isa);
        }
    }
}

fn all(isa: Isa) {
    println!("{}", isa.name());
    let (mut total, mut best, mut operations) = (0.0, 0.0, 0.0);
    for (channels, side, kernel, stride, count) in LAYERS {
        let window = Window::same((side, side), (kernel, kernel), (stride, stride));
        let input: Vec<u8> = (0..window.input_pixels() * channels).map(|at| ((at * at) >> 3) as u8).collect();
        let weights: Vec<i8> = (0..window.taps() * channels).map(|at| ((at * at) >> 2) as i8).collect();
        let requantise =
            Requantise { scale: vec![0.003; channels], bias: vec![4.0; channels], zero_point: 0 };
        let packed = PackedDepthwise::new(isa, &weights, window.taps(), channels, 0, requantise);
        let mut output = vec![0; window.output_pixels() * channels];
        let (time, fastest) =
            measure(|| depthwise(&window, &packed, black_box(&input), None, black_box(&mut output)));
        let work = 2.0 * (output.len() * window.taps()) as f64;
        total += time * count as f64;
        best += fastest * count as f64;
        operations += work * count as f64;
        let out = window.output().0;
        println!(
            "  {channels:5} x {out:3} x {out:3}, {kernel} x {kernel} stride {stride}, x {count}: {:7.1} us {:6.1} GOP/s; fastest {:7.1} us",
            time * 1e6,
            work / time / 1e9,
            fastest * 1e6
        );
    }
    println!(
        "  all, one photo: {:.3} ms, {:.1} GOP/s; fastest {:.3} ms",
        total * 1e3,
        operations / total / 1e9,
        best * 1e3
    );
    for (side, channels) in [(7, 1280), (14, 672)] {
        let (input, mut sums) = (vec![7; side * side * channels], vec![0; channels]);
        let (time, fastest) = measure(|| channel_sums(black_box(&input), black_box(&mut sums)));
        let (time, fastest) = (time * 1e6, fastest * 1e6);
        println!("  sums of {side} x {side} x {channels}: {time:.1} us; fastest {fastest:.1} us");
    }
}

/// Seconds of one call: the median and the fastest of rounds of about a millisecond.
fn measure(mut action: impl FnMut()) -> (f64, f64) {
    action();
    let start = Instant::now();
    action();
    let repeats = (1e-3 / start.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as usize;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..repeats).for_each(|_| action());
            start.elapsed().as_secs_f64() / repeats as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2], times[0])
}
