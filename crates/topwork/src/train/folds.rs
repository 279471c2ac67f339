//! Stratified folds: every class is spread evenly, in a seeded order.

use crate::random::Random;
use crate::train::data::class_counts;

/// Which part of a cross-validation each example is held out in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// The number of folds.
    pub count: usize,
    /// For each example the fold, in `0..count`, in which it is not trained on.
    pub fold_of: Vec<usize>,
}

impl Folds {
    /// The positions of the examples that are (not) held out in a fold.
    pub fn positions(&self, fold: usize, held_out: bool) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|position| (self.fold_of[*position] == fold) == held_out).collect()
    }
}

/// At most `wanted` folds, as many as the smallest class that occurs has examples; `None` if that is fewer than two.
///
/// The examples of each class are shuffled by the seed and dealt out like cards, each class going on where the
/// one before it stopped, so that the folds' sizes differ by at most one, and so do the shares of every class.
pub fn stratified_folds(labels: &[usize], classes: usize, wanted: usize, seed: u64) -> Option<Folds> {
    let smallest = class_counts(labels, classes).into_iter().filter(|count| *count > 0).min()?;
    let count = wanted.min(smallest);
    if count < 2 {
        return None;
    }
    // Every class that occurs has enough, so that no example is left out.
    let fold_of = deal(labels, classes, count, 1, seed).into_iter().flatten().collect();
    Some(Folds { count, fold_of })
}

/// The fold of each example, dealt out as [`stratified_folds`] says; `None` in classes with fewer than `least` examples.
pub(crate) fn deal(
    labels: &[usize],
    classes: usize,
    folds: usize,
    least: usize,
    seed: u64,
) -> Vec<Option<usize>> {
    let mut random = Random::new(seed, "folds");
    let mut fold_of = vec![None; labels.len()];
    let mut next = 0;
    for (class, count) in class_counts(labels, classes).into_iter().enumerate() {
        if count < least {
            continue;
        }
        for position in shuffled(labels, class, &mut random) {
            fold_of[position] = Some(next);
            next = (next + 1) % folds;
        }
    }
    fold_of
}

/// The positions of a class, in random order.
pub(crate) fn shuffled(labels: &[usize], class: usize, random: &mut Random) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..labels.len()).filter(|position| labels[*position] == class).collect();
    random.shuffle(&mut positions);
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_classes_are_even() {
        let labels: Vec<usize> =
            (0..103).map(|index| usize::from(index % 7 == 0) + usize::from(index > 60)).collect();
        let folds = stratified_folds(&labels, 3, 5, 9).expect("every class is large enough");
        assert_eq!(folds.count, 5);
        for class in 0..4 {
            let sizes: Vec<usize> = (0..5)
                .map(|fold| {
                    folds.positions(fold, true).iter().filter(|p| class == 3 || labels[**p] == class).count()
                })
                .collect();
            let (low, high) = (sizes.iter().min(), sizes.iter().max());
            assert!(high.zip(low).is_some_and(|(high, low)| high - low <= 1), "class {class}: {sizes:?}");
        }
        assert_eq!(folds.positions(2, true).len() + folds.positions(2, false).len(), 103);
    }

    #[test]
    fn small_classes_limit_the_folds() {
        let count = |labels: &[usize]| stratified_folds(labels, 2, 5, 0).map(|folds| folds.count);
        assert_eq!(count(&[0, 0, 0, 0, 1, 1, 1]), Some(3));
        assert_eq!(count(&[0, 0, 0, 1]), None);
        assert_eq!(count(&[]), None);
    }

    #[test]
    fn seeds_decide() {
        let labels = vec![0; 50];
        let folds = |seed| stratified_folds(&labels, 1, 5, seed);
        assert_eq!(folds(1), folds(1));
        assert_ne!(folds(1), folds(2));
    }
}
