//! The dense head against PyTorch (gradients, Adam) and Keras (Adam, callbacks), and its own promises.

use topwork_kernels::Isa;
use topwork_kernels::product::{Learned, Matrix, descend};

use super::*;
use crate::head::Head;

#[derive(Deserialize)]
struct Reference {
    gradients: Vec<GradientCase>,
    adam: AdamCase,
    callbacks: Vec<CallbackCase>,
    trainings: Vec<TrainingCase>,
}

#[derive(Deserialize)]
struct TrainingCase {
    classes: usize,
    width: usize,
    /// Training rows, then validation rows.
    features: Vec<f32>,
    labels: Vec<usize>,
    training: usize,
    layers: Vec<LayerValues>,
    losses: Vec<f64>,
    accuracies: Vec<f64>,
    val_losses: Vec<f64>,
    val_accuracies: Vec<f64>,
    /// Of the validation rows.
    probabilities: Vec<f64>,
}

#[derive(Deserialize)]
struct LayerValues {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Deserialize)]
struct GradientCase {
    classes: usize,
    class_weights: Vec<f64>,
    width: usize,
    features: Vec<f32>,
    labels: Vec<usize>,
    layers: Vec<LayerValues>,
    loss: f64,
    gradients: Vec<LayerValues>,
}

#[derive(Deserialize)]
struct AdamCase {
    start: Vec<f32>,
    rates: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    keras: Vec<Vec<f32>>,
    pytorch: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct CallbackCase {
    name: String,
    losses: Vec<f64>,
    patience: usize,
    min_delta: f64,
    factor: f64,
    cooldown: usize,
    min_rate: f64,
    stopped: usize,
    best: usize,
    rates: Vec<f32>,
}

fn reference() -> Reference {
    let text = include_str!("../../../../reference/dense_head/dense_head.json");
    serde_json::from_str(text).expect("the reference is JSON")
}

impl GradientCase {
    fn head(&self) -> Dense {
        Dense::new(self.classes, self.weights()).unwrap()
    }

    fn weights(&self) -> Vec<(Vec<f32>, Vec<f32>)> {
        self.layers.iter().map(|layer| (layer.weight.clone(), layer.bias.clone())).collect()
    }

    fn examples(&self) -> Examples<'_> {
        Examples::new(&self.features, self.width, &self.labels, self.classes).unwrap()
    }

    fn loss(&self, head: &Dense) -> f64 {
        let examples = self.examples();
        let scores =
            Team::new(head, examples.len(), Execution::default().with_threads(1)).forward(examples.plain());
        loss_and_slopes(&scores, &examples, &self.class_weights).0.mean()
    }

    /// Weights and biases of each layer. Adam's running means, zero at first, hold a share of the gradient after a step.
    fn gradients(&self, threads: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
        let examples = self.examples();
        let team = Team::new(&self.head(), examples.len(), Execution::default().with_threads(threads));
        let step = Adam::new(AdamForm::Keras).next(0.0);
        let means = team.assemble(|team: &Team| {
            let scores = team.forward(examples.plain());
            let (_, slopes) = loss_and_slopes(&scores, &examples, &self.class_weights);
            team.backward(&slopes, &step);
            team.means()
        });
        let means = means.expect("threads");
        let whole = |values: Vec<f32>| values.iter().map(|value| value / step.mean_share).collect();
        means.iter().map(|layer| (whole(layer.rows()), whole(layer.bias[..layer.units].to_vec()))).collect()
    }
}

