//! What a caller hears of work, and how it ends it.

use crate::execution::CancelToken;
use crate::features::extract::Progress;
use crate::notice::Notice;
use crate::train::{self, Epoch, History};

/// What a caller hears of work, and how it ends it.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Called from any thread.
    pub events: &'a (dyn Fn(Event<'_>) + Sync),
    /// Ends the work with [`ErrorKind::Interrupted`](crate::ErrorKind).
    pub cancel: &'a CancelToken,
}

impl Default for Job<'_> {
    /// In silence, to the end.
    fn default() -> Self {
        Job { events: &|_| {}, cancel: CancelToken::NEVER }
    }
}

impl Job<'_> {
    pub(super) fn stage(&self, stage: Stage) {
        (self.events)(Event::Stage(stage));
    }

    pub(super) fn notice(&self, notice: &Notice) {
        (self.events)(Event::Notice(notice));
    }
}

/// What happens while work goes on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage begins.
    Stage(Stage),
    /// Something that a person should know.
    Notice(&'a Notice),
    /// A photo was dealt with. A slow thread's event may come after a later count.
    Photos(Progress),
    /// What the training of a head does.
    Training(train::Stage),
    /// An epoch of dense layers ended.
    Epoch {
        /// Its figures.
        epoch: &'a Epoch,
        /// At most so many epochs.
        epochs: usize,
        /// Batches of an epoch.
        steps: usize,
        /// The fold that is held out, from 1; `None` for the head that is kept.
        fold: Option<usize>,
    },
    /// The head that is kept is fitted.
    Fitted(&'a History),
}

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Weights are read, and the network is made ready.
    Network,
    /// The ranges of int8 are looked for.
    Calibration {
        /// The backbone.
        backbone: &'static str,
        /// Photos that are looked at.
        photos: usize,
    },
    /// Photos become features.
    Features {
        /// How many.
        photos: usize,
    },
    /// A head is trained for each fold that is held out.
    Folds {
        /// How many.
        folds: usize,
    },
    /// A fold is held out.
    Fold {
        /// Which, from 1.
        fold: usize,
        /// Of how many.
        folds: usize,
    },
    /// The head is trained.
    Head {
        /// Photos that it learns from.
        photos: usize,
        /// Classes.
        classes: usize,
    },
    /// Photos that were not learned from are predicted.
    Evaluation,
}
