//! What a layer is, for summaries and measurements; nothing here is run.

use topwork_kernels::epilogue::Activation;

use super::graph::{Graph, Groups, OperationKind, Shape};

/// A layer: its sizes and what it costs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Layer {
    /// The name that the checkpoint gives it.
    pub name: String,
    /// Which operation it is.
    pub kind: LayerKind,
    /// Height and width of the kernel; of the whole input for an average.
    pub kernel: (usize, usize),
    /// Step in both directions.
    pub stride: usize,
    /// Size of its input.
    pub input: Shape,
    /// Size of its output.
    pub output: Shape,
    /// Whether a skip connection is added.
    pub residual: bool,
    /// The last step.
    pub activation: Activation,
    /// Multiplications of a value and a weight, padding included.
    pub multiply_adds: u64,
    /// Weights and biases after folding.
    pub parameters: u64,
    /// Numbers in the checkpoint: weights, biases, and the four of the batch norm for each channel.
    pub checkpoint_parameters: u64,
}

/// The operations of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// All input channels under a kernel of several pixels, or with a stride.
    Convolution,
    /// All input channels of one pixel.
    Pointwise,
    /// Each channel by itself.
    Depthwise,
    /// The largest value under a kernel, each channel by itself.
    MaxPool,
    /// The mean over all pixels.
    GlobalAverage,
}

/// The layers of a graph, in the order in which they run.
pub(super) fn layers(graph: &Graph) -> Vec<Layer> {
    let places = graph.operations.iter().zip(&graph.shapes[1..]);
    places
        .map(|(operation, output)| {
            describe(&operation.name, &operation.kind, graph.shape(operation.input), *output)
        })
        .collect()
}

fn describe(name: &str, kind: &OperationKind, input: Shape, output: Shape) -> Layer {
    let name = name.to_owned();
    match kind {
        OperationKind::MaxPool(window) => {
            pooling(name, LayerKind::MaxPool, window.kernel, window.stride.0, input, output)
        }
        OperationKind::GlobalAverage => {
            pooling(name, LayerKind::GlobalAverage, (input.height, input.width), 1, input, output)
        }
        OperationKind::Convolution(window, spec) => {
            let weights = spec.weights.values.len();
            Layer {
                name,
                kind: match spec.groups {
                    Groups::Depthwise => LayerKind::Depthwise,
                    Groups::One if window.is_pointwise() => LayerKind::Pointwise,
                    Groups::One => LayerKind::Convolution,
                },
                kernel: window.kernel,
                stride: spec.stride,
                input,
                output,
                residual: spec.residual.is_some(),
                activation: spec.activation,
                multiply_adds: (window.output_pixels() * weights) as u64,
                parameters: (weights + output.channels) as u64,
                checkpoint_parameters: (weights
                    + spec.bias.as_ref().map_or(0, Vec::len)
                    + 4 * output.channels) as u64,
            }
        }
    }
}

/// A layer without weights.
fn pooling(
    name: String,
    kind: LayerKind,
    kernel: (usize, usize),
    stride: usize,
    input: Shape,
    output: Shape,
) -> Layer {
    Layer {
        name,
        kind,
        kernel,
        stride,
        input,
        output,
        residual: false,
        activation: Activation::Linear,
        multiply_adds: 0,
        parameters: 0,
        checkpoint_parameters: 0,
    }
}
