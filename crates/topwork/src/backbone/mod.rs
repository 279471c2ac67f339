//! The networks that topwork knows. A backbone is a network without its last layer, whose outputs are a photo's features;
//! with it come the preprocessing that belongs to its weights, and the ImageNet classifier that it was trained with.
//!
//! Adding one: a file beside this one that describes the network and its weights, and a row of [`BACKBONES`];
//! `docs/adding-a-backbone.md` walks through it.

mod efficientnet_lite;
mod files;
mod record;
mod resnet;

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};
use crate::network::{Graph, Layer, Layout, Network, Normalisation, Precision, Ranges, probe};
use crate::preprocess::{Channels, Filter, Preprocess, Resize, Rounding};
use crate::weights::{LoadReport, Reader, Source, Weights};
pub use files::{Added, add};
use record::PreprocessRecord;

/// A network with trained weights, and all that belongs to these weights.
#[derive(Debug)]
pub struct Backbone {
    /// Its name in [`BACKBONES`].
    pub name: &'static str,
    /// BLAKE3 of the weights file.
    pub digest: [u8; 32],
    /// The name of the published file that this is, where that is known.
    pub source: Option<&'static str>,
    /// Between which values its tensors are represented; none in f32.
    pub ranges: Option<Ranges>,
    /// How photos are prepared for these weights.
    pub preprocess: Preprocess,
    /// Pixels → features, for the input size that was asked for.
    pub network: Network,
    /// The classifier with which it was trained, where the weights bring one.
    pub imagenet: Option<ImageNet>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A network as it is defined, whatever weights it gets.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// Its name, such as `resnet50`.
    pub name: &'static str,
    /// What it is made of.
    pub family: Family,
    /// Height and width of the photos with which it is trained.
    pub input: (usize, usize),
    /// Features that a photo gives.
    pub feature_dim: usize,
    /// The layer in the middle whose averages help heads on pictures unlike ImageNet's: see `docs/adding-a-backbone.md`.
    pub tap: &'static str,
    /// Reads the weights into the network.
    build: fn(&Reader, Conventions, Graph) -> Built,
}

/// What a network is made of: what its contract asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Convolutions in stages, each of half the height and width of the one before it, and an average over all pixels.
    Convolutional,
}

/// Whose details hold where frameworks define one architecture differently: strides, epsilons, biases, names of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conventions {
    /// Keras'.
    Keras,
    /// PyTorch's: torchvision, timm.
    PyTorch,
}

/// A backbone without its weights: an architecture, and a record of the weights that belong to it.
#[derive(Clone, Debug)]
pub struct BackboneSpec {
    /// The name by which [`backbone`] finds it.
    pub name: &'static str,
    /// The network.
    pub architecture: &'static Architecture,
    /// Whose details of the architecture hold.
    pub conventions: Conventions,
    /// Where its weights are.
    pub origin: Origin,
}

/// Where the weights of a backbone are.
#[derive(Clone, Debug)]
pub enum Origin {
    /// In the program, with a record of their preprocessing.
    Embedded {
        /// A weights file.
        weights: &'static [u8],
        /// JSON of the ranges that belong to them: see [`Ranges`].
        ranges: &'static str,
    },
    /// In a file.
    File {
        /// How photos are prepared for them.
        preprocess: Preprocess,
        /// Published files, the one to be taken first first.
        sources: &'static [Source],
    },
}

/// A network as its weights make it.
struct Built {
    graph: Graph,
    /// Its classifier, where the file has one for ImageNet's classes.
    top: Option<ImageNetTop>,
}

/// The last layer of a network: one row of features a class, and one bias.
struct ImageNetTop {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// The arithmetic of a network, with what it needs.
#[derive(Clone, Copy, Debug)]
pub enum Arithmetic<'a> {
    /// 32-bit floating point.
    F32,
    /// Bytes, between these limits.
    Int8(&'a Ranges),
}

impl BackboneSpec {
    /// Finds the weights that belong to the row and prepares the network for photos of that height and width.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights are not here, cannot be read, or as [BackboneSpec::instantiate].
    pub fn load(&self, input: (usize, usize), precision: Precision, isa: Isa) -> Result<Backbone> {
        self.prepare(&self.weights()?, input, precision, isa)
    }

    /// Puts weights into the network as [BackboneSpec::instantiate], on bytes with the [ranges](BackboneSpec::ranges_of) that belong to them.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they have no ranges, or as [BackboneSpec::instantiate].
    pub fn prepare(
        &self,
        weights: &Weights,
        input: (usize, usize),
        precision: Precision,
        isa: Isa,
    ) -> Result<Backbone> {
        match precision {
            Precision::F32 => self.instantiate(weights, input, Arithmetic::F32, isa),
            Precision::Int8 => {
                self.instantiate(weights, input, Arithmetic::Int8(&self.ranges_of(weights)?), isa)
            }
        }
    }

