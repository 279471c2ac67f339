//! What is known of a file of weights, as JSON in the cache under the file's BLAKE3, so that a later run need not hash it again.
//! Written for speed, not for trust: a loaded file is always compared with the digest.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::Digests;
use crate::error::{Error, ErrorKind, Result};
use crate::report::write_whole;

/// The number of the format that this version writes and reads.
const FORMAT: u32 = 1;

/// A longer record is none of ours.
const MAX_BYTES: u64 = 1 << 16;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    format: u32,
    /// The name of the backbone that the weights are for.
    pub(super) backbone: String,
    /// The name of the published file that it is; none for a file of the user's own.
    pub(super) source: Option<String>,
    /// A name in the cache, or an absolute path in the cache of a framework.
    pub(super) file: PathBuf,
    /// When the file was last modified, in nanoseconds since 1970.
    modified: u64,
    pub(super) digests: Digests,
}

impl Record {
    pub(super) fn new(
        backbone: &str,
        source: Option<&str>,
        file: PathBuf,
        metadata: &Metadata,
        digests: Digests,
    ) -> Record {
        let (backbone, source) = (backbone.to_owned(), source.map(str::to_owned));
        Record { format: FORMAT, backbone, source, file, modified: modified(metadata), digests }
    }

    /// The record in a file of the cache; none where it is something else.
    pub(super) fn read(path: &Path) -> Option<Record> {
        let metadata =
            std::fs::metadata(path).ok().filter(|found| found.is_file() && found.len() <= MAX_BYTES)?;
        let text = std::fs::read_to_string(path).ok().filter(|_| metadata.len() > 0)?;
        let record: Record = serde_json::from_str(&text).ok()?;
        let named = path.file_name()?.to_str()? == file_name(&record.digests.blake3, &record.backbone);
        // A name that leads out of the folder is none that topwork wrote.
        let mut parts = record.file.components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        let understood = record.format == FORMAT && named && (plain || record.file.is_absolute());
        understood.then_some(record)
    }

    /// Writes it into the folder of the cache.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(file_name(&self.digests.blake3, &self.backbone));
        let json = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Io, "cannot write down what is known of the weights")
                .with_path(&self.file)
                .with_source(error)
        })?;
        write_whole(&path, (json + "\n").as_bytes())
    }

    /// Whether the file is as it was when its digests were computed, by length and time.
    pub(super) fn is_current(&self, metadata: &Metadata) -> bool {
        metadata.len() == self.digests.bytes && modified(metadata) == self.modified
    }

    /// The same file, modified since without another content.
    pub(super) fn touched(&self, metadata: &Metadata) -> Record {
        Record { modified: modified(metadata), ..self.clone() }
    }
}

/// The name of the record of a file with that digest.
fn file_name(blake3: &str, backbone: &str) -> String {
    format!("{blake3}.{backbone}.json")
}

fn modified(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
