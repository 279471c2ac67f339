//! The events of a run on standard error.

use std::sync::{Mutex, MutexGuard, PoisonError};

use topwork::Notice;
use topwork::features::extract;
use topwork::run::{Event, Job, Stage};
use topwork::train::Epoch;

use crate::epochs::EpochLines;
use crate::terminal::{Counter, Course, Terminal};
use crate::{interrupt, wording};

/// Shows what a run does. Whatever is drawn is gone when it is dropped.
pub(crate) struct Screen {
    terminal: Terminal,
    /// Epochs as Keras prints them.
    as_keras: bool,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    progress: Option<Counter>,
    course: Option<Course>,
    epochs: Option<EpochLines>,
}

impl Screen {
    pub(crate) fn new(terminal: Terminal) -> Screen {
        Screen { terminal, as_keras: false, shown: Mutex::default() }
    }

    /// The same with a line for each epoch, as Keras prints them.
    pub(crate) fn with_epochs_of_keras(self, as_keras: bool) -> Screen {
        Screen { as_keras, ..self }
    }

    /// Runs what needs a job, and shows it.
    pub(crate) fn follow<T>(&self, run: impl FnOnce(&Job) -> T) -> T {
        let result = run(&Job { events: &|event| self.show(event), cancel: interrupt::token() });
        *self.shown() = Shown::default();
        result
    }

    /// Something that a person should know.
    pub(crate) fn notice(&self, notice: &Notice) {
        let text = wording::notice(notice);
        match notice.is_warning() {
            true => self.terminal.warn(text),
            false => self.terminal.say(format!("note: {text}")),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, event: Event) {
        match event {
            Event::Stage(stage) => self.stage(stage),
            Event::Notice(notice) => self.notice(notice),
            Event::Photos(now) => self.photos(now),
            Event::Training(stage) => {
                let (step, share) = wording::training(stage);
                self.shown().course.iter().for_each(|course| course.set(&step, share));
            }
            Event::Epoch { epoch, epochs, steps, fold } => self.epoch(epoch, epochs, steps, fold),
            Event::Fitted(history) => {
                let lines = self.shown().epochs.take().map(|lines| lines.end(history));
                lines.into_iter().flatten().for_each(|line| self.terminal.say(line));
            }
            _ => {}
        }
    }

    fn stage(&self, stage: Stage) {
        let mut shown = self.shown();
        if !matches!(stage, Stage::Folds { .. } | Stage::Fold { .. }) {
            *shown = Shown::default();
        }
        wording::stage(stage).into_iter().for_each(|text| self.terminal.say(text));
        match stage {
            Stage::Features { photos } => shown.progress = Some(self.terminal.progress("photos", photos)),
            Stage::Head { .. } => {
                shown.course = Some(self.terminal.course("training the head"));
                shown.epochs = self.as_keras.then(EpochLines::start);
            }
            _ => {}
        }
    }

    fn photos(&self, now: extract::Progress) {
        let mut shown = self.shown();
        shown.progress.iter().for_each(|progress| progress.set(now.done));
        if now.done == now.total {
            shown.progress = None;
        }
    }

    fn epoch(&self, epoch: &Epoch, epochs: usize, steps: usize, fold: Option<usize>) {
        let mut shown = self.shown();
        if let (Some(lines), None) = (&mut shown.epochs, fold) {
            return self.terminal.say(lines.of(epoch, epochs, steps));
        }
        let fold = fold.map(|fold| format!("fold {fold}, ")).unwrap_or_default();
        let losses = match epoch.val_loss {
            Some(val_loss) => format!("loss {:.4}, validation loss {val_loss:.4}", epoch.loss),
            None => format!("loss {:.4}", epoch.loss),
        };
        let step = format!("{fold}epoch {} of {epochs}, {losses}", epoch.epoch);
        let share = epoch.epoch as f64 / epochs as f64;
        shown.course.iter().for_each(|course| course.set(&step, Some(share)));
    }
}
