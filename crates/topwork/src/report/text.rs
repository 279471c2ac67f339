//! An evaluation as text for a terminal: scikit-learn's report, the confusion matrix, one-line figures.

use std::fmt::Write as _;

use crate::dataset::name::visible;
use crate::metrics::{ClassScores, ClassificationReport, ConfusionMatrix, Evaluation};

/// scikit-learn's `classification_report(...)` at two digits, byte for byte. Names are shown by [`visible`].
pub fn classification_text(report: &ClassificationReport) -> String {
    const LONGEST_HEADING: &str = "weighted avg";
    let names: Vec<String> = report.classes.iter().map(|(name, _)| visible(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).fold(LONGEST_HEADING.len(), usize::max);
    let mut text =
        format!("{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n", "", "precision", "recall", "f1-score", "support");
    // Where no photo is right, scikit-learn 1.9 counts in floats (multilabel_confusion_matrix starts from np.zeros), and
    // its text shows it.
    let point = if report.accuracy == 0.0 { ".0" } else { "" };
    let row = |name: &str, scores: &ClassScores| {
        let ClassScores { precision, recall, f1, support } = scores;
        let support = format!("{support}{point}");
        format!("{name:>width$}  {precision:>9.2} {recall:>9.2} {f1:>9.2} {support:>9}\n")
    };
    for (name, (_, scores)) in names.iter().zip(&report.classes) {
        text += &row(name, scores);
    }
    text.push('\n');
    let support = format!("{}{point}", report.macro_average.support);
    let accuracy = report.accuracy;
    let _ = writeln!(text, "{:>width$}  {:>9} {:>9} {accuracy:>9.2} {support:>9}", "accuracy", "", "");
    text += &row("macro avg", &report.macro_average);
    text += &row(LONGEST_HEADING, &report.weighted_average);
    text
}

/// The counts as a table: a row for each true class, a column for each predicted one. Above `limit` classes the most
/// frequent mistakes instead, `limit` of them.
pub fn confusion_text(matrix: &ConfusionMatrix, limit: usize) -> String {
    let names: Vec<String> = matrix.labels().iter().map(|name| visible(name)).collect();
    if names.len() > limit {
        let line = |mistake: crate::metrics::Confusion| {
            format!("{:>9}  {} → {}\n", mistake.count, visible(&mistake.actual), visible(&mistake.predicted))
        };
        return matrix.worst(limit).into_iter().map(line).collect();
    }
    let length = |name: &String| name.chars().count();
    let widest = names.iter().map(length).max().unwrap_or(0).max("true \\ predicted".len());
    let digits = matrix.n().to_string().len();
    let columns: Vec<usize> = names.iter().map(|name| length(name).max(digits)).collect();
    let mut text = format!("{:>widest$}", "true \\ predicted");
    for (name, width) in names.iter().zip(&columns) {
        let _ = write!(text, "  {name:>width$}");
    }
    for (name, row) in names.iter().zip(matrix.rows()) {
        let _ = write!(text, "\n{name:>widest$}");
        for (count, width) in row.iter().zip(&columns) {
            let _ = write!(text, "  {count:>width$}");
        }
    }
    text.push('\n');
    text
}

/// The counts as NumPy prints scikit-learn's `confusion_matrix(...)`, rows for the true classes, without a line break at the end.
/// NumPy folds wide rows and leaves out the middle of large arrays; here every row stands whole.
pub fn confusion_array_text(matrix: &ConfusionMatrix) -> String {
    let rows = matrix.rows();
    let width = rows.iter().flatten().map(|count| count.to_string().len()).max().unwrap_or(0);
    let row = |row: &Vec<u64>| {
        let cells: Vec<String> = row.iter().map(|count| format!("{count:>width$}")).collect();
        format!("[{}]", cells.join(" "))
    };
    format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join("\n "))
}

/// "98.7 % of 1,000 photos (95 % interval 97.8 to 99.2 %)"; without photos "no photos".
pub fn accuracy_text(evaluation: &Evaluation) -> String {
    match (evaluation.accuracy, evaluation.accuracy_interval) {
        (Some(accuracy), Some(interval)) => format!(
            "{} % of {} {} ({:.0} % interval {} to {} %)",
            percent(accuracy),
            grouped(evaluation.n),
            if evaluation.n == 1 { "photo" } else { "photos" },
            100.0 * interval.level,
            percent(interval.low),
            percent(interval.high),
        ),
        _ => "no photos".to_owned(),
    }
}

/// One plain sentence or two on what the figures of a set mean.
pub fn verdict(evaluation: &Evaluation) -> String {
    let (Some(interval), Some(baseline)) = (evaluation.accuracy_interval, &evaluation.baseline) else {
        return "There was no photo to judge by.".to_owned();
    };
    let matrix = &evaluation.confusion_matrix;
    let simple = format!("always answering “{}”", visible(&baseline.class));
    let share = percent(baseline.accuracy);
    let mut text = if interval.low > baseline.accuracy {
        format!("Clearly better than {simple}, which would be right for {share} %.")
    } else if interval.high < baseline.accuracy {
        format!("Worse than {simple}, which would be right for {share} %.")
    } else {
        format!(
            "Not clearly better than {simple}, which would be right for {share} %: the difference may be chance."
        )
    };
    let answered: Vec<usize> =
        (0..matrix.labels().len()).filter(|class| matrix.predicted()[*class] > 0).collect();
    let shown = matrix.support().iter().filter(|support| **support > 0).count();
    if let ([only], true) = (&answered[..], shown > 1) {
        text += &format!(" Every photo was called “{}”.", visible(&matrix.labels()[*only]));
    }
    if shown == 1 {
        text += " All photos are of one class, so this says nothing about telling classes apart.";
    }
    if interval.high - interval.low > 0.1 {
        text += " With so few photos the interval is wide; more labelled photos would narrow it.";
    }
    text
}

/// A share as a percentage with one decimal, without the sign: ".9876" is "98.8". What is not all is never shown as 100.
pub fn percent(share: f64) -> String {
    let rounded = format!("{:.1}", 100.0 * share);
    match rounded.as_str() {
        "100.0" if share < 1.0 => "99.9".to_owned(),
        "0.0" if share > 0.0 => "0.1".to_owned(),
        _ => rounded,
    }
}

/// Whole numbers with commas between thousands: 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 file`, `1,200 classes`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('s') {
        Some(stem) if noun.ends_with("ss") => format!("{stem}ses"),
        _ => format!("{noun}s"),
    };
    format!("{} {}", grouped(number as u64), if number == 1 { noun } else { &plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_nouns() {
        assert_eq!(counted(1, "class"), "1 class");
        assert_eq!(counted(1_200, "class"), "1,200 classes");
        assert_eq!(counted(0, "photo"), "0 photos");
    }

    #[test]
    fn nothing_short_of_all_is_shown_as_all() {
        for (share, expected) in
            [(1.0, "100.0"), (0.9999, "99.9"), (0.0, "0.0"), (0.0001, "0.1"), (0.9876, "98.8")]
        {
            assert_eq!(percent(share), expected, "{share}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn the_table_is_aligned_and_many_classes_become_a_list() {
        let mut matrix = ConfusionMatrix::new(&["cats".to_owned(), "dogs".to_owned()]);
        matrix.add(0, 0, 494);
        matrix.add(0, 1, 6);
        matrix.add(1, 1, 500);
        assert_eq!(
            confusion_text(&matrix, 30),
            "true \\ predicted  cats  dogs\n            cats   494     6\n            dogs     0   500\n"
        );
        assert_eq!(confusion_text(&matrix, 1), "        6  cats → dogs\n");
    }
}
