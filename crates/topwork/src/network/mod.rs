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
mod layout;
mod plan;
mod precision;
mod quantise;
pub mod ranges;

pub use graph::{BatchNorm, Convolution, Graph, Groups, Node, Normalisation, Padding, Shape};
pub use layer::{Layer, LayerKind};
pub use layout::{Encoding, Layout, Part};
pub use precision::Precision;
pub use ranges::Ranges;
pub use topwork_kernels::epilogue::Activation;

use std::ops::Range;

use topwork_kernels::Isa;
use topwork_kernels::buffer::Buffer;
use topwork_kernels::int8::channel_sums;
use topwork_kernels::reference::global_average;

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
    /// The layer whose output is averaged beside the last one.
    tap: Option<usize>,
    layout: Layout,
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
    averages: Averages,
}

/// Room for the averages of a map, and for a row of the last one.
#[derive(Debug)]
struct Averages {
    sums: Vec<u32>,
    means: Vec<f32>,
    row: Vec<u8>,
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
        let layers = graph.layers();
        let layout = layout_of(graph, &layers, &engine);
        Network { isa, input: graph.shapes[0], layers, routes, slots, engine, tap: graph.tap, layout }
    }

    /// Features that one photo gives, those of the tapped map not counted.
    pub fn feature_dim(&self) -> usize {
        self.layers.last().map_or(self.input.len(), |layer| layer.output.len())
    }

    /// How the rows of [`run`](Network::run) are to be read: with the tapped map, if the network has one.
    pub fn layout(&self) -> &Layout {
        &self.layout
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
        let most = self.layout.parts().iter().map(|part| part.channels).max().unwrap_or(0);
        let row = vec![0; self.layout.last().row_bytes()];
        let averages = Averages { sums: vec![0; most], means: vec![0.0; most], row };
        Arena { pixels: Buffer::zeros(self.input.len()), memory, averages }
    }

    /// The features of one photo: `pixels` are the bytes of height x width x 3 channels, `out` is room for
    /// [`feature_dim`](Network::feature_dim) values.
    ///
    /// # Panics
    /// If `pixels`, `out` or the arena are not of this network's sizes.
    pub fn features(&self, pixels: &[u8], arena: &mut Arena, out: &mut [f32]) {
        self.place(pixels, arena);
        self.with_row(arena, |arena, row| {
            self.run(arena, row);
            self.layout.parts()[0].read(row, out);
        });
    }

    /// Hands the arena's room for a row to `action`.
    fn with_row(&self, arena: &mut Arena, action: impl FnOnce(&mut Arena, &mut [u8])) {
        let mut row = std::mem::take(&mut arena.averages.row);
        action(arena, &mut row);
        arena.averages.row = row;
    }

    /// The averages of the photo whose bytes stand in [`Arena::pixels`], which are used up, as the
    /// [`layout`](Network::layout) says: all of them, or where `row` has no room for the tapped map, the last one's.
    ///
    /// # Panics
    /// If `row` or the arena are not of this network's sizes.
    pub fn run(&self, arena: &mut Arena, row: &mut [u8]) {
        let Arena { pixels, memory, averages } = arena;
        let (Engine::Float(engine), Memory::Float { input, buffers, between, gathered }) =
            (&self.engine, memory)
        else {
            return self.each_layer(arena, row, |_, _| ());
        };
        let (last, tapped) = self.split(row);
        assert_eq!(pixels.len(), self.input.len(), "another network's arena");
        engine.input(pixels, input);
        self.walk(input, buffers, engine.units.iter().cloned(), |unit, input, residual, output| {
            engine.unit(&unit, input, residual, (&mut *between, &mut *gathered), output);
            self.keep_float(unit.end - 1, output, averages, last, tapped);
        });
    }

    /// A row's bytes for the last map, and for the tapped one, if there is room for it.
    fn split<'a>(&self, row: &'a mut [u8]) -> (&'a mut [u8], &'a mut [u8]) {
        let (found, last) = (row.len(), self.layout.parts()[0].bytes());
        assert!(found == last || found == self.layout.row_bytes(), "room for {found} bytes of averages");
        row.split_at_mut(last)
    }

    /// Writes what a layer's output gives to the row.
    fn keep_float(
        &self,
        number: usize,
        output: &[f32],
        averages: &mut Averages,
        last: &mut [u8],
        tapped: &mut [u8],
    ) {
        if self.tap == Some(number) && !tapped.is_empty() {
            let part = &self.layout.parts()[1];
            let means = &mut averages.means[..part.channels];
            global_average(output, means);
            part.write(means, tapped);
        }
        if number + 1 == self.layers.len() {
            self.layout.parts()[0].write(output, last);
        }
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
        self.with_row(arena, |arena, row| {
            self.each_layer(arena, row, look);
            self.layout.parts()[0].read(row, out);
        });
    }

    fn place(&self, pixels: &[u8], arena: &mut Arena) {
        let (given, wanted) = (pixels.len(), self.input.len());
        assert_eq!(given, wanted, "{given} bytes of pixels for an input of {:?}", self.input);
        arena.pixels().copy_from_slice(pixels);
    }

    fn each_layer(&self, arena: &mut Arena, row: &mut [u8], mut look: impl FnMut(&Layer, Values<'_>)) {
        let Arena { pixels, memory, averages } = arena;
        let (last, tapped) = self.split(row);
        assert_eq!(pixels.len(), self.input.len(), "another network's arena");
        match (&self.engine, memory) {
            (Engine::Float(engine), Memory::Float { input: first, buffers, gathered, .. }) => {
                engine.input(pixels, first);
                self.walk(first, buffers, self.single(), |unit, input, residual, output| {
                    let number = unit.start;
                    engine.layer(number, input, residual, gathered, output);
                    look(&self.layers[number], Values::F32(output));
                    self.keep_float(number, output, averages, last, tapped);
                });
            }
            (Engine::Int8(engine), Memory::Int8 { buffers, gathered }) => {
                engine.input(pixels);
                self.walk(pixels, buffers, self.single(), |unit, input, residual, output| {
                    let number = unit.start;
                    engine.layer(number, input, residual, gathered, output);
                    let layer = &self.layers[number];
                    if self.tap == Some(number) && !tapped.is_empty() {
                        averages.sum(&self.layout.parts()[1], output, tapped);
                    }
                    if layer.kind == LayerKind::GlobalAverage {
                        let part = &self.layout.parts()[0];
                        averages.sum(part, input, last);
                        let means = &mut averages.means[..part.channels];
                        part.read(last, means);
                        look(layer, Values::F32(means));
                        return;
                    }
                    let scale = engine.scales[number + 1];
                    let values =
                        Values::Int8 { bytes: output, scale: scale.scale, zero_point: scale.zero_point };
                    look(layer, values);
                    if number + 1 == self.layers.len() {
                        self.layout.parts()[0].write(&values.to_f32(), last);
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

impl Averages {
    /// Writes the sums over the pixels of a map.
    fn sum(&mut self, part: &Part, map: &[u8], out: &mut [u8]) {
        let sums = &mut self.sums[..part.channels];
        channel_sums(map, sums);
        part.write_sums(sums, out);
    }
}

/// What a photo leaves behind: the last layer's averages, and the tapped one's.
fn layout_of(graph: &Graph, layers: &[Layer], engine: &Engine) -> Layout {
    let encoding = |pixels: usize, tensor: usize| match engine {
        Engine::Float(_) => Encoding::F32,
        Engine::Int8(engine) => Encoding::of_sums(pixels, engine.scales[tensor]),
    };
    let mut parts = vec![match layers.last() {
        Some(last) if last.kind == LayerKind::GlobalAverage => Part {
            layer: last.name.clone(),
            channels: last.output.channels,
            encoding: encoding(last.input.height * last.input.width, layers.len()),
        },
        last => Part {
            layer: last.map(|last| last.name.clone()).unwrap_or_default(),
            channels: last.map_or(graph.shapes[0], |last| last.output).len(),
            encoding: Encoding::F32,
        },
    }];
    if let Some(tap) = graph.tap {
        let Layer { name, output, .. } = &layers[tap];
        parts.push(Part {
            layer: name.clone(),
            channels: output.channels,
            encoding: encoding(output.height * output.width, tap + 1),
        });
    }
    Layout::new(parts)
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
