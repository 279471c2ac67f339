//! The resampler beside `fast_image_resize` on one thread: the time of both, and their ratio, for the crop that
//! is needed, plans included. Rounds alternate, so that a change of the machine's mood meets both.
//!
//!     cargo bench -p topwork-kernels --bench resample

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use std::hint::black_box;
use std::time::Instant;
use topwork_kernels::Isa;
use topwork_kernels::resample::{CHANNELS, Crop, Filter, Resampler, Scratch};

const CROP: usize = 224;
const ROUNDS: usize = 15;

fn main() {
    for (source, repeats) in [((405, 361), 40), ((1050, 702), 15), ((4000, 3000), 2)] {
        compare(source, repeats);
    }
}

fn compare(source: (usize, usize), repeats: usize) {
    let shorter = source.0.min(source.1);
    let target = (source.0 * 256 / shorter, source.1 * 256 / shorter);
    let crop = Crop { left: (target.0 - CROP) / 2, top: (target.1 - CROP) / 2, width: CROP, height: CROP };
    let pixels: Vec<u8> =
        (0..source.0 * source.1 * CHANNELS).map(|index| ((index * index) >> 7) as u8).collect();
    let mut out = vec![0; CROP * CROP * CHANNELS];
    let (mut plan, mut scratch) = (Resampler::default(), Scratch::default());
    let mut resample = |isa: Isa| {
        plan.plan(Filter::Bicubic, source, target, crop);
        plan.run(isa, black_box(&pixels), &mut scratch, &mut out);
        black_box(&out);
    };
    let image =
        ImageRef::new(source.0 as u32, source.1 as u32, &pixels, PixelType::U8x3).expect("sizes agree");
    let mut resizer = Resizer::new();
    let mut result = Image::new(CROP as u32, CROP as u32, PixelType::U8x3);
    let mut whole = Image::new(target.0 as u32, target.1 as u32, PixelType::U8x3);
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).use_alpha(false);
    // The part of the source that becomes the crop.
    let (across, down) = (source.0 as f64 / target.0 as f64, source.1 as f64 / target.1 as f64);
    let side = CROP as f64;
    let cropped = options.crop(crop.left as f64 * across, crop.top as f64 * down, side * across, side * down);
    let (mut times, names) =
        (vec![Vec::<f64>::new(); 4], ["avx2", "scalar", "theirs, the crop", "theirs, the whole"]);
    for _ in 0..ROUNDS {
        times[0].push(time(repeats, || resample(Isa::best())));
        times[2].push(time(repeats, || resizer.resize(&image, &mut result, &cropped).expect("sizes agree")));
        times[3].push(time(repeats, || resizer.resize(&image, &mut whole, &options).expect("sizes agree")));
        times[1].push(time(1, || resample(Isa::SCALAR)));
    }
    println!("{} x {} to {} x {}, crop {CROP} x {CROP}, bicubic", source.0, source.1, target.0, target.1);
    let [ours, ..] = &times[..] else { return };
    for (name, times) in names.iter().zip(&times) {
        let ratios = times.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
        let (low, middle, high) = spread(ratios);
        println!(
            "  {name:18} {:8.3} ms; over ours {middle:.2} ({low:.2} to {high:.2})",
            spread(times.clone()).1 * 1e3
        );
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

/// The lower quartile, the median and the upper quartile.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 4], values[values.len() / 2], values[values.len() * 3 / 4])
}
