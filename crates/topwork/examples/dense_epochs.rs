//! Trains the dense head of 1024, 512, 256 and 128 units on features from standard input, and prints the loss and the
//! seconds of every epoch. Input: a byte for each example's label (0 or 1), then 1,280 little-endian f32 for each.
//!
//!     dense_epochs EXAMPLES EPOCHS BATCH THREADS < FILE
#![allow(clippy::print_stdout)]

use std::io::Read;
use std::time::Instant;

use topwork::Execution;
use topwork::train::{AdamForm, DenseSettings, Examples, fit_dense};

const WIDTH: usize = 1280;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [examples, epochs, batch_size, threads] = numbers[..] else {
        return Err("usage: dense_epochs EXAMPLES EPOCHS BATCH THREADS < FILE".into());
    };
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let (labels, features) = bytes.split_at_checked(examples).ok_or("too few labels")?;
    let labels: Vec<usize> = labels.iter().map(|label| usize::from(*label)).collect();
    let features: Vec<f32> = features.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let settings = DenseSettings { epochs, batch_size, adam: AdamForm::PyTorch, ..DenseSettings::default() };
    let mut start = Instant::now();
    let mut report = |epoch: &topwork::train::Epoch| {
        println!("{} {}", epoch.loss, start.elapsed().as_secs_f64());
        start = Instant::now();
    };
    fit_dense(
        &Examples::new(&features, WIDTH, &labels, 2)?,
        None,
        None,
        &settings,
        Execution::default().with_threads(threads),
        &mut report,
    )?;
    Ok(())
}
