//! How a command ends: done, done with too much skipped, or failed.

use std::fmt;
use std::io;

use topwork::{Error, ErrorKind};

use crate::terminal::line;
use crate::wording;

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
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Failure::Error(error) => error.remedy().map(wording::hint),
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

/// Replaces Rust's message for a panic by one for users; none for a panic that the library catches, which becomes a reason why a
/// file is skipped.
pub(crate) fn explain_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if topwork::panics_are_caught() {
            return;
        }
        line(format_args!("error: this is a defect of topwork {}: {panic}", env!("CARGO_PKG_VERSION")));
        line("hint: please report it with the command that you ran");
    }));
}