    /// Whether weights fit the network, without making it ready.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they do not.
    pub fn check(&self, weights: &Weights) -> Result<LoadReport> {
        let (_, _, report) = self.fill(weights, self.architecture.input)?;
        Ok(report)
    }

    /// Puts weights into the network, and prepares it for photos of that height and width. On bytes the network of the
    /// row's own size must then give the features of the probe that are recorded with the ranges, if they are.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights do not fit the network, the ranges are those of other weights or lack a tensor,
    /// or if the features of the probe are others than they should be.
    pub fn instantiate(
        &self,
        weights: &Weights,
        input: (usize, usize),
        arithmetic: Arithmetic,
        isa: Isa,
    ) -> Result<Backbone> {
        let (preprocess, Built { graph, top }, report) = self.fill(weights, input)?;
        let (network, ranges) = match arithmetic {
            Arithmetic::F32 => (Network::new(&graph, isa), None),
            Arithmetic::Int8(ranges) => {
                let digest = blake3::Hash::from_bytes(weights.digest()).to_hex();
                if ranges.weights != digest.as_str() {
                    let message =
                        format!("ranges of other weights: expected {digest}, found {}", ranges.weights);
                    return Err(Error::new(ErrorKind::Weights, message));
                }
                (Network::quantised(&graph, ranges, isa)?, Some(ranges))
            }
        };
        let backbone = Backbone {
            name: self.name,
            digest: weights.digest(),
            source: weights.source(),
            ranges: ranges.cloned(),
            preprocess,
            network,
            imagenet: top.map(ImageNet::of),
            report,
        };
        match ranges {
            Some(ranges) if input == self.architecture.input && !ranges.probe.is_empty() => {
                backbone.prove(&ranges.probe)?;
            }
            _ => {}
        }
        Ok(backbone)
    }

    /// The network with its weights in place, before it is made ready to run: what an export needs. The height and width of the
    /// photos are its own.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they do not fit the network.
    pub fn graph(&self, weights: &Weights) -> Result<Graph> {
        let (_, built, _) = self.fill(weights, self.architecture.input)?;
        Ok(built.graph)
    }

    /// Its layers up to the features, for photos of its own size; no weights are needed.
    pub fn layers(&self) -> Vec<Layer> {
        let normalisation = Normalisation { mean: [0.0; 3], scale: [1.0; 3] };
        let graph = Graph::new(self.architecture.input.0, self.architecture.input.1, normalisation);
        let (built, _) = Reader::fill(&Weights::default(), |reader| self.built(reader, graph));
        built.graph.layers()
    }

    fn built(&self, reader: &Reader, graph: Graph) -> Built {
        let Architecture { build, tap, .. } = self.architecture;
        let mut built = build(reader, self.conventions, graph);
        built.graph.tap(tap);
        built
    }

    /// The network with its weights in place, for photos of that height and width.
    fn fill(&self, weights: &Weights, input: (usize, usize)) -> Result<(Preprocess, Built, LoadReport)> {
        let preprocess = self.preprocess_of(weights)?;
        let normalisation = Normalisation { mean: preprocess.mean, scale: preprocess.scale };
        let graph = Graph::new(input.0, input.1, normalisation);
        let (built, report) = Reader::fill(weights, |reader| self.built(reader, graph));
        match self.origin {
            Origin::Embedded { .. } => report.require_exact()?,
            Origin::File { .. } => report.require_complete()?,
        }
        Ok((preprocess, built, report))
    }

    /// How photos are prepared for its weights, without making a network ready.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the embedded record cannot be read.
    pub fn preprocess(&self) -> Result<Preprocess> {
        match &self.origin {
            Origin::Embedded { .. } => self.preprocess_of(&self.weights()?),
            Origin::File { preprocess, .. } => Ok(preprocess.clone()),
        }
    }

    fn preprocess_of(&self, weights: &Weights) -> Result<Preprocess> {
        match &self.origin {
            Origin::Embedded { .. } => PreprocessRecord::of(weights)?.preprocess(),
            Origin::File { preprocess, .. } => Ok(preprocess.clone()),
        }
    }
}

impl ImageNet {
    /// The classifier with its classes' names.
    fn of(top: ImageNetTop) -> ImageNet {
        let class = |(wnid, name): (&str, &str)| Class { wnid: wnid.to_owned(), name: name.to_owned() };
        let classes = topwork_lite0::classes().map(class).collect();
        ImageNet { weights: top.weights, bias: top.bias, classes }
    }
}

impl Backbone {
    /// Whether its weights and ranges are in the program.
    pub fn is_embedded(&self) -> bool {
        spec(self.name).is_ok_and(|spec| matches!(spec.origin, Origin::Embedded { .. }))
    }

    /// The network as it was before it was made ready to run, made again from the same weights.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the weights are not where they were.
    pub fn graph(&self) -> Result<Graph> {
        let spec = spec(self.name)?;
        spec.graph(&spec.weights_of(&self.digest, self.source)?)
    }

