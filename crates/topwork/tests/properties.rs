//! What holds whatever the data: drawn at random, many times, from fixed seeds.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use topwork::PhotoSource;
use topwork::dataset::split::{Conflicts, Digest, Rule, split};
use topwork::dataset::{Dataset, Sample, Subset};
use topwork::metrics::evaluate;
use topwork::train::stratified_folds;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A data set of two to five classes; with `groups`, photos in groups of any size, across classes.
fn drawn(draw: &mut Draw, groups: bool) -> (Dataset, Vec<Option<Digest>>) {
    let classes: Vec<String> = (0..2 + draw.below(4)).map(|class| format!("class {class}")).collect();
    let mut samples = Vec::new();
    for label in 0..classes.len() {
        for number in 0..3 + draw.below(40) {
            let name = format!("{label}/{number}.jpg");
            let photo = PhotoSource::Bytes(name.clone().into_bytes().into());
            let group = (groups && draw.below(4) > 0).then(|| format!("group {}", draw.below(25)));
            samples.push(Sample { group, ..Sample::new(name, photo, label) });
        }
    }
    let dataset = Dataset::from_samples(classes, samples).unwrap();
    let digests = dataset.samples.iter().map(|sample| {
        let is_readable = draw.below(12) > 0;
        is_readable.then(|| *blake3::hash(sample.name.as_bytes()).as_bytes())
    });
    let digests = digests.collect();
    (dataset, digests)
}

#[test]
fn splits_use_every_photo_once_and_never_part_a_group() {
    let mut draw = Draw(1);
    let mut done = 0;
    for round in 0..400 {
        let (dataset, digests) = drawn(&mut draw, round % 2 == 0);
        let share = 0.05 + 0.8 * draw.share();
        let rule = match round % 3 {
            0 => Rule::Keras { share },
            _ => Rule::Stratified { share, seed: draw.next() },
        };
        // A class may have lost all its photos.
        let Ok(found) = split(&dataset, &digests, rule, Conflicts::Skip) else { continue };
        done += 1;
        for (set, digest) in found.sets.iter().zip(&digests) {
            assert_eq!(set.is_some(), digest.is_some());
        }
        for label in 0..dataset.classes.len() {
            let of_class = |set: Subset| {
                found.of_set(set).iter().filter(|index| dataset.samples[**index].label == label).count()
            };
            assert!(of_class(Subset::Training) > 0, "round {round}: nothing to learn {label} from");
            if let Rule::Stratified { share, .. } = rule
                && round % 2 == 1
            {
                let all = of_class(Subset::Training) + of_class(Subset::Validation);
                let wanted = (share * all as f64 + 0.5).floor().clamp(1.0, (all - 1).max(1) as f64);
                let expected = if all == 1 { 0 } else { wanted as usize };
                assert_eq!(of_class(Subset::Validation), expected, "round {round}");
            }
        }
        for (index, sample) in dataset.samples.iter().enumerate() {
            let mates = dataset.samples.iter().zip(&found.sets).filter(|(other, set)| {
                set.is_some() && sample.group.is_some() && other.group == sample.group
            });
            for (_, set) in mates {
                assert!(found.sets[index].is_none() || *set == found.sets[index], "round {round}: {index}");
            }
        }
        assert_eq!(split(&dataset, &digests, rule, Conflicts::Skip).unwrap(), found);
    }
    assert!(done > 250, "{done}");
}

#[test]
fn folds_hold_out_every_example_once_with_its_group() {
    let mut draw = Draw(2);
    let mut done = 0;
    for round in 0..400 {
        let classes = 2 + draw.below(4);
        let labels: Vec<usize> = (0..20 + draw.below(200)).map(|_| draw.below(classes)).collect();
        let groups: Vec<usize> = labels.iter().map(|_| draw.below(60)).collect();
        let groups = (round % 2 == 0).then_some(groups);
        let (wanted, seed) = (2 + draw.below(9), draw.next());
        let Some(folds) = stratified_folds(&labels, groups.as_deref(), classes, wanted, seed) else {
            continue;
        };
        done += 1;
        assert!((2..=wanted).contains(&folds.count) && folds.fold_of.len() == labels.len());
        for fold in 0..folds.count {
            let (held_out, others) = (folds.held_out_indices(fold), folds.train_indices(fold));
            assert_eq!(held_out.len() + others.len(), labels.len());
            let present: BTreeSet<usize> = others.iter().map(|index| labels[*index]).collect();
            let all: BTreeSet<usize> = labels.iter().copied().collect();
            assert_eq!(present, all, "round {round}: a class cannot be learned without fold {fold}");
            if let Some(groups) = &groups {
                let of =
                    |indices: &[usize]| indices.iter().map(|index| groups[*index]).collect::<BTreeSet<_>>();
                assert!(of(&held_out).is_disjoint(&of(&others)), "round {round}");
            } else {
                let sizes = (0..folds.count).map(|fold| folds.held_out_indices(fold).len());
                let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
                assert!(most - least <= 1, "round {round}: {least} to {most}");
            }
        }
        assert_eq!(stratified_folds(&labels, groups.as_deref(), classes, wanted, seed), Some(folds));
    }
    assert!(done > 200, "{done}");
}

#[test]
fn figures_agree_with_their_counts() {
    let mut draw = Draw(3);
    for round in 0..300 {
        let classes: Vec<String> = (0..2 + draw.below(5)).map(|class| class.to_string()).collect();
        let rows: Vec<(usize, Vec<f64>)> = (0..1 + draw.below(120))
            .map(|_| {
                let weights: Vec<f64> = classes.iter().map(|_| draw.share() + 1e-9).collect();
                let sum: f64 = weights.iter().sum();
                (draw.below(classes.len()), weights.iter().map(|weight| weight / sum).collect())
            })
            .collect();
        let of = |rows: &[(usize, Vec<f64>)]| {
            evaluate(&classes, rows.iter().map(|(label, row)| (*label, row.as_slice())))
        };
        let found = of(&rows);
        let matrix = &found.confusion_matrix;
        assert_eq!((found.n, matrix.n()), (rows.len() as u64, rows.len() as u64));
        assert_eq!(matrix.support().iter().sum::<u64>(), found.n);
        assert_eq!(matrix.predicted().iter().sum::<u64>(), found.n);
        let accuracy = found.accuracy.unwrap();
        assert!((accuracy - matrix.correct() as f64 / found.n as f64).abs() < 1e-15);
        let interval = found.accuracy_interval.unwrap();
        assert!(
            0.0 <= interval.low
                && interval.low <= accuracy
                && accuracy <= interval.high
                && interval.high <= 1.0
        );
        assert!(found.log_loss.unwrap() >= 0.0, "round {round}");
        // The order of the photos does not count.
        let mut reversed = rows.clone();
        reversed.reverse();
        let other = of(&reversed);
        assert_eq!((other.accuracy, &other.confusion_matrix), (found.accuracy, matrix));
        assert!((other.log_loss.unwrap() - found.log_loss.unwrap()).abs() < 1e-12);
        // Whoever is sure of what is right makes no mistake.
        let sure: Vec<(usize, Vec<f64>)> = rows
            .iter()
            .map(|(label, row)| {
                (*label, (0..row.len()).map(|class| f64::from(u8::from(class == *label))).collect())
            })
            .collect();
        let sure = of(&sure);
        assert_eq!(sure.accuracy, Some(1.0));
        assert!(sure.log_loss.unwrap() < 1e-9 && sure.roc_auc.is_none_or(|area| area == 1.0));
    }
}
