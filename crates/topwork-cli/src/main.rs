//! The program `topwork`: parse → dispatch → exit status. What a command does is in `commands/`.
//!
//! Data goes to standard output, everything else to standard error. Exit status: 0 done; 1 failed; 2 wrong usage;
//! 3 done, but more was skipped than allowed; 130 interrupted.

mod arguments;
mod commands;
mod epochs;
mod failure;
mod interrupt;
mod pictures;
mod screen;
mod session;
mod shell;
mod summary;
mod table;
mod terminal;
mod wording;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use failure::{Failure, Outcome};
use terminal::line;

fn main() -> ExitCode {
    let arguments = Arguments::of_program();
    failure::explain_panics();
    interrupt::install();
    let keeps_features = match &arguments.command {
        Command::Train(arguments) => !arguments.work.no_store,
        Command::Evaluate(arguments) => !arguments.work.no_store,
        Command::Predict(arguments) => !arguments.work.no_store,
        Command::Demo(arguments) => !arguments.work.no_store,
        Command::Check(_)
        | Command::Backbones(_)
        | Command::Store(_)
        | Command::Weights(_)
        | Command::Bench(_)
        | Command::Completions(_) => false,
    };
    let outcome = match arguments.command {
        Command::Train(arguments) => commands::train::run(&arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::Predict(arguments) => commands::predict::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Backbones(arguments) => commands::backbones::run(&arguments),
        Command::Store(arguments) => commands::store::run(&arguments),
        Command::Weights(arguments) => commands::weights::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Completions(arguments) => commands::completions::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::TooManySkipped) => ExitCode::from(3),
        // Whoever reads our output has seen enough.
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Interrupted) => {
            line(match keeps_features {
                true => "interrupted; features computed so far are kept in the store",
                false => "interrupted",
            });
            ExitCode::from(130)
        }
        Err(failure) => {
            line(format_args!("error: {failure}"));
            if let Some(hint) = failure.hint() {
                line(format_args!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}
