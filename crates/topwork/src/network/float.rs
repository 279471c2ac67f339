//! The network in f32: batch norms folded, weights packed for an instruction set.

use topwork_kernels::Isa;
use topwork_kernels::convolution::{convolution, gathered_len};
use topwork_kernels::depthwise::{PackedDepthwise, depthwise};
use topwork_kernels::epilogue::{Activation, Epilogue};
use topwork_kernels::gemm::PackedMatrix;
use topwork_kernels::reference::{global_average, normalise};
use topwork_kernels::window::Window;

use super::fold::fold;
use super::graph::{Graph, Groups, Normalisation, OperationKind};

/// What each pixel value becomes, and the layers.
#[derive(Debug)]
pub(super) struct Engine {
    table: Box<[[f32; 256]; 3]>,
    kernels: Vec<Kernel>,
    /// Values that the layers need for gathered rows.
    pub(super) gathered: usize,
}

#[derive(Debug)]
enum Kernel {
    Convolution { window: Window, weights: PackedMatrix, bias: Vec<f32>, activation: Activation },
    Depthwise { window: Window, weights: PackedDepthwise, bias: Vec<f32>, activation: Activation },
    GlobalAverage,
}

impl Engine {
    pub(super) fn new(graph: &Graph, isa: Isa) -> Engine {
        let mut gathered = 0;
        let mut kernels = Vec::new();
        for operation in &graph.operations {
            let OperationKind::Convolution(window, layer) = &operation.kind else {
                kernels.push(Kernel::GlobalAverage);
                continue;
            };
            let (window, activation, input) = (*window, layer.activation, graph.shape(operation.input));
            let folded = fold(layer);
            let (bias, taps) = (folded.bias, window.taps());
            kernels.push(match layer.groups {
                Groups::One => {
                    gathered = gathered.max(gathered_len(&window, input.channels));
                    let depth = taps * input.channels;
                    let weights = PackedMatrix::new(isa, &folded.weights, depth, bias.len());
                    Kernel::Convolution { window, weights, bias, activation }
                }
                Groups::Depthwise => {
                    let weights = PackedDepthwise::new(isa, &folded.weights, taps, bias.len());
                    Kernel::Depthwise { window, weights, bias, activation }
                }
            });
        }
        Engine { table: Box::new(table(&graph.normalisation)), kernels, gathered }
    }

    /// Pixels to the first layer's input.
    pub(super) fn input(&self, pixels: &[u8], input: &mut [f32]) {
        normalise(&self.table, pixels, input);
    }

    /// The layer of that number.
    pub(super) fn layer(
        &self,
        number: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        gathered: &mut [f32],
        output: &mut [f32],
    ) {
        match &self.kernels[number] {
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
}

/// What each pixel value of each channel becomes.
fn table(normalisation: &Normalisation) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|pixel| normalisation.apply(channel, pixel as u8) as f32)
    })
}
