//! How long each part of a run took.

use std::time::Instant;

/// Seconds of each stage, in their order.
#[derive(Clone, Debug)]
pub(super) struct Stopwatch {
    last: Option<Instant>,
    stages: Vec<(String, f64)>,
}

impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        Stopwatch { last: now(), stages: Vec::new() }
    }

    /// The same, after stages that are over.
    pub(super) fn after(stages: Vec<(String, f64)>) -> Stopwatch {
        Stopwatch { last: now(), stages }
    }

    /// The time since the last stage ended belongs to this one.
    pub(super) fn stage(&mut self, name: &str) {
        let now = now();
        let seconds = now.zip(self.last).map_or(0.0, |(now, last)| (now - last).as_secs_f64());
        self.stages.push((name.to_owned(), seconds));
        self.last = now;
    }

    pub(super) fn stages(self) -> Vec<(String, f64)> {
        self.stages
    }
}

/// WebAssembly has no clock of its own, and the standard library's panics there.
fn now() -> Option<Instant> {
    (!cfg!(all(target_family = "wasm", target_os = "unknown"))).then(Instant::now)
}
