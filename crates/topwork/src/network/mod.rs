//! Pixels → features: layers with batch norms folded, weights packed for an instruction set, buffers planned; and the
//! loop that runs them.
//!
//! A [`Network`] is read-only and shared by all workers; each has an [`Arena`] of its own. There are no threads, locks or
//! allocations inside, and photos do not meet, so the number of workers cannot change a result.

mod fold;
mod graph;
mod plan;

pub use graph::{BatchNorm, Convolution, Graph, Groups, Node, Normalisation, Padding, Shape};
pub use topwork_kernels::epilogue::Activation;

use topwork_kernels::Isa;
use topwork_kernels::buffer::Buffer;
use topwork_kernels::convolution::{convolution, gathered_len};
use topwork_kernels::depthwise::{PackedDepthwise, depthwise};
use topwork_kernels::epilogue::Epilogue;
use topwork_kernels::gemm::PackedMatrix;
use topwork_kernels::reference::{global_average, normalise};
use topwork_kernels::window::Window;

use graph::OperationKind;
use plan::Slots;

/// A network that is ready to run on photos of one size.
#[derive(Debug)]
pub struct Network {
    isa: Isa,
    table: Box<[[f32; 256]; 3]>,
    input: Shape,
    layers: Vec<Layer>,
    steps: Vec<Step>,
    slots: Slots,
    gathered: usize,
}

/// The memory that one worker needs to run a network: made by [`Network::arena`].
#[derive(Debug)]
pub struct Arena {
    buffers: Vec<Buffer<f32>>,
    gathered: Buffer<f32>,
}

/// What a layer is, for summaries and measurements.
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
    /// The mean over all pixels.
    GlobalAverage,
}

/// One layer, ready to run: `inputs` and the place in [`Network::steps`] are numbers of tensors.
#[derive(Debug)]
struct Step {
    input: usize,
    residual: Option<usize>,
    kernel: Kernel,
}

#[derive(Debug)]
enum Kernel {
    Convolution { window: Window, weights: PackedMatrix, bias: Vec<f32>, activation: Activation },
    Depthwise { window: Window, weights: PackedDepthwise, bias: Vec<f32>, activation: Activation },
    GlobalAverage,
}

impl Network {
    /// Folds, packs and plans; the graph's last operation makes the features.
    pub fn new(graph: &Graph, isa: Isa) -> Network {
        let mut layers = Vec::new();
        let mut steps = Vec::new();
        let mut readers = vec![Vec::new()];
        let mut gathered = 0;
        for (index, operation) in graph.operations.iter().enumerate() {
            let (input, output) = (graph.shape(operation.input), graph.shapes[index + 1]);
            let layer = describe(&operation.name, &operation.kind, input, output);
            let (kernel, residual) = match &operation.kind {
                OperationKind::GlobalAverage => (Kernel::GlobalAverage, None),
                OperationKind::Convolution(window, spec) => {
                    let (window, activation) = (*window, spec.activation);
                    let folded = fold::fold(spec);
                    let (bias, taps) = (folded.bias, window.taps());
                    let kernel = match spec.groups {
                        Groups::One => {
                            gathered = gathered.max(gathered_len(&window, input.channels));
                            let depth = taps * input.channels;
                            let weights = PackedMatrix::new(isa, &folded.weights, depth, output.channels);
                            Kernel::Convolution { window, weights, bias, activation }
                        }
                        Groups::Depthwise => {
                            let weights = PackedDepthwise::new(isa, &folded.weights, taps, output.channels);
                            Kernel::Depthwise { window, weights, bias, activation }
                        }
                    };
                    (kernel, spec.residual.map(|node| node.0))
                }
            };
            let input = operation.input.0;
            readers.push([Some(input), residual].into_iter().flatten().collect());
            layers.push(layer);
            steps.push(Step { input, residual, kernel });
        }
        let sizes: Vec<usize> = graph.shapes.iter().map(Shape::len).collect();
        let slots = plan::place(&sizes, &readers);
        let table = Box::new(table(&graph.normalisation));
        Network { isa, table, input: graph.shapes[0], layers, steps, slots, gathered }
    }

