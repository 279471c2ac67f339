//! A line an epoch, in the layout of Keras (3.15, `keras/src/utils/progbar.py`, `verbose=2`).

use std::time::Instant;

use topwork::train::{Epoch, History};

/// How many epochs there are at most, and when the running one began.
pub(crate) struct EpochLines {
    epochs: usize,
    start: Instant,
}

impl EpochLines {
    /// The first epoch begins now.
    pub(crate) fn start() -> EpochLines {
        EpochLines { epochs: 0, start: Instant::now() }
    }

    /// The lines of the epoch that ends now, of at most so many, each of so many batches.
    pub(crate) fn of(&mut self, epoch: &Epoch, epochs: usize, steps: usize) -> String {
        self.epochs = epochs;
        let seconds = self.start.elapsed().as_secs_f64();
        self.start = Instant::now();
        format!("Epoch {}/{}\n{}", epoch.epoch, self.epochs, line(epoch, steps, seconds))
    }

    /// Why no further epoch follows, and whose weights are kept.
    pub(crate) fn end(&self, history: &History) -> Vec<String> {
        let last = history.epochs.len();
        let stopped = (last < self.epochs).then(|| format!("Epoch {last}: early stopping"));
        let restored = history.best_epoch;
        let restored =
            restored.map(|best| format!("Restoring model weights from the end of the best epoch: {best}."));
        stopped.into_iter().chain(restored).collect()
    }
}

fn line(epoch: &Epoch, steps: usize, seconds: f64) -> String {
    let step = seconds / steps as f64;
    let each = match step {
        step if step >= 1.0 => format!("{step:.0}s"),
        step if step >= 1e-3 => format!("{:.0}ms", 1e3 * step),
        step => format!("{:.0}us", 1e6 * step),
    };
    let values = [
        ("accuracy", Some(epoch.accuracy)),
        ("loss", Some(epoch.loss)),
        ("val_accuracy", epoch.val_accuracy),
        ("val_loss", epoch.val_loss),
        ("learning_rate", Some(epoch.learning_rate)),
    ];
    let values =
        values.into_iter().filter_map(|(name, value)| Some(format!(" - {name}: {}", number(value?))));
    format!("{steps}/{steps} - {seconds:.0}s - {each}/step{}", values.collect::<String>())
}

/// Four decimals, or four with an exponent where those would say nothing.
fn number(value: f64) -> String {
    if value > 1e-3 {
        return format!("{value:.4}");
    }
    // Python writes a sign and at least two digits after the e.
    let text = format!("{value:.4e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that Keras 3.15.1 printed for these numbers.
    #[test]
    fn lines_are_those_of_keras() {
        let epoch = |rate: f32, val: Option<(f64, f64)>| Epoch {
            epoch: 2,
            loss: 0.68104,
            accuracy: 0.55,
            val_loss: val.map(|(loss, _)| loss),
            val_accuracy: val.map(|(_, accuracy)| accuracy),
            learning_rate: f64::from(rate),
        };
        assert_eq!(
            line(&epoch(1e-3, Some((0.68049, 0.55))), 3, 0.087),
            "3/3 - 0s - 29ms/step - accuracy: 0.5500 - loss: 0.6810 - val_accuracy: 0.5500 - val_loss: 0.6805 \
             - learning_rate: 0.0010"
        );
        assert_eq!(
            line(&epoch(1e-4, None), 1, 1.2),
            "1/1 - 1s - 1s/step - accuracy: 0.5500 - loss: 0.6810 - learning_rate: 1.0000e-04"
        );
        assert_eq!(number(0.0), "0.0000e+00");
        assert_eq!(number(9.99e-4), "9.9900e-04");
    }

    #[test]
    fn the_end_says_why_and_which_epoch_counts() {
        let row = Epoch {
            epoch: 1,
            loss: 0.5,
            accuracy: 0.5,
            val_loss: None,
            val_accuracy: None,
            learning_rate: 1e-3,
        };
        let history = History { epochs: vec![row; 4], best_epoch: Some(2) };
        let lines = |epochs| EpochLines { epochs, ..EpochLines::start() };
        let restored = "Restoring model weights from the end of the best epoch: 2.";
        assert_eq!(lines(9).end(&history), ["Epoch 4: early stopping", restored]);
        assert_eq!(lines(4).end(&history), [restored]);
        assert!(lines(4).end(&History { best_epoch: None, ..history }).is_empty());
    }
}
