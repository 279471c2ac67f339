//! What a file is, by its first bytes.

use super::{hdf5, pytorch, safetensors};

/// The kinds of weights files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Safetensors,
    /// PyTorch's or Keras' archive, which its entries tell apart.
    Zip,
    /// PyTorch until 1.5: several pickles, then the values.
    PyTorchLegacy,
    /// PyTorch before 0.1.10.
    PyTorchTar,
    /// Keras' `.h5` and `.weights.h5`.
    Hdf5,
    /// A pickle of something else than tensors.
    Pickle,
}

impl Format {
    pub(super) fn of(bytes: &[u8]) -> Option<Format> {
        // A header of safetensors may have any length, and so any first byte: what is certain comes first.
        if bytes.starts_with(hdf5::SIGNATURE) {
            Some(Format::Hdf5)
        } else if bytes.starts_with(b"PK\x03\x04") {
            Some(Format::Zip)
        } else if safetensors::recognises(bytes) {
            Some(Format::Safetensors)
        } else if pytorch::is_legacy(bytes) {
            Some(Format::PyTorchLegacy)
        } else if pytorch::is_tar(bytes) {
            Some(Format::PyTorchTar)
        } else if bytes.first() == Some(&0x80) && bytes.get(1).is_some_and(|version| *version <= 5) {
            Some(Format::Pickle)
        } else {
            None
        }
    }
}

/// What a file seems to be that holds no weights: the rest of "this is …", and what to try.
pub(super) fn guess(bytes: &[u8]) -> (&'static str, &'static str) {
    const READ: &str =
        "topwork reads .safetensors, PyTorch's .pth and .pt, Keras' .h5, .weights.h5 and .keras";
    const DOWNLOAD: &str = "the download gave something else than the file: fetch it again";
    let text = bytes.trim_ascii_start();
    let begins = |start: &[u8]| text.len() >= start.len() && text[..start.len()].eq_ignore_ascii_case(start);
    if bytes.is_empty() {
        return ("an empty file", DOWNLOAD);
    }
    if begins(b"<!doctype html") || begins(b"<html") {
        return ("a web page, not a weights file", DOWNLOAD);
    }
    if begins(b"<?xml") || begins(b"<Error") {
        return ("an XML document, not a weights file", DOWNLOAD);
    }
    if begins(b"version https://git-lfs.github.com/spec") {
        return ("a pointer of Git LFS, not the file itself", "`git lfs pull` fetches the file");
    }
    if begins(b"{") || begins(b"[") {
        return ("a JSON document, not a weights file", READ);
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return ("a gzip archive, not a weights file", "unpack it first");
    }
    if bytes.starts_with(b"\x28\xb5\x2f\xfd") || bytes.starts_with(b"BZh") || bytes.starts_with(b"\xfd7zXZ") {
        return ("a compressed archive, not a weights file", "unpack it first");
    }
    if bytes.starts_with(b"PK\x05\x06") {
        return ("an empty zip archive", DOWNLOAD);
    }
    if bytes.starts_with(b"GGUF") {
        return ("a GGUF file, a format that topwork does not read", READ);
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return ("a NumPy array, a format that topwork does not read", READ);
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return ("a TensorFlow Lite model, a format that topwork does not read", READ);
    }
    // An ONNX model is a protocol buffer that begins with the version of its representation and its producer's name.
    if bytes.first() == Some(&0x08) && bytes.get(2) == Some(&0x12) {
        return ("an ONNX model, it seems, a format that topwork does not read", READ);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return ("a file of zeros", DOWNLOAD);
    }
    ("not a weights file that topwork knows", READ)
}
