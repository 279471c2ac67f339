//! Pixels → features: layers with batch norms folded, weights packed for an instruction set, buffers planned; and the
//! loop that runs them, in f32 or on bytes.
//!
//! A [`Network`] is read-only and shared by all workers; each has an [`Arena`] of its own. There are no threads, locks or
//! allocations inside, and photos do not meet, so the number of workers cannot change a result.

pub mod calibration;
#[cfg(test)]
pub(crate) mod definition;
mod float;
mod fold;
mod graph;
mod int8;
mod layer;
mod plan;
mod precision;
mod quantise;
pub mod ranges;

pub use graph::{BatchNorm, Convolution, Graph, Groups, Node, Normalisation, Padding, Shape};
pub use layer::{Layer, LayerKind};
pub use precision::Precision;
pub use ranges::Ranges;
pub use topwork_kernels::epilogue::Activation;

use std::ops::Range;

use topwork_kernels::Isa;
use topwork_kernels::buffer::Buffer;

use crate::error::Result;
use plan::Slots;

/// A network that is ready to run on photos of one size.
#[derive(Debug)]
pub struct Network {
    isa: Isa,
    input: Shape,
    layers: Vec<Layer>,
    routes: Vec<Route>,
    slots: Slots,
    engine: Engine,
}

/// What a layer reads, by the numbers of the tensors: the network's input is 0, a layer's output one more than its number.
#[derive(Debug)]
struct Route {
    input: usize,
    residual: Option<usize>,
}

#[derive(Debug)]
enum Engine {
    Float(float::Engine),
    Int8(int8::Engine),
}

/// The memory that one worker needs to run a network: made by [`Network::arena`].
#[derive(Debug)]
pub struct Arena {
    pixels: Buffer<u8>,
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Float { input: Buffer<f32>, buffers: Vec<Buffer<f32>>, between: Buffer<f32>, gathered: Buffer<f32> },
    Int8 { buffers: Vec<Buffer<u8>>, gathered: Buffer<u8> },
}

/// The output of a layer: row by row, the channels of a pixel together.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// As they are.
    F32(&'a [f32]),
    /// `scale · (byte − zero_point)`.
    Int8 {
        /// The bytes.
        bytes: &'a [u8],
        /// A step between two bytes.
        scale: f64,
        /// The byte that is 0.
        zero_point: u8,
    },
}

impl Values<'_> {
    /// The numbers that they stand for.
    pub fn to_f32(&self) -> Vec<f32> {
        match *self {
            Values::F32(values) => values.to_vec(),
            Values::Int8 { bytes, scale, zero_point } => {
                let value = |byte: &u8| ((f64::from(*byte) - f64::from(zero_point)) * scale) as f32;
                bytes.iter().map(value).collect()
            }
        }
    }
}

impl Network {
    /// Folds, packs and plans; the graph's last operation makes the features. Arithmetic in f32.
    pub fn new(graph: &Graph, isa: Isa) -> Network {
        let engine = float::Engine::new(graph, isa);
        Network::planned(graph, isa, Engine::Float(engine))
    }

    /// The same on bytes: weights are rounded to i8, and tensors to the bytes between the limits of `ranges`.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) where a range is missing or too small for the weights.
    pub fn quantised(graph: &Graph, ranges: &Ranges, isa: Isa) -> Result<Network> {
        let engine = int8::Engine::new(graph, ranges, isa)?;
        Ok(Network::planned(graph, isa, Engine::Int8(engine)))
    }

