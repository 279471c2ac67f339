//! Raw photos from standard input, of the network's size, R, G, B bytes row by row, become features and ImageNet logits on
//! standard output: for each photo little-endian f32 values, EfficientNet-Lite0's 1,280 or ResNet-50's 2,048, then 1,000 if the
//! weights have their classifier. Two worker threads, as a comparison with other programs wants it.
//!
//!     features_from_pixels PRECISION [BACKBONE WEIGHTS [CALIBRATION METHOD]]
//!
//! The precision is `int8` or `f32`; the backbone is Lite0 unless one is named with the file of its weights, which in int8
//! needs raw photos in a file to find its ranges, and the method (`min-max` or `mean-squared-error`). `TOPWORK_ISA` forces an
//! instruction set.

use std::error::Error;
use std::io::{Read, Write};

use topwork::backbone::{Arithmetic, BACKBONES, Backbone, BackboneSpec, spec};
use topwork::network::Ranges;
use topwork::network::calibration::{Calibration, Method};
use topwork::preprocess::Channels;
use topwork::weights::Weights;
use topwork::{Execution, Isa, Precision};

const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let isa = match std::env::var("TOPWORK_ISA") {
        Ok(name) => Isa::named(&name).ok_or("TOPWORK_ISA names an instruction set that is not available")?,
        Err(_) => Isa::best(),
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let backbone = match arguments[..] {
        [precision] => BACKBONES[0].load(BACKBONES[0].architecture.input, named(precision)?, isa)?,
        [precision, name, weights, ref calibration @ ..] => {
            let (row, weights) = (spec(name)?, Weights::from_bytes(&std::fs::read(weights)?)?);
            match (named(precision)?, calibration) {
                (Precision::F32, []) => {
                    row.instantiate(&weights, row.architecture.input, Arithmetic::F32, isa)?
                }
                (Precision::Int8, [file, method]) => {
                    let ranges = ranges(row, &weights, std::fs::read(file)?, method, isa)?;
                    row.instantiate(&weights, row.architecture.input, Arithmetic::Int8(&ranges), isa)?
                }
                _ => return Err("int8 of a weights file needs CALIBRATION and METHOD, f32 neither".into()),
            }
        }
        _ => return Err("PRECISION [BACKBONE WEIGHTS [CALIBRATION METHOD]]".into()),
    };
    let mut pixels = Vec::new();
    std::io::stdin().lock().read_to_end(&mut pixels)?;
    let photos = photos(&mut pixels, &backbone)?;
    let feature_dim = backbone.network.feature_dim();
    let width = feature_dim + backbone.imagenet.as_ref().map_or(0, |imagenet| imagenet.bias.len());
    let mut values = vec![0.0f32; photos.len() * width];
    let share = photos.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        for (photos, values) in photos.chunks(share).zip(values.chunks_mut(share * width)) {
            let backbone = &backbone;
            scope.spawn(move || {
                let mut arena = backbone.network.arena();
                for (pixels, values) in photos.iter().zip(values.chunks_exact_mut(width)) {
                    let (features, logits) = values.split_at_mut(feature_dim);
                    backbone.network.features(pixels, &mut arena, features);
                    if let Some(imagenet) = &backbone.imagenet {
                        logits.copy_from_slice(&imagenet.logits(features));
                    }
                }
            });
        }
    });
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::io::stdout().lock().write_all(&bytes)?;
    Ok(())
}

fn named(precision: &str) -> Result<Precision, Box<dyn Error>> {
    let found = Precision::ALL.into_iter().find(|known| known.as_str() == precision);
    found.ok_or_else(|| "the first argument is int8 or f32".into())
}

/// Each photo, with its channels in the order in which the network takes them.
fn photos<'a>(pixels: &'a mut [u8], backbone: &Backbone) -> Result<Vec<&'a [u8]>, Box<dyn Error>> {
    let size = backbone.preprocess.len();
    if !pixels.len().is_multiple_of(size) {
        return Err(format!("{} bytes are not a number of photos of {size}", pixels.len()).into());
    }
    if backbone.preprocess.channels == Channels::Bgr {
        pixels.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
    }
    Ok(pixels.chunks_exact(size).collect())
}

fn ranges(
    row: &BackboneSpec,
    weights: &Weights,
    mut pixels: Vec<u8>,
    method: &str,
    isa: Isa,
) -> Result<Ranges, Box<dyn Error>> {
    let wanted = |known: &Method| known.as_str().replace(' ', "-") == method;
    let methods = [Method::MinMax, Method::MeanSquaredError];
    let method = methods.into_iter().find(wanted).ok_or("the method is min-max or mean-squared-error")?;
    let reference = row.instantiate(weights, row.architecture.input, Arithmetic::F32, isa)?;
    let photos = photos(&mut pixels, &reference)?;
    let calibration =
        Calibration::of(&reference.network, &photos, Execution::default().with_threads(THREADS))?;
    let digest = blake3::Hash::from_bytes(weights.digest()).to_hex().to_string();
    Ok(Ranges::new(digest, method.as_str().into(), photos.len(), calibration.ranges(method)))
}
