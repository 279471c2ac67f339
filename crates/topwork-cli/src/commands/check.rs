//! `topwork check`: what would be understood of a folder or table of photos. Trains nothing and writes nothing.

use std::io::Write;

use topwork::dataset::split::{Conflicts, Rule, Split, split};
use topwork::dataset::{Options, Set, name};
use topwork::features::extract::{Run, Steps, choose_range, extract};
use topwork::features::store::Store;
use topwork::features::{Facts, look_warnings};
use topwork::network::Layout;
use topwork::photo::{self, Limits};
use topwork::{DEFAULT_BACKBONE, ErrorKind, backbone};

use crate::arguments::{Check, ConflictsChoice};
use crate::commands::train::{list, paths, training_places};
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::results::{Skips, formats};
use crate::terminal::Terminal;
use crate::work::{counted, of_sixteen_bits, range_note};

/// How many names of each kind are shown.
const SHOWN: usize = 20;

pub(crate) fn run(Check { train: arguments }: &Check) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    // Conflicts are listed with all else, whatever training would do with them.
    let options = Options { skip_conflicts: true, ..arguments.understanding.options() };
    let dataset = list(&arguments.data, arguments.test.as_deref(), &options, Terminal::new(true))?;
    let limits = Limits::default();
    // Large photos are decoded no larger than training wants them.
    let shorter = backbone::row(DEFAULT_BACKBONE)?.preprocess()?.shorter();
    let mut range = arguments.level.unwrap_or_default();
    let extraction = choose_range(&paths(&dataset), &training_places(&dataset), range, |paths, chosen| {
        range = chosen;
        let progress = terminal.progress("photos", paths.len());
        // The same line as training, up to the pixels: features of width 0 need no network.
        let steps = Steps {
            identity: &|_| [0; 32],
            layout: &Layout::plain(0, 0),
            read: &|path| photo::read(path, &limits),
            workspace: &|| (),
            features: &|bytes, (), _, _| {
                let (photo, samples) = photo::decode_in_range(bytes, &limits, shorter, chosen)?;
                Ok(Facts::of(&photo, samples))
            },
        };
        let run = Run {
            threads: arguments.work.threads.map_or(0, usize::from),
            progress: &|now| progress.set(now.done),
            stop: interrupt::flag(),
        };
        extract(paths, &steps, &Store::none(), &run)
    })?;
    let digests = extraction.usable_digests();
    // What keeps training from starting is said at the end: the counts and the skipped files explain it.
    let (split, problem) = match split(&dataset, &digests, Rule::AllTrain, Conflicts::Skip) {
        Ok(split) => (split, None),
        Err(error) if error.kind() == ErrorKind::Dataset => {
            let set = |(sample, digest): (&topwork::dataset::Sample, &Option<_>)| {
                digest.is_some().then(|| sample.set.unwrap_or(Set::Training))
            };
            let sets = dataset.samples.iter().zip(&digests).map(set).collect();
            let split = Split { sets, skipped: Vec::new(), notes: Vec::new(), warnings: Vec::new() };
            (split, Some(error))
        }
        Err(error) => return Err(error.into()),
    };
    let skips = Skips::new(&dataset, &extraction, &split);

    let mut out = std::io::stdout().lock();
    let sets = [Set::Training, Set::Validation, Set::Test];
    let shown = |set: &Set| *set == Set::Training || !split.of_set(*set).is_empty();
    let sets: Vec<Set> = sets.into_iter().filter(shown).collect();
    let names: Vec<String> = dataset.classes.iter().map(|class| name::visible(class)).collect();
    let width = names.iter().map(|class| class.chars().count()).max().unwrap_or(0).max("class".len());
    write!(out, "{:<width$}", "class")?;
    for set in &sets {
        write!(out, "  {:>10}", set.as_str())?;
    }
    for (label, class) in names.iter().enumerate() {
        write!(out, "\n{class:<width$}")?;
        for set in &sets {
            let count =
                split.of_set(*set).into_iter().filter(|index| dataset.samples[*index].label == label).count();
            write!(out, "  {:>10}", topwork::report::grouped(count as u64))?;
        }
    }
    writeln!(out, "\n")?;
    for note in dataset.notes.iter().chain(&split.notes) {
        writeln!(out, "note: {note}")?;
    }
    if let Some(note) = range_note(range, of_sixteen_bits(&extraction)) {
        writeln!(out, "note: {note}")?;
    }
    for warning in split.warnings.iter().chain(&look_warnings(&dataset, &extraction)) {
        writeln!(out, "warning: {warning}")?;
    }
    for line in formats(&extraction) {
        writeln!(out, "warning: {line}")?;
    }
    let conflicts = skips.files().iter().filter(|file| file.reason == "conflict").count();
    if conflicts > 0 && arguments.understanding.conflicts == ConflictsChoice::Error {
        let photos = counted(conflicts, "photo");
        writeln!(
            out,
            "warning: {photos} in two classes each; training stops there without --conflicts skip"
        )?;
    }
    writeln!(out, "{}", skips.line())?;
    for (reason, count) in skips.by_reason() {
        let of_reason = skips.files().iter().filter(|file| file.reason == reason);
        for file in of_reason.take(SHOWN) {
            writeln!(out, "  {reason}: {} ({})", name::visible(&file.name), name::visible(&file.detail))?;
        }
        if count > SHOWN {
            writeln!(out, "  {reason}: {} more", count - SHOWN)?;
        }
    }
    if !dataset.ignored.is_empty() {
        writeln!(out, "{} ignored, no photos by name or place", counted(dataset.ignored.len(), "name"))?;
        for ignored in dataset.ignored.iter().take(SHOWN) {
            writeln!(out, "  {}: {}", ignored.reason, name::visible(&ignored.name))?;
        }
        if dataset.ignored.len() > SHOWN {
            writeln!(out, "  {} more", dataset.ignored.len() - SHOWN)?;
        }
    }
    match problem {
        Some(error) => Err(error.into()),
        None => Ok(skips.outcome(arguments.max_skipped, terminal)),
    }
}
