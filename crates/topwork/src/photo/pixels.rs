//! From the samples that decoders give to RGB bytes.

/// The samples of one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    RgbAlpha,
}

impl Layout {
    pub(super) fn samples(self) -> usize {
        match self {
            Layout::Grey => 1,
            Layout::GreyAlpha => 2,
            Layout::Rgb => 3,
            Layout::RgbAlpha => 4,
        }
    }
}

/// RGB of 8-bit samples; transparent parts lie over white.
pub(super) fn rgb(layout: Layout, samples: Vec<u8>) -> Vec<u8> {
    let pixels = samples.chunks_exact(layout.samples());
    match layout {
        Layout::Rgb => samples,
        Layout::Grey => pixels.flat_map(|pixel| [pixel[0]; 3]).collect(),
        Layout::GreyAlpha => pixels.flat_map(|pixel| [over_white(pixel[0], pixel[1]); 3]).collect(),
        Layout::RgbAlpha => {
            pixels.flat_map(|pixel| [0, 1, 2].map(|channel| over_white(pixel[channel], pixel[3]))).collect()
        }
    }
}

/// The colour `alpha / 255` of the sample and the rest white give, rounded to the nearest.
pub(super) fn over_white(sample: u8, alpha: u8) -> u8 {
    let (sample, alpha) = (u32::from(sample), u32::from(alpha));
    ((sample * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// RGB of 8-bit samples whose colours are multiplied by their alpha already; transparent parts lie over white.
pub(super) fn multiplied_rgb(layout: Layout, samples: &[u8]) -> Vec<u8> {
    let pixels = samples.chunks_exact(layout.samples());
    let over = |sample: u8, alpha: u8| sample.saturating_add(255 - alpha);
    match layout {
        Layout::Rgb => samples.to_vec(),
        Layout::Grey => pixels.flat_map(|pixel| [pixel[0]; 3]).collect(),
        Layout::GreyAlpha => pixels.flat_map(|pixel| [over(pixel[0], pixel[1]); 3]).collect(),
        Layout::RgbAlpha => {
            pixels.flat_map(|pixel| [0, 1, 2].map(|channel| over(pixel[channel], pixel[3]))).collect()
        }
    }
}

/// Cyan, magenta, yellow and black, 0 for no ink, to RGB as Pillow's `cmyk2rgb` does.
pub(super) fn rgb_of_ink([cyan, magenta, yellow, key]: [u8; 4]) -> [u8; 3] {
    let light = u32::from(255 - key);
    [cyan, magenta, yellow].map(|ink| {
        // Pillow's rounded division by 255.
        let product = u32::from(ink) * light + 128;
        light.saturating_sub((product + (product >> 8)) >> 8) as u8
    })
}

/// Brightness, blue and red difference to RGB: `ycc_rgb_convert` of libjpeg-turbo's `jdcolor.c`.
#[inline(always)]
pub(super) fn rgb_of_ycbcr([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (luma, blue, red) = (i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128);
    // 1.402, 0.34414, 0.71414 and 1.772 with 16 fractional bits.
    let colours = [
        luma + ((91_881 * red + HALF) >> 16),
        luma + ((-22_554 * blue - 46_802 * red + HALF) >> 16),
        luma + ((116_130 * blue + HALF) >> 16),
    ];
    colours.map(|colour| colour.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_lies_over_white() {
        for sample in 0..=255 {
            assert_eq!(over_white(sample, 255), sample);
            assert_eq!(over_white(sample, 0), 255);
        }
        assert_eq!(over_white(0, 128), 127);
        assert_eq!(rgb(Layout::GreyAlpha, vec![0, 255, 9, 0]), [0, 0, 0, 255, 255, 255]);
        assert_eq!(rgb(Layout::RgbAlpha, vec![1, 2, 3, 255]), [1, 2, 3]);
    }
}
