//! The network alone, on made-up pixels: images a second, and the time of each type of layer against the machine's peak.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use serde_json::{Value, json};
use topwork::network::{Layer, LayerKind, Network};
use topwork::{Extractor, Precision};
use topwork_kernels::machine::{self, Arithmetic};

use super::machine::{described, peak_rate};
use super::{Measurements, figure, percent, rate, rounded, row, threads_named};
use crate::failure::Failure;
use crate::interrupt;

/// Different images, so that each comes from memory as a new one would.
const IMAGES: usize = 8;

/// The longest time for the peak; more makes it no higher.
const PEAK_SECONDS: f64 = 0.3;

pub(super) fn measure(
    extractor: &Extractor,
    threads: &[usize],
    seconds: f64,
    every_layer: bool,
    report: &mut Measurements,
) -> Result<(), Failure> {
    let network = &extractor.backbone().network;
    let images = images(extractor.preprocess().len());
    let operations = 2.0 * network.layers().iter().map(|layer| layer.multiply_adds as f64).sum::<f64>() / 1e9;
    let arithmetic = match extractor.precision() {
        Precision::F32 => Arithmetic::Float,
        Precision::Int8 => Arithmetic::Byte,
    };
    let peak = machine::peak(extractor.isa(), arithmetic);

    let mut rows = vec![row(["network alone", "images/s", "ms an image", "GOP/s", "of the peak"])];
    let mut runs = Vec::new();
    let mut peak_of_one = None;
    for &threads in threads {
        // Both in one go: a virtual machine's speed may change from minute to minute.
        let limit = peak.map(|peak| peak_rate(&peak, threads, seconds.min(PEAK_SECONDS))).transpose()?;
        let found = images_a_second(network, &images, threads, seconds)?;
        if threads == 1 {
            peak_of_one = limit;
        }
        let share = limit.map(|limit| found * operations / limit);
        rows.push(row([
            &threads_named(threads),
            &figure(found),
            &figure(1e3 * threads as f64 / found),
            &figure(found * operations),
            &share.map_or_else(String::new, percent),
        ]));
        runs.push(json!({
            "threads": threads,
            "images_per_second": rounded(found),
            "gop_per_second": rounded(found * operations),
            "peak_gop_per_second": limit.map(rounded),
            "share_of_peak": share.map(rounded),
        }));
    }
    report.line(format!("network {}, {} GOP an image", network_named(extractor), figure(operations)));
    report.table(&rows);
    if let (Some(peak), Some(limit)) = (peak, peak_of_one) {
        report.line(format!("  peak of one thread: {} GOP/s ({})", figure(limit), described(&peak)));
    }

    let times = layer_times(network, &images, seconds)?;
    let timed: Vec<Timed> =
        network.layers().iter().zip(times).map(|(layer, time)| Timed::of(layer, time)).collect();
    let whole = Timed { seconds: timed.iter().map(|layer| layer.seconds).sum(), ..Timed::default() };
    let table = |title: &str, entries: &[(String, Timed)], report: &mut Measurements| {
        let mut rows = vec![row([title, "layers", "ms", "of the time", "GOP/s", "of the peak"])];
        rows.extend(entries.iter().map(|(name, timed)| timed.row(name, whole.seconds, peak_of_one)));
        report.line("");
        report.table(&rows);
        let figures = entries.iter().map(|(name, timed)| timed.json(name, whole.seconds, peak_of_one));
        figures.collect::<Vec<Value>>()
    };
    let types = table("by type, one thread", &by_type(network.layers(), &timed), report);
    let mut figures = json!({
        "gop_per_image": rounded(operations),
        "instruction": peak.map(|peak| described(&peak)),
        "runs": runs,
        "types": types,
    });
    if every_layer {
        let names = network.layers().iter().map(layer_named);
        figures["layers"] =
            table("by layer, one thread", &names.zip(timed).collect::<Vec<_>>(), report).into();
    }
    report.figure("network", figures);
    Ok(())
}

/// Images a second on that many threads, each with whole images.
fn images_a_second(
    network: &Network,
    images: &[Vec<u8>],
    threads: usize,
    seconds: f64,
) -> Result<f64, Failure> {
    let start = || {
        let mut state = (network.arena(), vec![0.0; network.feature_dim()], 0);
        let (arena, features, _) = &mut state;
        network.features(&images[0], arena, features);
        state
    };
    rate(threads, seconds, start, |(arena, features, next)| {
        network.features(&images[*next], arena, features);
        *next = (*next + 1) % images.len();
        1
    })
}

