//! `topwork check`: how a folder or table of photos is read. Trains nothing and writes nothing.

use std::io::Write;

use topwork::dataset::{Options, Subset, name::visible};
use topwork::report::{counted, grouped};
use topwork::run::{Inspection, inspect};

use crate::arguments::{Check, ConflictsChoice};
use crate::commands::train::Photos;
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;
use crate::session::session_without_store;
use crate::summary;
use crate::terminal::Terminal;
use crate::wording;

/// How many names of each kind are shown.
const SHOWN: usize = 20;

pub(crate) fn run(Check { train: arguments }: &Check) -> Result<Outcome, Failure> {
    let screen = Screen::new(Terminal::new(arguments.work.quiet));
    // Conflicts are listed with all else, whatever training would do with them.
    let reading = Options { skip_conflicts: true, ..arguments.reading.options() };
    let photos = Photos { data: &arguments.data, test: arguments.test.as_deref(), reading };
    let dataset = photos.list()?;
    let session = session_without_store(arguments.work.threads)?;
    let found = screen.follow(|job| inspect(dataset, &arguments.inspection(), &session, job))?;
    print(&found, arguments.reading.conflicts)?;
    match found.problem {
        Some(error) => Err(error.into()),
        None => Ok(summary::outcome(&found.skipped, arguments.max_skipped, &screen)),
    }
}

fn print(found: &Inspection, conflicts: ConflictsChoice) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\n", table(found))?;
    for note in &found.notes {
        writeln!(out, "note: {}", wording::notice(note))?;
    }
    for warning in &found.warnings {
        writeln!(out, "warning: {}", wording::notice(warning))?;
    }
    if found.conflicts() > 0 && conflicts == ConflictsChoice::Error {
        let photos = counted(found.conflicts(), "photo");
        writeln!(out, "warning: {photos} in two classes; training stops unless you add --conflicts skip")?;
    }
    writeln!(out, "{}", summary::skipped_line(&found.skipped))?;
    for (code, count) in found.skipped.by_reason() {
        let of_reason = found.skipped.files().iter().filter(|file| file.reason.code() == code);
        for file in of_reason.take(SHOWN) {
            let detail = file.reason.detail();
            writeln!(out, "  {code}: {} ({})", visible(&file.name), visible(&detail))?;
        }
        if count > SHOWN {
            writeln!(out, "  {code}: {} more", count - SHOWN)?;
        }
    }
    let ignored = &found.dataset.ignored;
    if !ignored.is_empty() {
        writeln!(out, "{} ignored: not photos", counted(ignored.len(), "file"))?;
        for ignored in ignored.iter().take(SHOWN) {
            writeln!(out, "  {}: {}", ignored.reason.code(), visible(&ignored.name))?;
        }
        if ignored.len() > SHOWN {
            writeln!(out, "  {} more", ignored.len() - SHOWN)?;
        }
    }
    Ok(())
}

/// The photos of each class in each set.
fn table(found: &Inspection) -> String {
    let names: Vec<String> = found.dataset.classes.iter().map(|class| visible(class)).collect();
    let width = names.iter().map(|class| class.chars().count()).max().unwrap_or(0).max("class".len());
    let shown = |set: &Subset| *set == Subset::Training || !found.split.of_set(*set).is_empty();
    let sets: Vec<Subset> =
        [Subset::Training, Subset::Validation, Subset::Test].into_iter().filter(shown).collect();
    let counts: Vec<Vec<usize>> = sets.iter().map(|set| found.counts(*set)).collect();
    let mut text = format!("{:<width$}", "class");
    sets.iter().for_each(|set| text += &format!("  {:>10}", set.as_str()));
    for (label, class) in names.iter().enumerate() {
        text += &format!("\n{class:<width$}");
        counts.iter().for_each(|counts| text += &format!("  {:>10}", grouped(counts[label] as u64)));
    }
    text
}
