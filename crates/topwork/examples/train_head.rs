//! A linear head from features on standard input, and what it says about others: for comparisons with other libraries.
//!
//!     train_head MODE SEED
//!
//! MODE is `auto` (C and the tapped map are chosen), `last` (C is chosen, the last map alone) or a C. Standard input holds six
//! u32, little endian: photos to learn from, photos to predict, features of the last map, of the tapped map (or 0), classes,
//! threads; two f32: the factors of both maps' sums; then the rows of both kinds of photos as sums of two bytes, then the
//! labels of the first kind as u32. Standard output: a line of
//! JSON with what was chosen and the seconds, then the probabilities of the second kind as f64, a row a photo.

use std::cell::Cell;
use std::error::Error;
use std::io::{Read, Write};
use std::time::Instant;

use serde_json::json;
use topwork::Execution;
use topwork::features::Features;
use topwork::head::Head;
use topwork::train::{ClassWeight, Examples, LinearSettings, Stage, fit_linear, train_linear};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().ok_or("the first argument is auto, last or a C")?;
    let seed = arguments.next().map_or(Ok(42), |seed| seed.parse())?;
    let mut input = std::io::stdin().lock();
    let mut word = || -> Result<[u8; 4], std::io::Error> {
        let mut word = [0; 4];
        input.read_exact(&mut word)?;
        Ok(word)
    };
    let mut header = [0; 6];
    for number in &mut header {
        *number = u32::from_le_bytes(word()?) as usize;
    }
    let [learned, asked, last, tapped, classes, threads] = header;
    let factors = [f32::from_le_bytes(word()?), f32::from_le_bytes(word()?)];
    let mut bytes = vec![0; 2 * (learned + asked) * (last + tapped)];
    input.read_exact(&mut bytes)?;
    let mut labels = Vec::new();
    input.read_to_end(&mut labels)?;
    let labels: Vec<usize> =
        labels.as_chunks().0.iter().map(|label| u32::from_le_bytes(*label) as usize).collect();
    let features = Features::from_sums(last, tapped, factors, bytes)?;
    let rows: Vec<usize> = (0..learned).collect();
    let mut examples = Examples::from_features(&features, &rows, labels, classes)?;
    if mode == "last" {
        examples = examples.without_tap();
    }
    let start = Instant::now();
    let chosen = Cell::new(None);
    let progress = |stage| {
        if matches!(stage, Stage::Fitting { .. }) && chosen.get().is_none() {
            chosen.set(Some(start.elapsed().as_secs_f64()));
        }
    };
    let execution = Execution::default().with_threads(threads);
    let (fit, choice) = match mode.parse::<f64>() {
        Ok(strength) => {
            let settings = LinearSettings { strength, tap_weight: 0.0, class_weight: ClassWeight::Equal };
            (fit_linear(&examples, None, settings, execution, &progress)?, None)
        }
        Err(_) => {
            let (fit, choice) =
                train_linear(&examples, None, ClassWeight::Equal, seed, execution, &progress)?;
            (fit, Some(choice))
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let line = json!({
        "seconds": seconds, "seconds_of_choice": chosen.get(), "choice": choice, "steps": fit.history.epochs.len(), "converged": fit.converged,
    });
    writeln!(out, "{line}")?;
    let head = Head::Linear(fit.head);
    for row in learned..learned + asked {
        for probability in head.probabilities(execution.isa, &features.inputs(row, fit.tap.as_ref())) {
            out.write_all(&probability.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}
