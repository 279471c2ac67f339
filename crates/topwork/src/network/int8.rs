//! The network on bytes, exact: what [`quantise`](super::quantise) made of the graph, packed for an instruction set.
//!
//! Every instruction set gives the same features, bit by bit; see [`topwork_kernels::int8`] for the arithmetic.

use topwork_kernels::Isa;
use topwork_kernels::int8::{
    PackedDepthwise, PackedMatrix, Requantise, Residual, convolution, depthwise, gathered_len,
};
use topwork_kernels::pooling::max_pool;
use topwork_kernels::window::Window;

use super::graph::{Graph, Groups, Normalisation, OperationKind};
use super::quantise::{Scale, Weights, quantised, scales};
use super::ranges::Ranges;
use crate::error::Result;

/// The layers, and how the bytes of each tensor are to be read.
#[derive(Debug)]
pub(super) struct Engine {
    /// `None` where pixels are the first layer's input as they are.
    table: Option<Box<[[u8; 256]; 3]>>,
    kernels: Vec<Kernel>,
    /// The scale of every tensor; the first is the input's.
    pub(super) scales: Vec<Scale>,
    /// Bytes that the layers need for gathered rows.
    pub(super) gathered: usize,
}

#[derive(Debug)]
enum Kernel {
    Convolution {
        window: Window,
        weights: PackedMatrix,
        skip: Option<Skip>,
    },
    Depthwise {
        window: Window,
        weights: PackedDepthwise,
        skip: Option<Skip>,
    },
    MaxPool {
        window: Window,
        channels: usize,
    },
    /// The last layer alone: its input is summed where the row is written.
    GlobalAverage,
    /// One lane of every vector is off by one: what the self-test must find.
    #[cfg(test)]
    Broken(Box<Kernel>),
}

/// How the bytes of a skip connection are added.
#[derive(Clone, Copy, Debug)]
struct Skip {
    zero_point: u8,
    ratio: f32,
}

impl Engine {
    /// # Errors
    /// Of kind `Weights` where a range is missing or the weights cannot be represented.
    pub(super) fn new(graph: &Graph, ranges: &Ranges, isa: Isa) -> Result<Engine> {
        let scales = scales(graph, ranges)?;
        let (mut gathered, mut kernels) = (0, Vec::new());
        for (index, operation) in graph.operations.iter().enumerate() {
            let from = scales[operation.input.0];
            let shape = graph.shape(operation.input);
            let (window, layer) = match &operation.kind {
                OperationKind::Convolution(window, layer) => (window, layer),
                OperationKind::MaxPool(window) => {
                    kernels.push(Kernel::MaxPool { window: *window, channels: shape.channels });
                    continue;
                }
                OperationKind::GlobalAverage => {
                    let last = index + 1 == graph.operations.len();
                    assert!(last, "{}: an average that is not the last layer", operation.name);
                    kernels.push(Kernel::GlobalAverage);
                    continue;
                }
            };
            let (window, to) = (*window, scales[index + 1]);
            let skip = layer.residual.map(|node| Skip {
                zero_point: scales[node.0].zero_point,
                ratio: (scales[node.0].scale / to.scale) as f32,
            });
            let ratio = skip.map_or(0.0, |skip| skip.ratio);
            let Weights { values, scale, bias } =
                quantised(&operation.name, layer, from.scale, to.scale, ratio)?;
            let (taps, channels) = (window.taps(), bias.len());
            let requantise = Requantise { scale, bias, zero_point: to.zero_point };
            kernels.push(match layer.groups {
                Groups::One => {
                    let depth = values.len() / channels;
                    let weights =
                        PackedMatrix::new(isa, &values, depth, channels, from.zero_point, requantise);
                    gathered = gathered.max(gathered_len(&window, &weights));
                    Kernel::Convolution { window, weights, skip }
                }
                Groups::Depthwise => {
                    let weights =
                        PackedDepthwise::new(isa, &values, taps, channels, from.zero_point, requantise);
                    Kernel::Depthwise { window, weights, skip }
                }
            });
        }
        let table = table(&graph.normalisation, scales[0]);
        Ok(Engine { table, kernels, scales, gathered })
    }

    /// Pixels to the first layer's input, in their place.
    pub(super) fn input(&self, pixels: &mut [u8]) {
        if let Some(table) = &self.table {
            for pixel in pixels.as_chunks_mut::<3>().0 {
                for (value, table) in pixel.iter_mut().zip(table.iter()) {
                    *value = table[usize::from(*value)];
                }
            }
        }
    }

    /// The layer of that number; nothing for an average.
    pub(super) fn layer(
        &self,
        number: usize,
        input: &[u8],
        residual: Option<&[u8]>,
        gathered: &mut [u8],
        output: &mut [u8],
    ) {
        self.run(&self.kernels[number], input, residual, gathered, output);
    }

    fn run(
        &self,
        kernel: &Kernel,
        input: &[u8],
        residual: Option<&[u8]>,
        gathered: &mut [u8],
        output: &mut [u8],
    ) {
        let added = |skip: &Option<Skip>| {
            let (skip, values) = ((*skip)?, residual?);
            Some(Residual { values, zero_point: skip.zero_point, ratio: skip.ratio })
        };
        match kernel {
            Kernel::Convolution { window, weights, skip } => {
                convolution(window, weights, input, gathered, added(skip).as_ref(), output);
            }
            Kernel::Depthwise { window, weights, skip } => {
                depthwise(window, weights, input, added(skip).as_ref(), output);
            }
            Kernel::MaxPool { window, channels } => max_pool(window, *channels, input, output),
            Kernel::GlobalAverage => {}
            #[cfg(test)]
            Kernel::Broken(kernel) => {
                self.run(kernel, input, residual, gathered, output);
                output.iter_mut().step_by(16).for_each(|byte| *byte ^= 1);
            }
        }
    }

    /// From now on one lane of that layer's output is wrong.
    #[cfg(test)]
    pub(super) fn break_layer(&mut self, number: usize) {
        let kernel = self.kernels.remove(number);
        self.kernels.insert(number, Kernel::Broken(Box::new(kernel)));
    }
}

/// What each pixel value of each channel becomes; `None` if it is itself.
fn table(normalisation: &Normalisation, scale: Scale) -> Option<Box<[[u8; 256]; 3]>> {
    let table: [[u8; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|pixel| scale.quantised(normalisation.apply(channel, pixel as u8)))
    });
    let itself = table.iter().all(|values| values.iter().copied().eq(0..=255));
    (!itself).then(|| Box::new(table))
}
