//! Photos named on standard input, a path a line, to the averages of layers on standard output: f32 little endian, a row a
//! photo, the last layer's first and then those of each layer that is named.
//!
//!     layer_averages BACKBONE WEIGHTS LAYER...
//!
//! WEIGHTS is the file of the backbone's weights, or - for those in the program. The network runs on bytes; weights from a file
//! take their ranges from these photos. For `measurements/taps.py`, which asks which layer in the middle helps a head most.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use topwork::backbone::{self, Arithmetic, Backbone};
use topwork::features::calibrate;
use topwork::photo::{self, Limits};
use topwork::preprocess::Scratch;
use topwork::weights::Weights;
use topwork::{Execution, Isa, PhotoSource, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let lines: Result<Vec<String>, _> = std::io::stdin().lock().lines().collect();
    let paths: Vec<PathBuf> = lines?.into_iter().map(PathBuf::from).collect();
    let mut arguments = std::env::args().skip(1);
    let row = backbone::spec(&arguments.next().ok_or("the first argument is a backbone")?)?;
    let file = arguments.next().ok_or("the second argument is a file of weights, or -")?;
    let layers: Vec<String> = arguments.collect();
    let isa = Isa::best();
    let backbone = if file == "-" {
        row.load(row.architecture.input, Precision::Int8, isa)?
    } else {
        let weights = Weights::from_bytes(&std::fs::read(file)?)?;
        let ranges = match row.known_ranges(&weights)? {
            Some(ranges) => ranges,
            None => calibrate(
                row,
                &weights,
                &PhotoSource::files(&paths),
                Execution { isa, ..Execution::default() },
            )?,
        };
        row.instantiate(&weights, row.architecture.input, Arithmetic::Int8(&ranges), isa)?
    };
    if let Some(unknown) =
        layers.iter().find(|name| backbone.network.layers().iter().all(|layer| layer.name != **name))
    {
        return Err(format!("{} has no layer {unknown}", row.name).into());
    }
    let threads = std::thread::available_parallelism()?.get();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for batch in paths.chunks(64 * threads) {
        let parts: Vec<_> = batch.chunks(batch.len().div_ceil(threads)).collect();
        let rows: Vec<Result<Vec<u8>, String>> = std::thread::scope(|scope| {
            let (backbone, layers) = (&backbone, &layers);
            let workers: Vec<_> = parts
                .into_iter()
                .map(|paths| scope.spawn(move || averages(backbone, layers, paths)))
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
        });
        for row in rows {
            out.write_all(&row?)?;
        }
    }
    Ok(out.flush()?)
}

/// The rows of some photos, as bytes.
fn averages(backbone: &Backbone, layers: &[String], paths: &[PathBuf]) -> Result<Vec<u8>, String> {
    let (network, mut scratch) = (&backbone.network, Scratch::default());
    let (mut arena, mut features) = (network.arena(), vec![0.0; network.feature_dim()]);
    let mut rows = Vec::new();
    for path in paths {
        let pixels =
            pixels(backbone, path, &mut scratch).map_err(|why| format!("{}: {why}", path.display()))?;
        let mut means = vec![Vec::new(); layers.len()];
        network.trace(&pixels, &mut arena, &mut features, |layer, values| {
            if let Some(place) = layers.iter().position(|name| *name == layer.name) {
                let (values, channels) = (values.to_f32(), layer.output.channels);
                let mut sums = vec![0.0_f64; channels];
                for pixel in values.chunks_exact(channels) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f64::from(*value));
                }
                let pixels = (layer.output.height * layer.output.width) as f64;
                means[place] = sums.into_iter().map(|sum| (sum / pixels) as f32).collect();
            }
        });
        rows.extend(features.iter().chain(means.iter().flatten()).flat_map(|value| value.to_le_bytes()));
    }
    Ok(rows)
}

fn pixels(backbone: &Backbone, path: &Path, scratch: &mut Scratch) -> Result<Vec<u8>, Box<dyn Error>> {
    let limits = Limits::default();
    let bytes = photo::read(path, &limits).map_err(|unreadable| unreadable.to_string())?;
    let photo = photo::decode_for(&bytes, &limits, backbone.preprocess.shorter())
        .map_err(|unreadable| unreadable.to_string())?;
    let mut pixels = vec![0; backbone.preprocess.len()];
    backbone.preprocess.pixels(&photo, backbone.network.isa(), scratch, &mut pixels);
    Ok(pixels)
}
