//! A component of the frame: how many blocks it has, what is kept of each, and the samples that they become.

use super::super::structure::{self, Structure};
use super::inverse::{flat, inverse, inverse_2x2};

/// Coefficients of a block that can be kept.
pub(super) const MOST_KEPT: usize = 16;

/// Place among the 8 x 8, row by row, of the coefficients in the order in which they are coded.
#[rustfmt::skip]
pub(super) const ZIGZAG: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// In [`Component::places`], for a coefficient that is not kept.
pub(super) const NOT_KEPT: u8 = 255;

pub(super) struct Component {
    /// Blocks in a unit, across and down.
    pub(super) unit: (usize, usize),
    /// Blocks that hold samples, across and down: those of a scan of this component alone.
    pub(super) blocks: (usize, usize),
    /// Blocks of whole units, across and down: those of the plane.
    pub(super) padded: (usize, usize),
    /// Pixels that a block becomes, across and down: 1, 2 or 4. A coarser component has more of them in a block, so that
    /// mostly nothing is left to be upsampled.
    pub(super) size: (usize, usize),
    /// Times that a sample stands beside and below itself in the picture.
    repeat: (usize, usize),
    /// For each coefficient, in the order of coding, its place among those kept.
    pub(super) places: [u8; 64],
    /// The last one kept, in the order of coding.
    pub(super) last: usize,
    /// The quantisation steps of those kept.
    pub(super) steps: Option<[i32; MOST_KEPT]>,
    /// The first coefficient of the block before.
    pub(super) predicted: i32,
    /// For progressive files, the coefficients kept of all blocks.
    pub(super) coefficients: Vec<i16>,
    /// For progressive files, which coefficients of each block are not zero, in the order of coding.
    pub(super) nonzero: Vec<u64>,
    plane: Vec<u8>,
    write: fn(&[i32], &mut [u8], usize),
}

impl Component {
    /// The components of a frame of which each 8 x 8 pixels become `size` x `size`; nothing is allocated.
    pub(super) fn all(structure: &Structure, size: usize) -> Vec<Component> {
        let (horizontal, vertical) = structure.largest_sampling();
        let most = (horizontal as usize, vertical as usize);
        let picture = (structure.width as usize, structure.height as usize);
        structure.components.iter().map(|component| Component::new(component, picture, most, size)).collect()
    }

    fn new(
        component: &structure::Component,
        picture: (usize, usize),
        most: (usize, usize),
        size: usize,
    ) -> Component {
        let sampling = (usize::from(component.horizontal), usize::from(component.vertical));
        let across = axis(picture.0, sampling.0, most.0, size);
        let down = axis(picture.1, sampling.1, most.1, size);
        let size = (across.size, down.size);
        let place = |natural: u8| {
            let (column, row) = (usize::from(natural % 8), usize::from(natural / 8));
            if column < size.0 && row < size.1 { (row * size.0 + column) as u8 } else { NOT_KEPT }
        };
        let places = ZIGZAG.map(place);
        Component {
            unit: sampling,
            blocks: (across.blocks, down.blocks),
            padded: (across.padded, down.padded),
            size,
            repeat: (across.repeat, down.repeat),
            last: places.iter().rposition(|place| *place != NOT_KEPT).unwrap_or(0),
            places,
            steps: None,
            predicted: 0,
            coefficients: Vec::new(),
            nonzero: Vec::new(),
            plane: Vec::new(),
            write: writer(size),
        }
    }

    /// Bytes that the component takes.
    pub(super) fn bytes(&self, is_progressive: bool) -> u64 {
        let blocks = self.padded.0 as u64 * self.padded.1 as u64;
        let kept = self.kept() as u64;
        blocks * if is_progressive { kept + 2 * kept + 8 } else { kept }
    }

    /// Coefficients kept of a block.
    pub(super) fn kept(&self) -> usize {
        self.size.0 * self.size.1
    }

