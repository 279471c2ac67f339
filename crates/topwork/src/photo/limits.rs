//! What a photo may cost, checked on the numbers in its header before anything is allocated.

use super::{Reason, Unreadable};

/// The largest photo that is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Pixels: width times height.
    pub pixels: u64,
    /// Bytes of the scans of a JPEG: what its decoding takes depends on them more than on the pixels.
    pub jpeg_data: u64,
    /// Bytes of the coded pictures of a HEIC.
    pub hevc_data: u64,
    /// Scans of a JPEG.
    pub scans: u32,
    /// Pixels times scans of a JPEG: each scan of a progressive file goes over the whole picture.
    pub scanned_pixels: u64,
    /// Bytes that the decoder may hold for the picture: all of them, not the picture alone.
    pub memory: u64,
}

impl Default for Limits {
    /// 256 MiB, the 178,956,970 pixels where Pillow stops, 96 MiB of JPEG data, 32 MiB of HEVC data, 500 scans (as DALI), 2³² scanned
    /// pixels, 1 GiB.
    ///
    /// The worst JPEG data, noise of the best quality, is decoded at about 60 MB/s on a busy 2.8 GHz core, so
    /// 96 MiB take less than two seconds. Measured by `largest_files` in `tests/photos.rs`. HEVC is slower: 32 MiB take two
    /// seconds as noise and five at a camera's quality, and 127 million pixels without detail two.
    fn default() -> Limits {
        Limits {
            bytes: 1 << 28,
            pixels: 178_956_970,
            jpeg_data: 96 << 20,
            hevc_data: 32 << 20,
            scans: 500,
            scanned_pixels: 1 << 32,
            memory: 1 << 30,
        }
    }
}

impl Limits {
    pub(super) fn check_bytes(&self, bytes: u64) -> Result<(), Unreadable> {
        if bytes > self.bytes {
            return Err(too_large(format!("{bytes} bytes, {} are allowed", self.bytes)));
        }
        Ok(())
    }

    /// Checks a declared size; `bytes_per_pixel` is all that decoding holds at once, the result included.
    pub(super) fn check_size(&self, width: u64, height: u64, bytes_per_pixel: u64) -> Result<(), Unreadable> {
        if width == 0 || height == 0 {
            return Err(Unreadable::corrupt(format!("{width} x {height} pixels")));
        }
        let pixels = width.saturating_mul(height);
        if pixels > self.pixels {
            return Err(too_large(format!("{width} x {height} pixels, {} are allowed", self.pixels)));
        }
        self.check_memory(pixels.saturating_mul(bytes_per_pixel))
    }

    /// Checks all that decoding holds at once, the result included.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<(), Unreadable> {
        if bytes > self.memory {
            return Err(too_large(format!("decoding takes {bytes} bytes, {} are allowed", self.memory)));
        }
        Ok(())
    }

    pub(super) fn check_jpeg_data(&self, bytes: u64) -> Result<(), Unreadable> {
        if bytes > self.jpeg_data {
            return Err(too_large(format!("{bytes} bytes of JPEG data, {} are allowed", self.jpeg_data)));
        }
        Ok(())
    }

    pub(super) fn check_scans(&self, scans: u32, pixels: u64) -> Result<(), Unreadable> {
        if scans > self.scans {
            return Err(too_large(format!("{scans} scans, {} are allowed", self.scans)));
        }
        let scanned = pixels.saturating_mul(u64::from(scans));
        if scanned > self.scanned_pixels {
            return Err(too_large(format!(
                "{scans} scans of {pixels} pixels, {} scanned pixels are allowed",
                self.scanned_pixels
            )));
        }
        Ok(())
    }
}

fn too_large(detail: String) -> Unreadable {
    Unreadable::new(Reason::TooLarge, detail)
}
