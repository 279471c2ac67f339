//! The mean of each channel, from bytes to f32.

use crate::isa::Isa;
use crate::reference;

/// `mean = Σ (q − zero_point) · factor` for each channel over all pixels: an exact i32 sum and one multiplication.
/// `factor` is the input's scale divided by the number of pixels.
///
/// # Panics
/// If the input is not a number of pixels of as many channels as there are means.
pub fn global_average(isa: Isa, input: &[u8], zero_point: u8, factor: f32, means: &mut [f32]) {
    let (read, channels) = (input.len(), means.len());
    assert!(read.is_multiple_of(channels.max(1)), "input of {read} values for {channels} channels");
    let _ = isa;
    reference::int8::global_average(input, zero_point, factor, means);
}