    /// Features that one photo gives.
    pub fn feature_dim(&self) -> usize {
        self.layers.last().map_or(self.input.len(), |layer| layer.output.len())
    }

    /// Height and width of the photos that it takes.
    pub fn input(&self) -> (usize, usize) {
        (self.input.height, self.input.width)
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The layers, in the order in which they run.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Memory for one worker.
    pub fn arena(&self) -> Arena {
        let buffers = self.slots.sizes.iter().map(|size| Buffer::zeros(*size)).collect();
        Arena { buffers, gathered: Buffer::zeros(self.gathered) }
    }

    /// The features of one photo: `pixels` are the bytes of height x width x 3 channels, `out` is room for
    /// [`feature_dim`](Network::feature_dim) values.
    ///
    /// # Panics
    /// If `pixels`, `out` or the arena are not of this network's sizes.
    pub fn features(&self, pixels: &[u8], arena: &mut Arena, out: &mut [f32]) {
        self.trace(pixels, arena, out, |_, _| ());
    }

    /// As [`features`](Network::features), and shows each layer's output (row by row, channels together) to `look`.
    ///
    /// # Panics
    /// As `features`.
    pub fn trace(
        &self,
        pixels: &[u8],
        arena: &mut Arena,
        out: &mut [f32],
        mut look: impl FnMut(&Layer, &[f32]),
    ) {
        let Arena { buffers, gathered } = arena;
        let (given, wanted) = (pixels.len(), self.input.len());
        assert_eq!(given, wanted, "{given} bytes of pixels for an input of {:?}", self.input);
        assert_eq!(out.len(), self.feature_dim(), "room for {} features", out.len());
        assert!(
            buffers.iter().map(|buffer| buffer.len()).eq(self.slots.sizes.iter().copied()),
            "another network's arena"
        );
        assert_eq!(gathered.len(), self.gathered, "another network's arena");
        normalise(&self.table, pixels, &mut buffers[self.slots.of_node[0]][..wanted]);
        for (index, (step, layer)) in self.steps.iter().zip(&self.layers).enumerate() {
            let slot = self.slots.of_node[index + 1];
            // Out of the arena while it is written, so that the others can be read; no allocation.
            let mut written = std::mem::take(&mut buffers[slot]);
            let output = &mut written[..layer.output.len()];
            let input = &buffers[self.slots.of_node[step.input]][..layer.input.len()];
            let residual = step.residual.map(|node| &buffers[self.slots.of_node[node]][..output.len()]);
            run(&step.kernel, input, residual, gathered, output);
            look(layer, output);
            if index + 1 == self.steps.len() {
                out.copy_from_slice(output);
            }
            buffers[slot] = written;
        }
    }
}

fn run(kernel: &Kernel, input: &[f32], residual: Option<&[f32]>, gathered: &mut [f32], output: &mut [f32]) {
    match kernel {
        Kernel::Convolution { window, weights, bias, activation } => {
            let epilogue = Epilogue { bias, residual, activation: *activation };
            convolution(window, weights, input, gathered, &epilogue, output);
        }
        Kernel::Depthwise { window, weights, bias, activation } => {
            let epilogue = Epilogue { bias, residual, activation: *activation };
            depthwise(window, weights, input, &epilogue, output);
        }
        Kernel::GlobalAverage => global_average(input, output),
    }
}

fn describe(name: &str, kind: &OperationKind, input: Shape, output: Shape) -> Layer {
    let name = name.to_owned();
    match kind {
        OperationKind::GlobalAverage => Layer {
            name,
            kind: LayerKind::GlobalAverage,
            kernel: (input.height, input.width),
            stride: 1,
            input,
            output,
            residual: false,
            activation: Activation::Linear,
            multiply_adds: 0,
            parameters: 0,
        },
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
            }
        }
    }
}

/// What each pixel value of each channel becomes.
fn table(normalisation: &Normalisation) -> [[f32; 256]; 3] {
    let Normalisation { mean, scale } = normalisation;
    std::array::from_fn(|channel| {
        std::array::from_fn(|pixel| {
            ((pixel as f64 - f64::from(mean[channel])) * f64::from(scale[channel])) as f32
        })
    })
}

#[cfg(test)]
mod tests;
