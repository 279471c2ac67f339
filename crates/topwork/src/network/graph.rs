//! A network as its checkpoint describes it: operations with weights and batch norms, nothing folded or packed yet.

use topwork_kernels::epilogue::Activation;
use topwork_kernels::window::Window;

use super::layer::{Layer, layers};
use crate::weights::{Reader, Tensor};

/// A network under construction, for one input size. Operations are added in the order in which they run.
#[derive(Clone, Debug)]
pub struct Graph {
    pub(super) normalisation: Normalisation,
    pub(super) shapes: Vec<Shape>,
    pub(super) operations: Vec<Operation>,
    /// The operation whose output is averaged beside the last one.
    pub(super) tap: Option<usize>,
}

/// A tensor of the network: its input, or what an operation made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(pub(super) usize);

/// Size of a tensor: pixels row by row, the channels of a pixel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Shape {
    /// Values in the tensor.
    pub fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a pixel becomes a number: `(pixel − mean) · scale`, channel by channel, rounded to f32 once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Subtracted.
    pub mean: [f32; 3],
    /// Multiplied afterwards.
    pub scale: [f32; 3],
}

impl Normalisation {
    /// What a pixel value of a channel becomes, before it is rounded.
    pub(super) fn apply(&self, channel: usize, pixel: u8) -> f64 {
        (f64::from(pixel) - f64::from(self.mean[channel])) * f64::from(self.scale[channel])
    }
}

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's `SAME`.
    Same,
    /// That many on all sides.
    Explicit(usize),
}

/// Whether an output channel sees all input channels or its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// All input channels.
    One,
    /// Its own alone.
    Depthwise,
}

/// Batch normalisation with the statistics of training, one value a channel.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Multiplied after the division; `gamma` in TensorFlow.
    pub weight: Vec<f32>,
    /// Added last; `beta` in TensorFlow.
    pub bias: Vec<f32>,
    /// Subtracted first.
    pub mean: Vec<f32>,
    /// Its root, epsilon added, divides.
    pub variance: Vec<f32>,
    /// Keeps the division safe.
    pub epsilon: f64,
}

impl BatchNorm {
    /// The four tensors by PyTorch's names.
    pub fn read(reader: &Reader, channels: usize, epsilon: f64) -> BatchNorm {
        let values = |name| reader.tensor(name, &[channels]).values;
        BatchNorm {
            weight: values("weight"),
            bias: values("bias"),
            mean: values("running_mean"),
            variance: values("running_var"),
            epsilon,
        }
    }
}

/// A convolution and what follows it.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// All channels or each by itself.
    pub groups: Groups,
    /// Step in both directions.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// `[out, in / groups, height, width]`.
    pub weights: Tensor,
    /// Added to the sums, one a channel.
    pub bias: Option<Vec<f32>>,
    /// Follows the convolution, and is folded into it.
    pub batch_norm: BatchNorm,
    /// A tensor of the output's shape that is added before the activation.
    pub residual: Option<Node>,
    /// The end of the layer.
    pub activation: Activation,
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) input: Node,
    pub(super) kind: OperationKind,
}

#[derive(Clone, Debug)]
pub(super) enum OperationKind {
    Convolution(Window, Box<Convolution>),
    MaxPool(Window),
    GlobalAverage,
}

impl OperationKind {
    /// The tensor that is added at the end.
    pub(super) fn residual(&self) -> Option<Node> {
        match self {
            OperationKind::Convolution(_, layer) => layer.residual,
            OperationKind::MaxPool(_) | OperationKind::GlobalAverage => None,
        }
    }
}

impl Graph {
    /// A network without layers, for photos of three channels and that size.
    pub fn new(height: usize, width: usize, normalisation: Normalisation) -> Graph {
        Graph {
            normalisation,
            shapes: vec![Shape { height, width, channels: 3 }],
            operations: Vec::new(),
            tap: None,
        }
    }

    /// The normalised photo.
    pub fn input(&self) -> Node {
        Node(0)
    }

    /// The size of a tensor.
    pub fn shape(&self, node: Node) -> Shape {
        self.shapes[node.0]
    }

    /// Adds a convolution.
    ///
    /// # Panics
    /// If the weights, the batch norm or the residual do not have the shapes that the input asks for: the code that
    /// builds the network contradicts itself.
    pub fn convolution(&mut self, name: impl Into<String>, input: Node, layer: Convolution) -> Node {
        let (name, from) = (name.into(), self.shape(input));
        let [channels, depth, height, width] = layer.weights.shape[..] else {
            panic!("{name}: weights of shape {:?}", layer.weights.shape);
        };
        match layer.groups {
            Groups::One => assert_eq!(depth, from.channels, "{name}: input channels of the weights"),
            Groups::Depthwise => {
                assert_eq!((depth, channels), (1, from.channels), "{name}: depthwise weights")
            }
        }
        assert_eq!(layer.batch_norm.weight.len(), channels, "{name}: channels of the batch norm");
        assert!(layer.bias.as_ref().is_none_or(|bias| bias.len() == channels), "{name}: biases");
        let (size, kernel, stride) =
            ((from.height, from.width), (height, width), (layer.stride, layer.stride));
        let window = match layer.padding {
            Padding::Same => Window::same(size, kernel, stride),
            Padding::Explicit(zeros) => Window::padded(size, kernel, stride, (zeros, zeros)),
        };
        let (height, width) = window.output();
        let shape = Shape { height, width, channels };
        if let Some(residual) = layer.residual {
            assert_eq!(self.shape(residual), shape, "{name}: shape of the residual");
        }
        self.add(Operation { name, input, kind: OperationKind::Convolution(window, Box::new(layer)) }, shape)
    }

    /// Adds the largest value of each channel under a square kernel; `padding` pixels on all sides are smaller than all.
    pub fn max_pool(
        &mut self,
        name: impl Into<String>,
        input: Node,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Node {
        let from = self.shape(input);
        let size = (from.height, from.width);
        let window = Window::padded(size, (kernel, kernel), (stride, stride), (padding, padding));
        let (height, width) = window.output();
        let shape = Shape { height, width, channels: from.channels };
        self.add(Operation { name: name.into(), input, kind: OperationKind::MaxPool(window) }, shape)
    }

    /// Adds the mean of each channel over all pixels.
    pub fn global_average(&mut self, name: impl Into<String>, input: Node) -> Node {
        let shape = Shape { height: 1, width: 1, channels: self.shape(input).channels };
        self.add(Operation { name: name.into(), input, kind: OperationKind::GlobalAverage }, shape)
    }

    /// The output of the layer of that name is averaged, too, where a caller asks for it; whether there is such a layer.
    pub fn tap(&mut self, name: &str) -> bool {
        self.tap = self.operations.iter().position(|operation| operation.name == name);
        self.tap.is_some()
    }

    /// The operations, in the order in which they run.
    pub fn layers(&self) -> Vec<Layer> {
        layers(self)
    }

    fn add(&mut self, operation: Operation, shape: Shape) -> Node {
        self.operations.push(operation);
        self.shapes.push(shape);
        Node(self.shapes.len() - 1)
    }
}
