//! `topwork evaluate`: a saved classifier on photos whose classes are known.

use topwork::Classifier;
use topwork::dataset::split::{Rule, split};
use topwork::dataset::{self, Set};
use topwork::features::look_warnings;

use crate::arguments::Evaluate;
use crate::commands::train::{conflicts, paths, row_of};
use crate::failure::{Failure, Outcome};
use crate::results::{Results, Skips, check_formats};
use crate::run_folder::RunFolder;
use crate::terminal::Terminal;
use crate::work::{self, Stopwatch, counted};

/// The seed of the random photos in the report; an evaluation has nothing else to draw.
const SEED: u64 = 42;

pub(crate) fn run(arguments: &Evaluate) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    let mut stopwatch = Stopwatch::start();
    let classifier = Classifier::open(&arguments.model, work::isa()?)?;
    stopwatch.stage("weights");
    let classes = &classifier.record().classes;
    let dataset =
        dataset::open_as(&arguments.data, classes, Set::Evaluation, &arguments.understanding.options())?;
    for note in &dataset.notes {
        terminal.say(format!("note: {note}"));
    }
    stopwatch.stage("list");

    let folder = RunFolder::reserve(&arguments.out)?;
    let extraction = work::extract(classifier.extractor(), &paths(&dataset), &arguments.work, terminal)?;
    stopwatch.stage("features");
    check_formats(&extraction, terminal)?;

    let digests = extraction.usable_digests();
    let split = split(&dataset, &digests, Rule::AllTrain, conflicts(arguments.understanding.conflicts))?;
    let skips = Skips::new(&dataset, &extraction, &split);
    let mut results = Results::new(classes, SEED);
    for index in split.of_set(Set::Evaluation) {
        let probabilities = classifier.probabilities(&extraction.features, row_of(&extraction, index)?);
        results.add(&dataset.samples[index], Set::Evaluation, probabilities);
    }
    results.evaluate();
    stopwatch.stage("evaluation");

    let mut notes = dataset.warnings.clone();
    notes.extend(split.warnings.iter().cloned());
    notes.extend(look_warnings(&dataset, &extraction));
    for note in &notes {
        terminal.warn(note);
    }
    let mut page = results.page(&arguments.data, notes, classifier.extractor().isa());
    let photos = split.of_set(Set::Evaluation).len();
    page.summary =
        format!("A saved classifier of {} on {}.", counted(classes.len(), "class"), counted(photos, "photo"));
    let settings = classifier.record().settings.clone();
    results.finish(
        &folder,
        page,
        &classifier,
        &settings,
        &skips,
        &extraction,
        &arguments.work,
        &mut stopwatch,
    )?;
    let path = folder.finish();
    results.print(&mut std::io::stdout().lock(), &skips, stopwatch.stages(), &path)?;
    Ok(skips.outcome(arguments.max_skipped, terminal))
}
