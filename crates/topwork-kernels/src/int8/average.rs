//! The mean of each channel, from bytes to f32. Plain loops, which every compiler turns into vectors: the sums are kept in
//! 16 bits for as many pixels as fit, so that the compiler need not widen every byte to 32.

/// Channels that are summed at once, in registers.
const CHANNELS: usize = 64;

/// Pixels whose bytes always fit into 16 bits: 257 · 255 = 65,535.
const PIXELS: usize = 257;

/// `sum = Σ q` for each channel over all pixels, exact. All instruction sets run the same loops, which take a thousandth
/// of a network's time.
///
/// # Panics
/// If the input is not a number of pixels of as many channels as there are sums.
pub fn channel_sums(input: &[u8], sums: &mut [u32]) {
    let (read, channels) = (input.len(), sums.len());
    assert!(read.is_multiple_of(channels.max(1)), "input of {read} values for {channels} channels");
    for (block, totals) in sums.chunks_mut(CHANNELS).enumerate() {
        let first = block * CHANNELS;
        totals.fill(0);
        for input in input.chunks((PIXELS * channels).max(1)) {
            let mut sums = [0u16; CHANNELS];
            for pixel in input.chunks_exact(channels) {
                let pixel = &pixel[first..first + totals.len()];
                match <&[u8; CHANNELS]>::try_from(pixel) {
                    Ok(pixel) => add(&mut sums, pixel),
                    Err(_) => add(&mut sums, pixel),
                }
            }
            totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += u32::from(sum));
        }
    }
}

#[inline(always)]
fn add(sums: &mut [u16; CHANNELS], values: &[u8]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += u16::from(*value));
}
