//! Files that are written whole or not at all. The one place of the report that touches the disk; it never reads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes the bytes to a temporary file beside the path, syncs it, renames it over the path and syncs the folder. A
/// crash, a full disk or a kill at any moment leaves either the old file or the new one. The folder must exist.
///
/// The file gets the permissions that any new file would get (0666 less the umask).
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) with the path; the old file, if any, is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    attempt(path, bytes).map_err(|source| Error::io("cannot write", path, source))
}

fn attempt(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = partial_beside(path)?;
    partial.write_all(bytes)?;
    finish(partial, path)
}

/// How the names of files that are not finished begin.
pub(crate) const PARTIAL_PREFIX: &str = ".topwork-";

/// How they end.
pub(crate) const PARTIAL_SUFFIX: &str = ".partial";

/// An empty temporary file in the folder of the path, which [`finish`] gives that name; it is deleted where that never happens.
pub(crate) fn partial_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL_PREFIX).suffix(PARTIAL_SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// Syncs the file, renames it over the path and syncs the folder.
pub(crate) fn finish(partial: NamedTempFile, path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    partial.as_file().sync_data()?;
    partial.persist(path).map_err(|failure| failure.error)?;
    sync_folder(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the rename itself survive a power cut. Only Unix can open a folder for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_new_content_replaces_the_old_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.json");
        for content in ["old, and longer", "new", ""] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(names(folder.path()), ["metrics.json"]);
        }
    }

    #[test]
    fn a_failure_names_the_path_and_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("report.html");
        fs::create_dir(&occupied).unwrap();
        fs::write(occupied.join("kept"), "old").unwrap();
        for path in [occupied.clone(), folder.path().join("missing/report.html")] {
            let error = write_whole(&path, b"new").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert_eq!(error.path(), Some(path.as_path()));
        }
        assert_eq!(names(folder.path()), ["report.html"]);
        assert_eq!(fs::read_to_string(occupied.join("kept")).unwrap(), "old");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_written_keeps_the_old_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.json");
        write_whole(&path, b"old").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let outcome = write_whole(&path, b"new");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        match outcome {
            Err(_) => assert_eq!(fs::read_to_string(&path).unwrap(), "old"),
            Ok(()) => {
                let _ = writeln!(io::stderr(), "skipped: this user may write everywhere");
            }
        }
        assert_eq!(names(folder.path()), ["metrics.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file_as_they_may_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ordinary, whole) = (folder.path().join("ordinary"), folder.path().join("whole"));
        fs::write(&ordinary, "").unwrap();
        write_whole(&whole, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&whole), mode(&ordinary));
    }
}
