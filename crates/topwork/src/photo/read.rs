//! A file's bytes, if it is a regular file of a permitted size. Never waits on a pipe, never reads a device.

use super::{Limits, Reason, Unreadable};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads a photo's file; links are followed.
///
/// What it is gets checked before it is opened, so that a pipe without a writer cannot block; and again on the
/// open file, in case it changed in between.
///
/// # Errors
/// [`Reason::NotAFile`], [`Reason::Missing`], [`Reason::NoPermission`], [`Reason::TooLarge`],
/// [`Reason::Empty`] or [`Reason::Io`].
pub fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Unreadable> {
    let length = regular(&fs::metadata(path).map_err(unreadable)?)?;
    limits.check_bytes(length)?;
    let file = File::open(path).map_err(unreadable)?;
    let length = regular(&file.metadata().map_err(unreadable)?)?;
    limits.check_bytes(length)?;
    let mut bytes = Vec::with_capacity(length as usize);
    // One byte more than allowed, so that a file that grows meanwhile is noticed and not followed.
    file.take(limits.bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    limits.check_bytes(bytes.len() as u64)?;
    if bytes.is_empty() {
        return Err(Unreadable::new(Reason::Empty, "the file holds no bytes"));
    }
    Ok(bytes)
}

fn regular(metadata: &fs::Metadata) -> Result<u64, Unreadable> {
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let kind = if metadata.is_dir() { "a folder" } else { "a pipe, socket or device" };
    Err(Unreadable::new(Reason::NotAFile, kind))
}

fn unreadable(error: io::Error) -> Unreadable {
    let reason = match error.kind() {
        ErrorKind::NotFound => Reason::Missing,
        ErrorKind::PermissionDenied => Reason::NoPermission,
        ErrorKind::IsADirectory => Reason::NotAFile,
        _ => Reason::Io,
    };
    Unreadable::new(reason, error.to_string())
}
