//! What a classifier says about a photo.

use crate::dataset::SkipReason;
use crate::metrics::most_probable;
use crate::photo::Unreadable;

/// What a classifier says about a photo: a class, or why there is none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The photo's name.
    pub name: String,
    /// The most probable class; the first of equals. `None` if there is an error.
    pub label: Option<String>,
    /// The place of that class among all.
    pub class: Option<usize>,
    /// Its probability.
    pub probability: Option<f64>,
    /// The probability of each class, in their order; empty if there is an error.
    pub probabilities: Vec<f64>,
    /// Why there is no answer.
    pub error: Option<SkipReason>,
}

impl Answer {
    /// The answer with these probabilities, one for each class.
    ///
    /// # Panics
    /// If there is not one for each class, or no class.
    pub fn new(name: impl Into<String>, classes: &[String], probabilities: Vec<f64>) -> Answer {
        assert_eq!(classes.len(), probabilities.len(), "one probability for each class");
        let class = most_probable(&probabilities);
        Answer {
            name: name.into(),
            label: Some(classes[class].clone()),
            class: Some(class),
            probability: Some(probabilities[class]),
            probabilities,
            error: None,
        }
    }

    /// No answer, for that reason.
    pub fn failed(name: impl Into<String>, error: SkipReason) -> Answer {
        Answer {
            name: name.into(),
            label: None,
            class: None,
            probability: None,
            probabilities: Vec::new(),
            error: Some(error),
        }
    }

    pub(crate) fn unreadable(name: impl Into<String>, unreadable: Unreadable) -> Answer {
        Answer::failed(name, SkipReason::Unreadable(unreadable))
    }

    /// The places of the `count` most probable classes with their probabilities, the most probable first; equal ones in the order of
    /// the classes.
    pub fn top(&self, count: usize) -> Vec<(usize, f64)> {
        let mut order: Vec<usize> = (0..self.probabilities.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order.into_iter().take(count).map(|class| (class, self.probabilities[class])).collect()
    }
}
