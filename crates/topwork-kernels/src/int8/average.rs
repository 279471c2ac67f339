//! The mean of each channel, from bytes to f32. Plain loops, which every compiler turns into vectors: the sums are kept in
//! 16 bits for as many pixels as fit, so that the compiler need not widen every byte to 32.

/// Channels that are summed at once, in registers.
const CHANNELS: usize = 64;

/// Pixels whose bytes always fit into 16 bits: 257 · 255 = 65,535.
const PIXELS: usize = 257;

/// `mean = Σ (q − zero_point) · factor` for each channel over all pixels: an exact i32 sum and one multiplication.
/// `factor` is the input's scale divided by the number of pixels. All instruction sets run the same loops, which take a
/// thousandth of a network's time.
///
/// # Panics
/// If the input is not a number of pixels of as many channels as there are means.
pub fn global_average(input: &[u8], zero_point: u8, factor: f32, means: &mut [f32]) {
    let (read, channels) = (input.len(), means.len());
    assert!(read.is_multiple_of(channels.max(1)), "input of {read} values for {channels} channels");
    let pixels = read.checked_div(channels).unwrap_or(0);
    let zero = pixels as i32 * i32::from(zero_point);
    for (block, means) in means.chunks_mut(CHANNELS).enumerate() {
        let first = block * CHANNELS;
        let mut totals = [0; CHANNELS];
        for input in input.chunks(PIXELS * channels) {
            let mut sums = [0u16; CHANNELS];
            for pixel in input.chunks_exact(channels) {
                let pixel = &pixel[first..first + means.len()];
                match <&[u8; CHANNELS]>::try_from(pixel) {
                    Ok(pixel) => add(&mut sums, pixel),
                    Err(_) => add(&mut sums, pixel),
                }
            }
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += i32::from(sum));
        }
        means.iter_mut().zip(totals).for_each(|(mean, total)| *mean = (total - zero) as f32 * factor);
    }
}

#[inline(always)]
fn add(sums: &mut [u16; CHANNELS], values: &[u8]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += u16::from(*value));
}
