//! Which photos a report shows. Pure functions on predictions: positions out, no pixels.

use super::Prediction;
use crate::random::Random;

/// The mistakes, most confident first: positions of at most `limit` predictions whose class is known and was missed,
/// by the probability of the predicted class; equal ones by name.
pub fn worst_mistakes(predictions: &[Prediction], limit: usize) -> Vec<usize> {
    let missed =
        |at: &usize| predictions[*at].label.is_some_and(|label| Some(label) != predictions[*at].answer.class);
    let mut mistakes: Vec<usize> = (0..predictions.len()).filter(missed).collect();
    mistakes.sort_by(|&left, &right| {
        let (left, right) = (&predictions[left], &predictions[right]);
        right
            .confidence()
            .total_cmp(&left.confidence())
            .then_with(|| left.answer.name.cmp(&right.answer.name))
    });
    mistakes.truncate(limit);
    mistakes
}

/// At most `limit` positions drawn without replacement, in the order drawn (Fisher and Yates' shuffle). It depends on the
/// names and the seed alone, not on the order of the predictions.
pub fn random_photos(predictions: &[Prediction], limit: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..predictions.len()).collect();
    order.sort_by(|&left, &right| predictions[left].answer.name.cmp(&predictions[right].answer.name));
    let mut random = Random::new(seed, "photos to show");
    let count = limit.min(order.len());
    for at in 0..count {
        let left = (order.len() - at) as u64;
        order.swap(at, at + random.below(left) as usize);
    }
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Subset;

    fn prediction(name: &str, label: Option<usize>, probability: f64) -> Prediction {
        let probabilities = vec![1.0 - probability, probability];
        let mut answer = crate::run::Answer::new(name, &["a".to_owned(), "b".to_owned()], probabilities);
        (answer.class, answer.probability) = (Some(1), Some(probability));
        Prediction { set: Subset::Test, label, answer }
    }

    #[test]
    fn mistakes_come_most_confident_first() {
        let predictions = [
            prediction("a", Some(0), 0.6),
            prediction("b", Some(1), 0.99),
            prediction("d", Some(0), 0.9),
            prediction("c", Some(0), 0.9),
            prediction("unlabelled", None, 1.0),
        ];
        assert_eq!(worst_mistakes(&predictions, 10), [3, 2, 0]);
        assert_eq!(worst_mistakes(&predictions, 1), [3]);
    }

    #[test]
    fn the_draw_depends_on_names_and_seed_alone() {
        let mut predictions: Vec<_> =
            (0..100).map(|at| prediction(&format!("{at:03}"), Some(0), 0.5)).collect();
        let drawn = |predictions: &[Prediction], seed| -> Vec<String> {
            random_photos(predictions, 25, seed)
                .into_iter()
                .map(|at| predictions[at].answer.name.clone())
                .collect()
        };
        let first = drawn(&predictions, 42);
        predictions.reverse();
        assert_eq!(drawn(&predictions, 42), first);
        assert_ne!(drawn(&predictions, 43), first);
        let mut once = first.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), 25, "each photo at most once");
        assert_eq!(random_photos(&predictions[..3], 25, 42).len(), 3);
    }
}
