//! Precision, recall and F1 of each class and their averages, as views of the confusion matrix.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{ConfusionMatrix, pairwise_sum, ratio};

/// The figures of one class, or an average over the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Of the photos that were called this class, the share that is.
    pub precision: f64,
    /// Of the photos of this class, the share that was found.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    #[serde(rename = "f1-score")]
    pub f1: f64,
    /// Photos of this class.
    pub support: u64,
}

/// scikit-learn's `classification_report(output_dict=True, labels=all, zero_division=0)`.
///
/// JSON: one key a class in the order of the classes, then `accuracy`, `macro avg`, `weighted avg`. A class of one of
/// these three names gives way to the average, as in scikit-learn; its counts stand in the confusion matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassificationReport {
    /// Name and figures of each class, in the order of the classes.
    pub classes: Vec<(String, ClassScores)>,
    /// Share of all photos that were predicted rightly (0 without photos).
    pub accuracy: f64,
    /// Mean over all classes, each weighing the same.
    pub macro_average: ClassScores,
    /// Mean over all classes, each weighing its support.
    pub weighted_average: ClassScores,
}

impl ClassificationReport {
    /// The figures of these counts.
    pub fn new(matrix: &ConfusionMatrix) -> ClassificationReport {
        let scores: Vec<ClassScores> = (0..matrix.labels().len())
            .map(|class| {
                let right = matrix.count(class, class);
                let (support, predicted) = (matrix.support()[class], matrix.predicted()[class]);
                ClassScores {
                    precision: ratio(right, predicted),
                    recall: ratio(right, support),
                    f1: ratio(2 * right, support + predicted),
                    support,
                }
            })
            .collect();
        let n = matrix.n();
        ClassificationReport {
            accuracy: ratio(matrix.correct(), n),
            macro_average: average(&scores, n, |_| 1.0),
            weighted_average: average(&scores, n, |class| class.support as f64),
            classes: matrix.labels().iter().cloned().zip(scores).collect(),
        }
    }
}

fn average(scores: &[ClassScores], n: u64, weight: impl Fn(&ClassScores) -> f64) -> ClassScores {
    let total = pairwise_sum(&scores.iter().map(&weight).collect::<Vec<_>>());
    let mean = |figure: fn(&ClassScores) -> f64| {
        let products: Vec<f64> = scores.iter().map(|class| figure(class) * weight(class)).collect();
        if total == 0.0 { 0.0 } else { pairwise_sum(&products) / total }
    };
    ClassScores {
        precision: mean(|class| class.precision),
        recall: mean(|class| class.recall),
        f1: mean(|class| class.f1),
        support: n,
    }
}

impl Serialize for ClassificationReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, scores) in &self.classes {
            if !["accuracy", "macro avg", "weighted avg"].contains(&name.as_str()) {
                map.serialize_entry(name, scores)?;
            }
        }
        map.serialize_entry("accuracy", &self.accuracy)?;
        map.serialize_entry("macro avg", &self.macro_average)?;
        map.serialize_entry("weighted avg", &self.weighted_average)?;
        map.end()
    }
}
