//! Answers for any number of photos, in their order.

use std::ops::ControlFlow;

use super::answer::Answer;
use super::job::Job;
use super::session::Session;
use crate::backbone::{Arithmetic, BackboneSpec};
use crate::classifier::Classifier;
use crate::dataset::SkipReason;
use crate::error::Result;
use crate::network::Precision;
use crate::photo::PhotoSource;

/// Photos that are worked on before their answers are given.
const WINDOW: usize = 256;

/// A photo to predict, or a name that leads to none.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotoToPredict {
    /// The name of the answer.
    pub name: String,
    /// The photo, or why there is none.
    pub photo: std::result::Result<PhotoSource, SkipReason>,
}

impl Classifier {
    /// Answers for photos, in their order, a window of them at a time: neither photos nor answers need fit into memory. `sink` takes
    /// each answer and may end the work.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](crate::ErrorKind) if it was cancelled. A photo that cannot be used is an answer with an error.
    pub fn predict(
        &self,
        photos: impl IntoIterator<Item = PhotoToPredict>,
        session: &Session,
        job: &Job,
        mut sink: impl FnMut(Answer) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut photos = photos.into_iter();
        let classes = &self.record().classes;
        loop {
            let window: Vec<PhotoToPredict> = photos.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return Ok(());
            }
            let usable = window.iter().filter_map(|asked| asked.photo.as_ref().ok());
            let sources: Vec<PhotoSource> = usable.cloned().collect();
            let (_, extraction) = session.extract(self.extractor(), &sources, &[], job)?;
            let mut outcomes = extraction.photos.into_iter();
            for PhotoToPredict { name, photo } in window {
                let outcome = match photo {
                    Err(reason) => Err(reason),
                    Ok(_) => {
                        let outcome = outcomes.next().map(|outcome| outcome.row);
                        outcome.unwrap_or(Ok(0)).map_err(SkipReason::Unreadable)
                    }
                };
                let answer = match outcome {
                    Ok(row) => Answer::new(name, classes, self.probabilities(&extraction.features, row)),
                    Err(reason) => Answer::failed(name, reason),
                };
                if sink(answer).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

/// The backbone with its own top: ImageNet's 1,000 classes. Without a precision it runs in int8 if its ranges are known, else in f32.
///
/// # Errors
/// [`ErrorKind::Weights`](crate::ErrorKind) if the weights are not here, have no top, or no ranges although int8 is asked for.
pub fn imagenet(spec: &BackboneSpec, precision: Option<Precision>, session: &Session) -> Result<Classifier> {
    let weights = spec.weights()?;
    let ranges = match precision {
        Some(Precision::F32) => None,
        Some(Precision::Int8) => Some(spec.ranges_of(&weights)?),
        None => spec.known_ranges(&weights)?,
    };
    let arithmetic = ranges.as_ref().map_or(Arithmetic::F32, Arithmetic::Int8);
    Classifier::imagenet(session.backbone(spec, &weights, arithmetic)?)
}
