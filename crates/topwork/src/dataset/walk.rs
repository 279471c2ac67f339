//! One folder after another, in an order that does not depend on the disk: what may be a photo, what is not
//! looked at, and what cannot be used.
//!
//! Only names and kinds are looked at: no file is opened, so a pipe or a device cannot block. Links are followed,
//! and a folder is entered once at most, so loops end. An explicit stack: depth costs no call stack.

use super::{IgnoreReason, Ignored, SkipReason, Skipped, name};
use crate::error::{Error, ErrorKind, Result};
use crate::photo::{Reason, Unreadable};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Folders nested deeper below the start than this are skipped as `too-deep`.
pub const MAXIMUM_DEPTH: usize = 64;

/// More files than this in one listing are an error.
pub const MAXIMUM_FILES: usize = 10_000_000;

/// An entry of a folder, before its place decides what it is.
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A regular file, or a link to one.
    File,
    Folder {
        linked: bool,
    },
    /// By its name no photo; the reason.
    Ignored(IgnoreReason),
    /// Neither file nor folder, or not to be found out; reason and detail.
    Unusable(Unreadable),
}

/// The entries of a folder, sorted by the bytes of their names.
pub(super) fn entries(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let path = entry.path();
        let kind = match ignored_name(&name) {
            Some(reason) => Kind::Ignored(reason),
            None => match entry.file_type() {
                Ok(file_type) if file_type.is_symlink() => match std::fs::metadata(&path) {
                    Ok(metadata) => kind(metadata.file_type(), true),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Kind::Unusable(Unreadable::new(Reason::Missing, "a link that leads nowhere"))
                    }
                    Err(error) => unusable(&error),
                },
                Ok(file_type) => kind(file_type, false),
                Err(error) => unusable(&error),
            },
        };
        let kind = match kind {
            Kind::Folder { .. } if is_results(&name, &path) => Kind::Ignored(IgnoreReason::Results),
            Kind::File if is_other(&name) => Kind::Ignored(IgnoreReason::NoPhoto),
            kind => kind,
        };
        entries.push(Entry { name, path, kind });
    }
    entries.sort_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
    Ok(entries)
}

/// Whether a folder is what an earlier run left: by its name (`topwork-run`, `topwork-run-2`, …), which an unfinished
/// run has too, or by its files. Someone who trains in the folder of photos must not find its results as a class.
fn is_results(name: &OsStr, path: &Path) -> bool {
    let name = name.to_string_lossy();
    let named = ["topwork-run", "topwork-demo", "topwork-evaluation"].iter().any(|known| {
        name.strip_prefix(known).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|number| number.parse::<u32>().is_ok())
        })
    });
    named || ["metrics.json", "run.json"].iter().all(|file| path.join(file).is_file())
}

fn kind(file_type: std::fs::FileType, linked: bool) -> Kind {
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Folder { linked }
    } else {
        Kind::Unusable(Unreadable::new(Reason::NotAFile, special(file_type)))
    }
}

#[cfg(unix)]
fn special(file_type: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if file_type.is_fifo() {
        "a named pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_block_device() || file_type.is_char_device() {
        "a device"
    } else {
        "neither a file nor a folder"
    }
}

#[cfg(not(unix))]
fn special(_: std::fs::FileType) -> &'static str {
    "neither a file nor a folder"
}

pub(super) fn unusable(error: &std::io::Error) -> Kind {
    let reason = match error.kind() {
        std::io::ErrorKind::PermissionDenied => Reason::NoPermission,
        std::io::ErrorKind::NotFound => Reason::Missing,
        _ => Reason::Io,
    };
    Kind::Unusable(Unreadable::new(reason, error.to_string()))
}

/// Why nothing of that name is ever a photo: hidden by a leading dot (`.DS_Store`, `._x.jpg`, `.ipynb_checkpoints`,
/// `.git`), or left behind by Windows, macOS or a Synology (`Thumbs.db`, `desktop.ini`, `__MACOSX`, `@eaDir`).
pub(super) fn ignored_name(name: &OsStr) -> Option<IgnoreReason> {
    let name = name.as_encoded_bytes();
    if name.starts_with(b".") {
        return Some(IgnoreReason::Hidden);
    }
    let system: [&[u8]; 6] =
        [b"thumbs.db", b"ehthumbs.db", b"desktop.ini", b"__macosx", b"@eadir", b"__pycache__"];
    system.iter().any(|junk| name.eq_ignore_ascii_case(junk)).then_some(IgnoreReason::System)
}

