//! The last lines of a training or an evaluation on standard output.

use std::io::Write;
use std::path::Path;

use topwork::dataset::name::visible;
use topwork::report::{self, counted};
use topwork::run::{Results, SkippedFiles};

use crate::failure::{Failure, Outcome};
use crate::screen::Screen;

/// Accuracy, worst confusion, skipped files, the report.
pub(crate) fn print(
    out: &mut impl Write,
    results: &Results,
    skipped: &SkippedFiles,
    seconds: &[(String, f64)],
    path: &Path,
) -> Result<(), Failure> {
    for (set, evaluation) in results.evaluations().iter().rev() {
        let set = set.as_str().replace('_', "-");
        writeln!(out, "{set} accuracy {}", report::accuracy_text(evaluation))?;
        if let Some(baseline) = &evaluation.baseline {
            let class = visible(&baseline.class);
            writeln!(out, "  always answering “{class}”: {} %", report::percent(baseline.accuracy))?;
        }
        if let Some(worst) = &evaluation.worst_confusion {
            let (actual, predicted) = (visible(&worst.actual), visible(&worst.predicted));
            let photos = if worst.count == 1 { "photo" } else { "photos" };
            let count = report::grouped(worst.count);
            writeln!(out, "  worst confusion: {count} “{actual}” {photos} predicted as “{predicted}”")?;
        }
    }
    writeln!(out, "{}", skipped_line(skipped))?;
    let total: f64 = seconds.iter().map(|(_, seconds)| seconds).sum();
    let parts: Vec<String> = seconds.iter().map(|(stage, seconds)| format!("{stage} {seconds:.1}")).collect();
    writeln!(out, "{total:.1} s: {}", parts.join(", "))?;
    writeln!(out, "report: {}", visible(&path.join("report.html").display().to_string()))?;
    Ok(())
}

/// The leading set's classification report and confusion matrix, laid out as scikit-learn and NumPy print them.
pub(crate) fn print_tables(out: &mut impl Write, results: &Results) -> Result<(), Failure> {
    let Some((_, evaluation)) = results.leading() else { return Ok(()) };
    writeln!(out, "{}", report::classification_text(&evaluation.classification_report))?;
    writeln!(out, "{}", report::confusion_array_text(&evaluation.confusion_matrix))?;
    Ok(())
}

/// How many files were skipped, and why.
pub(crate) fn skipped_line(skipped: &SkippedFiles) -> String {
    let reasons: Vec<String> =
        skipped.by_reason().iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    match reasons.is_empty() {
        true => "no file skipped".to_owned(),
        false => format!("{} skipped ({})", counted(skipped.files().len(), "file"), reasons.join(", ")),
    }
}

/// Whether more was skipped than allowed, said so.
pub(crate) fn outcome(skipped: &SkippedFiles, allowed: f64, screen: &Screen) -> Outcome {
    match skipped.too_many(allowed) {
        None => Outcome::Done,
        Some(notice) => {
            screen.notice(&notice);
            Outcome::TooManySkipped
        }
    }
}
