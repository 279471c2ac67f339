//! What is known of a photo besides its features: kept before them, so that a run that computes nothing knows it, too.

use super::extract::Extraction;
use crate::dataset::{Dataset, Sample};
use crate::notice::Notice;
use crate::photo::{Photo, SampleCounts};

/// Pixels that the look of a photo is told from.
const LOOKED_AT: usize = 10_000;
/// Of a thousand pixels so many may be darker, and as many brighter, than what counts.
const OUTLIERS: usize = 5;
/// A channel whose values span no more than this is of one brightness.
const LARGEST_SPAN: usize = 8;
/// A channel without values above this is nearly black.
const BLACK: usize = 20;

/// From so many photos on, and this share of all or of a class, photos without anything to see are worth a warning.
const MANY: usize = 3;
const MANY_OF_ALL: f64 = 0.05;
const MANY_OF_CLASS: f64 = 0.2;
/// Names that a warning gives.
const EXAMPLES: usize = 3;

/// What is known of a photo besides its features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether there is anything to see.
    pub look: Look,
    /// What its samples hold, where they have 16 bits.
    pub samples: Option<SampleCounts>,
}

/// Whether there is anything to see in a photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Look {
    /// There may be.
    #[default]
    Ordinary,
    /// No channel has values above 20 of 255.
    NearlyBlack,
    /// In each channel the values span no more than 8 of 255.
    OneColour,
}

impl Facts {
    /// Bytes that they take.
    pub(super) const BYTES: usize = 2 + 5 * 8;

    /// What a photo shows, and what its samples hold.
    pub fn of(photo: &Photo, samples: Option<SampleCounts>) -> Facts {
        Facts { look: Look::of(photo), samples }
    }

    pub(super) fn to_bytes(self) -> [u8; Facts::BYTES] {
        const SIXTEEN: u8 = 16;
        let mut bytes = [0; Facts::BYTES];
        bytes[0] = self.look as u8;
        if let Some(samples) = self.samples {
            bytes[1] = samples.declared.unwrap_or(SIXTEEN);
            let numbers = std::iter::once(samples.all).chain(samples.beyond);
            for (bytes, number) in bytes[2..].as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
                *bytes = number.to_le_bytes();
            }
        }
        bytes
    }

    /// The inverse of [`to_bytes`](Facts::to_bytes).
    pub(super) fn from_bytes(bytes: &[u8; Facts::BYTES]) -> Facts {
        let look = match bytes[0] {
            1 => Look::NearlyBlack,
            2 => Look::OneColour,
            _ => Look::Ordinary,
        };
        let number = |index: usize| u64::from_le_bytes(bytes[2..].as_chunks::<8>().0[index]);
        let samples = (bytes[1] > 0).then(|| SampleCounts {
            all: number(0),
            beyond: [1, 2, 3, 4].map(number),
            declared: Some(bytes[1]).filter(|bits| *bits < 16),
        });
        Facts { look, samples }
    }
}

impl Look {
    fn of(photo: &Photo) -> Look {
        let (pixels, _) = photo.pixels.as_chunks::<3>();
        // An odd step, so that it does not run down columns.
        let step = (pixels.len() / LOOKED_AT) | 1;
        let mut histograms = [[0usize; 256]; 3];
        for pixel in pixels.iter().step_by(step) {
            for (histogram, value) in histograms.iter_mut().zip(pixel) {
                histogram[usize::from(*value)] += 1;
            }
        }
        let allowed = pixels.len().div_ceil(step) * OUTLIERS / 1_000;
        let ends = histograms.map(|histogram| {
            // The first value up to which, counted from one end, there are more than outliers.
            let first = |order: &mut dyn FnMut() -> Option<usize>| {
                let mut seen = 0;
                loop {
                    let value = order()?;
                    seen += histogram[value];
                    if seen > allowed {
                        return Some(value);
                    }
                }
            };
            let (mut up, mut down) = (0..256, (0..256).rev());
            let lowest = first(&mut || up.next()).unwrap_or(0);
            (lowest, first(&mut || down.next()).unwrap_or(lowest))
        });
        if ends.iter().all(|(_, highest)| *highest <= BLACK) {
            Look::NearlyBlack
        } else if ends.iter().all(|(lowest, highest)| highest.saturating_sub(*lowest) <= LARGEST_SPAN) {
            Look::OneColour
        } else {
            Look::Ordinary
        }
    }
}

