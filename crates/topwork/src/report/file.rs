//! Files that are written whole or not at all. The one place of the report that touches the disk; it never reads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

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
    attempt(path, bytes).map_err(|source| {
        let held = is_held(&source) && path.exists();
        let error = Error::io("cannot write", path, source);
        if held {
            error.with_hint("close the program that has it open, or allow writing to it")
        } else {
            error
        }
    })
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
    // Not `tempfile_in`: nobody else may read its files, and on Windows they stay temporary until its own `persist`, which
    // knows no path of more than 260 characters.
    tempfile::Builder::new()
        .prefix(PARTIAL_PREFIX)
        .suffix(PARTIAL_SUFFIX)
        .make_in(folder_of(path), |path| File::options().read(true).write(true).create_new(true).open(path))
}

/// Syncs the file, renames it over the path and syncs the folder.
pub(crate) fn finish(partial: NamedTempFile, path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    partial.as_file().sync_data()?;
    let (file, mut partial) = partial.into_parts();
    drop(file);
    rename(&partial, path)?;
    partial.disable_cleanup(true);
    sync_folder(folder_of(path))
}

/// How often a rename is tried again where a program holds one of the files open, and after how long.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// On Windows a virus scanner or an index may hold a new file open for a moment, which must not cost a run its results.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = ATTEMPTS;
    loop {
        match fs::rename(from, to) {
            Err(error) if left > 0 && is_held(&error) => {
                left -= 1;
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Whether another program may hold the file open: Windows' codes for "access is denied" and "a sharing violation".
fn is_held(error: &io::Error) -> bool {
    cfg!(windows) && matches!(error.raw_os_error(), Some(5 | 32))
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

    #[test]
    fn long_paths_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join(["a folder with a long name"; 12].join("/"));
        assert!(deep.as_os_str().len() > 300);
        fs::create_dir_all(&deep).unwrap();
        let path = deep.join("metrics.json");
        for content in ["old", "new"] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(&deep), ["metrics.json"]);
    }

    #[cfg(windows)]
    #[test]
    fn a_file_that_a_program_holds_open_is_waited_for_and_then_named() {
        use std::os::windows::fs::OpenOptionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.json");
        write_whole(&path, b"old").unwrap();
        let hold = || File::options().read(true).share_mode(0).open(&path).unwrap();

        let held = hold();
        let error = write_whole(&path, b"new").unwrap_err();
        assert!(error.remedy().is_some_and(|remedy| remedy.to_string().contains("open")), "{error}");
        drop(held);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["metrics.json"]);

        let held = hold();
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| write_whole(&path, b"new"));
            std::thread::sleep(PAUSE * 3);
            drop(held);
            writing.join().unwrap().unwrap();
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
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
