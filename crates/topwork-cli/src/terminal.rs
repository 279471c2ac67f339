//! What goes to standard error while a command works: messages, warnings, progress.
//!
//! Counter is a bar with photos a second and time left on a terminal, a plain line now and then elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long plain output stays silent between two lines of progress.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// A stage that takes less needs no progress.
const SHORT: Duration = Duration::from_secs(2);

/// Writes a line to standard error. One that nobody reads any more is no reason to stop, where `eprintln!` panics.
pub(crate) fn line(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Standard error, as talkative as the user wants it.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    quiet: bool,
}

impl Terminal {
    pub(crate) fn new(quiet: bool) -> Terminal {
        Terminal { quiet }
    }

    /// Something good to know; not shown when quiet.
    pub(crate) fn say(self, message: impl AsRef<str>) {
        if !self.quiet {
            line(message.as_ref());
        }
    }

    /// Something that may be wrong; always shown.
    pub(crate) fn warn(self, message: impl AsRef<str>) {
        line(format_args!("warning: {}", message.as_ref()));
    }

    /// A stage whose steps are not counted, shown once it has taken two seconds.
    pub(crate) fn course(self, what: &'static str) -> Course {
        let kind = if self.quiet {
            Kind::Silent
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            Kind::Bar(bar)
        } else {
            Kind::Plain(Mutex::new(Instant::now()))
        };
        Course { what, start: Instant::now(), kind }
    }

    /// A count that grows to `total`, shown with its rate.
    pub(crate) fn progress(self, what: &'static str, total: usize) -> Counter {
        let kind = if self.quiet || total == 0 {
            Kind::Silent
        } else if std::io::stderr().is_terminal() {
            let bar =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(10));
            let template = "{msg} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_message(what);
            Kind::Bar(bar)
        } else {
            Kind::Plain(Mutex::new(Instant::now()))
        };
        Counter { what, total, start: Instant::now(), kind }
    }
}

/// A stage that tells what it does and how far it is; see [`Terminal::course`].
pub(crate) struct Course {
    what: &'static str,
    start: Instant,
    kind: Kind,
}

impl Course {
    /// What is done now, and how much of the stage is done, where that is known.
    pub(crate) fn set(&self, step: &str, share: Option<f64>) {
        let elapsed = self.start.elapsed();
        if elapsed < SHORT {
            return;
        }
        let left =
            share.filter(|share| *share > 0.0).map(|share| elapsed.as_secs_f64() * (1.0 / share - 1.0));
        let left = left.map_or(String::new(), |left| format!("  at most {left:.0} s left"));
        let what = self.what;
        match &self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => {
                bar.set_message(format!("{what}: {step}{left}"));
                share.into_iter().for_each(|share| bar.set_position((1000.0 * share) as u64));
            }
            Kind::Plain(last) => {
                let Ok(mut last) = last.lock() else { return };
                if last.elapsed() >= PLAIN_INTERVAL {
                    *last = Instant::now();
                    line(format_args!("{what}: {step}  {:.0} s{left}", elapsed.as_secs_f64()));
                }
            }
        }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

/// A running count; see [`Terminal::progress`].
pub(crate) struct Counter {
    what: &'static str,
    total: usize,
    start: Instant,
    kind: Kind,
}

enum Kind {
    Silent,
    Bar(ProgressBar),
    Plain(Mutex<Instant>),
}

impl Counter {
    /// `done` of the total are done. May be called from any thread.
    pub(crate) fn set(&self, done: usize) {
        match &self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => bar.set_position(done as u64),
            Kind::Plain(last) => {
                let Ok(mut last) = last.lock() else { return };
                if last.elapsed() >= PLAIN_INTERVAL && done > 0 {
                    *last = Instant::now();
                    let rate = done as f64 / self.start.elapsed().as_secs_f64();
                    let left = (self.total.saturating_sub(done)) as f64 / rate;
                    let Counter { what, total, .. } = self;
                    line(format_args!("{what} {done}/{total}  {rate:.0}/s  {left:.0} s left"));
                }
            }
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}
