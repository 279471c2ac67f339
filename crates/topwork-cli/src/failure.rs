//! How a command ends: done, done with too much skipped, or failed.

use std::fmt;
use std::io;

use topwork::{Error, ErrorKind};

use crate::terminal::line;

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    Done,
    TooManySkipped,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(Error),
    Interrupted,
    ClosedPipe,
    Output(io::Error),
}

impl Failure {
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Failure::Error(error) => error.hint(),
            Failure::Interrupted | Failure::ClosedPipe | Failure::Output(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(error) => write!(formatter, "{error}"),
            Failure::Interrupted => formatter.write_str("interrupted"),
            Failure::ClosedPipe => formatter.write_str("the reader of the output is gone"),
            Failure::Output(error) => write!(formatter, "cannot write to standard output: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if error.kind() == ErrorKind::Interrupted { Failure::Interrupted } else { Failure::Error(error) }
    }
}

/// Errors of standard output; files have their path in an [`Error`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe { Failure::ClosedPipe } else { Failure::Output(error) }
    }
}

impl From<csv::Error> for Failure {
    fn from(error: csv::Error) -> Failure {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Failure::Output(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// Replaces Rust's message for a panic by one for users. A panic while a photo is worked on is caught by the library
/// and becomes a row in the list of skipped files, so it is not worth a message.
pub(crate) fn explain_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if std::thread::current().name() == Some(topwork::features::extract::PHOTO_THREAD) {
            return;
        }
        line(format_args!("error: this is a defect of topwork {}: {panic}", env!("CARGO_PKG_VERSION")));
        line("  try: please report it with the command that you ran");
    }));
}
