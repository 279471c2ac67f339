//! `topwork completions`: a completion script for a shell.

use std::io::Write;

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::failure::{Failure, Outcome};

pub(crate) fn run(arguments: &Completions) -> Result<Outcome, Failure> {
    // Into memory first: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "topwork", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}
