//! Convolutions of each channel by itself, with weights packed at load.

use super::depthwise_pairs::{Order, PackedPairs};
use super::{Requantise, Residual, depthwise_portable};
use crate::arch;
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
    /// There is none for such a layer: a kernel of many taps, or very few channels.
    None,
    Pairs(Box<PackedPairs>),
    #[cfg(target_arch = "x86_64")]
    Avx512(Box<arch::avx512::int8_depthwise::Packed>),
}

impl Fast {
    fn new(
        isa: Isa,
        weights: &[i8],
        taps: usize,
        channels: usize,
        zero_point: u8,
        requantise: &Requantise,
    ) -> Fast {
        #[cfg(target_arch = "x86_64")]
        if isa.includes(Level::Avx512) {
            use arch::avx512::int8_depthwise::Packed;
            if let Some(packed) = Packed::new(weights, taps, channels, zero_point, requantise) {
                return Fast::Avx512(Box::new(packed));
            }
        }
        let order = match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => Order::Unpacked,
            _ => Order::Plain,
        };
        PackedPairs::new(order, weights, taps, channels, zero_point, requantise)
            .map_or(Fast::None, |packed| Fast::Pairs(Box::new(packed)))
    }
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
        let fast = Fast::new(isa, weights, taps, channels, zero_point, &requantise);
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
    let isa = weights.isa;
    match (&weights.fast, isa.level()) {
        #[cfg(target_arch = "x86_64")]
        (Fast::Avx512(packed), _) if packed.fits(window) => {
            return arch::avx512::int8_depthwise::depthwise(isa, window, packed, input, residual, output);
        }
        #[cfg(target_arch = "x86_64")]
        (Fast::Pairs(packed), Level::Avx2 | Level::Avx512) => {
            return arch::avx2::int8_depthwise::depthwise(isa, window, packed, input, residual, output);
        }
        #[cfg(target_arch = "aarch64")]
        (Fast::Pairs(packed), Level::Neon) => {
            return arch::neon::int8_depthwise::depthwise(isa, window, packed, input, residual, output);
        }
        (Fast::Pairs(packed), _) => {
            return depthwise_portable::depthwise(window, packed, input, residual, output);
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
