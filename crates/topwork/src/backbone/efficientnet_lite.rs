//! EfficientNet-Lite (TensorFlow, `models/official/efficientnet/lite`): inverted-residual blocks without
//! squeeze-and-excitation, ReLU6, TensorFlow's `SAME` padding. Tensor names are those of `efficientnet-lite-pytorch`.

use super::{Built, ImageNetTop};
use crate::network::{Activation, BatchNorm, Convolution, Graph, Groups, Node, Padding};
use crate::weights::{Reader, Tensor};

const EPSILON: f64 = 1e-3;
const STEM: usize = 32;
const FEATURES: usize = 1280;
const CLASSES: usize = 1000;

/// Blocks of one size in a row: the first has the stride, the others stride 1 and a skip connection.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

/// EfficientNet-Lite0: table 1 of the EfficientNet paper (arXiv 1905.11946), whose B0 has the same widths and depths.
const LITE0: [Stage; 7] = [
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
    Stage { blocks: 2, kernel: 3, stride: 2, expansion: 6, channels: 24 },
    Stage { blocks: 2, kernel: 5, stride: 2, expansion: 6, channels: 40 },
    Stage { blocks: 3, kernel: 3, stride: 2, expansion: 6, channels: 80 },
    Stage { blocks: 3, kernel: 5, stride: 1, expansion: 6, channels: 112 },
    Stage { blocks: 4, kernel: 5, stride: 2, expansion: 6, channels: 192 },
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 6, channels: 320 },
];

pub(super) fn lite0(reader: &Reader, graph: Graph) -> Built {
    let graph = features(reader, &LITE0, graph);
    let classifier = reader.child("_fc");
    let weights = classifier.tensor("weight", &[CLASSES, FEATURES]).values;
    let bias = classifier.tensor("bias", &[CLASSES]).values;
    Built { graph, top: Some(ImageNetTop { weights, bias }) }
}

/// Stem, stages, last convolution, average.
fn features(reader: &Reader, stages: &[Stage], mut graph: Graph) -> Graph {
    let weights = reader.tensor("_conv_stem.weight", &[STEM, 3, 3, 3]);
    let batch_norm = BatchNorm::read(&reader.child("_bn0"), STEM, EPSILON);
    let stem = Convolution { stride: 2, ..convolution(weights, batch_norm) };
    let mut node = graph.convolution("_conv_stem", graph.input(), stem);
    let mut index = 0;
    for stage in stages {
        for repeat in 0..stage.blocks {
            let stride = if repeat == 0 { stage.stride } else { 1 };
            node = block(&reader.child("_blocks").child(index), index, stage, stride, node, &mut graph);
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
    stage: &Stage,
    stride: usize,
    input: Node,
    graph: &mut Graph,
) -> Node {
    let channels = graph.shape(input).channels;
    let wide = channels * stage.expansion;
    let name = |layer: &str| format!("_blocks.{index}.{layer}");
    let norm = |layer: &str, channels: usize| BatchNorm::read(&reader.child(layer), channels, EPSILON);
    let mut node = input;
    if stage.expansion != 1 {
        let weights = reader.tensor("_expand_conv.weight", &[wide, channels, 1, 1]);
        node = graph.convolution(name("_expand_conv"), node, convolution(weights, norm("_bn0", wide)));
    }
    let weights = reader.tensor("_depthwise_conv.weight", &[wide, 1, stage.kernel, stage.kernel]);
    let layer = convolution(weights, norm("_bn1", wide));
    node = graph.convolution(
        name("_depthwise_conv"),
        node,
        Convolution { groups: Groups::Depthwise, stride, ..layer },
    );
    let weights = reader.tensor("_project_conv.weight", &[stage.channels, wide, 1, 1]);
    let layer = convolution(weights, norm("_bn2", stage.channels));
    let residual = (stride == 1 && channels == stage.channels).then_some(input);
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
