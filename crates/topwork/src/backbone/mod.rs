//! The networks that topwork knows. A backbone is a network without its last layer, whose outputs are a photo's features;
//! with it come the preprocessing that belongs to its weights, and the ImageNet classifier that it was trained with.
//!
//! Adding one: a file beside this one that describes the network and its weights, and a row of [`BACKBONES`].

mod efficientnet_lite;
mod record;

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};
use crate::network::Network;
use crate::preprocess::Preprocess;
use crate::weights::LoadReport;

/// A network with trained weights, and all that belongs to these weights.
#[derive(Debug)]
pub struct Backbone {
    /// Its name in [`BACKBONES`].
    pub name: &'static str,
    /// BLAKE3 of the weights file.
    pub digest: [u8; 32],
    /// How photos are prepared for these weights.
    pub preprocess: Preprocess,
    /// Pixels → features, for the input size that was asked for.
    pub network: Network,
    /// The classifier with which it was trained.
    pub imagenet: ImageNet,
    /// What became of the tensors in the weights file.
    pub report: LoadReport,
}

/// The last layer of a network trained on ImageNet: logits = weights · features + bias.
#[derive(Clone, Debug)]
pub struct ImageNet {
    /// One row of features a class.
    pub weights: Vec<f32>,
    /// One a class.
    pub bias: Vec<f32>,
    /// In the order of the outputs.
    pub classes: Vec<Class>,
}

/// A class of ImageNet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Class {
    /// WordNet id, such as `n02123045`.
    pub wnid: String,
    /// A name for people, such as `tabby`.
    pub name: String,
}

impl ImageNet {
    /// The score of each class for these features, in f32, features in their order.
    ///
    /// # Panics
    /// If there are not as many features as the classifier has columns.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let columns = self.weights.len() / self.bias.len();
        assert_eq!(features.len(), columns, "{} features for a classifier of {columns}", features.len());
        let rows = self.weights.chunks_exact(columns).zip(&self.bias);
        rows.map(|(row, bias)| {
            row.iter().zip(features).map(|(weight, value)| weight * value).sum::<f32>() + bias
        })
        .collect()
    }
}

/// A row of [`BACKBONES`].
#[derive(Debug)]
pub struct Row {
    /// The name by which [`backbone`] finds it.
    pub name: &'static str,
    /// Height and width of the photos with which it was trained.
    pub input: (usize, usize),
    /// Features that a photo gives.
    pub feature_dim: usize,
    load: fn(&Row, (usize, usize), Isa) -> Result<Backbone>,
}

impl Row {
    /// Loads the weights and prepares the network for photos of that height and width.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights cannot be read or do not fit the network.
    pub fn load(&self, input: (usize, usize), isa: Isa) -> Result<Backbone> {
        (self.load)(self, input, isa)
    }
}

/// The backbone that is used where none is named.
pub const DEFAULT_BACKBONE: &str = topwork_lite0::NAME;

/// All backbones.
pub static BACKBONES: &[Row] = &[Row {
    name: topwork_lite0::NAME,
    input: (224, 224),
    feature_dim: 1280,
    load: efficientnet_lite::lite0,
}];

/// The backbone of that name, for its own input size.
///
/// # Errors
/// [`ErrorKind::Configuration`] if there is none of that name; [`ErrorKind::Weights`] as [`Row::load`].
pub fn backbone(name: &str, isa: Isa) -> Result<Backbone> {
    let row = BACKBONES.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<&str> = BACKBONES.iter().map(|row| row.name).collect();
        Error::new(ErrorKind::Configuration, format!("no backbone is called {name:?}"))
            .with_hint(format!("there is {}", names.join(", ")))
    })?;
    row.load(row.input, isa)
}

#[cfg(test)]
mod tests;
