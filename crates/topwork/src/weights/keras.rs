//! Keras' files. The legacy format (`keras/src/legacy/saving/legacy_h5_format.py`) lists its layers and their weights in attributes; the
//! format of Keras 3 (`keras/src/saving/saving_lib.py`) names groups by the class of a layer and a counter. Only arrays are
//! read: neither the configuration nor the code of a layer.

use std::collections::BTreeMap;

use hdf5_pure::Group;

use super::hdf5::{Hdf5, damaged, texts};
use super::{Contents, MAX_EXPANSION, Tensor, check_count, refused};
use crate::error::Result;

/// The entry of a `.keras` archive with the weights.
pub(super) const WEIGHTS: &str = "model.weights.h5";

/// Where Keras 3 begins, and earlier versions of its format.
const ROOTS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];

/// A model in a model is two groups deeper.
const MAX_DEPTH: usize = 32;

/// The bytes of an HDF5 file.
pub(super) fn read(bytes: Vec<u8>) -> Result<Contents> {
    if !bytes.starts_with(super::hdf5::SIGNATURE) {
        return Err(refused(format!("{WEIGHTS} is not an HDF5 file")));
    }
    let limit = bytes.len().saturating_mul(MAX_EXPANSION) / size_of::<f32>();
    let mut found = Found { file: Hdf5::open(bytes)?, tensors: BTreeMap::new(), left: limit };
    let read = found.read();
    if found.file.is_exhausted() {
        return Err(refused("an HDF5 file whose lists and groups go on without end"));
    }
    read?;
    if found.tensors.is_empty() {
        return Err(refused("a Keras file without weights"));
    }
    Ok(Contents { tensors: found.tensors, metadata: BTreeMap::new(), unread: Vec::new() })
}

struct Found {
    file: Hdf5,
    tensors: BTreeMap<String, Tensor>,
    /// Values that may still be read.
    left: usize,
}

impl Found {
    fn read(&mut self) -> Result<()> {
        let root = self.file.root();
        let groups = root.groups().map_err(damaged)?;
        let has = |name: &str| groups.iter().any(|group| group == name);
        if let Some(layers) = texts(&root, "layer_names")? {
            return self.legacy(&root, &layers);
        }
        if has("model_weights") {
            let root = root.group("model_weights").map_err(damaged)?;
            let Some(layers) = texts(&root, "layer_names")? else {
                return Err(refused("an HDF5 file whose model_weights list no layers"));
            };
            return self.legacy(&root, &layers);
        }
        match ROOTS.into_iter().find(|name| has(name)) {
            Some(name) => self.numbered(&root.group(name).map_err(damaged)?, name, 0),
            None => Err(refused("an HDF5 file without the layers of a Keras model")),
        }
    }

    /// The weights of these layers, by the lists. A layer may be a whole model.
    fn legacy(&mut self, root: &Group, layers: &[String]) -> Result<()> {
        check_count(layers.len())?;
        for layer in layers {
            let lost = |error| {
                refused(format!("no weights of the layer {layer:?}, which is listed")).with_source(error)
            };
            let group = root.group(layer).map_err(lost)?;
            let Some(weights) = texts(&group, "weight_names")? else {
                return Err(refused(format!("the layer {layer:?} has no list of weights")));
            };
            check_count(weights.len())?;
            for (weight, name) in weights.iter().zip(names(layer, &weights)) {
                let lost =
                    |error| refused(format!("no tensor {weight:?}, which is listed")).with_source(error);
                let dataset = group.dataset(weight).map_err(lost)?;
                let tensor = self.file.tensor(&name, &dataset)?;
                self.keep(name, tensor)?;
            }
        }
        Ok(())
    }

    /// The weights below a group, by their paths: `layers/conv2d_1/vars/0`.
    fn numbered(&mut self, group: &Group, path: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(format!("groups in groups, more than {MAX_DEPTH} deep: {path:.100}…")));
        }
        for (name, dataset) in group.iter_datasets().map_err(damaged)? {
            let path = format!("{path}/{name}");
            // Integers: where the random numbers of a layer go on.
            if path.contains("/seed_generator/") {
                continue;
            }
            let tensor = self.file.tensor(&path, &dataset)?;
            self.keep(path, tensor)?;
        }
        for (name, group) in group.iter_groups().map_err(damaged)? {
            self.numbered(&group, &format!("{path}/{name}"), depth + 1)?;
        }
        Ok(())
    }

    fn keep(&mut self, name: String, tensor: Tensor) -> Result<()> {
        let left = self.left.checked_sub(tensor.values.len());
        self.left = left.ok_or_else(|| refused("a file that holds the same values again and again"))?;
        if self.tensors.contains_key(&name) {
            return Err(refused(format!("two tensors are called {name:?}")));
        }
        self.tensors.insert(name, tensor);
        check_count(self.tensors.len())
    }
}

/// `layer/kind` for each weight of a layer. Keras 1 had other words for the kinds, whose order is the same.
fn names(layer: &str, weights: &[String]) -> Vec<String> {
    const KINDS: [&str; 6] = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"];
    let split = |weight: &'_ str| -> (String, String) {
        let weight = weight.split(':').next().unwrap_or_default();
        let (scope, kind) = weight.rsplit_once('/').unwrap_or(("", weight));
        (scope.rsplit('/').next().unwrap_or_default().to_owned(), kind.to_owned())
    };
    let split: Vec<(String, String)> = weights.iter().map(|weight| split(weight)).collect();
    let one_layer = split.iter().all(|(scope, _)| *scope == split[0].0);
    let known = split.iter().all(|(_, kind)| KINDS.contains(&kind.as_str()));
    let by_order = match (one_layer, split.len()) {
        (true, 1) => &KINDS[..1],
        (true, 2) => &KINDS[..2],
        (true, 4) => &KINDS[2..],
        _ => &[],
    };
    let names = split.iter().enumerate().map(|(at, (scope, kind))| {
        let kind = if known { kind.as_str() } else { by_order.get(at).copied().unwrap_or(kind) };
        format!("{}/{kind}", if one_layer { layer } else { scope })
    });
    names.collect()
}
