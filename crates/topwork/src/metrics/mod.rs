//! From true classes and probabilities to figures.
//!
//! Sits after the head and before the report. Counts are integers until the last division, every figure is a view of
//! them, and nothing here reads or writes a file.
//!
//! Rules that hold everywhere:
//!
//! * A class is told by its name; the list of classes is given, so a class that nobody photographed keeps its place.
//! * The predicted class is the most probable one; of equally probable ones the first in the list.
//! * A zero denominator gives 0 (`zero_division: 0` in scikit-learn's words, and written so into the result).
//! * A class without photos has support 0 and recall 0. As in scikit-learn with `labels=` given, it counts in
//!   `macro avg` like every other class and weighs nothing in `weighted avg`; `balanced_accuracy` leaves it out.
//! * Without photos there are no figures: they are `None`, never NaN.
//!
//! scikit-learn 1.9 is the reference: `reference/metrics/make.py`.

mod calibration;
mod classification;
mod confusion;
mod evaluation;
mod interval;
mod ranking;
#[cfg(test)]
mod tests;

pub use calibration::log_loss;
pub use classification::{ClassScores, ClassificationReport};
pub use confusion::{Confusion, ConfusionMatrix};
pub use evaluation::{Baseline, Evaluation, evaluate};
pub use interval::{Interval, wilson};
pub use ranking::{most_probable, rank_of, roc_auc};

/// The sum in the order in which numpy adds (`pairwise_sum` in numpy/_core/src/umath/loops_utils.h.src): eight running
/// sums, and halves above 128 values. It makes a mean equal to numpy's to the last bit, so that two-digit text cannot
/// differ at a rounding boundary.
fn pairwise_sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() < 8 {
        // numpy starts from -0.0 so that a sum of negative zeros keeps its sign; figures here are never negative.
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if values.len() <= BLOCK {
        let (eights, rest) = values.as_chunks::<8>();
        let mut lanes = eights[0];
        for eight in &eights[1..] {
            for (lane, value) in lanes.iter_mut().zip(eight) {
                *lane += value;
            }
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
        return rest.iter().fold(sum, |sum, value| sum + value);
    }
    let half = values.len() / 2;
    let (first, second) = values.split_at(half - half % 8);
    pairwise_sum(first) + pairwise_sum(second)
}

/// The quotient, and 0 where the denominator is 0.
fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 { 0.0 } else { numerator as f64 / denominator as f64 }
}
