//! All figures of one set of photos.

use serde::{Deserialize, Serialize};

use super::{
    ClassificationReport, Confusion, ConfusionMatrix, Interval, log_loss, most_probable, pairwise_sum,
    rank_of, ratio, roc_auc, wilson,
};

/// How well a classifier did on one set of photos. Plain numbers: everything that a report shows of a set is drawn from
/// this and the predictions.
///
/// JSON keys stand in the order of the fields. What cannot be known is `null` (no photos) or left out (a figure that
/// this number of classes does not have). `classification_report` is a view of `confusion_matrix`: reading ignores it
/// and computes it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Evaluation {
    /// Photos.
    pub n: u64,
    /// Share of photos whose most probable class is the true one.
    pub accuracy: Option<f64>,
    /// Wilson interval of the accuracy, 95 %.
    pub accuracy_interval: Option<Interval>,
    /// Mean recall of the classes that have photos.
    pub balanced_accuracy: Option<f64>,
    /// Mean negative logarithm of the true class's probability, clipped at the f64 epsilon.
    pub log_loss: Option<f64>,
    /// What always answering the largest class of this set would reach.
    pub baseline: Option<Baseline>,
    /// The most frequent mistake.
    pub worst_confusion: Option<Confusion>,
    /// The class whose probability `roc_auc` ranks: the second of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_class: Option<String>,
    /// Area under the ROC curve; two classes, both with photos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roc_auc: Option<f64>,
    /// Share of photos whose true class is among the five most probable; more than five classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top5_accuracy: Option<f64>,
    /// What a fraction with denominator zero is given as: 0.
    pub zero_division: u8,
    /// Who was taken for whom.
    pub confusion_matrix: ConfusionMatrix,
    /// Precision, recall, F1 and support by class, with averages.
    pub classification_report: ClassificationReport,
}

/// The classifier that knows nothing but the sizes of the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The class with most photos in the evaluated set; of equally large ones the first.
    pub class: String,
    /// Its share of the photos.
    pub accuracy: f64,
}

/// Evaluates rows of (true class, probability of each class), in any order of photos.
///
/// # Panics
/// If a label is outside `classes` or a row does not have one probability a class: the caller's lists do not belong
/// together.
pub fn evaluate<'a>(classes: &[String], rows: impl IntoIterator<Item = (usize, &'a [f64])>) -> Evaluation {
    let mut matrix = ConfusionMatrix::new(classes);
    let mut of_true_class = Vec::new();
    let mut scores = Vec::new();
    let mut in_top5 = 0;
    for (label, probabilities) in rows {
        assert_eq!(probabilities.len(), classes.len(), "one probability for each class");
        matrix.add(label, most_probable(probabilities), 1);
        of_true_class.push(probabilities[label]);
        in_top5 += u64::from(rank_of(label, probabilities) < 5);
        if classes.len() == 2 {
            scores.push((label == 1, probabilities[1]));
        }
    }
    let n = matrix.n();
    Stored {
        log_loss: log_loss(&of_true_class),
        positive_class: (classes.len() == 2).then(|| classes[1].clone()),
        roc_auc: roc_auc(&scores),
        top5_accuracy: (classes.len() > 5 && n > 0).then(|| ratio(in_top5, n)),
        confusion_matrix: matrix,
    }
    .into()
}

/// What cannot be computed from something else in the file.
#[derive(Deserialize)]
struct Stored {
    log_loss: Option<f64>,
    positive_class: Option<String>,
    roc_auc: Option<f64>,
    top5_accuracy: Option<f64>,
    confusion_matrix: ConfusionMatrix,
}

impl From<Stored> for Evaluation {
    fn from(stored: Stored) -> Evaluation {
        let matrix = stored.confusion_matrix;
        let n = matrix.n();
        let report = ClassificationReport::new(&matrix);
        let recalls: Vec<f64> = report
            .classes
            .iter()
            .filter(|(_, class)| class.support > 0)
            .map(|(_, class)| class.recall)
            .collect();
        let largest = matrix.support().iter().enumerate().rev().max_by_key(|(_, support)| **support);
        Evaluation {
            n,
            accuracy: (n > 0).then_some(report.accuracy),
            accuracy_interval: wilson(matrix.correct(), n),
            balanced_accuracy: (n > 0).then(|| pairwise_sum(&recalls) / recalls.len() as f64),
            log_loss: stored.log_loss,
            baseline: largest.filter(|_| n > 0).map(|(class, support)| Baseline {
                class: matrix.labels()[class].clone(),
                accuracy: ratio(*support, n),
            }),
            worst_confusion: matrix.worst(1).pop(),
            positive_class: stored.positive_class,
            roc_auc: stored.roc_auc,
            top5_accuracy: stored.top5_accuracy,
            zero_division: 0,
            confusion_matrix: matrix,
            classification_report: report,
        }
    }
}