#[test]
fn gradients_equal_pytorch() {
    for case in reference().gradients {
        let head = case.head();
        assert!((case.loss(&head) - case.loss).abs() < 1e-6, "{} {}", case.loss(&head), case.loss);
        let found = case.gradients(3);
        assert_eq!(found.len(), case.gradients.len());
        for (layer, (found, wanted)) in found.iter().zip(&case.gradients).enumerate() {
            for (found, wanted) in [(&found.0, &wanted.weight), (&found.1, &wanted.bias)] {
                assert_eq!(found.len(), wanted.len());
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!((found - wanted).abs() < 1e-6, "layer {layer}: {found} {wanted}");
                }
            }
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    for case in reference().gradients {
        for (layer, (gradient, _)) in case.gradients(1).iter().enumerate() {
            for (index, found) in gradient.iter().enumerate() {
                let moved = |change: f32| {
                    let mut layers = case.weights();
                    layers[layer].0[index] += change;
                    case.loss(&Dense::new(case.classes, layers).unwrap())
                };
                let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
                let found = f64::from(*found);
                assert!((slope - found).abs() < 5e-4, "layer {layer} weight {index}: {found} {slope}");
            }
        }
    }
}

#[test]
fn adam_equals_keras_and_pytorch() {
    let case = reference().adam;
    for (form, wanted) in [(AdamForm::Keras, &case.keras), (AdamForm::PyTorch, &case.pytorch)] {
        let mut values = case.start.clone();
        let mut adam = Adam::new(form);
        let (mut means, mut squares) = (vec![0.0; values.len()], vec![0.0; values.len()]);
        for (step, gradient) in case.gradients.iter().enumerate() {
            // A gradient as it is: one example whose only input is 1.
            let gradient = Matrix::new(gradient, 1, gradient.len(), gradient.len());
            let learned = Learned { values: &mut values, means: &mut means, squares: &mut squares };
            descend(
                Isa::best(),
                Matrix::new(&[1.0], 1, 1, 1),
                gradient,
                &adam.next(case.rates[step]),
                learned,
            );
            for (found, wanted) in values.iter().zip(&wanted[step]) {
                assert!((found - wanted).abs() < 5e-7, "{form:?} step {step}: {values:?} {:?}", wanted);
            }
        }
    }
    let differ =
        case.keras[9].iter().zip(&case.pytorch[9]).any(|(keras, pytorch)| (keras - pytorch).abs() > 1e-4);
    assert!(differ, "the two forms cannot be told apart by these gradients");
}

#[test]
fn callbacks_equal_keras() {
    let mut failures = Vec::new();
    for case in reference().callbacks {
        let settings = EarlyStopping { patience: case.patience, min_delta: case.min_delta };
        let mut stopping = StoppingState::new(settings);
        let (mut best, mut stopped) = (0, case.losses.len());
        for (epoch, loss) in case.losses.iter().enumerate() {
            let verdict = stopping.observe(*loss);
            if verdict.improved {
                best = epoch + 1;
            }
            if verdict.stop {
                stopped = epoch + 1;
                break;
            }
        }
        let mut plateau = PlateauState::new(Plateau {
            factor: case.factor,
            patience: case.patience,
            min_delta: case.min_delta,
            cooldown: case.cooldown,
            min_learning_rate: case.min_rate,
        });
        let mut rate = 0.001_f32;
        let mut rates = Vec::new();
        for loss in &case.losses {
            rate = plateau.observe(*loss, rate);
            rates.push(rate);
        }
        if (stopped, best) != (case.stopped, case.best) || rates != case.rates {
            failures.push(format!(
                "{} patience {}: stopped {stopped}, Keras {}; best {best}, Keras {}; rates {rates:?}, Keras {:?}",
                case.name, case.patience, case.stopped, case.best, case.rates
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Both sum in f32, in different orders; five epochs of thirty steps at a rate of .01 let rounding grow to about 1e-6.
#[test]
fn whole_training_equals_keras() {
    for case in reference().trainings {
        let layers = case.layers.iter().map(|layer| (layer.weight.clone(), layer.bias.clone())).collect();
        let head = Dense::new(case.classes, layers).unwrap();
        let (features, held_out) = case.features.split_at(case.training * case.width);
        let (labels, held_out_labels) = case.labels.split_at(case.training);
        let training = Examples::new(features, case.width, labels, case.classes).unwrap();
        let validation = Examples::new(held_out, case.width, held_out_labels, case.classes).unwrap();
        let settings = DenseSettings {
            epochs: case.losses.len(),
            batch_size: 16,
            learning_rate: 0.01,
            early_stopping: None,
            plateau: None,
            ..DenseSettings::default()
        };
        let quiet = &mut |_: &Epoch| {};
        let in_order = &mut |_: &mut [usize]| {};
        let fit =
            fit_from(head, in_order, &training, Some(&validation), &settings, Execution::default(), quiet)
                .unwrap();
        let mut failures = Vec::new();
        for (index, epoch) in fit.history.epochs.iter().enumerate() {
            for (name, found, wanted, tolerance) in [
                ("loss", epoch.loss, case.losses[index], 1e-5),
                ("accuracy", epoch.accuracy, case.accuracies[index], 1e-6),
                ("val_loss", epoch.val_loss.unwrap(), case.val_losses[index], 1e-5),
                ("val_accuracy", epoch.val_accuracy.unwrap(), case.val_accuracies[index], 1e-6),
            ] {
                if (found - wanted).abs() > tolerance {
                    failures.push(format!("epoch {} {name}: {found}, Keras {wanted}", epoch.epoch));
                }
            }
        }
        let head = Head::Dense(fit.head);
        let columns = case.probabilities.len() / validation.len();
        for (row, wanted) in validation.plain().iter().zip(case.probabilities.chunks_exact(columns)) {
            let found = head.probabilities(Isa::best(), row);
            for (found, wanted) in found[found.len() - columns..].iter().zip(wanted) {
                if (found - wanted).abs() > 2e-5 {
                    failures.push(format!("probability {found}, Keras {wanted}"));
                }
            }
        }
        assert!(case.losses[4] < 0.7 * case.losses[0], "Keras learned nothing that could be compared");
        assert!(failures.is_empty(), "{} classes\n{}", case.classes, failures.join("\n"));
    }
}

/// Two rings, which no line separates.
fn rings(n: usize) -> (Vec<f32>, Vec<usize>) {
    let mut random = Random::new(5, "rings");
    let mut features = Vec::new();
    let labels: Vec<usize> = (0..n).map(|row| row % 2).collect();
    for label in &labels {
        let angle = random.uniform() * std::f64::consts::TAU;
        let radius = 1.0 + *label as f64 + 0.3 * random.uniform();
        features.extend([(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]);
    }
    (features, labels)
}

fn settings() -> DenseSettings {
    DenseSettings {
        layers: vec![24, 12],
        epochs: 60,
        batch_size: 16,
        learning_rate: 0.01,
        ..DenseSettings::default()
    }
}

#[test]
fn rings_are_learned_and_the_best_epoch_is_kept() {
    let (features, labels) = rings(300);
    let training = Examples::new(&features[..400], 2, &labels[..200], 2).unwrap();
    let validation = Examples::new(&features[400..], 2, &labels[200..], 2).unwrap();
    let mut heard = Vec::new();
    let fit = fit_dense(
        &training,
        Some(&validation),
        None,
        &settings(),
        Execution::default().with_threads(1),
        &mut |epoch| heard.push(epoch.clone()),
    )
    .unwrap();
    assert_eq!(heard, fit.history.epochs);
    let best = &fit.history.epochs[fit.history.best_epoch.unwrap() - 1];
    assert!(best.val_accuracy.unwrap() > 0.95, "{:?}", fit.history);
    // Losses are compared in f32, as Keras does.
    let loss = |epoch: &Epoch| epoch.val_loss.unwrap() as f32;
    assert!(fit.history.epochs.iter().all(|epoch| loss(epoch) >= loss(best)));
    // The head that is handed back is the best epoch's.
    let again =
        evaluate(&Team::new(&fit.head, WATCHED_AT_ONCE, Execution::default().with_threads(1)), &validation);
    assert_eq!(Some(again.mean()), best.val_loss);
    let head = Head::Dense(fit.head);
    let loss = |row: usize| {
        -head.probabilities(Isa::best(), &features[400 + 2 * row..][..2])[labels[200 + row]].ln()
    };
    let mean = (0..100).map(loss).sum::<f64>() / 100.0;
    assert!((mean - again.mean()).abs() < 1e-9, "{mean} {}", again.mean());
    assert_eq!(Head::from_tensors(&head.tensors(), 2).unwrap(), head);
    assert!(Head::from_tensors(&head.tensors()[..4], 2).is_err());
}

#[test]
fn seeds_decide_and_threads_do_not() {
    // Wide enough that layers and optimiser are spread over threads.
    let (n, width) = (70, 900);
    let features: Vec<f32> = (0..n * width).map(|index| ((index * 7919) % 1009) as f32 / 1009.0).collect();
    let labels: Vec<usize> = (0..n).map(|row| row % 3).collect();
    let examples = Examples::new(&features, width, &labels, 3).unwrap();
    let train = |seed, threads| {
        let settings = DenseSettings { layers: vec![300, 7], epochs: 2, seed, ..DenseSettings::default() };
        fit_dense(&examples, None, None, &settings, Execution::default().with_threads(threads), &mut |_| {})
            .unwrap()
    };
    let one = train(1, 1);
    assert_eq!(one.history.best_epoch, None);
    for threads in [2, 3, 4] {
        let other = train(1, threads);
        assert!(other.head == one.head && other.history == one.history, "{threads} threads");
    }
    assert!(train(2, 1).head != one.head);
}

#[test]
fn nonsense_is_refused_and_a_wish_to_stop_is_heard() {
    let (features, labels) = rings(20);
    let examples = Examples::new(&features, 2, &labels, 2).unwrap();
    let fit = |settings: DenseSettings| {
        fit_dense(&examples, None, None, &settings, Execution::default(), &mut |_| {})
    };
    let refused: [(&str, DenseSettings); 6] = [
        ("no units", DenseSettings { layers: vec![3, 0], ..settings() }),
        ("no epochs", DenseSettings { epochs: 0, ..settings() }),
        ("no batch", DenseSettings { batch_size: 0, ..settings() }),
        ("no rate", DenseSettings { learning_rate: 0.0, ..settings() }),
        (
            "no drop",
            DenseSettings { plateau: Some(Plateau { factor: 1.0, ..Plateau::default() }), ..settings() },
        ),
        ("divergence", DenseSettings { learning_rate: 1e30, ..settings() }),
    ];
    for (name, settings) in refused {
        assert_eq!(fit(settings).err().map(|error| error.kind()), Some(ErrorKind::Configuration), "{name}");
    }
    // No hidden layer is logistic regression, one example a batch and more than there are both work.
    for (layers, batch_size) in [(vec![], 1), (vec![2], 1000)] {
        fit(DenseSettings { layers, batch_size, epochs: 2, ..settings() }).unwrap();
    }
    let cancel = crate::CancelToken::new();
    cancel.cancel();
    let execution = Execution::default().with_cancel(&cancel);
    let stopped = fit_dense(&examples, None, None, &settings(), execution, &mut |_| {});
    assert_eq!(stopped.err().map(|error| error.kind()), Some(ErrorKind::Interrupted));
}
