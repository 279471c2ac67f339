//! Whether the probabilities mean what they say.

use super::pairwise_sum;

/// Mean negative logarithm of the probability that each photo's true class was given, in nats.
///
/// Probabilities are clipped to [ε, 1 − ε] with the f64 epsilon, as `sklearn.metrics.log_loss` 1.9 does; what is not a
/// number counts as impossible. `ln` is libm's, so that the figure is the same on every machine. `None` without photos.
pub fn log_loss(true_class_probabilities: &[f64]) -> Option<f64> {
    let loss = |probability: &f64| {
        let known = if probability.is_nan() { 0.0 } else { *probability };
        -libm::log(known.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
    };
    let losses: Vec<f64> = true_class_probabilities.iter().map(loss).collect();
    (!losses.is_empty()).then(|| pairwise_sum(&losses) / losses.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_in_the_wrong_class_stays_finite() {
        let worst = -libm::log(f64::EPSILON);
        assert_eq!(log_loss(&[0.0]), Some(worst));
        assert_eq!(log_loss(&[f64::NAN]), Some(worst));
        assert_eq!(log_loss(&[]), None);
        assert!(log_loss(&[1.0]).is_some_and(|loss| loss > 0.0 && loss < 1e-15));
    }
}