/// Whether nobody takes a file of that name for a photo: by its ending.
fn is_other(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0) else { return false };
    OTHERS.iter().any(|ending| name[dot + 1..].eq_ignore_ascii_case(ending.as_bytes()))
}

/// Endings of notes, tables, sidecars, films, documents, programs and models that lie beside photos.
const OTHERS: [&str; 36] = [
    "txt", "md", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "log", "html", "htm",
    "xmp", "aae", "thm", "mov", "mp4", "m4v", "avi", "mpg", "pdf", "doc", "docx", "xls", "xlsx", "py", "pyc",
    "ipynb", "npy", "npz", "pt", "pth", "h5", "zip",
];

/// What tells one file or folder from another, however it is reached.
#[cfg(unix)]
pub(super) type Identity = (u64, u64);
#[cfg(not(unix))]
pub(super) type Identity = PathBuf;

#[cfg(unix)]
pub(super) fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    // Some drives on Windows tell nobody what a path leads to. There only depth ends a loop.
    std::fs::canonicalize(path).or_else(|error| match error.kind() {
        NotFound | PermissionDenied => Err(error),
        _ => std::path::absolute(path),
    })
}

/// All that lies below a folder, at any depth, sorted by name.
#[derive(Default)]
pub(super) struct Found {
    /// Name and path of everything that may be a photo.
    pub(super) files: Vec<(String, PathBuf)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) ignored: Vec<Ignored>,
}

impl Found {
    pub(super) fn skip(&mut self, name: String, path: PathBuf, reason: SkipReason) {
        self.skipped.push(Skipped { name, path: Some(path), reason, label: None, set: None });
    }

    fn sort(&mut self) {
        self.files.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        self.skipped.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        self.ignored.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    }
}

/// Walks a folder whose own name is `prefix`, never entering the folders `above` it again.
///
/// Real folders come before links, so that a photo reached both ways keeps its real name.
///
/// # Errors
/// Kind `Dataset` for more than [`MAXIMUM_FILES`] files; what cannot be read is skipped, not an error.
pub(super) fn walk(folder: &Path, prefix: &str, above: &[&Path]) -> Result<Found> {
    let mut entered: HashSet<Identity> = above.iter().filter_map(|path| identity(path).ok()).collect();
    let mut found = Found::default();
    let mut real = vec![(folder.to_path_buf(), prefix.to_string(), 0)];
    let mut linked = std::collections::VecDeque::new();
    while let Some((folder, prefix, depth)) = real.pop().or_else(|| linked.pop_front()) {
        match identity(&folder).map(|identity| entered.insert(identity)) {
            Ok(true) => {}
            Ok(false) => {
                found.skip(prefix, folder, SkipReason::Loop);
                continue;
            }
            Err(error) => {
                skip_unusable(&mut found, prefix, folder, &error);
                continue;
            }
        }
        let entries = match entries(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                skip_unusable(&mut found, prefix, folder, &error);
                continue;
            }
        };
        let inner = real.len();
        for entry in entries {
            let name = joined(&prefix, &entry.name);
            match entry.kind {
                Kind::File => found.files.push((name, entry.path)),
                Kind::Folder { .. } if depth >= MAXIMUM_DEPTH => {
                    found.skip(name, entry.path, SkipReason::TooDeep);
                }
                Kind::Folder { linked: true } => linked.push_back((entry.path, name, depth + 1)),
                Kind::Folder { linked: false } => real.push((entry.path, name, depth + 1)),
                Kind::Ignored(reason) => found.ignored.push(Ignored { name, reason }),
                Kind::Unusable(why) => found.skip(name, entry.path, SkipReason::Unreadable(why)),
            }
        }
        // The last in is the first out.
        real[inner..].reverse();
        if found.files.len() > MAXIMUM_FILES {
            let message = format!("more than {MAXIMUM_FILES} files");
            return Err(Error::new(ErrorKind::Dataset, message).with_path(folder));
        }
    }
    found.sort();
    Ok(found)
}

fn skip_unusable(found: &mut Found, name: String, path: PathBuf, error: &std::io::Error) {
    if let Kind::Unusable(why) = unusable(error) {
        found.skip(name, path, SkipReason::Unreadable(why));
    }
}

/// The name of an entry of the folder called `prefix`; the root's own prefix is empty.
pub(super) fn joined(prefix: &str, entry: &OsStr) -> String {
    let part = name::escape_part(entry);
    if prefix.is_empty() || prefix.ends_with('/') {
        format!("{prefix}{part}")
    } else {
        format!("{prefix}/{part}")
    }
}
