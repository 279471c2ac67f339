//! Turning a photo upright.

use super::Photo;

/// How a camera says that its picture lies (EXIF 2.32, tag 0x0112).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Rows and columns are swapped, before the mirroring.
    transposed: bool,
    /// Left and right are swapped.
    mirrored: bool,
    /// Top and bottom are swapped.
    flipped: bool,
}

impl Orientation {
    pub(super) const UPRIGHT: Orientation =
        Orientation { transposed: false, mirrored: false, flipped: false };

    /// The orientation of a tag's value; other values than 1 to 8 are upright.
    pub(super) fn of(value: u16) -> Orientation {
        let (transposed, mirrored, flipped) = match value {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Orientation { transposed, mirrored, flipped }
    }

    /// The photo as it was seen.
    pub(super) fn upright(self, photo: Photo) -> Photo {
        if self == Orientation::UPRIGHT {
            return photo;
        }
        let (source_width, source_height) = (photo.width as usize, photo.height as usize);
        let (width, height) =
            if self.transposed { (source_height, source_width) } else { (source_width, source_height) };
        let mut pixels = Vec::with_capacity(photo.pixels.len());
        for row in 0..height {
            let y = if self.flipped { height - 1 - row } else { row };
            for column in 0..width {
                let x = if self.mirrored { width - 1 - column } else { column };
                let at = if self.transposed { x * source_width + y } else { y * source_width + x };
                pixels.extend_from_slice(&photo.pixels[at * 3..at * 3 + 3]);
            }
        }
        Photo { width: width as u32, height: height as u32, pixels }
    }
}
