//! What a file of weights is recognised by.

use std::io::{self, Read};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The length of a file and the digests of its bytes, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3, as [`Weights::digest`](super::Weights::digest).
    pub blake3: String,
    /// SHA-256: what most publishers state.
    pub sha256: String,
    /// MD5: what Keras states.
    pub md5: String,
}

impl Digests {
    /// Reads to the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of(mut reader: impl Read) -> io::Result<Digests> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// All digests in one pass.
#[derive(Default)]
pub(super) struct Hasher {
    bytes: u64,
    blake3: blake3::Hasher,
    sha256: Sha256,
    md5: Md5,
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.blake3.update(bytes);
        self.sha256.update(bytes);
        self.md5.update(bytes);
    }

    pub(super) fn finish(self) -> Digests {
        Digests {
            bytes: self.bytes,
            blake3: self.blake3.finalize().to_hex().to_string(),
            sha256: hexadecimal(&self.sha256.finalize()),
            md5: hexadecimal(&self.md5.finalize()),
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
