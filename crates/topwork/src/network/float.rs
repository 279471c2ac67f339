//! The network in f32: batch norms folded, weights packed for an instruction set.

use std::ops::Range;

use topwork_kernels::Isa;
use topwork_kernels::bands::{self, Layer, Weights};
use topwork_kernels::convolution::{convolution, gathered_len};
use topwork_kernels::depthwise::{PackedDepthwise, depthwise};
use topwork_kernels::epilogue::{Activation, Epilogue};
use topwork_kernels::gemm::PackedMatrix;
use topwork_kernels::pooling::max_pool;
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
    /// Layers that run together, in bands of rows.
    pub(super) units: Vec<Range<usize>>,
    /// Values that lie between the layers of a unit at a time.
    pub(super) between: usize,
}

#[derive(Debug)]
enum Kernel {
    Convolution { window: Window, weights: PackedMatrix, bias: Vec<f32>, activation: Activation },
    Depthwise { window: Window, weights: PackedDepthwise, bias: Vec<f32>, activation: Activation },
    MaxPool { window: Window, channels: usize },
    GlobalAverage,
}

impl Engine {
    pub(super) fn new(graph: &Graph, isa: Isa) -> Engine {
        let mut gathered = 0;
        let mut kernels = Vec::new();
        for operation in &graph.operations {
            let input = graph.shape(operation.input);
            let (window, layer) = match &operation.kind {
                OperationKind::Convolution(window, layer) => (*window, layer),
                OperationKind::MaxPool(window) => {
                    kernels.push(Kernel::MaxPool { window: *window, channels: input.channels });
                    continue;
                }
                OperationKind::GlobalAverage => {
                    kernels.push(Kernel::GlobalAverage);
                    continue;
                }
            };
            let activation = layer.activation;
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
        let table = Box::new(table(&graph.normalisation));
        let mut engine = Engine { table, kernels, gathered, units: units(graph), between: 0 };
        let between = engine.units.iter().map(|unit| engine.with_unit(unit, bands::len));
        engine.between = between.max().unwrap_or(0);
        engine
    }

    /// Hands the layers of a unit to `look`.
    fn with_unit<T>(&self, unit: &Range<usize>, look: impl FnOnce(&[Layer]) -> T) -> T {
        let layer = |number: usize| match &self.kernels[number.min(unit.end - 1)] {
            Kernel::Convolution { window, weights, bias, activation } => Some(Layer {
                window: *window,
                weights: Weights::Matrix(weights),
                bias,
                activation: *activation,
            }),
            Kernel::Depthwise { window, weights, bias, activation } => Some(Layer {
                window: *window,
                weights: Weights::Depthwise(weights),
                bias,
                activation: *activation,
            }),
            Kernel::MaxPool { .. } | Kernel::GlobalAverage => None,
        };
        let [Some(first), Some(second), Some(third)] =
            [layer(unit.start), layer(unit.start + 1), layer(unit.start + 2)]
        else {
            return look(&[]);
        };
        look(&[first, second, third][..unit.len()])
    }

    /// The layers of a unit, to the output of the last.
    pub(super) fn unit(
        &self,
        unit: &Range<usize>,
        input: &[f32],
        residual: Option<&[f32]>,
        (between, gathered): (&mut [f32], &mut [f32]),
        output: &mut [f32],
    ) {
        if let Kernel::MaxPool { .. } | Kernel::GlobalAverage = self.kernels[unit.start] {
            return self.layer(unit.start, input, residual, gathered, output);
        }
        self.with_unit(unit, |layers| {
            let between = &mut between[..bands::len(layers)];
            bands::run(layers, input, residual, between, gathered, output);
        });
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
            Kernel::MaxPool { window, channels } => max_pool(window, *channels, input, output),
            Kernel::GlobalAverage => global_average(input, output),
        }
    }
}

/// A depthwise convolution runs with the layers before and after it, if only they read each other's output and nothing is
/// added in between; every other layer by itself.
fn units(graph: &Graph) -> Vec<Range<usize>> {
    let operations = &graph.operations;
    let depthwise = |number: usize| match &operations[number].kind {
        OperationKind::Convolution(_, layer) => layer.groups == Groups::Depthwise,
        OperationKind::MaxPool(_) | OperationKind::GlobalAverage => false,
    };
    let residual = |number: usize| operations[number].kind.residual();
    // The tensor that operation `number` makes has the number `number + 1`.
    let private = |number: usize| {
        if graph.tap == Some(number) {
            return false;
        }
        let readers = (0..operations.len()).filter(|reader| {
            let node = number + 1;
            operations[*reader].input.0 == node || residual(*reader).is_some_and(|skip| skip.0 == node)
        });
        readers.eq([number + 1])
    };
    let plain = |number: usize| {
        matches!(operations[number].kind, OperationKind::Convolution(..)) && !depthwise(number)
    };
    let mut units = Vec::new();
    let mut start = 0;
    while start < operations.len() {
        let together = start + 2 < operations.len()
            && (plain(start) && depthwise(start + 1) && plain(start + 2))
            && (private(start) && private(start + 1))
            && (residual(start).is_none() && residual(start + 1).is_none());
        let end = if together { start + 3 } else { start + 1 };
        units.push(start..end);
        start = end;
    }
    units
}

/// What each pixel value of each channel becomes.
fn table(normalisation: &Normalisation) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|pixel| normalisation.apply(channel, pixel as u8) as f32)
    })
}
