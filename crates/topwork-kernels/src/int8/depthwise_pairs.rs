//! What the depthwise kernels without four-byte products share: taps in pairs, channels in blocks of 16.
//!
//! A strip of output pixels is computed block by block, so that the weights of a block stay in the cache next to the core. For each pixel
//! there is a list of the input pixels that it sees, in pairs, because most instruction sets add two products of 16 bits at
//! once. A tap outside the input sees the zero point, and the sums begin with minus the zero point times all weights; where
//! the zero point is 0, kernel rows outside are left out.

use super::Requantise;
use crate::buffer::Buffer;
use crate::window::Window;

/// Channels of a block.
pub(crate) const LANES: usize = 16;

/// Pairs of taps, at most.
const PAIRS: usize = 32;

/// Output pixels of a strip.
pub(crate) const STRIP: usize = 8;

/// Weights, scales and biases in blocks of [`LANES`] channels. If the channels do not fill them, the last block overlaps the
/// one before it.
#[derive(Debug)]
pub(crate) struct PackedPairs {
    taps: usize,
    channels: usize,
    /// The first channel of each block.
    firsts: Vec<usize>,
    /// For each block and pair of taps: two rows of LANES weights, in the order asked for.
    weights: Buffer<i16>,
    /// For each block: minus the zero point times the sum of the weights.
    starts: Buffer<i32>,
    scales: Buffer<f32>,
    biases: Buffer<f32>,
    /// A pixel of zero points.
    outside: Vec<u8>,
    /// Of the output.
    pub(crate) zero_point: u8,
}

/// One block of [`PackedPairs`].
pub(crate) struct Block<'a> {
    /// Its first channel.
    pub(crate) first: usize,
    pub(crate) weights: &'a [[i16; 2 * LANES]],
    pub(crate) starts: &'a [i32; LANES],
    pub(crate) scales: &'a [f32; LANES],
    pub(crate) biases: &'a [f32; LANES],
}

/// The order of a block's weights and channels in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    /// The first tap's weights and then the second's, channels in their order.
    Plain,
    /// As AVX2 unpacks words: channels 0–3 and 8–11, then 4–7 and 12–15, the two taps of a channel side by side.
    #[cfg(target_arch = "x86_64")]
    Unpacked,
}

impl Order {
    /// The channel in that place.
    fn channel(self, place: usize) -> usize {
        match self {
            Order::Plain => place,
            #[cfg(target_arch = "x86_64")]
            Order::Unpacked => place / 8 * 4 + place % 8 / 4 * 8 + place % 4,
        }
    }

    /// The tap and the channel of the weight in that place.
    fn weight(self, place: usize) -> (usize, usize) {
        match self {
            Order::Plain => (place / LANES, place % LANES),
            #[cfg(target_arch = "x86_64")]
            Order::Unpacked => (place % 2, self.channel(place / 2)),
        }
    }
}

impl PackedPairs {
    /// Packs `weights`, given as tap row, tap column, channel, or `None` if there are too many taps or too few channels.
    pub(crate) fn new(
        order: Order,
        weights: &[i8],
        taps: usize,
        channels: usize,
        zero_point: u8,
        requantise: &Requantise,
    ) -> Option<PackedPairs> {
        if channels < LANES || taps > 2 * PAIRS {
            return None;
        }
        let firsts: Vec<usize> =
            (0..channels).step_by(LANES).map(|first| first.min(channels - LANES)).collect();
        let weight = |tap: usize, channel: usize| match tap < taps {
            true => i16::from(weights[tap * channels + channel]),
            false => 0,
        };
        let start = |channel: usize| -> i32 {
            (0..taps).map(|tap| -i32::from(zero_point) * i32::from(weight(tap, channel))).sum()
        };
        let mut packed = Vec::new();
        for first in &firsts {
            for tap in (0..taps).step_by(2) {
                packed.extend((0..2 * LANES).map(|place| {
                    let (second, channel) = order.weight(place);
                    weight(tap + second, first + channel)
                }));
            }
        }
        let each: Vec<usize> = firsts
            .iter()
            .flat_map(|first| (0..LANES).map(move |place| first + order.channel(place)))
            .collect();
        let starts: Vec<i32> = each.iter().map(|channel| start(*channel)).collect();
        let scales: Vec<f32> = each.iter().map(|channel| requantise.scale[*channel]).collect();
        let biases: Vec<f32> = each.iter().map(|channel| requantise.bias[*channel]).collect();
        Some(PackedPairs {
            taps,
            channels,
            firsts,
            weights: Buffer::copy_of(&packed),
            starts: Buffer::copy_of(&starts),
            scales: Buffer::copy_of(&scales),
            biases: Buffer::copy_of(&biases),
            outside: vec![zero_point; channels],
            zero_point: requantise.zero_point,
        })
    }

    /// Channels of a pixel.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// The blocks that cover all channels.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let pairs = self.taps.div_ceil(2);
        let weights = self.weights.as_chunks().0;
        let (starts, scales, biases) =
            (self.starts.as_chunks().0, self.scales.as_chunks().0, self.biases.as_chunks().0);
        let all = self.firsts.iter().zip(starts).zip(scales).zip(biases);
        all.enumerate().map(move |(index, (((first, starts), scales), biases))| Block {
            first: *first,
            weights: &weights[index * pairs..(index + 1) * pairs],
            starts,
            scales,
            biases,
        })
    }
}

/// The input pixels that an output pixel sees.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// All channels of each.
    pixels: [&'a [u8]; 2 * PAIRS],
    /// The pairs that count.
    counted: (usize, usize),
}

impl<'a> Seen<'a> {
    /// The pairs that count, each with its number.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, &[&'a [u8]; 2])> {
        let (from, to) = self.counted;
        (from..to).zip(&self.pixels.as_chunks().0[from..to])
    }

    fn look(&mut self, window: &Window, packed: &'a PackedPairs, input: &'a [u8], y: usize, x: usize) {
        let (rows, across) = (window.rows(y), window.columns(x));
        let (width, channels) = (window.kernel.1, packed.channels);
        let mut tap = 0;
        for row in 0..window.kernel.0 {
            let is_inside = rows.from <= row && row < rows.to;
            let line = (rows.input + row).saturating_sub(rows.from) * window.input.1 + across.input;
            let mut at = line * channels;
            for column in 0..width {
                self.pixels[tap] = &packed.outside;
                if is_inside && across.from <= column && column < across.to {
                    self.pixels[tap] = &input[at..at + channels];
                    at += channels;
                }
                tap += 1;
            }
        }
        self.counted = match packed.outside[0] {
            0 => (rows.from * width / 2, (rows.to * width).div_ceil(2)),
            _ => (0, packed.taps.div_ceil(2)),
        };
    }
}

/// Calls `action` with the number of the first pixel of each strip of the output, and with what its pixels see. All the slices
/// are pixels of `packed`'s channels, and the numbers of pairs are those of its weights.
pub(crate) fn each_strip<'a>(
    window: &Window,
    packed: &'a PackedPairs,
    input: &'a [u8],
    mut action: impl FnMut(usize, &[Seen<'a>]),
) {
    let (height, width) = window.output();
    let mut strip = [Seen { pixels: [&packed.outside; 2 * PAIRS], counted: (0, 0) }; STRIP];
    for y in 0..height {
        for from in (0..width).step_by(STRIP) {
            let strip = &mut strip[..STRIP.min(width - from)];
            for (index, seen) in strip.iter_mut().enumerate() {
                seen.look(window, packed, input, y, from + index);
            }
            action(y * width + from, strip);
        }
    }
}
