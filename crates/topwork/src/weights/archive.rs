//! One entry of a zip archive by its name, as bytes: nothing is extracted, no other entry is looked at.

use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::{MAX_EXPANSION, MAX_TENSORS, refused};
use crate::error::Result;

/// An archive in memory.
pub(super) struct Archive<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    bytes: u64,
}

impl<'a> Archive<'a> {
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the archive is damaged, or two entries have one name.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Archive<'a>> {
        let archive = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| refused("damaged zip archive").with_source(error))?;
        // Readers differ in which of the two they take.
        if archive.has_duplicate_names() {
            return Err(refused("a zip archive with two entries of one name"));
        }
        if archive.len() > 2 * MAX_TENSORS {
            return Err(refused(format!("a zip archive of {} entries", archive.len())));
        }
        Ok(Archive { archive, bytes: bytes.len() as u64 })
    }

    /// The shortest of the entries' names with that end.
    pub(super) fn find(&self, end: &str) -> Option<String> {
        let names = self.archive.file_names().flatten();
        let names = names.filter(|name| name.strip_suffix(end).is_some_and(is_folder));
        names.min_by_key(|name| name.len()).map(|name| name.to_string())
    }

    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if an entry is compressed or damaged.
    pub(super) fn require_stored(&mut self) -> Result<()> {
        for number in 0..self.archive.len() {
            let entry = self.archive.by_index_raw(number);
            let entry = entry.map_err(|error| refused("damaged zip archive").with_source(error))?;
            if entry.compression() != CompressionMethod::Stored {
                let message =
                    format!("the archive's entry {:?} is compressed", entry.name().unwrap_or_default());
                return Err(refused(message).with_hint("torch.load and torch.save write it anew"));
            }
        }
        Ok(())
    }

    /// All that an entry holds.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the entry is missing, damaged, encrypted, not a plain file,
    /// compressed in another way than by deflate, or claims to be many times as large as the archive.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let limit = self.bytes.saturating_mul(MAX_EXPANSION as u64);
        let damaged =
            |error: &dyn std::fmt::Display| refused(format!("entry {name:?} of the archive: {error}"));
        let entry = self.archive.by_name(name).map_err(|error| damaged(&error))?;
        if entry.is_symlink() || !entry.is_file() {
            return Err(damaged(&"not a plain file"));
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(damaged(&format_args!("compressed by {}", entry.compression())));
        }
        let size = entry.size();
        if size > limit {
            return Err(damaged(&format_args!("{size} bytes from an archive of {}", self.bytes)));
        }
        let mut contents = Vec::with_capacity(size.min(self.bytes) as usize);
        // One byte more than declared, so that an entry that goes on is noticed and not followed.
        entry.take(size + 1).read_to_end(&mut contents).map_err(|error| damaged(&error))?;
        if contents.len() as u64 != size {
            return Err(damaged(&format_args!("not the {size} bytes that it declares")));
        }
        Ok(contents)
    }
}

fn is_folder(path: &str) -> bool {
    path.is_empty() || path.ends_with('/')
}