/// A warning for each look of which many photos are that show nothing, among all or within a class.
pub fn look_warnings(dataset: &Dataset, extraction: &Extraction) -> Vec<Notice> {
    let mut warnings = Vec::new();
    for look in [Look::NearlyBlack, Look::OneColour] {
        let warning = |label: Option<usize>, share: f64| {
            let photos = dataset.samples.iter().enumerate();
            let photos: Vec<(&Sample, Look)> = photos
                .filter(|(_, sample)| label.is_none_or(|label| sample.label == label))
                .filter_map(|(index, sample)| Some((sample, extraction.facts_of(index)?.look)))
                .collect();
            let such = photos.iter().filter(|(_, found)| *found == look);
            let names: Vec<String> = such.map(|(sample, _)| sample.name.clone()).collect();
            let are_many = names.len() >= MANY && names.len() as f64 >= share * photos.len() as f64;
            are_many.then(|| Notice::Blank {
                look,
                photos: names.len(),
                of: photos.len(),
                class: label.map(|label| dataset.classes[label].clone()),
                examples: names[..names.len().min(EXAMPLES)].to_vec(),
            })
        };
        match warning(None, MANY_OF_ALL) {
            Some(all) => warnings.push(all),
            None => {
                let labels = 0..dataset.classes.len();
                warnings.extend(labels.filter_map(|label| warning(Some(label), MANY_OF_CLASS)));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(pixel: impl Fn(usize) -> [u8; 3]) -> Photo {
        Photo { width: 200, height: 100, pixels: (0..20_000).flat_map(pixel).collect() }
    }

    #[test]
    fn what_there_is_to_see_is_told() {
        let noise = |at: usize| (at.wrapping_mul(2_654_435_761) >> 16) as u8;
        let look = |pixel: &dyn Fn(usize) -> [u8; 3]| Look::of(&photo(pixel));
        assert_eq!(look(&|at| [noise(at); 3]), Look::Ordinary);
        assert_eq!(look(&|at| [noise(at) % 16, 3, 0]), Look::NearlyBlack);
        // A few bright dots are no picture.
        assert_eq!(look(&|at| [if at % 301 == 0 { 255 } else { noise(at) % 16 }; 3]), Look::NearlyBlack);
        assert_eq!(look(&|at| [if at % 101 == 0 { 255 } else { noise(at) % 16 }; 3]), Look::Ordinary);
        assert_eq!(look(&|at| [200 + noise(at) % 8, 90, 255]), Look::OneColour);
        // One channel alone tells something.
        assert_eq!(look(&|at| [200, noise(at) % 16, 255]), Look::Ordinary);
        // Stripes along the step.
        assert_eq!(look(&|at| [if at % 200 < 100 { 30 } else { 220 }; 3]), Look::Ordinary);
        assert_eq!(Look::of(&Photo { width: 1, height: 1, pixels: vec![9, 9, 9] }), Look::NearlyBlack);
    }

    #[test]
    fn facts_survive_their_bytes() {
        let counts = SampleCounts { all: 7 << 33, beyond: [5, 4, 3, 2], declared: None };
        for samples in [None, Some(counts), Some(SampleCounts { declared: Some(12), ..counts })] {
            for look in [Look::Ordinary, Look::NearlyBlack, Look::OneColour] {
                let facts = Facts { look, samples };
                assert_eq!(Facts::from_bytes(&facts.to_bytes()), facts);
            }
        }
    }
}
