//! What a JPEG's components mean, and how they become RGB: the rules of libjpeg-turbo and Pillow.

use super::super::Unreadable;
use super::super::pixels::{self, rgb_of_ycbcr};
use super::structure::Structure;

/// What the components are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

impl Colour {
    /// The rules of libjpeg-turbo (`default_decompress_parms` in `jdapimin.c`): a JFIF marker means YCbCr, an
    /// Adobe marker says it, and otherwise the components' names do.
    pub(super) fn of(structure: &Structure) -> Result<Colour, Unreadable> {
        let names: Vec<u8> = structure.components.iter().map(|component| component.name).collect();
        match (names.len(), structure.adobe_transform) {
            (1, _) => Ok(Colour::Grey),
            (3, _) if structure.has_jfif => Ok(Colour::YCbCr),
            (3, Some(0)) => Ok(Colour::Rgb),
            (3, Some(_)) => Ok(Colour::YCbCr),
            (3, None) if names == *b"RGB" => Ok(Colour::Rgb),
            (3, None) => Ok(Colour::YCbCr),
            (4, Some(2)) => Ok(Colour::Ycck),
            (4, _) => Ok(Colour::Cmyk),
            (count, _) => Err(Unreadable::unsupported(format!("{count} components"))),
        }
    }

    /// Bytes a pixel that the result and its source take.
    pub(super) fn bytes_per_pixel(self) -> u64 {
        match self {
            Colour::Grey | Colour::YCbCr | Colour::Rgb => 3,
            Colour::Cmyk | Colour::Ycck => 7,
        }
    }

    /// A row of RGB, of a row of each component; those that the picture does not have are empty.
    pub(super) fn write_row(self, rows: [&[u8]; 4], out: &mut [u8]) {
        let (out, _) = out.as_chunks_mut::<3>();
        let [first, second, third, fourth] = rows;
        let pixels = out.iter_mut().zip(first);
        if self == Colour::Grey {
            return pixels.for_each(|(out, grey)| *out = [*grey; 3]);
        }
        let pixels = pixels
            .zip(second)
            .zip(third)
            .map(|(((out, first), second), third)| (out, [*first, *second, *third]));
        match self {
            Colour::Grey => {}
            Colour::YCbCr => pixels.for_each(|(out, colour)| *out = rgb_of_ycbcr(colour)),
            Colour::Rgb => pixels.for_each(|(out, colour)| *out = colour),
            Colour::Cmyk | Colour::Ycck => {
                pixels.zip(fourth).for_each(|((out, [first, second, third]), key)| {
                    let ink = [first, second, third, *key];
                    *out = rgb_of_inverted_ink(if self == Colour::Ycck { ink_of_ycck(ink) } else { ink });
                })
            }
        }
    }

    /// RGB of what zune-jpeg gave.
    pub(super) fn rgb(self, samples: Vec<u8>) -> Vec<u8> {
        match self {
            Colour::Grey | Colour::YCbCr | Colour::Rgb => samples,
            Colour::Cmyk => samples.as_chunks().0.iter().flat_map(|ink| rgb_of_inverted_ink(*ink)).collect(),
            Colour::Ycck => {
                samples.as_chunks().0.iter().flat_map(|ink| rgb_of_inverted_ink(ink_of_ycck(*ink))).collect()
            }
        }
    }
}

/// Ink as Adobe stores it, 255 for none: Pillow takes all four-component files so.
fn rgb_of_inverted_ink(ink: [u8; 4]) -> [u8; 3] {
    pixels::rgb_of_ink(ink.map(|ink| 255 - ink))
}

/// `ycck_cmyk_convert` of libjpeg-turbo's `jdcolor.c`: the inks are 255 minus what YCbCr gives.
fn ink_of_ycck([luma, blue, red, key]: [u8; 4]) -> [u8; 4] {
    let [cyan, magenta, yellow] = rgb_of_ycbcr([luma, blue, red]).map(|colour| 255 - colour);
    [cyan, magenta, yellow, key]
}
