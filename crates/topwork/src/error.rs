//! What can go wrong, sorted by who can act on it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::dataset::name::visible;
use crate::remedy::Remedy;

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can act on an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// One photo cannot be used.
    Photo,
    /// The folder or table of photos cannot be used as it is.
    Dataset,
    /// A file of network weights cannot be used.
    Weights,
    /// A saved classifier cannot be used.
    Model,
    /// The caller asked for something that does not exist or does not fit.
    Configuration,
    /// The feature store cannot be used.
    Store,
    /// Reading or writing failed.
    Io,
    /// The caller asked to stop.
    Interrupted,
    /// A defect of topwork.
    Bug,
}

/// What failed, on which file, why, and what to try.
///
/// `Display` gives one line: the message, the path, the cause. The [`remedy`](Error::remedy) is apart from it, so
/// that a program can set it off.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    remedy: Option<Remedy>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of that kind; the message says what failed, what was expected and what was found.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), path: None, remedy: None, source: None }))
    }

    /// A failed system call on a file: the action reads like "cannot read".
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, action).with_path(path).with_source(source)
    }

    /// The same error, on that file.
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Error {
        self.0.path = Some(path.into());
        self
    }

    /// The same error, with something to try.
    pub fn with_hint(mut self, remedy: impl Into<Remedy>) -> Error {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// The same error, with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Who can act on it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file that it is about, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// What to try, if something is known.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        if let Some(path) = &self.0.path {
            write!(formatter, ": {}", visible(&path.display().to_string()))?;
        }
        if let Some(source) = &self.0.source {
            write!(formatter, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
