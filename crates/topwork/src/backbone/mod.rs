//! The networks that topwork knows. A backbone is a network without its last layer, whose outputs are a photo's features;
//! with it come the preprocessing that belongs to its weights, and the ImageNet classifier that it was trained with.
//!
//! Adding one: a file beside this one that describes the network and its weights, and a row of [`BACKBONES`].

mod efficientnet_lite;
mod record;

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};
use crate::network::{Graph, Network, Precision, Ranges, probe};
use crate::preprocess::Preprocess;
use crate::weights::LoadReport;

/// A network with trained weights, and all that belongs to these weights.
#[derive(Debug)]
pub struct Backbone {
    /// Its name in [`BACKBONES`].
    pub name: &'static str,
    /// BLAKE3 of the weights file.
    pub digest: [u8; 32],
    /// Digest of the ranges between which its tensors are represented; none in f32.
    pub ranges: Option<[u8; 32]>,
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
    /// JSON of the ranges that belong to the weights: see [`Ranges`].
    ranges: Option<&'static str>,
    load: fn(&Row, (usize, usize)) -> Result<Loaded>,
}

/// A set of weights read into the network that they belong to.
struct Loaded {
    graph: Graph,
    digest: [u8; 32],
    preprocess: Preprocess,
    imagenet: ImageNet,
    report: LoadReport,
}

impl Row {
    /// Loads the weights and prepares the network for photos of that height and width. On bytes the network of the
    /// row's own size must then give the features of the probe that are recorded with the ranges.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights cannot be read or do not fit the network, have no ranges where bytes are wanted,
    /// or give other features for the probe than they should.
    pub fn load(&self, input: (usize, usize), precision: Precision, isa: Isa) -> Result<Backbone> {
        let loaded = (self.load)(self, input)?;
        match precision {
            Precision::F32 => {
                let network = Network::new(&loaded.graph, isa);
                Ok(loaded.with(self, network, None))
            }
            Precision::Int8 => {
                let ranges = self.ranges()?;
                let backbone = loaded.quantised(self, &ranges, isa)?;
                if input == self.input {
                    backbone.prove(&ranges.probe)?;
                }
                Ok(backbone)
            }
        }
    }

    /// The same on bytes, with other ranges than those that belong to the weights, and without a proof.
    ///
    /// # Errors
    /// As [`Row::load`].
    pub fn load_with(&self, input: (usize, usize), ranges: &Ranges, isa: Isa) -> Result<Backbone> {
        (self.load)(self, input)?.quantised(self, ranges, isa)
    }

    /// How photos are prepared for these weights, without making a network ready.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights cannot be read or do not fit the network.
    pub fn preprocess(&self) -> Result<Preprocess> {
        Ok((self.load)(self, self.input)?.preprocess)
    }

    fn ranges(&self) -> Result<Ranges> {
        let json = self.ranges.ok_or_else(|| {
            let message = format!("the weights of {} have no ranges, which int8 needs", self.name);
            Error::new(ErrorKind::Weights, message).with_hint("--precision f32 does without")
        })?;
        Ranges::from_json(json)
    }
}

impl Loaded {
    fn quantised(self, row: &Row, ranges: &Ranges, isa: Isa) -> Result<Backbone> {
        let digest = blake3::Hash::from_bytes(self.digest).to_hex();
        if ranges.weights != digest.as_str() {
            let message = format!("ranges of other weights: expected {digest}, found {}", ranges.weights);
            return Err(Error::new(ErrorKind::Weights, message));
        }
        let network = Network::quantised(&self.graph, ranges, isa)?;
        Ok(self.with(row, network, Some(ranges.digest())))
    }

    fn with(self, row: &Row, network: Network, ranges: Option<[u8; 32]>) -> Backbone {
        let Loaded { digest, preprocess, imagenet, report, .. } = self;
        Backbone { name: row.name, digest, ranges, preprocess, network, imagenet, report }
    }
}

impl Backbone {
    /// The features of the [`probe`].
    pub fn probe_features(&self) -> Vec<f32> {
        let (height, width) = self.network.input();
        let mut features = vec![0.0; self.network.feature_dim()];
        let pixels = probe(height * width * 3);
        self.network.features(&pixels, &mut self.network.arena(), &mut features);
        features
    }

    /// BLAKE3 of the features of the probe, hexadecimal: on bytes the same on every machine.
    pub fn probe_digest(&self) -> String {
        let bytes: Vec<u8> = self.probe_features().iter().flat_map(|value| value.to_le_bytes()).collect();
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// Refuses a network whose kernels do not compute what they should.
    fn prove(&self, expected: &str) -> Result<()> {
        let found = self.probe_digest();
        if found == expected {
            return Ok(());
        }
        let message = format!(
            "the self-test failed: with the instruction set {} the network gives wrong features (digest {found}, \
             expected {expected})",
            self.network.isa().name()
        );
        Err(Error::new(ErrorKind::Weights, message).with_hint(SELF_TEST_HINT))
    }
}

/// What to try where an instruction set does not compute what it should.
pub(crate) const SELF_TEST_HINT: &str = "TOPWORK_ISA=scalar goes on with plain arithmetic, slowly";

/// The backbone that is used where none is named.
pub const DEFAULT_BACKBONE: &str = topwork_lite0::NAME;

/// All backbones.
pub static BACKBONES: &[Row] = &[Row {
    name: topwork_lite0::NAME,
    input: (224, 224),
    feature_dim: 1280,
    ranges: Some(topwork_lite0::RANGES),
    load: efficientnet_lite::lite0,
}];

/// The row of that name.
///
/// # Errors
/// [`ErrorKind::Configuration`] if there is none.
pub fn row(name: &str) -> Result<&'static Row> {
    BACKBONES.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<&str> = BACKBONES.iter().map(|row| row.name).collect();
        Error::new(ErrorKind::Configuration, format!("no backbone is called {name:?}"))
            .with_hint(format!("there is {}", names.join(", ")))
    })
}

/// The backbone of that name, for its own input size.
///
/// # Errors
/// [`ErrorKind::Configuration`] if there is none of that name; [`ErrorKind::Weights`] as [`Row::load`].
pub fn backbone(name: &str, precision: Precision, isa: Isa) -> Result<Backbone> {
    let row = row(name)?;
    row.load(row.input, precision, isa)
}

#[cfg(test)]
mod tests;
