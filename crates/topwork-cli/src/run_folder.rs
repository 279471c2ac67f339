//! The folder that a run leaves: chosen so that nothing is overwritten, gone again if the run fails.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use topwork::{Error, ErrorKind, report};

use crate::failure::Failure;

/// A folder for results that this run made or found empty.
pub(crate) struct RunFolder {
    path: PathBuf,
    written: RefCell<Vec<PathBuf>>,
    finished: bool,
}

impl RunFolder {
    /// Takes `wanted`, or the first of `wanted-2`, `wanted-3`, … that is free, and creates it: a path that cannot be
    /// written is known before the work starts.
    pub(crate) fn reserve(wanted: &Path) -> Result<RunFolder, Failure> {
        let name = wanted.file_name().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "a folder for results needs a name").with_path(wanted)
        })?;
        for number in 1..10_000 {
            let mut numbered = name.to_owned();
            if number > 1 {
                numbered.push(format!("-{number}"));
            }
            let path = wanted.with_file_name(numbered);
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::create_dir_all(parent)
                    .map_err(|error| Error::io("cannot create the folder", parent, error))?;
            }
            match fs::create_dir(&path) {
                Ok(()) => return RunFolder::new(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()) {
                        return RunFolder::new(path);
                    }
                }
                Err(error) => return Err(Error::io("cannot create the folder", &path, error).into()),
            }
        }
        Err(Error::new(ErrorKind::Configuration, "10,000 folders of results lie here already")
            .with_path(wanted)
            .with_hint("give another folder with --out")
            .into())
    }

    /// A folder that is there and empty; one that cannot be written is an error now, not after the work.
    fn new(path: PathBuf) -> Result<RunFolder, Failure> {
        let folder = RunFolder { path, written: RefCell::default(), finished: false };
        folder.write("run.json", b"{}\n")?;
        Ok(folder)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file, whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        report::write_whole(&path, bytes)?;
        self.written.borrow_mut().push(path);
        Ok(())
    }

    /// All is written: the folder stays.
    pub(crate) fn finish(mut self) -> PathBuf {
        self.finished = true;
        self.path.clone()
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.finished {
            // A part of a run looks like a run; what is not ours keeps the folder where it is.
            for file in self.written.borrow().iter() {
                let _ = fs::remove_file(file);
            }
            let _ = fs::remove_dir(&self.path);
        }
    }
}
