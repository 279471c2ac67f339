//! Files that were not used.

use crate::dataset::split::Split;
use crate::dataset::{Dataset, SkipReason, Skipped};
use crate::features::extract::Extraction;
use crate::notice::Notice;

/// Files that were not used, sorted by name.
#[derive(Clone, Debug, PartialEq)]
pub struct SkippedFiles {
    files: Vec<Skipped>,
    listed: usize,
}

impl SkippedFiles {
    pub(super) fn new(dataset: &Dataset, extraction: &Extraction, split: &Split) -> SkippedFiles {
        let mut files = dataset.skipped.clone();
        for (sample, photo) in dataset.samples.iter().zip(&extraction.photos) {
            if let Err(unreadable) = &photo.row {
                let reason = SkipReason::Unreadable(unreadable.clone());
                files.push(Skipped::new(sample, reason, sample.set));
            }
        }
        files.extend(split.skipped.iter().cloned());
        files.sort_by(|a, b| (a.name.as_bytes(), a.reason.code()).cmp(&(b.name.as_bytes(), b.reason.code())));
        SkippedFiles { files, listed: dataset.samples.len() + dataset.skipped.len() }
    }

    /// All of them.
    pub fn files(&self) -> &[Skipped] {
        &self.files
    }

    /// How many there are for each reason's code, the most frequent first.
    pub fn by_reason(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for file in &self.files {
            match counts.iter_mut().find(|(code, _)| *code == file.reason.code()) {
                Some((_, count)) => *count += 1,
                None => counts.push((file.reason.code(), 1)),
            }
        }
        counts.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        counts
    }

    /// A notice if a larger share than `allowed` (0 to 1) of all files could not be used. Duplicates cost nothing and do not count.
    pub fn too_many(&self, allowed: f64) -> Option<Notice> {
        let is_unusable = |file: &&Skipped| !matches!(file.reason, SkipReason::Duplicate { .. });
        let unusable = self.files.iter().filter(is_unusable).count();
        let share = unusable as f64 / self.listed.max(1) as f64;
        (share > allowed).then_some(Notice::TooManySkipped { unusable, of: self.listed, allowed })
    }
}
