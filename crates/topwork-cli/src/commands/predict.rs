//! `topwork predict`: the most probable classes of each photo, to standard output as soon as they are known.

mod answers;
mod photos;

use std::ops::ControlFlow;
use std::path::PathBuf;

use topwork::run::{self, Session};
use topwork::{Classifier, DEFAULT_BACKBONE, Precision, backbone};

use self::answers::Writer;
use crate::arguments::Predict;
use crate::failure::{Failure, Outcome};
use crate::screen::Screen;
use crate::session::session;
use crate::shell::quoted;
use crate::terminal::Terminal;

pub(crate) fn run(arguments: &Predict) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    let session = session(&arguments.work)?;
    let classifier = open(arguments, &session, terminal)?;
    let photos = photos::list(&arguments.photos, terminal)?;
    let mut writer = Writer::new(arguments.format, &classifier, arguments.top as usize)?;
    let (mut failed, mut written) = (false, Ok(()));
    Screen::new(terminal).follow(|job| {
        classifier.predict(photos, &session, job, |answer| {
            failed |= answer.error.is_some();
            written = writer.write(&answer);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    })?;
    written?;
    writer.flush()?;
    Ok(if failed { Outcome::TooManySkipped } else { Outcome::Done })
}

fn open(arguments: &Predict, session: &Session, terminal: Terminal) -> Result<Classifier, Failure> {
    if let Some(model) = &arguments.model {
        return Ok(Classifier::open(model, session.isa())?);
    }
    let mut message = "no --model: these are ImageNet's 1,000 classes, not yours".to_owned();
    if let Some(run) = newest_run() {
        message += &format!("; for your classifier add --model {}", quoted(&run));
    }
    terminal.say(message);
    let row = backbone::spec(arguments.backbone.as_deref().unwrap_or(DEFAULT_BACKBONE))?;
    Ok(run::imagenet(row, arguments.precision.map(Precision::from), session)?)
}

/// The newest run folder of the default name in the current folder.
fn newest_run() -> Option<PathBuf> {
    let runs = std::fs::read_dir(".").ok()?.flatten().map(|entry| PathBuf::from(entry.file_name()));
    runs.filter(|path| path.to_string_lossy().starts_with("topwork-run"))
        .filter_map(|path| {
            let written = path.join("model.safetensors").metadata().ok()?.modified().ok()?;
            Some((written, path))
        })
        .max()
        .map(|(_, path)| path)
}
