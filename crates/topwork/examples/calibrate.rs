//! Records the ranges of EfficientNet-Lite0's tensors on photos, and compares the ways to choose limits from them.
//!
//!     cargo run --release -p topwork --example calibrate                          # compares
//!     cargo run --release -p topwork --example calibrate -- write mean-squared-error
//!
//! The photos are every fourth training photo of `../shared/data/cats-and-dogs`. Compared are, for f32 and each way: the accuracy of
//! five-fold cross-validation on that set's 2,000 training photos and on the 1,000 photos of `cat-breeds`, and on all of these
//! how often ImageNet's first class is that of f32, and the cosine of the features with those of f32. The test photos are not
//! looked at. `write` stores the ranges of one way in `crates/topwork-lite0/data/ranges.json`.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::{Path, PathBuf};

use topwork::backbone::{Arithmetic, BACKBONES, Backbone};
use topwork::dataset::{self, Dataset, Options, Subset};
use topwork::features::store::Store;
use topwork::network::calibration::{Calibration, Method};
use topwork::network::{Precision, Ranges};
use topwork::photo::{Limits, decode};
use topwork::preprocess::Scratch;
use topwork::train::{ClassWeight, Examples, cross_validate, stratified_folds};
use topwork::{Execution, Extractor, Isa, PhotoSource};

const METHODS: [Method; 2] = [Method::MinMax, Method::MeanSquaredError];
const SEED: u64 = 42;

fn main() -> Result<(), Box<dyn Error>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = project.join("../shared/data");
    let cats_and_dogs = dataset::open(&data.join("cats-and-dogs"), &Options::default())?;
    let training: Vec<PathBuf> = photos(&cats_and_dogs, Some(Subset::Training));
    let chosen: Vec<&PathBuf> = training.iter().step_by(4).collect();
    let isa = Isa::best();
    let row = &BACKBONES[0];
    let weights = row.weights()?;
    let reference = row.instantiate(&weights, row.architecture.input, Arithmetic::F32, isa)?;
    let pixels = chosen.iter().map(|path| pixels(path, &reference, isa)).collect::<Result<Vec<_>, _>>()?;
    let calibration = Calibration::of(&reference.network, &pixels, Execution::default())?;
    let candidates = METHODS.map(|method| (method, ranges(&calibration, method, &reference)));

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["write", name] => {
            let wanted = |(method, _): &&(Method, Ranges)| method.as_str().replace(' ', "-") == name;
            let (_, ranges) = candidates.iter().find(wanted).ok_or("min-max or mean-squared-error")?;
            let mut ranges = ranges.clone();
            ranges.probe = row
                .instantiate(&weights, row.architecture.input, Arithmetic::Int8(&ranges), isa)?
                .probe_digest();
            let file = project.join("crates/topwork-lite0/data/ranges.json");
            std::fs::write(&file, ranges.to_json()?)?;
            println!("{}: {} photos, {}", file.display(), ranges.photos, ranges.method);
            return Ok(());
        }
        _ => return Err("no arguments, or: write min-max | mean-squared-error".into()),
    }

    let breeds = dataset::open(&data.join("cat-breeds/labels.csv"), &Options::default())?;
    let sets = [("cats-and-dogs", cats_and_dogs, Some(Subset::Training)), ("cat-breeds", breeds, None)];
    for (name, dataset, set) in &sets {
        let f32_features =
            features(row.load(row.architecture.input, Precision::F32, isa)?, &photos(dataset, *set))?;
        let labels: Vec<usize> = dataset.of_set(*set).iter().map(|at| dataset.samples[*at].label).collect();
        let accuracy = |features: &[Vec<f32>]| accuracy(features, &labels, dataset.classes.len());
        println!("{name}, {} photos", labels.len());
        println!("  f32                 five-fold accuracy {:.4}", accuracy(&f32_features)?);
        for (method, ranges) in &candidates {
            let found = features(
                row.instantiate(&weights, row.architecture.input, Arithmetic::Int8(ranges), isa)?,
                &photos(dataset, *set),
            )?;
            let same = found.iter().zip(&f32_features);
            let same = same.filter(|(one, other)| first(&reference, one) == first(&reference, other)).count();
            let mut cosines: Vec<f64> =
                found.iter().zip(&f32_features).map(|(one, other)| cosine(one, other)).collect();
            cosines.sort_by(f64::total_cmp);
            println!(
                "  {:<19} five-fold accuracy {:.4}, first class as f32 {same} of {}, cosine: least {:.4}, median {:.4}",
                method.as_str(),
                accuracy(&found)?,
                labels.len(),
                cosines[0],
                cosines[cosines.len() / 2]
            );
        }
    }
    Ok(())
}

fn photos(dataset: &Dataset, set: Option<Subset>) -> Vec<PathBuf> {
    let paths = dataset.of_set(set).into_iter().filter_map(|at| dataset.samples[at].photo.path());
    paths.map(Into::into).collect()
}

fn pixels(path: &Path, backbone: &Backbone, isa: Isa) -> Result<Vec<u8>, Box<dyn Error>> {
    let photo = decode(&std::fs::read(path)?, &Limits::default())
        .map_err(|unreadable| format!("{}: {unreadable}", path.display()))?;
    let mut pixels = vec![0; backbone.preprocess.len()];
    backbone.preprocess.pixels(&photo, isa, &mut Scratch::default(), &mut pixels);
    Ok(pixels)
}

fn ranges(calibration: &Calibration, method: Method, backbone: &Backbone) -> Ranges {
    let weights = blake3::Hash::from_bytes(backbone.digest).to_hex().to_string();
    Ranges::new(weights, method.as_str().into(), calibration.photos(), calibration.ranges(method))
}

fn features(backbone: Backbone, paths: &[PathBuf]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let extraction = Extractor::new(backbone).extract(
        &PhotoSource::files(paths),
        &Store::none(),
        Execution::default(),
        &|_| {},
    )?;
    let rows = (0..paths.len()).map(|at| extraction.features_of(at));
    rows.collect::<Option<Vec<_>>>().ok_or_else(|| "a photo cannot be used".into())
}

/// Five folds; C is chosen within each.
fn accuracy(features: &[Vec<f32>], labels: &[usize], classes: usize) -> Result<f64, Box<dyn Error>> {
    let rows = features.iter().map(Vec::as_slice).collect();
    let examples = Examples::from_rows(rows, labels.to_vec(), classes)?;
    let folds = stratified_folds(labels, None, classes, 5, SEED).ok_or("too few photos for five folds")?;
    let done = cross_validate(&examples, &folds, ClassWeight::Equal, SEED, Execution::default(), &|_| {})?;
    let rows = done.probabilities.chunks_exact(classes).zip(labels);
    let right = rows.filter(|(row, label)| row.iter().all(|value| *value <= row[**label])).count();
    Ok(right as f64 / labels.len() as f64)
}

fn first(backbone: &Backbone, features: &[f32]) -> Option<usize> {
    let logits = backbone.imagenet.as_ref()?.logits(features);
    (0..logits.len()).max_by(|one, other| logits[*one].total_cmp(&logits[*other]))
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}
