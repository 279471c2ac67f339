//! `topwork train`: photos with classes → a trained and evaluated classifier in a run folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use topwork::PhotoSource;
use topwork::dataset::{self, Dataset, Options};
use topwork::run::{RunFolder, RunInfo, TrainedRun, TrainingOptions};

use crate::arguments::{RecipeChoice, Train, Work};
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;
use crate::session::session;
use crate::shell::{command_line, quoted};
use crate::summary;
use crate::terminal::Terminal;

pub(crate) fn run(arguments: &Train) -> Result<Outcome, Failure> {
    let photos = Photos {
        data: &arguments.data,
        test: arguments.test.as_deref(),
        reading: arguments.reading.options(),
    };
    let is_notebook = arguments.recipe == Some(RecipeChoice::Notebook);
    let screen = Screen::new(Terminal::new(arguments.work.quiet)).with_epochs_of_keras(is_notebook);
    let (run, path) = train(&photos, arguments.options(), &arguments.out, &arguments.work, &screen)?;
    let mut out = std::io::stdout().lock();
    if is_notebook {
        summary::print_tables(&mut out, &run.results)?;
    }
    print(&mut out, &run, &path)?;
    Ok(summary::outcome(&run.skipped, arguments.max_skipped, &screen))
}

/// Photos to train on, and how their folder or table is read.
pub(crate) struct Photos<'a> {
    pub(crate) data: &'a Path,
    pub(crate) test: Option<&'a Path>,
    pub(crate) reading: Options,
}

/// A run with the time that it took in all, and where its files are.
pub(crate) type Trained = (TrainedRun, PathAndSeconds);

/// Where the files of a run are, and how long each stage took.
pub(crate) struct PathAndSeconds {
    pub(crate) path: PathBuf,
    pub(crate) seconds: Vec<(String, f64)>,
}

/// Trains, and writes the run's files.
pub(crate) fn train(
    photos: &Photos,
    options: TrainingOptions,
    out: &Path,
    work: &Work,
    screen: &Screen,
) -> Result<Trained, Failure> {
    let start = Instant::now();
    let dataset = photos.list()?;
    let before = vec![("list".to_owned(), start.elapsed().as_secs_f64())];
    let training = options.plan(dataset)?;
    let folder = RunFolder::reserve(out)?;
    let session = session(work)?;
    let run = screen.follow(|job| training.run(&session, job))?;
    let files = run.files(&RunInfo {
        title: RunInfo::title_of(photos.data),
        command: command_line(),
        threads: work.threads.map(usize::from),
        before,
    })?;
    let path = folder.commit(&files)?;
    Ok((run, PathAndSeconds { path, seconds: files.seconds }))
}

/// The summary, and a command to go on with.
pub(crate) fn print(
    out: &mut impl Write,
    run: &TrainedRun,
    PathAndSeconds { path, seconds }: &PathAndSeconds,
) -> Result<(), Failure> {
    summary::print(out, &run.results, &run.skipped, seconds, path)?;
    let example = run.results.example().and_then(PhotoSource::path).map_or("PHOTO".to_owned(), quoted);
    writeln!(out, "next: topwork predict --model {} {example}", quoted(path))?;
    Ok(())
}

impl Photos<'_> {
    /// Reads the folder or table, and that of the test set.
    pub(crate) fn list(&self) -> Result<Dataset, Failure> {
        Ok(dataset::open_with_test(self.data, self.test, &self.reading)?)
    }
}