    fn planned(graph: &Graph, isa: Isa, engine: Engine) -> Network {
        let routes: Vec<Route> = graph
            .operations
            .iter()
            .map(|operation| {
                let residual = operation.kind.residual().map(|node| node.0);
                Route { input: operation.input.0, residual }
            })
            .collect();
        let readers =
            routes.iter().map(|route| [Some(route.input), route.residual].into_iter().flatten().collect());
        let mut readers: Vec<Vec<usize>> = [Vec::new()].into_iter().chain(readers).collect();
        if let Engine::Float(engine) = &engine {
            // The last layer of a unit writes while the first still reads.
            for unit in &engine.units {
                readers[unit.end].push(routes[unit.start].input);
            }
        }
        // The input has a place of its own.
        let sizes: Vec<usize> = [0].into_iter().chain(graph.shapes.iter().skip(1).map(Shape::len)).collect();
        let slots = plan::place(&sizes, &readers);
        Network { isa, input: graph.shapes[0], layers: graph.layers(), routes, slots, engine }
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

    /// Its arithmetic.
    pub fn precision(&self) -> Precision {
        match self.engine {
            Engine::Float(_) => Precision::F32,
            Engine::Int8(_) => Precision::Int8,
        }
    }

    /// The layers, in the order in which they run.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Memory for one worker.
    pub fn arena(&self) -> Arena {
        let sizes = || self.slots.sizes.iter().copied();
        let memory = match &self.engine {
            Engine::Float(engine) => Memory::Float {
                input: Buffer::zeros(self.input.len()),
                buffers: sizes().map(Buffer::zeros).collect(),
                between: Buffer::zeros(engine.between),
                gathered: Buffer::zeros(engine.gathered),
            },
            Engine::Int8(engine) => Memory::Int8 {
                buffers: sizes().map(Buffer::zeros).collect(),
                gathered: Buffer::zeros(engine.gathered),
            },
        };
        Arena { pixels: Buffer::zeros(self.input.len()), memory }
    }

    /// The features of one photo: `pixels` are the bytes of height x width x 3 channels, `out` is room for
    /// [`feature_dim`](Network::feature_dim) values.
    ///
    /// # Panics
    /// If `pixels`, `out` or the arena are not of this network's sizes.
    pub fn features(&self, pixels: &[u8], arena: &mut Arena, out: &mut [f32]) {
        self.place(pixels, arena);
        self.run(arena, out);
    }

    /// The features of the photo whose bytes stand in [`Arena::pixels`], which are used up.
    ///
    /// # Panics
    /// If `out` or the arena are not of this network's sizes.
    pub fn run(&self, arena: &mut Arena, out: &mut [f32]) {
        let Arena { pixels, memory } = arena;
        let (Engine::Float(engine), Memory::Float { input, buffers, between, gathered }) =
            (&self.engine, memory)
        else {
            return self.each_layer(arena, out, |_, _| ());
        };
        assert_eq!(out.len(), self.feature_dim(), "room for {} features", out.len());
        assert_eq!(pixels.len(), self.input.len(), "another network's arena");
        engine.input(pixels, input);
        self.walk(input, buffers, engine.units.iter().cloned(), |unit, input, residual, output| {
            engine.unit(&unit, input, residual, (&mut *between, &mut *gathered), output);
            if unit.end == self.layers.len() {
                out.copy_from_slice(output);
            }
        });
    }

    /// As [`features`](Network::features), and shows each layer's output to `look`.
    ///
    /// # Panics
    /// As `features`.
    pub fn trace(
        &self,
        pixels: &[u8],
        arena: &mut Arena,
        out: &mut [f32],
        look: impl FnMut(&Layer, Values<'_>),
    ) {
        self.place(pixels, arena);
        self.each_layer(arena, out, look);
    }

    fn place(&self, pixels: &[u8], arena: &mut Arena) {
        let (given, wanted) = (pixels.len(), self.input.len());
        assert_eq!(given, wanted, "{given} bytes of pixels for an input of {:?}", self.input);
        arena.pixels().copy_from_slice(pixels);
    }

    fn each_layer(&self, arena: &mut Arena, out: &mut [f32], mut look: impl FnMut(&Layer, Values<'_>)) {
        let Arena { pixels, memory } = arena;
        assert_eq!(out.len(), self.feature_dim(), "room for {} features", out.len());
        assert_eq!(pixels.len(), self.input.len(), "another network's arena");
        let last = self.layers.len().checked_sub(1);
        match (&self.engine, memory) {
            (Engine::Float(engine), Memory::Float { input: first, buffers, gathered, .. }) => {
                engine.input(pixels, first);
                self.walk(first, buffers, self.single(), |unit, input, residual, output| {
                    let number = unit.start;
                    engine.layer(number, input, residual, gathered, output);
                    look(&self.layers[number], Values::F32(output));
                    if Some(number) == last {
                        out.copy_from_slice(output);
                    }
                });
            }
            (Engine::Int8(engine), Memory::Int8 { buffers, gathered }) => {
                engine.input(pixels);
                self.walk(pixels, buffers, self.single(), |unit, input, residual, output| {
                    let number = unit.start;
                    engine.layer(number, input, residual, gathered, output, out);
                    let layer = &self.layers[number];
                    let scale = engine.scales[number + 1];
                    let values =
                        Values::Int8 { bytes: output, scale: scale.scale, zero_point: scale.zero_point };
                    if layer.kind == LayerKind::GlobalAverage {
                        look(layer, Values::F32(out));
                        return;
                    }
                    look(layer, values);
                    if Some(number) == last {
                        out.copy_from_slice(&values.to_f32());
                    }
                });
            }
            _ => panic!("an arena for another arithmetic"),
        }
    }

    /// Each layer by itself.
    fn single(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        (0..self.layers.len()).map(|number| number..number + 1)
    }

    /// Calls `run` for each unit of layers, in their order, with the input of the first, the skip connection of the last
    /// and room for its output.
    fn walk<T: Copy + Default>(
        &self,
        first: &[T],
        buffers: &mut [Buffer<T>],
        units: impl Iterator<Item = Range<usize>>,
        mut run: impl FnMut(Range<usize>, &[T], Option<&[T]>, &mut [T]),
    ) {
        assert!(
            buffers.iter().map(|buffer| buffer.len()).eq(self.slots.sizes.iter().copied()),
            "another network's arena"
        );
        for unit in units {
            let (start, last) = (unit.start, unit.end - 1);
            let slot = self.slots.of_node[unit.end];
            // Out of the arena while it is written, so that the others can be read; no allocation.
            let mut written = std::mem::take(&mut buffers[slot]);
            let output = &mut written[..self.layers[last].output.len()];
            let tensor = |node: usize, len: usize| match node {
                0 => &first[..len],
                _ => &buffers[self.slots.of_node[node]][..len],
            };
            let residual = self.routes[last].residual.map(|node| tensor(node, output.len()));
            let input = tensor(self.routes[start].input, self.layers[start].input.len());
            run(unit, input, residual, output);
            buffers[slot] = written;
        }
    }

    /// From now on one lane of that layer's output is wrong.
    #[cfg(test)]
    pub(crate) fn break_layer(&mut self, number: usize) {
        match &mut self.engine {
            Engine::Int8(engine) => engine.break_layer(number),
            Engine::Float(_) => panic!("only bytes have an exact self-test"),
        }
    }
}

impl Arena {
    /// The place for the bytes of a photo: height x width x 3 channels.
    pub fn pixels(&mut self) -> &mut [u8] {
        &mut self.pixels
    }
}

/// Pixels on which a network proves itself: waves and noise, so that no layer sees only zeros or only the largest values.
pub fn probe(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    (0..len)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let ramp = (index / 97) % 256;
            ((ramp as u32 + (state >> 26)) / 2) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests;
