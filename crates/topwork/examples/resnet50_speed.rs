//! Times ResNet-50 on every core, each with whole photos, with made-up weights: none have to be downloaded, and the arithmetic takes
//! as long for any that keep the activations in the usual range.
//!
//!     cargo run --release -p topwork --example resnet50_speed -- BACKBONE int8|f32           # one figure, two seconds
//!     cargo run --release -p topwork --example resnet50_speed -- BACKBONE int8|f32 turns     # for measurements/resnet50_speed.py
//!     cargo run --release -p topwork --example resnet50_speed -- BACKBONE int8|f32 layers    # milliseconds by layer, one thread
//!
//! `BACKBONE` is `resnet50_torchvision` or another row with PyTorch's names, or one with weights of its own (`efficientnet_lite0`). With `turns`, each line of standard input is a number of
//! seconds, answered by a line with the images a second of that time; `TOPWORK_ISA` names an instruction set.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::io::BufRead;
use std::thread;
use std::time::{Duration, Instant};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use safetensors::tensor::{Dtype, TensorView, serialize};
use topwork::backbone::{self, Arithmetic, Origin};
use topwork::network::calibration::{Calibration, Method};
use topwork::network::{Network, Ranges, probe};
use topwork::weights::Weights;
use topwork::{Execution, Isa, Precision};

/// Blocks and channels of each stage.
const STAGES: [(usize, usize); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];

/// Different images, so that each comes from memory as a new one would.
const IMAGES: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [name, precision, ref mode @ ..] = arguments[..] else {
        return Err("BACKBONE int8|f32 [turns|layers]".into());
    };
    let isa = match std::env::var("TOPWORK_ISA") {
        Ok(name) => Isa::named(&name).ok_or("not an instruction set of this processor")?,
        Err(_) => Isa::best(),
    };
    let network = network(name, precision, isa)?;
    let images: Vec<Vec<u8>> = (0..IMAGES).map(|shift| image(&network, shift)).collect();
    match mode {
        [] => println!("{:.2} images/s, {}", images_a_second(&network, &images, 2.0)?, isa.name()),
        ["turns"] => {
            println!("{}", isa.name());
            for line in std::io::stdin().lock().lines() {
                println!("{}", images_a_second(&network, &images, line?.trim().parse()?)?);
            }
        }
        ["layers"] => layers(&network, &images),
        _ => return Err("turns or layers".into()),
    }
    Ok(())
}

fn network(name: &str, precision: &str, isa: Isa) -> Result<Network, Box<dyn Error>> {
    let row = backbone::spec(name)?;
    if let Origin::Embedded { .. } = row.origin {
        let precision = if precision == "f32" { Precision::F32 } else { Precision::Int8 };
        return Ok(row.load(row.architecture.input, precision, isa)?.network);
    }
    let weights = Weights::from_bytes(&file()?)?;
    let float = row.instantiate(&weights, row.architecture.input, Arithmetic::F32, isa)?.network;
    if precision == "f32" {
        return Ok(float);
    }
    let images: Vec<Vec<u8>> = (0..2).map(|shift| image(&float, shift)).collect();
    let calibration = Calibration::of(&float, &images, Execution::default().with_threads(1))?;
    let digest = blake3::Hash::from_bytes(weights.digest()).to_hex().to_string();
    let method = Method::MinMax;
    let ranges = Ranges::new(digest, method.as_str().into(), images.len(), calibration.ranges(method));
    Ok(row.instantiate(&weights, row.architecture.input, Arithmetic::Int8(&ranges), isa)?.network)
}

