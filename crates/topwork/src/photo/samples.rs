//! Samples of 16 bits: which of their values become black and white. Cameras of 10 to 14 bits write theirs as they are
//! into files of 16, where they would all be nearly black.

use super::pixels::Layout;
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The numbers of bits that samples of 16 bits may use.
pub const SAMPLE_BITS: [u8; 5] = [8, 10, 12, 14, 16];

/// Which values of 16-bit samples become black and white. Samples of 8 bits, and those of a PNM file that declares
/// another largest value, are what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SampleRange {
    /// As the file declares it, by PNG's `sBIT` or TIFF's `MaxSampleValue`, if no value lies above that; else 16 bits.
    #[default]
    Declared,
    /// 0 and the largest number of so many bits, one of [`SAMPLE_BITS`].
    Bits(u8),
    /// These two; the first is smaller.
    Between(u16, u16),
}

/// What the 16-bit samples of a photo hold, alpha left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Samples.
    pub all: u64,
    /// Samples that do not fit into 8, 10, 12 and 14 bits.
    pub beyond: [u64; 4],
    /// The bits that the file declares, if all samples fit into them.
    pub declared: Option<u8>,
}

impl SampleRange {
    /// The range of a set of photos: the bits that they declare if all do, else the fewest of [`SAMPLE_BITS`] that hold
    /// 99.9 % of their values. [`Declared`](SampleRange::Declared) without any 16-bit photo.
    pub fn of_photos(photos: impl Iterator<Item = SampleCounts> + Clone) -> SampleRange {
        let mut sum = SampleCounts::default();
        for photo in photos.clone() {
            sum.all += photo.all;
            sum.beyond.iter_mut().zip(photo.beyond).for_each(|(sum, beyond)| *sum += beyond);
        }
        if sum.all == 0 {
            return SampleRange::Declared;
        }
        let declared: Option<Vec<u8>> = photos.map(|photo| photo.declared).collect();
        if let Some(bits) = declared.and_then(|declared| declared.into_iter().max()) {
            return SampleRange::Bits(bits);
        }
        let holds_most = |(_, beyond): &(u8, u64)| beyond * 1_000 <= sum.all;
        let bits = SAMPLE_BITS.into_iter().zip(sum.beyond).find(holds_most).map_or(16, |(bits, _)| bits);
        SampleRange::Bits(bits)
    }

    /// Whether it is [`Declared`](SampleRange::Declared).
    pub fn is_declared(&self) -> bool {
        *self == SampleRange::Declared
    }

    /// Checks a range that comes from a file or a person.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for other bits than [`SAMPLE_BITS`], and for values out of order.
    pub fn check(self) -> Result<()> {
        let message = match self {
            SampleRange::Bits(bits) if !SAMPLE_BITS.contains(&bits) => {
                format!("samples of {bits} bits; 8, 10, 12, 14 or 16 are known")
            }
            SampleRange::Between(black, white) if black >= white => {
                format!("black is {black} and white {white}; black must be the smaller value")
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Configuration, message))
    }

    /// What the pixels of a file depend on besides its bytes, where it declares so many bits of 16: the range, unless the
    /// file's own is the same.
    pub(super) fn matters(self, declared: Option<u8>) -> Option<SampleRange> {
        if self.is_declared() {
            return None;
        }
        (self != SampleRange::Bits(declared.unwrap_or(16))).then_some(self)
    }

    /// The values that become black and white, of a file that declares so many bits and whose largest value is that.
    fn ends(self, declared: Option<u8>, largest: u16) -> (u16, u16) {
        match self {
            SampleRange::Declared => (0, last_of(fitting(declared, largest).unwrap_or(16))),
            SampleRange::Bits(bits) => (0, last_of(bits)),
            SampleRange::Between(black, white) => (black, white),
        }
    }

    /// Samples of 16 bits as bytes, and what they hold.
    pub(super) fn narrow(
        self,
        samples: &[u16],
        layout: Layout,
        declared: Option<u8>,
    ) -> (Vec<u8>, SampleCounts) {
        let channels = layout.samples();
        let colours = channels - usize::from(matches!(layout, Layout::GreyAlpha | Layout::RgbAlpha));
        let mut counts = SampleCounts::default();
        let (mut largest, mut largest_alpha) = (0, 0);
        let mut see = |values: &[u16]| {
            for value in values {
                largest = largest.max(*value);
                for (count, bits) in counts.beyond.iter_mut().zip(SAMPLE_BITS) {
                    *count += u64::from(*value > last_of(bits));
                }
            }
        };
        if colours == channels {
            see(samples);
        }
        for pixel in samples.chunks_exact(channels).filter(|_| colours < channels) {
            see(&pixel[..colours]);
            largest_alpha = largest_alpha.max(pixel[colours]);
        }
        counts.all = (samples.len() / channels * colours) as u64;
        counts.declared = fitting(declared, largest);
        let (black, white) = self.ends(declared, largest);
        let of_colours = narrower(black, white);
        if colours == channels {
            return (samples.iter().map(|value| of_colours(*value)).collect(), counts);
        }
        // Alpha has all its bits unless it ends where the colours do.
        let of_alpha = if largest_alpha <= white && black == 0 { of_colours } else { narrower(0, u16::MAX) };
        let mut bytes = Vec::with_capacity(samples.len());
        for pixel in samples.chunks_exact(channels) {
            bytes.extend(pixel[..colours].iter().map(|value| of_colours(*value)));
            bytes.push(of_alpha(pixel[colours]));
        }
        (bytes, counts)
    }
}

