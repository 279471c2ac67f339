//! `topwork bench`: how fast the line is by stage, how fast the network is by layer, and what the machine could do.

mod line;
mod machine;
mod network;

use std::io::Write;
use std::panic::resume_unwind;
use std::sync::RwLock;
use std::sync::mpsc::channel;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use topwork::report::counted;
use topwork::{Error, ErrorKind};

use crate::arguments::{Bench, Figures};
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::session::{self, session_without_store};
use crate::table::{self, Side};

const SECONDS: f64 = 2.0;
const SECONDS_OF_THE_MACHINE: f64 = 0.2;

pub(crate) fn run(arguments: &Bench) -> Result<Outcome, Failure> {
    let threads = thread_counts(arguments.threads);
    let mut report = Measurements::default();
    if arguments.machine {
        machine::measure(&threads, arguments.seconds.unwrap_or(SECONDS_OF_THE_MACHINE), &mut report)?;
    } else {
        let seconds = arguments.seconds.unwrap_or(SECONDS);
        let session = session_without_store(arguments.threads)?;
        let extractor = session::extractor(&arguments.backbone, arguments.precision.into(), &session)?;
        report.figure("backbone", arguments.backbone.as_str());
        report.figure("precision", extractor.precision().as_str());
        report.figure("isa", extractor.isa().name());
        if !arguments.network {
            line::measure(&extractor, &arguments.photos, &threads, seconds, &mut report)?;
        }
        network::measure(&extractor, &threads, seconds, arguments.layers, &mut report)?;
    }
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Figures::Text => write!(out, "{}", report.text)?,
        Figures::Json => writeln!(out, "{:#}", Value::Object(report.figures))?,
    }
    Ok(Outcome::Done)
}

/// One thread, and as many as wanted or as there are cores, where that is more.
fn thread_counts(wanted: Option<u16>) -> Vec<usize> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let most = wanted.map_or_else(cores, usize::from);
    if most > 1 { vec![1, most] } else { vec![1] }
}

/// What was measured, as tables and as JSON.
#[derive(Default)]
struct Measurements {
    text: String,
    figures: Map<String, Value>,
}

impl Measurements {
    fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text += line.as_ref().trim_end();
        self.text.push('\n');
    }

    /// Rows of cells: the first column to the left, the others to the right.
    fn table(&mut self, rows: &[Vec<String>]) {
        self.text += &table::text(rows, &[Side::Left]);
    }
}

/// The text of a row's cells.
fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// `1 thread`, `2 threads`.
fn threads_named(threads: usize) -> String {
    counted(threads, "thread")
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A JSON number with as many digits as a measurement can have.
fn rounded(value: f64) -> Value {
    let scale = 10_f64.powf(6.0 - value.abs().log10().floor());
    if scale.is_finite() { json!((value * scale).round() / scale) } else { json!(value) }
}

/// Work a second of threads together: each repeats `turn`, which says how much it did, on what `start` made for it, until
/// the seconds are over.
fn rate<W>(
    threads: usize,
    seconds: f64,
    start: impl Fn() -> W + Sync,
    turn: impl Fn(&mut W) -> u64 + Sync,
) -> Result<f64, Failure> {
    let gate = RwLock::new(());
    let closed = gate.write();
    std::thread::scope(|scope| {
        // Nothing is sent: all are ready when the last sender is gone.
        let (ready, all_ready) = channel::<()>();
        let mut workers = Vec::new();
        let mut refused = None;
        for _ in 0..threads {
            let (gate, start, turn, ready) = (&gate, &start, &turn, ready.clone());
            let work = move || {
                let mut state = start();
                drop(ready);
                drop(gate.read());
                let begin = Instant::now();
                let mut done = 0;
                loop {
                    done += turn(&mut state);
                    let elapsed = begin.elapsed();
                    if elapsed >= Duration::from_secs_f64(seconds) || interrupt::requested() {
                        return done as f64 / elapsed.as_secs_f64().max(1e-9);
                    }
                }
            };
            match std::thread::Builder::new().spawn_scoped(scope, work) {
                Ok(worker) => workers.push(worker),
                Err(error) => refused = Some(error),
            }
        }
        drop(ready);
        all_ready.recv().ok();
        drop(closed);
        let rate = |worker: ScopedJoinHandle<f64>| worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        let total = workers.into_iter().map(rate).sum();
        match refused {
            Some(error) => {
                Err(Error::new(ErrorKind::Configuration, format!("cannot start {threads} threads: {error}"))
                    .with_hint("add --threads 1")
                    .into())
            }
            None if interrupt::requested() => Err(Failure::Interrupted),
            None => Ok(total),
        }
    })
}
