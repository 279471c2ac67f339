//! The limits of this machine: clock, multiply-adds, bandwidth. Of several short slices the fastest counts, since all that
//! disturbs makes a loop slower.

use serde_json::{Value, json};
use topwork::Isa;
use topwork_kernels::machine::{self, Arithmetic, Peak};

use super::{Measurements, figure, rate, rounded, row, threads_named};
use crate::failure::Failure;

/// Slices of each measurement.
const SLICES: usize = 20;

/// Passes through an arithmetic loop between two looks at the watch: some microseconds.
const PASSES: u64 = 1_000;

/// Values that are read between two looks at the watch: 192 KiB.
const BLOCK: usize = 48 << 10;

/// What a bandwidth is of, and the bytes that all threads read again and again.
enum Level {
    /// So many a thread.
    Own(&'static str, usize),
    /// So many in all.
    Shared(&'static str, usize),
}

/// Sizes between those of the caches of today's processors.
const LEVELS: [Level; 3] =
    [Level::Own("L2 cache", 192 << 10), Level::Own("L3 cache", 6 << 20), Level::Shared("memory", 256 << 20)];

pub(super) fn measure(threads: &[usize], seconds: f64, report: &mut Measurements) -> Result<(), Failure> {
    let clock = fastest(seconds, |slice| rate(1, slice, || (), |()| machine::chain(PASSES)))?;
    report.line(format!("clock {:.2} GHz (additions that wait for each other), one thread", clock / 1e9));
    report.line("");

    let mut rows = vec![header("multiply-adds, GOP/s", &["", "bits"], threads)];
    let mut peaks = Vec::new();
    for peak in machine::peaks() {
        let found = each(threads, |threads| peak_rate(&peak, threads, seconds))?;
        rows.push(cells(peak.isa().name(), &[name(&peak), &bits(&peak)], &found));
        peaks.push(json!({
            "isa": peak.isa().name(),
            "arithmetic": arithmetic_name(peak.arithmetic()),
            "instruction": peak.instruction(),
            "bits": peak.bits(),
            "gop_per_second": by_threads(&found),
        }));
    }
    report.table(&rows);
    report.line("");

    let mut rows = vec![header("reading, GB/s", &["KiB a thread"], threads)];
    let mut bandwidths = Vec::new();
    for level in &LEVELS {
        let (name, _) = level.of(1);
        let found = each(threads, |threads| bandwidth(level.of(threads).1, threads, seconds))?;
        let sizes = threads.iter().map(|&threads| (level.of(threads).1 >> 10).to_string());
        let sizes = sizes.reduce(|one, other| if one == other { one } else { format!("{one}, {other}") });
        rows.push(cells(name, &[&sizes.unwrap_or_default()], &found));
        bandwidths.push(json!({ "level": name, "gb_per_second": by_threads(&found) }));
    }
    report.table(&rows);
    report.figure("clock_ghz", rounded(clock / 1e9));
    report.figure("peaks", peaks);
    report.figure("bandwidths", bandwidths);
    Ok(())
}

/// Operations a second, in billions, that the loop reaches on that many threads.
pub(super) fn peak_rate(peak: &Peak, threads: usize, seconds: f64) -> Result<f64, Failure> {
    let passes = |slice| rate(threads, slice, || (), |()| peak.run(PASSES));
    Ok(fastest(seconds, passes)? / 1e9)
}

/// `vpdpbusd, 512 bits`.
pub(super) fn described(peak: &Peak) -> String {
    match peak.bits() {
        0 => name(peak).to_owned(),
        bits => format!("{}, {bits} bits", name(peak)),
    }
}

fn name(peak: &Peak) -> &'static str {
    peak.instruction()
}

fn arithmetic_name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::Float => "f32",
        Arithmetic::Byte => "int8",
    }
}

fn bits(peak: &Peak) -> String {
    if peak.bits() == 0 { String::new() } else { peak.bits().to_string() }
}

/// Billions of bytes a second that the threads read, each through a set of its own.
fn bandwidth(bytes: usize, threads: usize, seconds: f64) -> Result<f64, Failure> {
    let isa = Isa::best();
    // Written once: pages that never were have no memory of their own.
    let start = || (vec![1.0_f32; bytes / size_of::<f32>()], 0);
    let turn = |(values, at): &mut (Vec<f32>, usize)| {
        let block = &values[*at..values.len().min(*at + BLOCK)];
        machine::read(isa, block);
        *at = if *at + block.len() < values.len() { *at + block.len() } else { 0 };
        size_of_val(block) as u64
    };
    Ok(fastest(seconds, |slice| rate(threads, slice, start, turn))? / 1e9)
}

fn fastest(seconds: f64, slice: impl Fn(f64) -> Result<f64, Failure>) -> Result<f64, Failure> {
    let slices = (0..SLICES).map(|_| slice(seconds / SLICES as f64));
    slices.reduce(|one, other| Ok(one?.max(other?))).unwrap_or(Ok(0.0))
}

type ByThreads = Vec<(usize, f64)>;

fn each(threads: &[usize], measure: impl Fn(usize) -> Result<f64, Failure>) -> Result<ByThreads, Failure> {
    threads.iter().map(|&threads| Ok((threads, measure(threads)?))).collect()
}

fn by_threads(found: &ByThreads) -> Vec<Value> {
    found.iter().map(|(threads, value)| json!({ "threads": threads, "value": rounded(*value) })).collect()
}

fn header(title: &str, columns: &[&str], threads: &[usize]) -> Vec<String> {
    let mut header = row([title]);
    header.extend(columns.iter().map(|column| (*column).to_owned()));
    header.extend(threads.iter().map(|threads| threads_named(*threads)));
    header
}

fn cells(name: &str, columns: &[&str], found: &ByThreads) -> Vec<String> {
    let mut cells = row([name]);
    cells.extend(columns.iter().map(|column| (*column).to_owned()));
    cells.extend(found.iter().map(|(_, value)| figure(*value)));
    cells
}

impl Level {
    /// Its name, and the bytes that each of so many threads reads.
    fn of(&self, threads: usize) -> (&'static str, usize) {
        match *self {
            Level::Own(name, bytes) => (name, bytes),
            Level::Shared(name, bytes) => (name, (bytes / threads).max(16 << 20)),
        }
    }
}
