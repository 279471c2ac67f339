//! A run, from photos to the files that it leaves: what every front end calls, and renders.
//!
//! ```text
//! options + data → plan → run (events, cancel) → owned results → files as bytes → RunFolder
//! ```
//!
//! [`TrainingOptions`] and a [`Dataset`](crate::Dataset) become a [`Training`], which has checked what can be checked; it runs in
//! a [`Session`] and gives a [`TrainedRun`]. [`evaluate`], [`Classifier::predict`](crate::Classifier::predict), [`inspect`] and
//! [`calibrate`] are the others. Nothing here prints, and only [`RunFolder`] and the session's store touch the disk, besides the
//! photos that are files.

mod advice;
mod answer;
mod calibration;
mod evaluation;
mod files;
mod folder;
mod head;
mod inspection;
mod job;
mod options;
mod prediction;
mod results;
mod session;
mod settings;
mod skipped;
mod stopwatch;
mod training;

pub use answer::Answer;
pub use calibration::calibrate;
pub use evaluation::{EvaluatedRun, EvaluationOptions, evaluate};
pub use files::{RunFile, RunFiles, RunInfo};
pub use folder::RunFolder;
pub use head::HeldOutFolds;
pub use inspection::{Inspection, InspectionOptions, inspect};
pub use job::{Event, Job, Stage};
pub use options::{FeatureLayers, HeadOptions, SplitRule, TrainingOptions};
pub use prediction::{PhotoToPredict, imagenet};
pub use results::Results;
pub use session::{Session, SessionOptions, StoreOptions};
pub use settings::TrainingSettings;
pub use skipped::SkippedFiles;
pub use training::{TrainedRun, Training};