/// The median time of each layer in seconds, on this thread.
fn layer_times(network: &Network, images: &[Vec<u8>], seconds: f64) -> Result<Vec<f64>, Failure> {
    let mut arena = network.arena();
    let mut features = vec![0.0; network.feature_dim()];
    network.features(&images[0], &mut arena, &mut features);
    let mut times = vec![Vec::new(); network.layers().len()];
    let start = Instant::now();
    for image in images.iter().cycle() {
        let mut layers = times.iter_mut();
        let mut last = Instant::now();
        network.trace(image, &mut arena, &mut features, |_, _| {
            let now = Instant::now();
            if let Some(times) = layers.next() {
                times.push((now - last).as_secs_f64());
            }
            last = now;
        });
        if interrupt::requested() {
            return Err(Failure::Interrupted);
        }
        if start.elapsed() >= Duration::from_secs_f64(seconds) {
            break;
        }
    }
    Ok(times.into_iter().map(median).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// What some layers together take and do.
#[derive(Clone, Copy, Default)]
struct Timed {
    layers: usize,
    seconds: f64,
    operations: f64,
}

impl Timed {
    fn of(layer: &Layer, seconds: f64) -> Timed {
        Timed { layers: 1, seconds, operations: 2.0 * layer.multiply_adds as f64 }
    }

    fn speed(&self) -> f64 {
        self.operations / self.seconds.max(1e-9) / 1e9
    }

    /// A share where there is something to share: an average has no products.
    fn of_peak(&self, peak: Option<f64>) -> Option<f64> {
        peak.filter(|_| self.operations > 0.0).map(|peak| self.speed() / peak)
    }

    fn row(&self, name: &str, whole: f64, peak: Option<f64>) -> Vec<String> {
        row([
            name,
            &self.layers.to_string(),
            &format!("{:.3}", 1e3 * self.seconds),
            &percent(self.seconds / whole),
            &if self.operations > 0.0 { figure(self.speed()) } else { String::new() },
            &self.of_peak(peak).map_or_else(String::new, percent),
        ])
    }

    fn json(&self, name: &str, whole: f64, peak: Option<f64>) -> Value {
        json!({
            "name": name,
            "layers": self.layers,
            "milliseconds": rounded(1e3 * self.seconds),
            "share_of_time": rounded(self.seconds / whole),
            "gop_per_second": rounded(self.speed()),
            "share_of_peak": self.of_peak(peak).map(rounded),
        })
    }
}

/// Sums of layers that do the same, the type that takes longest first.
fn by_type(layers: &[Layer], timed: &[Timed]) -> Vec<(String, Timed)> {
    let mut sums: BTreeMap<String, Timed> = BTreeMap::new();
    for (layer, timed) in layers.iter().zip(timed) {
        let sum = sums.entry(type_named(layer)).or_default();
        sum.layers += timed.layers;
        sum.seconds += timed.seconds;
        sum.operations += timed.operations;
    }
    let mut types: Vec<_> = sums.into_iter().collect();
    types.sort_by(|(_, one), (_, other)| other.seconds.total_cmp(&one.seconds));
    types
}

fn type_named(layer: &Layer) -> String {
    let (height, width) = layer.kernel;
    let stride = if layer.stride > 1 { format!(", stride {}", layer.stride) } else { String::new() };
    match layer.kind {
        LayerKind::Pointwise if layer.residual => "pointwise, narrowing, with skip".to_owned(),
        LayerKind::Pointwise if layer.input.channels > layer.output.channels => {
            "pointwise, narrowing".to_owned()
        }
        LayerKind::Pointwise => "pointwise, widening".to_owned(),
        LayerKind::Depthwise => format!("depthwise {height}x{width}{stride}"),
        LayerKind::Convolution => format!("convolution {height}x{width}{stride}"),
        LayerKind::MaxPool => "max pool".to_owned(),
        LayerKind::GlobalAverage => "average".to_owned(),
        _ => format!("{:?}", layer.kind),
    }
}

fn layer_named(layer: &Layer) -> String {
    let shape =
        |shape: &topwork::network::Shape| format!("{}x{}x{}", shape.height, shape.width, shape.channels);
    let (input, output) = (shape(&layer.input), shape(&layer.output));
    format!("{}: {}, {input} to {output}", layer.name, type_named(layer))
}

fn network_named(extractor: &Extractor) -> String {
    let (precision, isa) = (extractor.precision().as_str(), extractor.isa().name());
    format!("{}, {precision}, {isa}", extractor.backbone().name)
}

/// Pixels without meaning; the arithmetic takes as long for any.
fn images(len: usize) -> Vec<Vec<u8>> {
    let mut random = Pcg32::seed_from_u64(0);
    let mut image = || (0..len).map(|_| (random.next_u32() >> 24) as u8).collect();
    (0..IMAGES).map(|_| image()).collect()
}
