//! Weights by a formula, for networks whose own are not here; `reference/lite2/README.md` states it.

use std::collections::BTreeMap;

use super::reference::{split_mix, weights_file};
use super::{BackboneSpec, Origin};
use crate::network::{Graph, Normalisation};
use crate::weights::{LoadReport, Reader, Tensor, Weights};

/// A file of exactly the tensors that a row asks for. Which these are, and their shapes, is what it finds missing in a file without
/// them.
pub(super) fn weights(row: &BackboneSpec) -> Weights {
    let embedded = matches!(row.origin, Origin::Embedded { .. }).then(|| row.weights().expect("readable"));
    let record = embedded.as_ref().and_then(|weights| weights.metadata("topwork"));
    let (mut tensors, mut weights) = (BTreeMap::new(), Weights::default());
    loop {
        let LoadReport { missing, absent, .. } = report(row, &weights);
        if missing.is_empty() && absent.is_empty() {
            return weights;
        }
        tensors.extend(missing.into_iter().chain(absent).map(|asked| {
            let tensor = tensor(&asked.name, asked.shape);
            (asked.name, tensor)
        }));
        weights = Weights::from_bytes(&weights_file(&tensors, record)).expect("a good file");
    }
}

fn report(row: &BackboneSpec, weights: &Weights) -> LoadReport {
    let graph = Graph::new(
        row.architecture.input.0,
        row.architecture.input.1,
        Normalisation { mean: [0.0; 3], scale: [1.0; 3] },
    );
    Reader::fill(weights, |reader| row.built(reader, graph)).1
}

fn tensor(name: &str, shape: Vec<usize>) -> Tensor {
    let (low, high) = limits(name, &shape);
    let hash = fnv1a(name);
    let share = |place| (split_mix(hash.wrapping_add(place)) >> 40) as f64 / 16_777_216.0;
    let places = 0..shape.iter().product::<usize>() as u64;
    let values = places.map(|place| (low + (high - low) * share(place)) as f32).collect();
    Tensor { shape, values }
}

/// Between which numbers the values of a tensor lie.
fn limits(name: &str, shape: &[usize]) -> (f64, f64) {
    let word = name.rsplit(['.', '/']).next().unwrap_or(name);
    if shape.len() > 1 {
        let outputs = if word == "kernel" { shape[shape.len() - 1] } else { shape[0] };
        let bound = (6.0 / (shape.iter().product::<usize>() / outputs) as f64).sqrt();
        return (-bound, bound);
    }
    match word {
        "running_var" | "moving_variance" => (0.5, 1.5),
        "weight" | "gamma" => (0.5, 1.0),
        _ => (-0.2, 0.2),
    }
}

/// The 64-bit FNV-1a hash.
fn fnv1a(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
