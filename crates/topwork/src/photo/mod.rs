//! Bytes of a file → an upright RGB photo, or the reason why not.
//!
//! This is the first stop of the line. The format is told by the content, never by the name. Nothing from the
//! file is trusted: its size, the pixels and the scans that it declares are checked against [`Limits`] before
//! anything is allocated for them, and panics of the decoders are caught. A photo is either decoded
//! whole or refused: half-decoded pixels never leave this module.

mod bmp;
mod declared;
mod exif;
mod format;
mod gif;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
mod limits;
mod orientation;
mod pixels;
mod png;
mod pnm;
mod read;
mod reason;
mod samples;
mod source;
mod tiff;
mod webp;
mod xmp;

pub use format::{Undecoded, undecoded};
pub use limits::Limits;
pub use read::read;
pub use reason::{Reason, Unreadable};
pub use samples::{SAMPLE_BITS, SampleCounts, SampleRange};
pub use source::{Content, PhotoSource};

use crate::fence::fenced;
use format::Format;
use orientation::Orientation;

/// How [`decode_for`] chooses the size, in a line that changes with it: a part of what features depend on.
pub const DECODING: &str = jpeg::DECODING;

/// A decoded photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue of each pixel, row by row from the top: `height · width · 3` bytes.
    pub pixels: Vec<u8>,
}

/// A photo as a decoder gives it: not yet upright.
struct Decoded {
    photo: Photo,
    orientation: Orientation,
    /// What its samples hold, where they have 16 bits.
    counts: Option<SampleCounts>,
}

impl Decoded {
    fn new(photo: Photo, orientation: Orientation) -> Decoded {
        Decoded { photo, orientation, counts: None }
    }
}

/// Decodes a photo: JPEG, PNG, GIF, WebP, BMP, TIFF, PNM or, with the feature `heic`, HEIC.
///
/// The orientation of EXIF, or else of XMP, or that of the container of a HEIC, is applied; transparent parts are laid over white;
/// grey becomes three equal channels; of 16 bits those are kept that [`SampleRange::Declared`] tells; of several frames or pages the
/// first one counts; colour profiles are
/// ignored.
///
/// # Errors
/// What is wrong with the file: see [`Reason`]. It never panics; where a decoder does, that is
/// [`Reason::Corrupt`] (the panic hook, which is the program's, sees it, and learns from [`panics_are_caught`](crate::panics_are_caught) what it is).
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, Unreadable> {
    decode_for(bytes, limits, u32::MAX)
}

/// Decodes a photo that is then made smaller, to a shorter side of `shorter` pixels or more: of a JPEG that is much
/// larger than that, the pixels are those of the photo shrunk to an eighth or a quarter, as [`DECODING`] says. Whether
/// and how much depends on the photo's size and on `shorter` alone.
///
/// All else is as with [`decode`]; what is truncated or corrupt is refused just the same.
///
/// # Errors
/// As [`decode`].
pub fn decode_for(bytes: &[u8], limits: &Limits, shorter: u32) -> Result<Photo, Unreadable> {
    decode_in_range(bytes, limits, shorter, SampleRange::Declared).map(|(photo, _)| photo)
}

/// The same as [`decode_for`] with samples of 16 bits read in that range, and what they hold if the photo has such.
///
/// # Errors
/// As [`decode`].
pub fn decode_in_range(
    bytes: &[u8],
    limits: &Limits,
    shorter: u32,
    range: SampleRange,
) -> Result<(Photo, Option<SampleCounts>), Unreadable> {
    let format = Format::of(bytes)?;
    limits.check_bytes(bytes.len() as u64)?;
    let declared = || declared::declared(bytes);
    let decoded = fenced(|| match format {
        Format::Jpeg => jpeg::decode(bytes, limits, shorter),
        Format::Png => png::decode(bytes, limits, range, declared()),
        Format::Gif => gif::decode(bytes, limits),
        Format::WebP => webp::decode(bytes, limits),
        Format::Bmp => bmp::decode(bytes, limits),
        Format::Tiff => tiff::decode(bytes, limits, range, declared()),
        Format::Pnm => pnm::decode(bytes, limits, range),
        #[cfg(feature = "heic")]
        Format::Heic => heic::decode(bytes, limits),
    });
    let decoded = decoded.unwrap_or_else(|| Err(Unreadable::corrupt("the decoder gave up (panic)")));
    let Decoded { photo, orientation, counts } = decoded.map_err(|error| error.of(format.name()))?;
    debug_assert_eq!(photo.pixels.len(), photo.width as usize * photo.height as usize * 3);
    Ok((orientation.upright(photo), counts))
}

/// What the pixels of a file depend on besides its bytes, if photos of 16 bits are read in that range.
pub(crate) fn range_that_matters(bytes: &[u8], range: SampleRange) -> Option<SampleRange> {
    if range.is_declared() {
        return None;
    }
    range.matters(fenced(|| declared::declared(bytes)).flatten()?)
}
