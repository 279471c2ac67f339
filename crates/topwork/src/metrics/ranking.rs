//! Figures that ask only for the order of probabilities.

/// The most probable class; of equally probable ones the first. A row without numbers gives 0.
pub fn most_probable(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] || (probabilities[best].is_nan() && !probability.is_nan()) {
            best = class;
        }
    }
    best
}

/// How many classes stand before this one, most probable first; equally probable ones keep the order of the classes
/// (scikit-learn's `top_k_accuracy_score` puts them the other way round, which can leave the predicted class out of the
/// first k).
pub fn rank_of(class: usize, probabilities: &[f64]) -> usize {
    let own = probabilities[class];
    let before =
        |&(other, probability): &(usize, &f64)| *probability > own || (*probability == own && other < class);
    probabilities.iter().enumerate().filter(before).count()
}

/// Area under the ROC curve: the chance that a positive photo scores higher than a negative one, ties counted half.
/// Items are (is positive, score). `None` where one of the two kinds is missing, or a score is not a number.
///
/// The pairs are counted in whole numbers (Mann and Whitney 1947), with one division at the end.
pub fn roc_auc(scores: &[(bool, f64)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|left, right| left.1.total_cmp(&right.1));
    if scores.iter().any(|(_, score)| score.is_nan()) {
        return None;
    }
    let (mut twice_won, mut negatives, mut positives) = (0u128, 0u128, 0u128);
    for tied in sorted.chunk_by(|left, right| left.1 == right.1) {
        let up = tied.iter().filter(|(positive, _)| *positive).count() as u128;
        let down = tied.len() as u128 - up;
        twice_won += up * (2 * negatives + down);
        positives += up;
        negatives += down;
    }
    let twice_pairs = 2 * positives * negatives;
    (twice_pairs > 0).then(|| twice_won as f64 / twice_pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_probabilities_keep_the_order_of_the_classes() {
        let row = [0.2, 0.3, 0.3, 0.2];
        assert_eq!(most_probable(&row), 1);
        assert_eq!([0, 1, 2, 3].map(|class| rank_of(class, &row)), [2, 0, 1, 3]);
    }

    #[test]
    fn area_counts_ties_half_and_needs_both_kinds() {
        assert_eq!(roc_auc(&[(true, 0.5), (false, 0.5)]), Some(0.5));
        assert_eq!(roc_auc(&[(true, 0.9), (false, 0.1), (true, 0.1)]), Some(0.75));
        assert_eq!(roc_auc(&[(true, 0.0), (false, -0.0)]), Some(0.5), "the two zeros are one score");
        assert_eq!(roc_auc(&[(true, 0.9)]), None);
        assert_eq!(roc_auc(&[(true, f64::NAN), (false, 0.1)]), None);
    }
}
