//! The linear head against scikit-learn, and on data that is not kind.

use serde::Deserialize;

use super::*;
use crate::error::ErrorKind;
use crate::execution::{CancelToken, Execution};
use crate::head::Head;
use topwork_kernels::Isa;

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

const QUIET: OnStage = &|_| {};

fn with_threads(threads: usize) -> Execution<'static> {
    Execution::default().with_threads(threads)
}

/// A fit on the last map, on one thread.
fn fitted(examples: &Examples, class_weight: ClassWeight, strength: f64) -> crate::Result<LinearFit> {
    let settings = LinearSettings { strength, tap_weight: 0.0, class_weight };
    fit_linear(examples, None, settings, with_threads(1), QUIET)
}

#[test]
fn linear_equals_scikit_learn() {
    let mut failures = Vec::new();
    for case in reference() {
        let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
        for wanted in &case.fits {
            let class_weight = if wanted.balanced { ClassWeight::Balanced } else { ClassWeight::Equal };
            let fit = fitted(&examples, class_weight, wanted.strength).unwrap();
            assert!(fit.converged, "{} C {}", case.name, wanted.strength);
            let head = Head::Linear(fit.head);
            let tensors = head.tensors();
            let values = |index: usize| tensors[index].values.iter().map(|value| f64::from(*value));
            let found = case
                .features
                .chunks(case.width)
                .flat_map(|row| head.probabilities(Isa::best(), row))
                .collect::<Vec<_>>();
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
        let fit = |training: &Examples, fold: usize| fitted(training, class_weight, wanted.strengths[fold]);
        let found = linear::out_of_fold(&examples, &folds, Isa::best(), fit).unwrap();
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
        let (fit, choice) =
            train_linear(&examples, None, ClassWeight::Balanced, 7, with_threads(threads), QUIET).unwrap();
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
        let (fit, choice) =
            train_linear(&examples, None, ClassWeight::Equal, 1, with_threads(2), QUIET).unwrap();
        let strong = fitted(&examples, ClassWeight::Equal, 10.0).unwrap();
        assert!(choice.trials.iter().all(|row| row.log_loss.is_finite()), "{name}: {choice:?}");
        for head in [Head::Linear(fit.head), Head::Linear(strong.head)] {
            for row in features.chunks(width) {
                let probabilities = head.probabilities(Isa::best(), row);
                let sum: f64 = probabilities.iter().sum();
                assert!((sum - 1.0).abs() < 1e-12, "{name}: {probabilities:?}");
            }
        }
        assert!(name == "huge" || (fit.converged && strong.converged), "{name} did not converge");
        match name {
            "two rows" => {
                assert_eq!((choice.folds, choice.strength), (None, FALLBACK_STRENGTH), "{name}");
            }
            // Nothing can be learned, so the strongest penalty is as good as any.
            "constant" | "zeros" => assert_eq!(choice.strength, STRENGTHS[0], "{name}"),
            _ => assert!(choice.folds.is_some_and(|folds| folds <= 5), "{name}"),
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
    assert!(fitted(&examples, ClassWeight::Equal, 1.0).is_err(), "a class without examples");
    let examples = Examples::new(&[1.0, 2.0], 1, &[0, 1], 2).unwrap();
    for strength in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(fitted(&examples, ClassWeight::Equal, strength).is_err(), "C {strength}");
    }
    let settings = LinearSettings { strength: 1.0, tap_weight: 0.0, class_weight: ClassWeight::Equal };
    let cancel = CancelToken::new();
    cancel.cancel();
    let execution = Execution::default().with_cancel(&cancel);
    let stopped = fit_linear(&examples, None, settings, execution, QUIET).expect_err("stopped");
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
}

#[test]
fn validation_is_watched_and_changes_nothing() {
    let case = &reference()[0];
    let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
    let (even, odd): (Vec<usize>, Vec<usize>) = (0..examples.len()).partition(|row| row % 2 == 0);
    let (training, validation) = (examples.select(&even), examples.select(&odd));
    let settings = LinearSettings { strength: 1.0, tap_weight: 0.0, class_weight: ClassWeight::Equal };
    let watched = fit_linear(&training, Some(&validation), settings, with_threads(1), QUIET).unwrap();
    let alone = fitted(&training, ClassWeight::Equal, 1.0).unwrap();
    let last = watched.history.epochs.last().unwrap();
    let head = Head::Linear(watched.head);
    let other = Head::Linear(alone.head);
    let (mut loss, mut correct) = (0.0, 0.0);
    for row in odd {
        let features = &case.features[row * case.width..][..case.width];
        let probabilities = head.probabilities(Isa::best(), features);
        let label = case.labels[row];
        loss -= probabilities[label].ln() / validation.len() as f64;
        correct += f64::from(u8::from(probabilities[label] > 0.5)) / validation.len() as f64;
        assert!((other.probabilities(Isa::best(), features)[0] - probabilities[0]).abs() < 1e-5);
    }
    assert!((last.val_loss.unwrap() - loss).abs() < 1e-5, "{last:?} {loss}");
    assert!((last.val_accuracy.unwrap() - correct).abs() < 1e-12, "{last:?} {correct}");
}

#[test]
fn held_out_examples_do_not_help_themselves() {
    let case = &reference()[1];
    let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
    let folds = stratified_folds(&case.labels, None, case.classes, 4, 3).unwrap();
    let found = cross_validate(&examples, &folds, ClassWeight::Equal, 3, with_threads(1), QUIET).unwrap();
    // The last fold by hand.
    let fold = folds.count - 1;
    let training = examples.select(&folds.train_indices(fold));
    let (fit, choice) = train_linear(&training, None, ClassWeight::Equal, 3, with_threads(1), QUIET).unwrap();
    assert_eq!(choice, found.choices[fold]);
    let head = Head::Linear(fit.head);
    for position in folds.held_out_indices(fold) {
        let row = head.probabilities(Isa::best(), &case.features[position * case.width..][..case.width]);
        assert_eq!(row, found.probabilities[position * 5..][..5]);
    }
}

/// Rows of numbers that a seed decides, a class shifted against the others in the first columns of one map.
fn drawn(n: usize, classes: usize, [last, tapped]: [(usize, f64); 2]) -> (Vec<f32>, Vec<usize>) {
    let mut random = crate::random::Random::new(5, "features of a test");
    let labels: Vec<usize> = (0..n).map(|row| row % classes).collect();
    let mut values = Vec::new();
    for label in &labels {
        for (width, shift) in [last, tapped] {
            values.extend((0..width).map(|column| {
                let noise: f64 = (0..6).map(|_| random.uniform() - 0.5).sum();
                (noise + if column == *label { shift } else { 0.0 } + 4.0) as f32
            }));
        }
    }
    (values, labels)
}

#[test]
fn the_middle_is_taken_where_it_clearly_helps() {
    for (shifts, helps) in [([0.2, 1.5], true), ([1.5, 0.0], false), ([0.0, 0.0], false)] {
        let (values, labels) = drawn(300, 3, [(20, shifts[0]), (12, shifts[1])]);
        let features = crate::features::Features::from_f32(20, 12, &values).unwrap();
        let rows: Vec<usize> = (0..300).collect();
        let examples = Examples::from_features(&features, &rows, labels, 3).unwrap();
        let (fit, choice) =
            train_linear(&examples, None, ClassWeight::Equal, 1, with_threads(2), QUIET).unwrap();
        assert_eq!(choice.tap_weight > 0.0, helps, "{choice:?}");
        assert_eq!(fit.tap.is_some(), helps);
        let gain = choice.gain.expect("there is a tapped map");
        assert_eq!(gain.log_loss > 2.0 * gain.standard_error, helps, "{gain:?}");
        let head = Head::Linear(fit.head);
        assert_eq!(head.input_dim(), if helps { 32 } else { 20 });
        // The head on features as they are says what the problem's own scores said.
        let right = rows.iter().filter(|row| {
            let probabilities = head.probabilities(Isa::best(), &features.inputs(**row, fit.tap.as_ref()));
            first_of(&probabilities) == examples.labels()[**row]
        });
        let accuracy = fit.history.epochs.last().unwrap().accuracy;
        assert!((right.count() as f64 / 300.0 - accuracy).abs() < 0.01, "{accuracy}");
        let alone = examples.without_tap();
        let (fit, choice) =
            train_linear(&alone, None, ClassWeight::Equal, 1, with_threads(2), QUIET).unwrap();
        assert_eq!((fit.tap, choice.tap_weight, choice.gain), (None, 0.0, None));
    }
}

fn first_of(probabilities: &[f64]) -> usize {
    (0..probabilities.len())
        .fold(0, |best, at| if probabilities[at] > probabilities[best] { at } else { best })
}

/// Whole numbers and the f32 that they stand for: the same choice, and the same head but for rounding.
#[test]
fn sums_are_the_features_that_they_stand_for() {
    let (values, labels) = drawn(120, 3, [(20, 0.5), (12, 1.0)]);
    let whole: Vec<u16> = values.iter().map(|value| (value * 5_000.0) as u16).collect();
    let factors = [1.0 / 5_000.0, 1.0 / 4_096.0];
    let factor = |column: usize| factors[usize::from(column % 32 >= 20)];
    let plain: Vec<f32> = whole.iter().enumerate().map(|(at, sum)| f32::from(*sum) * factor(at)).collect();
    let bytes = whole.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    let sums = crate::features::Features::from_sums(20, 12, factors, bytes).unwrap();
    let floats = crate::features::Features::from_f32(20, 12, &plain).unwrap();
    let rows: Vec<usize> = (0..120).collect();
    let train = |features| {
        let examples = Examples::from_features(features, &rows, labels.clone(), 3).unwrap();
        train_linear(&examples, None, ClassWeight::Equal, 1, with_threads(2), QUIET).unwrap()
    };
    let ((one, chosen), (other, expected)) = (train(&sums), train(&floats));
    assert_eq!((chosen.strength, chosen.tap_weight), (expected.strength, expected.tap_weight));
    assert_eq!(one.tap.as_ref().map(|tap| tap.factor), other.tap.as_ref().map(|tap| tap.factor));
    let (one_head, other_head) = (Head::Linear(one.head), Head::Linear(other.head));
    for row in rows.iter().copied() {
        assert_eq!(sums.row(row), floats.row(row));
        let found = one_head.probabilities(Isa::best(), &sums.inputs(row, one.tap.as_ref()));
        let expected = other_head.probabilities(Isa::best(), &floats.inputs(row, other.tap.as_ref()));
        assert!(largest_difference(found.into_iter(), &expected) < 1e-4, "row {row}");
    }
}

/// On the reference's data: C within one step of the best of all, and its log loss within half a percent.
#[test]
fn the_walk_finds_what_an_exhaustive_search_finds() {
    for case in reference() {
        let examples = Examples::new(&case.features, case.width, &case.labels, case.classes).unwrap();
        let (choice, _) = choose_linear(&examples, ClassWeight::Equal, 3, with_threads(2), QUIET).unwrap();
        let (fold_of, folds) = choice::dealt(&case.labels, None, case.classes, 3).unwrap();
        let loss = |strength: f64| {
            let (mut loss, mut held_out) = (0.0, 0);
            for fold in 0..folds.min(choice.folds.unwrap()) {
                let (out, others): (Vec<usize>, Vec<usize>) =
                    (0..examples.len()).partition(|row| fold_of[*row] == Some(fold));
                let fit = fitted(&examples.select(&others), ClassWeight::Equal, strength).unwrap();
                let head = Head::Linear(fit.head);
                for row in &out {
                    loss -=
                        head.probabilities(Isa::best(), &examples.inputs(*row, None))[case.labels[*row]].ln();
                }
                held_out += out.len();
            }
            loss / held_out as f64
        };
        let losses: Vec<f64> = STRENGTHS.iter().map(|strength| loss(*strength)).collect();
        let best = (0..losses.len()).fold(0, |best, at| if losses[at] < losses[best] { at } else { best });
        let chosen = STRENGTHS.iter().position(|strength| *strength == choice.strength).unwrap();
        let excess = losses[chosen] / losses[best] - 1.0;
        assert!(chosen.abs_diff(best) <= 1 && excess < 0.005, "{}: {chosen}, {best}, {excess}", case.name);
    }
}

#[test]
fn a_class_with_one_photo_is_never_held_out() {
    let labels = [0, 1, 1, 2, 2, 2, 3, 0, 4, 4, 4, 4, 4, 4, 4];
    let (fold_of, folds) = choice::dealt(&labels, None, 5, 9).unwrap();
    assert_eq!(folds, 5);
    for (label, fold) in labels.iter().zip(&fold_of) {
        assert_eq!(fold.is_none(), *label == 3);
        // Who is held out has another of its class to be learned from.
        let others = labels.iter().zip(&fold_of).filter(|(other, of)| *other == label && *of != fold);
        assert!(fold.is_none() || others.count() > 0, "class {label}");
    }
    assert_eq!(choice::dealt(&[0, 1, 2], None, 3, 1), None);
    assert_eq!(choice::dealt(&[0, 0, 1], None, 2, 1).unwrap().1, 2);
}

#[test]
fn a_stop_is_heard_between_two_passes() {
    let (values, labels) = drawn(300, 3, [(20, 0.5), (12, 0.5)]);
    let features = crate::features::Features::from_f32(20, 12, &values).unwrap();
    let examples = Examples::from_features(&features, &(0..300).collect::<Vec<_>>(), labels, 3).unwrap();
    let until = |patience: usize| {
        let (cancel, heard) = (CancelToken::new(), std::cell::Cell::new(0));
        let on_stage = |_| {
            heard.set(heard.get() + 1);
            if heard.get() > patience {
                cancel.cancel();
            }
        };
        let execution = with_threads(1).with_cancel(&cancel);
        let outcome = train_linear(&examples, None, ClassWeight::Equal, 1, execution, &on_stage);
        (outcome.err().map(|error| error.kind()), heard.get())
    };
    let (outcome, all) = until(usize::MAX);
    assert!(outcome.is_none() && all > 10, "{outcome:?} {all}");
    for patience in [0, 1, 5, all - 3] {
        assert_eq!(until(patience), (Some(ErrorKind::Interrupted), patience + 1), "of {all}");
    }
}
