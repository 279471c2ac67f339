//! The linear head against scikit-learn, and on data that is not kind.

use serde::Deserialize;

use super::*;
use crate::error::ErrorKind;
use crate::head::Head;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
    folds: Vec<FoldsCase>,
}

#[derive(Deserialize)]
struct FoldsCase {
    case: String,
    balanced: bool,
    fold_of: Vec<usize>,
    /// C of each fold.
    strengths: Vec<f64>,
    probabilities: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    width: usize,
    classes: usize,
    features: Vec<f32>,
    labels: Vec<usize>,
    fits: Vec<Fit>,
}

#[derive(Deserialize)]
struct Fit {
    strength: f64,
    balanced: bool,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    probabilities: Vec<f64>,
}

fn references() -> Reference {
    let text = include_str!("../../../../reference/linear_head/linear_head.json");
    serde_json::from_str(text).expect("the reference is JSON")
}

fn reference() -> Vec<Case> {
    references().cases
}

fn largest_difference(left: impl Iterator<Item = f64>, right: &[f64]) -> f64 {
    let left: Vec<f64> = left.collect();
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

const GO_ON: Stop = &|| false;

#[test]
fn linear_equals_scikit_learn() {
    let mut failures = Vec::new();
    for case in reference() {
        let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
        for wanted in &case.fits {
            let class_weight = if wanted.balanced { ClassWeight::Balanced } else { ClassWeight::Equal };
            let fit = fit_linear(&examples, None, class_weight, wanted.strength, 1, GO_ON).unwrap();
            assert!(fit.converged, "{} C {}", case.name, wanted.strength);
            let head = Head::Linear(fit.head);
            let tensors = head.tensors();
            let values = |index: usize| tensors[index].values.iter().map(|value| f64::from(*value));
            let found =
                case.features.chunks(case.width).flat_map(|row| head.probabilities(row)).collect::<Vec<_>>();
            let differences = [
                largest_difference(values(0), &wanted.intercepts),
                largest_difference(values(1), &wanted.weights),
                largest_difference(found.into_iter(), &wanted.probabilities),
            ];
            if differences[0] > 1e-4 || differences[1] > 1e-4 || differences[2] > 2e-6 {
                failures.push(format!("{} C {}: {differences:?}", case.name, wanted.strength));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn out_of_fold_probabilities_equal_scikit_learn() {
    let references = references();
    let mut failures = Vec::new();
    for wanted in &references.folds {
        let case = references.cases.iter().find(|case| case.name == wanted.case).unwrap();
        let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
        let folds = Folds { count: wanted.strengths.len(), fold_of: wanted.fold_of.clone() };
        let class_weight = if wanted.balanced { ClassWeight::Balanced } else { ClassWeight::Equal };
        let fit = |training: &Examples, fold: usize| {
            fit_linear(training, None, class_weight, wanted.strengths[fold], 1, GO_ON)
        };
        let found = linear::out_of_fold(&examples, &folds, fit).unwrap();
        let difference = largest_difference(found.into_iter(), &wanted.probabilities);
        if difference > 2e-6 {
            failures.push(format!("{} balanced {}: {difference}", case.name, wanted.balanced));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn threads_do_not_change_a_bit() {
    let case = &reference()[1];
    // More rows than one part of the sums, so that parts meet in another order if anything lets them.
    let features: Vec<f32> = case.features.iter().copied().cycle().take(case.features.len() * 12).collect();
    let labels: Vec<usize> = case.labels.iter().copied().cycle().take(case.labels.len() * 12).collect();
    let examples = Examples::new(&features, case.width, &labels, case.classes).unwrap();
    let train = |threads| {
        let (fit, choice) = train_linear(&examples, None, ClassWeight::Balanced, 7, threads, GO_ON).unwrap();
        (fit.head, fit.history, choice)
    };
    let one = train(1);
    for threads in [2, 3, 4, 16] {
        assert!(train(threads) == one, "{threads} threads");
    }
}

#[test]
fn unkind_data_is_fitted_or_refused() {
    let n = 30;
    let noise = |index: usize| ((index * 7919) % 101) as f32 / 50.0 - 1.0;
    let two: Vec<usize> = (0..n).map(|row| row % 2).collect();
    let mut lonely = vec![0; n];
    lonely[3] = 1;
    lonely[4..20].fill(2);
    let constant = vec![0.7; n * 4];
    let zeros = vec![0.0; n * 4];
    let duplicates: Vec<f32> = (0..n * 4).map(|index| (index / 4 % 2) as f32 + (index % 4) as f32).collect();
    let separable: Vec<f32> = (0..n * 4).map(|index| (index / 4 % 2) as f32 * 5.0 + noise(index)).collect();
    let wide: Vec<f32> = (0..n * 200).map(noise).collect();
    let huge: Vec<f32> = (0..n * 4).map(|index| noise(index) * 1e9).collect();
    let tiny: Vec<f32> = (0..n * 4).map(|index| noise(index) * 1e-30).collect();
    let offset: Vec<f32> = (0..n * 4).map(|index| noise(index) + 1e4).collect();
    type UnkindCase<'a> = (&'a str, &'a [f32], usize, &'a [usize], usize);
    let cases: [UnkindCase; 10] = [
        ("constant", &constant, 4, &two, 2),
        ("zeros", &zeros, 4, &two, 2),
        ("duplicates", &duplicates, 4, &two, 2),
        ("separable", &separable, 4, &two, 2),
        ("more features than rows", &wide, 200, &two, 2),
        ("huge", &huge, 4, &two, 2),
        ("tiny", &tiny, 4, &two, 2),
        ("far from zero", &offset, 4, &two, 2),
        ("a class with one row", &separable, 4, &lonely, 3),
        ("two rows", &separable[..8], 4, &two[..2], 2),
    ];
    for (name, features, width, labels, classes) in cases {
        let examples = Examples::new(features, width, labels, classes).unwrap();
        let (fit, choice) = train_linear(&examples, None, ClassWeight::Equal, 1, 2, GO_ON).unwrap();
        let strong = fit_linear(&examples, None, ClassWeight::Equal, 10.0, 1, GO_ON).unwrap();
        assert!(choice.table.iter().all(|row| row.log_loss.is_finite()), "{name}: {choice:?}");
        for head in [Head::Linear(fit.head), Head::Linear(strong.head)] {
            for row in features.chunks(width) {
                let probabilities = head.probabilities(row);
                let sum: f64 = probabilities.iter().sum();
                assert!((sum - 1.0).abs() < 1e-12, "{name}: {probabilities:?}");
            }
        }
        assert!(name == "huge" || (fit.converged && strong.converged), "{name} did not converge");
        match name {
            "a class with one row" | "two rows" => {
                assert_eq!((choice.folds, choice.strength), (None, FALLBACK_STRENGTH), "{name}");
            }
            // Nothing can be learned, so the strongest penalty is as good as any.
            "constant" | "zeros" => assert_eq!(choice.strength, STRENGTHS[0], "{name}"),
            _ => assert_eq!(choice.folds, Some(5), "{name}"),
        }
    }
}

#[test]
fn wrong_examples_are_errors() {
    let refused = |features: &[f32], width, labels: &[usize], classes| {
        Examples::new(features, width, labels, classes).expect_err("refused").kind()
            == ErrorKind::Configuration
    };
    assert!(refused(&[1.0, f32::NAN], 1, &[0, 1], 2));
    assert!(refused(&[1.0, f32::INFINITY], 1, &[0, 1], 2));
    assert!(refused(&[1.0, 1e30], 1, &[0, 1], 2));
    assert!(refused(&[1.0, 2.0], 1, &[0, 2], 2));
    for rows in [vec![&[1.0_f32][..], &[]], vec![&[], &[]], vec![&[1.0]]] {
        assert!(Examples::from_rows(rows.clone(), vec![0, 1], 2).is_err(), "{rows:?}");
    }
    assert!(refused(&[1.0, 2.0], 1, &[0, 0], 1));
    assert!(refused(&[1.0, 2.0, 3.0], 2, &[0, 1], 2));
    assert!(refused(&[], 0, &[], 2));
    let examples = Examples::new(&[1.0, 2.0], 1, &[0, 0], 2).unwrap();
    assert!(
        fit_linear(&examples, None, ClassWeight::Equal, 1.0, 1, GO_ON).is_err(),
        "a class without examples"
    );
    let examples = Examples::new(&[1.0, 2.0], 1, &[0, 1], 2).unwrap();
    for strength in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(fit_linear(&examples, None, ClassWeight::Equal, strength, 1, GO_ON).is_err(), "C {strength}");
    }
    let stopped = fit_linear(&examples, None, ClassWeight::Equal, 1.0, 1, &|| true).expect_err("stopped");
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
}

#[test]
fn validation_is_watched_and_changes_nothing() {
    let case = &reference()[0];
    let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
    let (even, odd): (Vec<usize>, Vec<usize>) = (0..examples.len()).partition(|row| row % 2 == 0);
    let (training, validation) = (examples.select(&even), examples.select(&odd));
    let watched = fit_linear(&training, Some(&validation), ClassWeight::Equal, 1.0, 1, GO_ON).unwrap();
    let alone = fit_linear(&training, None, ClassWeight::Equal, 1.0, 1, GO_ON).unwrap();
    let last = watched.history.epochs.last().unwrap();
    let head = Head::Linear(watched.head);
    let other = Head::Linear(alone.head);
    let (mut loss, mut correct) = (0.0, 0.0);
    for row in odd {
        let features = &case.features[row * case.width..][..case.width];
        let probabilities = head.probabilities(features);
        let label = case.labels[row];
        loss -= probabilities[label].ln() / validation.len() as f64;
        correct += f64::from(u8::from(probabilities[label] > 0.5)) / validation.len() as f64;
        assert!((other.probabilities(features)[0] - probabilities[0]).abs() < 1e-5);
    }
    assert!((last.val_loss.unwrap() - loss).abs() < 1e-5, "{last:?} {loss}");
    assert!((last.val_accuracy.unwrap() - correct).abs() < 1e-12, "{last:?} {correct}");
}

#[test]
fn held_out_examples_do_not_help_themselves() {
    let case = &reference()[1];
    let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
    let folds = stratified_folds(&case.labels, case.classes, 4, 3).unwrap();
    let found = cross_validate(&examples, &folds, ClassWeight::Equal, 3, 1, GO_ON).unwrap();
    // The last fold by hand.
    let fold = folds.count - 1;
    let training = examples.select(&folds.positions(fold, false));
    let (fit, choice) = train_linear(&training, None, ClassWeight::Equal, 3, 1, GO_ON).unwrap();
    assert_eq!(choice, found.choices[fold]);
    let head = Head::Linear(fit.head);
    for position in folds.positions(fold, true) {
        let row = head.probabilities(&case.features[position * case.width..][..case.width]);
        assert_eq!(row, found.probabilities[position * 5..][..5]);
    }
}