    /// The features of the [`probe`], of the maps that the layout holds.
    pub(crate) fn probe_features(&self, layout: &Layout) -> Vec<f32> {
        let mut arena = self.network.arena();
        let (height, width) = self.network.input();
        arena.pixels().copy_from_slice(&probe(height * width * 3));
        let (mut row, mut features) = (vec![0; layout.row_bytes()], vec![0.0; layout.width()]);
        self.network.run(&mut arena, &mut row);
        layout.read(&row, &mut features);
        features
    }

    /// BLAKE3 of the features of the probe, hexadecimal: on bytes the same on every machine.
    pub fn probe_digest(&self) -> String {
        let features = self.probe_features(&self.network.layout().last());
        let bytes: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
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
pub static BACKBONES: &[BackboneSpec] = &[
    BackboneSpec {
        name: topwork_lite0::NAME,
        architecture: &efficientnet_lite::LITE0,
        conventions: Conventions::PyTorch,
        origin: Origin::Embedded { weights: topwork_lite0::WEIGHTS, ranges: topwork_lite0::RANGES },
    },
    BackboneSpec {
        name: "efficientnet_lite2",
        architecture: &efficientnet_lite::LITE2,
        conventions: Conventions::PyTorch,
        origin: Origin::File {
            preprocess: efficientnet_lite::LITE2_PREPROCESS,
            sources: efficientnet_lite::LITE2_SOURCES,
        },
    },
    // Keras resizes to the input's size, whatever the proportion, with the nearest pixel.
    BackboneSpec {
        name: "resnet50",
        architecture: &resnet::RESNET50,
        conventions: Conventions::Keras,
        origin: Origin::File { preprocess: CAFFE, sources: resnet::sources::KERAS },
    },
    BackboneSpec {
        name: "resnet50_torchvision",
        architecture: &resnet::RESNET50,
        conventions: Conventions::PyTorch,
        origin: Origin::File {
            preprocess: torch(256, Filter::Bilinear),
            sources: resnet::sources::TORCHVISION_V1,
        },
    },
    BackboneSpec {
        name: "resnet50_torchvision_v2",
        architecture: &resnet::RESNET50,
        conventions: Conventions::PyTorch,
        origin: Origin::File {
            preprocess: torch(232, Filter::Bilinear),
            sources: resnet::sources::TORCHVISION_V2,
        },
    },
    // timm: crop_pct .95, so the shorter side is the floor of 224 / .95.
    BackboneSpec {
        name: "resnet50_timm_a1",
        architecture: &resnet::RESNET50,
        conventions: Conventions::PyTorch,
        origin: Origin::File { preprocess: torch(235, Filter::Bicubic), sources: resnet::sources::TIMM_A1 },
    },
];

/// Keras' mode `caffe` (`keras/src/applications/imagenet_utils.py`): blue first, ImageNet's mean subtracted.
const CAFFE: Preprocess = Preprocess {
    resize: Resize::Exact { width: 224, height: 224 },
    filter: Filter::Nearest,
    width: 224,
    height: 224,
    offset: Rounding::Floor,
    channels: Channels::Bgr,
    mean: [103.939, 116.779, 123.68],
    scale: [1.0; 3],
};

/// torchvision's `ImageClassification` (`torchvision/transforms/_presets.py`): `(x / 255 − mean) / deviation`.
const fn torch(shorter: u32, filter: Filter) -> Preprocess {
    Preprocess {
        resize: Resize::Shorter { size: shorter, rounding: Rounding::Floor },
        filter,
        width: 224,
        height: 224,
        offset: Rounding::HalfEven,
        channels: Channels::Rgb,
        mean: [123.675, 116.28, 103.53],
        scale: [
            (1.0 / (255.0 * 0.229_f64)) as f32,
            (1.0 / (255.0 * 0.224_f64)) as f32,
            (1.0 / (255.0 * 0.225_f64)) as f32,
        ],
    }
}

/// The backbone of that name, without its weights.
///
/// # Errors
/// [`ErrorKind::Configuration`] if there is none.
pub fn spec(name: &str) -> Result<&'static BackboneSpec> {
    BACKBONES.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let names: Vec<&str> = BACKBONES.iter().map(|spec| spec.name).collect();
        Error::new(ErrorKind::Configuration, format!("no backbone is called {name:?}"))
            .with_hint(format!("there is {}", names.join(", ")))
    })
}

/// The backbone of that name, for its own input size.
///
/// # Errors
/// [`ErrorKind::Configuration`] if there is none of that name; [`ErrorKind::Weights`] as [`BackboneSpec::load`].
pub fn backbone(name: &str, precision: Precision, isa: Isa) -> Result<Backbone> {
    let spec = spec(name)?;
    spec.load(spec.architecture.input, precision, isa)
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod formula;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod resnet_tests;
#[cfg(test)]
mod tests;
