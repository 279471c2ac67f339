//! Where a photo comes from: a file, bytes in memory, or pixels.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Limits, Photo, Reason, Unreadable, read};

/// A photo that is not read yet. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhotoSource {
    /// A file.
    File(PathBuf),
    /// The bytes of a file.
    Bytes(Arc<[u8]>),
    /// Pixels, upright.
    Pixels(Arc<Photo>),
}

/// What a source holds.
#[derive(Debug)]
pub enum Content<'a> {
    /// The bytes of a file.
    Bytes(Cow<'a, [u8]>),
    /// Pixels, upright.
    Pixels(&'a Photo),
}

impl PhotoSource {
    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            PhotoSource::File(path) => Some(path),
            PhotoSource::Bytes(_) | PhotoSource::Pixels(_) => None,
        }
    }

    /// Files as sources.
    pub fn files(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Vec<PhotoSource> {
        paths.into_iter().map(|path| PhotoSource::File(path.into())).collect()
    }

    /// Reads a file, within limits and without blocking; what is in memory stays where it is.
    ///
    /// # Errors
    /// Why the file cannot be read; [`Reason::Corrupt`] for pixels whose number does not fit their size, and
    /// [`Reason::TooLarge`] for more than the limits allow.
    pub fn content(&self, limits: &Limits) -> Result<Content<'_>, Unreadable> {
        match self {
            PhotoSource::File(path) => read(path, limits).map(|bytes| Content::Bytes(Cow::Owned(bytes))),
            PhotoSource::Bytes(bytes) => {
                limits.check_bytes(bytes.len() as u64)?;
                Ok(Content::Bytes(Cow::Borrowed(bytes)))
            }
            PhotoSource::Pixels(photo) => {
                let Photo { width, height, pixels } = photo.as_ref();
                limits.check_size(u64::from(*width), u64::from(*height), 3)?;
                if pixels.len() as u64 != 3 * u64::from(*width) * u64::from(*height) {
                    let bytes = pixels.len();
                    let detail = format!("{bytes} bytes for {width} x {height} pixels of three channels");
                    return Err(Unreadable::new(Reason::Corrupt, detail));
                }
                Ok(Content::Pixels(photo))
            }
        }
    }
}

impl Content<'_> {
    /// BLAKE3 of the bytes; of pixels with their size.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Content::Bytes(bytes) => *blake3::hash(bytes).as_bytes(),
            Content::Pixels(Photo { width, height, pixels }) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(b"topwork pixels\0").update(&width.to_le_bytes()).update(&height.to_le_bytes());
                *hasher.update(pixels).finalize().as_bytes()
            }
        }
    }
}
