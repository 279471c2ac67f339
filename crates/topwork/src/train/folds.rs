//! Stratified folds: every class is spread evenly, in a seeded order.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The positions of the examples that are trained on while a fold is held out.
    pub fn train_indices(&self, fold: usize) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|position| self.fold_of[*position] != fold).collect()
    }

    /// The positions of the examples that are held out in a fold.
    pub fn held_out_indices(&self, fold: usize) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|position| self.fold_of[*position] == fold).collect()
    }
}

/// At most `wanted` folds, as many as the smallest class that occurs has examples; `None` if that is fewer than two.
///
/// The examples of each class are shuffled by the seed and dealt out like cards, each class going on where the
/// one before it stopped, so that the folds' sizes differ by at most one, and so do the shares of every class.
///
/// With `groups`, a number for each example, those with the same number are held out together. Then whole groups are dealt out,
/// the largest first, each to the fold that has fewest examples of its classes; a class's groups are what limits the folds.
///
/// # Panics
/// If there is not a group for each example.
pub fn stratified_folds(
    labels: &[usize],
    groups: Option<&[usize]>,
    classes: usize,
    wanted: usize,
    seed: u64,
) -> Option<Folds> {
    let counts = match groups {
        Some(groups) => groups_of_classes(labels, groups, classes),
        None => class_counts(labels, classes),
    };
    let count = wanted.min(counts.into_iter().filter(|count| *count > 0).min()?);
    if count < 2 {
        return None;
    }
    // Every class that occurs has enough, so that no example is left out.
    let fold_of = deal(labels, groups, classes, count, 1, seed).into_iter().flatten().collect();
    Some(Folds { count, fold_of })
}

/// The fold of each example, dealt out as [`stratified_folds`] says; `None` in classes with fewer than `least` examples, or groups.
pub(crate) fn deal(
    labels: &[usize],
    groups: Option<&[usize]>,
    classes: usize,
    folds: usize,
    least: usize,
    seed: u64,
) -> Vec<Option<usize>> {
    let mut random = Random::new(seed, "folds");
    if let Some(groups) = groups {
        return deal_groups(labels, groups, classes, folds, least, &mut random);
    }
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

fn deal_groups(
    labels: &[usize],
    groups: &[usize],
    classes: usize,
    folds: usize,
    least: usize,
    random: &mut Random,
) -> Vec<Option<usize>> {
    let able = groups_of_classes(labels, groups, classes);
    let mut members: Vec<Vec<usize>> = members(labels, groups).into_values().collect();
    random.shuffle(&mut members);
    members.sort_by_key(|members| std::cmp::Reverse(members.len()));
    let mut fold_of = vec![None; labels.len()];
    let mut counts = vec![vec![0_usize; classes]; folds];
    for members in members {
        if members.iter().any(|position| able[labels[*position]] < least) {
            continue;
        }
        let filled = |fold: &usize| {
            let of_classes: usize = members.iter().map(|position| counts[*fold][labels[*position]]).sum();
            (of_classes, counts[*fold].iter().sum::<usize>())
        };
        let fold = (0..folds).min_by_key(filled).unwrap_or(0);
        for position in members {
            fold_of[position] = Some(fold);
            counts[fold][labels[position]] += 1;
        }
    }
    fold_of
}

/// The examples of each group.
fn members(labels: &[usize], groups: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    assert_eq!(labels.len(), groups.len(), "one group for each example");
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(position);
    }
    members
}

/// For each class the number of groups in which it occurs.
pub(crate) fn groups_of_classes(labels: &[usize], groups: &[usize], classes: usize) -> Vec<usize> {
    let pairs: BTreeSet<(usize, usize)> = labels.iter().copied().zip(groups.iter().copied()).collect();
    let mut counts = vec![0; classes];
    pairs.into_iter().for_each(|(label, _)| counts[label] += 1);
    counts
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
        let folds = stratified_folds(&labels, None, 3, 5, 9).expect("every class is large enough");
        assert_eq!(folds.count, 5);
        for class in 0..4 {
            let sizes: Vec<usize> = (0..5)
                .map(|fold| {
                    folds.held_out_indices(fold).iter().filter(|p| class == 3 || labels[**p] == class).count()
                })
                .collect();
            let (low, high) = (sizes.iter().min(), sizes.iter().max());
            assert!(high.zip(low).is_some_and(|(high, low)| high - low <= 1), "class {class}: {sizes:?}");
        }
        assert_eq!(folds.held_out_indices(2).len() + folds.train_indices(2).len(), 103);
    }

    #[test]
    fn small_classes_limit_the_folds() {
        let count = |labels: &[usize]| stratified_folds(labels, None, 2, 5, 0).map(|folds| folds.count);
        assert_eq!(count(&[0, 0, 0, 0, 1, 1, 1]), Some(3));
        assert_eq!(count(&[0, 0, 0, 1]), None);
        assert_eq!(count(&[]), None);
    }

    #[test]
    fn seeds_decide() {
        let labels = vec![0; 50];
        let folds = |seed| stratified_folds(&labels, None, 1, 5, seed);
        assert_eq!(folds(1), folds(1));
        assert_ne!(folds(1), folds(2));
    }

    #[test]
    fn groups_stay_together_and_classes_are_spread() {
        // 40 groups of 1 to 6 examples; every third one has examples of both classes.
        let (mut labels, mut groups) = (Vec::new(), Vec::new());
        for group in 0..40_usize {
            for member in 0..1 + group % 6 {
                labels.push(if group % 3 == 0 { member % 2 } else { group % 2 });
                groups.push(group);
            }
        }
        let folds = stratified_folds(&labels, Some(&groups), 2, 5, 4).expect("groups enough");
        assert_eq!(folds.count, 5);
        for group in 0..40 {
            let of_group = groups.iter().zip(&folds.fold_of).filter(|(of, _)| **of == group);
            let found: BTreeSet<usize> = of_group.map(|(_, fold)| *fold).collect();
            assert_eq!(found.len(), 1, "group {group}");
        }
        for class in 0..2 {
            let sizes: Vec<usize> = (0..5)
                .map(|fold| folds.held_out_indices(fold).iter().filter(|at| labels[**at] == class).count())
                .collect();
            let (low, high) = (sizes.iter().min(), sizes.iter().max());
            assert!(high.zip(low).is_some_and(|(high, low)| high - low <= 6), "class {class}: {sizes:?}");
        }
        // Two groups of a class allow two folds, one group none.
        let count = |groups: &[usize]| {
            stratified_folds(&[0, 0, 0, 1, 1, 1], Some(groups), 2, 5, 0).map(|folds| folds.count)
        };
        assert_eq!(count(&[0, 0, 1, 2, 3, 4]), Some(2));
        assert_eq!(count(&[0, 0, 0, 2, 3, 4]), None);
        // What cannot be held out with another group of its class left is always trained on.
        let dealt = deal(&[0, 0, 1, 1, 1], Some(&[0, 0, 1, 2, 2]), 2, 2, 2, 0);
        assert_eq!(dealt[..2], [None, None]);
        assert!(dealt[2].is_some() && dealt[2] != dealt[3] && dealt[3] == dealt[4]);
    }
}
