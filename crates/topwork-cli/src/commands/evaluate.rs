//! `topwork evaluate`: a saved classifier on photos whose classes are known.

use std::time::Instant;

use topwork::Classifier;
use topwork::dataset::{self, Subset};
use topwork::run::{RunFolder, RunInfo, evaluate};

use crate::arguments::Evaluate;
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;
use crate::session::session;
use crate::shell::command_line;
use crate::summary;
use crate::terminal::Terminal;

pub(crate) fn run(arguments: &Evaluate) -> Result<Outcome, Failure> {
    let screen = Screen::new(Terminal::new(arguments.work.quiet));
    let session = session(&arguments.work)?;
    let start = Instant::now();
    let classifier = Classifier::open(&arguments.model, session.isa())?;
    let opened = start.elapsed().as_secs_f64();
    let classes = &classifier.record().classes;
    let options = arguments.reading.options();
    let dataset = dataset::open_as(&arguments.data, classes, Subset::Evaluation, &options)?;
    let listed = start.elapsed().as_secs_f64() - opened;
    let folder = RunFolder::reserve(&arguments.out)?;
    let options = arguments.reading.evaluation();
    let run = screen.follow(|job| evaluate(&classifier, &dataset, &options, &session, job))?;
    let files = run.files(&RunInfo {
        title: RunInfo::title_of(&arguments.data),
        command: command_line(),
        threads: arguments.work.threads.map(usize::from),
        before: vec![("weights".to_owned(), opened), ("list".to_owned(), listed)],
    })?;
    let path = folder.commit(&files)?;
    summary::print(&mut std::io::stdout().lock(), &run.results, &run.skipped, &files.seconds, &path)?;
    Ok(summary::outcome(&run.skipped, arguments.max_skipped, &screen))
}