    pub(super) fn allocate(&mut self, is_progressive: bool) {
        let blocks = self.padded.0 * self.padded.1;
        self.plane = vec![0; blocks * self.kept()];
        if is_progressive {
            self.coefficients = vec![0; blocks * self.kept()];
            self.nonzero = vec![0; blocks];
        }
    }

    /// Writes a block all of whose coefficients but the first are zero.
    #[inline(always)]
    pub(super) fn write_flat(&mut self, (column, row): (usize, usize), first: i32) {
        let sample = flat(first);
        let stride = self.padded.0 * self.size.0;
        let start = row * self.size.1 * stride + column * self.size.0;
        if self.size == (1, 1) {
            self.plane[start] = sample;
            return;
        }
        for line in self.plane[start..].chunks_mut(stride).take(self.size.1) {
            line[..self.size.0].fill(sample);
        }
    }

    /// Writes a block; the coefficients kept are multiplied by their steps.
    #[inline(always)]
    pub(super) fn write(&mut self, (column, row): (usize, usize), coefficients: &[i32; MOST_KEPT]) {
        let stride = self.padded.0 * self.size.0;
        let start = row * self.size.1 * stride + column * self.size.0;
        (self.write)(&coefficients[..self.kept()], &mut self.plane[start..], stride);
    }

    /// Writes all blocks of a progressive file.
    pub(super) fn write_all(&mut self) {
        let (kept, steps) = (self.kept(), self.steps.unwrap_or_default());
        let stored = std::mem::take(&mut self.coefficients);
        let mut coefficients = [0; MOST_KEPT];
        for (index, stored) in stored.chunks_exact(kept).enumerate() {
            let block = (index % self.padded.0, index / self.padded.0);
            if stored[1..].iter().all(|coefficient| *coefficient == 0) {
                self.write_flat(block, i32::from(stored[0]) * steps[0]);
                continue;
            }
            for ((coefficient, stored), step) in coefficients.iter_mut().zip(stored).zip(&steps) {
                *coefficient = i32::from(*stored) * step;
            }
            self.write(block, &coefficients);
        }
    }

    /// A row of the picture; `buffer` holds it where samples stand several times in it.
    pub(super) fn row<'a>(&'a self, row: usize, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        let stride = self.padded.0 * self.size.0;
        let samples = &self.plane[row / self.repeat.1 * stride..][..stride];
        if self.repeat.0 == 1 {
            return samples;
        }
        buffer.clear();
        buffer.extend(samples.iter().flat_map(|sample| std::iter::repeat_n(*sample, self.repeat.0)));
        buffer
    }
}

/// One direction of a component.
struct AxisOfBlocks {
    blocks: usize,
    padded: usize,
    size: usize,
    repeat: usize,
}

fn axis(pixels: usize, sampling: usize, most: usize, size: usize) -> AxisOfBlocks {
    let coarser = most / sampling;
    // As many pixels as its coarser sampling asks for, as far as there is a transform for them.
    let enlarged = (size << coarser.trailing_zeros()).min(4);
    AxisOfBlocks {
        blocks: (pixels * sampling).div_ceil(most * 8),
        padded: pixels.div_ceil(most * 8) * sampling,
        size: enlarged,
        repeat: size * coarser / enlarged,
    }
}

fn writer(size: (usize, usize)) -> fn(&[i32], &mut [u8], usize) {
    match size {
        // Never called: such a block has no other coefficients.
        (1, 1) => inverse::<1, 1>,
        (1, 2) => inverse::<1, 2>,
        (1, _) => inverse::<1, 4>,
        (2, 1) => inverse::<2, 1>,
        (2, 2) => inverse_2x2,
        (2, _) => inverse::<2, 4>,
        (_, 1) => inverse::<4, 1>,
        (_, 2) => inverse::<4, 2>,
        (_, _) => inverse::<4, 4>,
    }
}