/// Weights with PyTorch's names: convolutions uniform with He's variance, and batch norms that let activations keep their size.
fn file() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut random = Pcg32::seed_from_u64(0);
    let mut between =
        |low: f64, high: f64| low + (high - low) * f64::from(random.next_u32()) / 2_f64.powi(32);
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut add = |name: String, shape: &[usize], (low, high): (f64, f64)| {
        let values = (0..shape.iter().product()).map(|_| between(low, high) as f32);
        tensors.push((name, shape.to_vec(), values.flat_map(f32::to_le_bytes).collect()));
    };
    let mut layer = |convolution: &str, norm: &str, shape: [usize; 4], gamma: (f64, f64)| {
        let limit = (6.0 / (shape[1] * shape[2] * shape[3]) as f64).sqrt();
        add(format!("{convolution}.weight"), &shape, (-limit, limit));
        add(format!("{norm}.weight"), &shape[..1], gamma);
        add(format!("{norm}.bias"), &shape[..1], (-0.1, 0.1));
        add(format!("{norm}.running_mean"), &shape[..1], (-0.1, 0.1));
        add(format!("{norm}.running_var"), &shape[..1], (0.5, 1.5));
    };
    let (whole, small) = ((0.8, 1.2), (0.1, 0.3));
    layer("conv1", "bn1", [64, 3, 7, 7], whole);
    let mut from = 64;
    for (stage, (blocks, channels)) in (1..).zip(STAGES) {
        for block in 0..blocks {
            let name = |part: &str| format!("layer{stage}.{block}.{part}");
            layer(&name("conv1"), &name("bn1"), [channels, from, 1, 1], whole);
            layer(&name("conv2"), &name("bn2"), [channels, channels, 3, 3], whole);
            layer(&name("conv3"), &name("bn3"), [4 * channels, channels, 1, 1], small);
            if block == 0 {
                layer(&name("downsample.0"), &name("downsample.1"), [4 * channels, from, 1, 1], whole);
            }
            from = 4 * channels;
        }
    }
    let views = tensors.iter().map(|(name, shape, data)| {
        TensorView::new(Dtype::F32, shape.clone(), data).map(|view| (name.as_str(), view))
    });
    Ok(serialize(views.collect::<Result<Vec<_>, _>>()?, None)?)
}

fn image(network: &Network, shift: usize) -> Vec<u8> {
    let (height, width) = network.input();
    let mut pixels = probe(height * width * 3);
    pixels.rotate_left(shift * 3 * 997);
    pixels
}

/// Of all cores, each with whole images.
fn images_a_second(network: &Network, images: &[Vec<u8>], seconds: f64) -> Result<f64, Box<dyn Error>> {
    let threads = thread::available_parallelism()?.get();
    let worker = || {
        let (mut arena, mut features) = (network.arena(), vec![0.0; network.feature_dim()]);
        network.features(&images[0], &mut arena, &mut features);
        let (start, mut count) = (Instant::now(), 0.0);
        for image in images.iter().cycle() {
            network.features(image, &mut arena, &mut features);
            count += 1.0;
            if start.elapsed() >= Duration::from_secs_f64(seconds) {
                break;
            }
        }
        count / start.elapsed().as_secs_f64()
    };
    Ok(thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    }))
}

/// The fastest time of each layer by itself, on this thread.
fn layers(network: &Network, images: &[Vec<u8>]) {
    let (mut arena, mut features) = (network.arena(), vec![0.0; network.feature_dim()]);
    let mut times = vec![f64::INFINITY; network.layers().len()];
    for _ in 0..4 {
        for image in images {
            let (mut layer, mut last) = (0, Instant::now());
            network.trace(image, &mut arena, &mut features, |_, _| {
                let now = Instant::now();
                times[layer] = times[layer].min((now - last).as_secs_f64());
                (layer, last) = (layer + 1, now);
            });
        }
    }
    for (layer, time) in network.layers().iter().zip(&times) {
        let (input, output) = (layer.input, layer.output);
        println!(
            "{:<26} {:>3}x{:<3}x{:<4} -> {:>3}x{:<3}x{:<4} kernel {} stride {}  {:>7.3} ms {:>7.0} GOP/s",
            layer.name,
            input.height,
            input.width,
            input.channels,
            output.height,
            output.width,
            output.channels,
            layer.kernel.0,
            layer.stride,
            1e3 * time,
            2e-9 * layer.multiply_adds as f64 / time
        );
    }
    println!("{:.3} ms", 1e3 * times.iter().sum::<f64>());
}
