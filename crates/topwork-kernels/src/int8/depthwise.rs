//! Convolutions of each channel by itself, with weights packed at load.

use super::{Requantise, Residual};
#[cfg(target_arch = "x86_64")]
use crate::arch::avx512;
use crate::buffer::Buffer;
use crate::isa::{Isa, Level};
use crate::reference;
use crate::window::Window;

/// The weights of a depthwise convolution in the order in which one instruction set reads them, and what happens to its sums.
#[derive(Debug)]
pub struct PackedDepthwise {
    isa: Isa,
    taps: usize,
    channels: usize,
    zero_point: u8,
    weights: Buffer<i8>,
    requantise: Requantise,
    fast: Fast,
}

/// The same for the kernels that one instruction set has.
#[derive(Debug)]
enum Fast {
    None,
    #[cfg(target_arch = "x86_64")]
    Avx512(Box<avx512::int8_depthwise::Packed>),
}

impl PackedDepthwise {
    /// Packs `weights`, given as tap row, tap column, channel; `zero_point` is the input's.
    ///
    /// # Panics
    /// If `weights` does not hold `taps` x `channels` values, or `requantise` not one value a channel.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        taps: usize,
        channels: usize,
        zero_point: u8,
        requantise: Requantise,
    ) -> PackedDepthwise {
        let found = weights.len();
        assert_eq!(found, taps * channels, "{found} weights for {taps} taps x {channels} channels");
        requantise.check(channels);
        let fast = match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                avx512::int8_depthwise::Packed::new(weights, taps, channels, zero_point, &requantise)
                    .map_or(Fast::None, |packed| Fast::Avx512(Box::new(packed)))
            }
            _ => Fast::None,
        };
        PackedDepthwise {
            fast,
            isa,
            taps,
            channels,
            zero_point,
            weights: Buffer::copy_of(weights),
            requantise,
        }
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

/// `output = requantise(depthwise convolution(input))`, see [`crate::int8`].
///
/// # Panics
/// If the sizes do not agree.
pub fn depthwise(
    window: &Window,
    weights: &PackedDepthwise,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let channels = weights.channels;
    let (pixels, read, written) = (window.output_pixels(), input.len(), output.len());
    assert_eq!(weights.taps, window.taps(), "weights of {} taps for {window:?}", weights.taps);
    assert_eq!(read, window.input_pixels() * channels, "input of {read} values for {window:?} x {channels}");
    assert_eq!(written, pixels * channels, "output of {written} values for {window:?} x {channels}");
    if let Some(residual) = residual {
        assert!(residual.values.len() >= written, "residual of {} for {written}", residual.values.len());
    }
    match &weights.fast {
        #[cfg(target_arch = "x86_64")]
        Fast::Avx512(packed) if packed.fits(window) => {
            return avx512::int8_depthwise::depthwise(weights.isa, window, packed, input, residual, output);
        }
        _ => {}
    }
    reference::int8::depthwise(
        window,
        input,
        &weights.weights,
        weights.zero_point,
        &weights.requantise,
        residual,
        output,
    );
}
