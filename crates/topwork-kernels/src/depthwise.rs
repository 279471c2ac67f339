//! Convolutions of each channel by itself, with weights packed at load.

use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::reference;
use crate::window::Window;

/// Channels in a vector of AVX2 and of AVX-512.
const NARROW: usize = 8;
const WIDE: usize = 16;

/// The weights of a depthwise convolution in the order in which one instruction set reads them.
#[derive(Debug)]
pub struct PackedDepthwise {
    isa: Isa,
    taps: usize,
    channels: usize,
    values: Buffer<f32>,
}

impl PackedDepthwise {
    /// Packs `weights`, given as tap row, tap column, channel.
    ///
    /// # Panics
    /// If `weights` does not hold `taps` x `channels` values.
    pub fn new(isa: Isa, weights: &[f32], taps: usize, channels: usize) -> PackedDepthwise {
        let found = weights.len();
        assert_eq!(found, taps * channels, "{found} weights for {taps} taps x {channels} channels");
        let values = match isa.level() {
            Level::Scalar | Level::Neon => Buffer::copy_of(weights),
            Level::Avx2 => lanes(NARROW, weights, taps, channels),
            Level::Avx512 => lanes(WIDE, weights, taps, channels),
        };
        PackedDepthwise { isa, taps, channels, values }
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

/// All taps of `lanes` channels, then of the next ones: one stream instead of one a tap. Missing channels are
/// zero.
fn lanes(lanes: usize, weights: &[f32], taps: usize, channels: usize) -> Buffer<f32> {
    let mut values = Buffer::zeros(channels.div_ceil(lanes) * taps * lanes);
    for (tap, weights) in weights.chunks_exact(channels.max(1)).enumerate() {
        for (group, weights) in weights.chunks(lanes).enumerate() {
            values[(group * taps + tap) * lanes..][..weights.len()].copy_from_slice(weights);
        }
    }
    values
}

/// `output = activation(depthwise convolution(input) + bias + residual)`.
///
/// # Panics
/// If the sizes do not agree.
pub fn depthwise(
    window: &Window,
    weights: &PackedDepthwise,
    input: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    let channels = weights.channels;
    let (pixels, read, written) = (window.output_pixels(), input.len(), output.len());
    assert_eq!(weights.taps, window.taps(), "weights of {} taps for {window:?}", weights.taps);
    assert_eq!(read, window.input_pixels() * channels, "input of {read} values for {window:?} x {channels}");
    assert_eq!(written, pixels * channels, "output of {written} values for {window:?} x {channels}");
    epilogue.check(pixels, channels);
    match weights.isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            crate::arch::avx2::depthwise::depthwise(
                weights.isa,
                window,
                input,
                &weights.values,
                epilogue,
                output,
            );
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            crate::arch::avx512::depthwise::depthwise(
                weights.isa,
                window,
                input,
                &weights.values,
                epilogue,
                output,
            );
        }
        _ => reference::depthwise(window, input, &weights.values, epilogue, output),
    }
}
