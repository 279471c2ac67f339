//! The folder that a run leaves: chosen so that nothing is overwritten, gone again if the run fails.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::RunFiles;
use crate::error::{Error, ErrorKind, Result};
use crate::remedy::Remedy;
use crate::report::write_whole;

/// A folder for results that this run made or found empty.
pub struct RunFolder {
    path: PathBuf,
    written: Vec<PathBuf>,
    finished: bool,
}

impl RunFolder {
    /// Takes `wanted`, or the first of `wanted-2`, `wanted-3`, … that is free, and creates it: a path that cannot be
    /// written is known before the work starts.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the path has no name or too many are taken; [`ErrorKind::Io`] if it cannot be created or
    /// written.
    pub fn reserve(wanted: &Path) -> Result<RunFolder> {
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
                Err(error) => return Err(Error::io("cannot create the folder", &path, error)),
            }
        }
        Err(Error::new(ErrorKind::Configuration, "there are 10,000 folders of results here already")
            .with_path(wanted)
            .with_hint(Remedy::NameOutput))
    }

    /// A folder that is there and empty; one that cannot be written is an error now, not after the work.
    fn new(path: PathBuf) -> Result<RunFolder> {
        let mut folder = RunFolder { path, written: Vec::new(), finished: false };
        folder.write("run.json", b"{}\n")?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the files of a run, each whole or not at all; the folder stays from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if one cannot be written; the folder is gone then, unless others put something into it.
    pub fn commit(mut self, files: &RunFiles) -> Result<PathBuf> {
        for file in &files.files {
            self.write(file.name, &file.bytes)?;
        }
        Ok(self.keep())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        write_whole(&path, bytes)?;
        self.written.push(path);
        Ok(())
    }

    /// Keeps the folder as it is.
    pub fn keep(mut self) -> PathBuf {
        self.finished = true;
        self.path.clone()
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.finished {
            // A part of a run looks like a run; what is not ours keeps the folder where it is.
            for file in &self.written {
                let _ = fs::remove_file(file);
            }
            let _ = fs::remove_dir(&self.path);
        }
    }
}