/// What turns values between these two into bytes. From 0 to the last of some bits, the upper 8 of these are kept.
fn narrower(black: u16, white: u16) -> impl Fn(u16) -> u8 + Copy {
    let shift =
        (black == 0 && white > 254 && white.wrapping_add(1) & white == 0).then(|| white.count_ones() - 8);
    let (black, width) = (u32::from(black), u32::from(white.saturating_sub(black)).max(1));
    move |value| match shift {
        Some(shift) => (value.min(white) >> shift) as u8,
        None => {
            let above = u32::from(value).saturating_sub(black).min(width);
            ((above * 255 + width / 2) / width) as u8
        }
    }
}

/// The largest number of so many bits.
fn last_of(bits: u8) -> u16 {
    u16::MAX >> (16 - bits.clamp(1, 16))
}

/// The bits declared, if they are fewer than 16 and hold the largest value.
fn fitting(declared: Option<u8>, largest: u16) -> Option<u8> {
    declared.filter(|bits| largest <= last_of(*bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bits_keep_the_upper_eight() {
        for bits in SAMPLE_BITS {
            let narrow = narrower(0, last_of(bits));
            for value in 0..=u16::MAX {
                let expected = if value > last_of(bits) { 255 } else { (value >> (bits - 8)) as u8 };
                assert_eq!(narrow(value), expected, "{value} of {bits} bits");
            }
        }
        let narrow = narrower(500, 4_000);
        assert_eq!([0, 500, 507, 2_250, 4_000, 60_000].map(narrow), [0, 0, 1, 128, 255, 255]);
    }

    #[test]
    fn the_fewest_bits_that_hold_nearly_all_values_are_chosen() {
        let photo = |beyond| SampleCounts { all: 10_000, beyond, declared: None };
        let of = |photos: &[SampleCounts]| SampleRange::of_photos(photos.iter().copied());
        assert_eq!(of(&[]), SampleRange::Declared);
        assert_eq!(of(&[photo([0; 4])]), SampleRange::Bits(8));
        assert_eq!(of(&[photo([9_000, 5_000, 10, 0])]), SampleRange::Bits(12));
        assert_eq!(of(&[photo([9_000, 5_000, 11, 0])]), SampleRange::Bits(14));
        assert_eq!(of(&[photo([9_000, 5_000, 20, 11]), photo([0; 4])]), SampleRange::Bits(12));
        assert_eq!(of(&[photo([10_000, 9_000, 8_000, 7_000])]), SampleRange::Bits(16));
        let declared = |bits| SampleCounts { declared: Some(bits), ..photo([0; 4]) };
        assert_eq!(of(&[declared(10), declared(12)]), SampleRange::Bits(12));
        // One that declares nothing: the values decide.
        assert_eq!(of(&[declared(12), photo([0; 4])]), SampleRange::Bits(8));
    }

    #[test]
    fn alpha_is_not_darkened_with_the_colours() {
        let (bytes, counts) = SampleRange::Bits(12).narrow(&[4_095, 65_535, 16, 0], Layout::GreyAlpha, None);
        assert_eq!(bytes, [255, 255, 1, 0]);
        assert_eq!(counts, SampleCounts { all: 2, beyond: [1, 1, 0, 0], declared: None });
        let (bytes, _) = SampleRange::Bits(12).narrow(&[4_095, 4_095, 16, 0], Layout::GreyAlpha, None);
        assert_eq!(bytes, [255, 255, 1, 0]);
    }

    #[test]
    fn what_a_file_declares_counts_where_its_values_fit() {
        let narrow =
            |values: &[u16], declared| SampleRange::Declared.narrow(values, Layout::Grey, declared).0;
        assert_eq!(narrow(&[0, 2_048, 4_095], Some(12)), [0, 128, 255]);
        assert_eq!(narrow(&[0, 2_048, 40_950], Some(12)), [0, 8, 159]);
        assert_eq!(narrow(&[0, 2_048, 4_095], None), [0, 8, 15]);
    }
}
