//! What a training or an evaluation found: predictions and figures in, the files of a run folder and the summary out.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use topwork::dataset::split::Split;
use topwork::dataset::{Dataset, Sample, Set, Skipped, name};
use topwork::features::extract::Extraction;
use topwork::metrics::{self, Evaluation};
use topwork::photo::{self, Limits};
use topwork::report::{self, Picture, Prediction, Report, SetReport};
use topwork::{Classifier, Error, ErrorKind, Isa};

use crate::arguments::Work;
use crate::failure::{Failure, Outcome};
use crate::run_folder::RunFolder;
use crate::terminal::Terminal;
use crate::work::{Stopwatch, counted};

/// How many of the worst mistakes the report shows.
const MISTAKES: usize = 24;

/// How many random photos the report shows: five rows of five.
const GRID: usize = 25;

/// The longer side of a picture in the report.
const THUMBNAIL_SIDE: u32 = 224;

/// Formats among the photos that are not decoded.
fn undecoded(extraction: &Extraction) -> Vec<photo::Undecoded> {
    photo::undecoded(extraction.photos.iter().filter_map(|photo| photo.row.as_ref().err()))
}

/// One line for each format that is not decoded, with its number and the way to convert it.
pub(crate) fn formats(extraction: &Extraction) -> Vec<String> {
    let line = |of: photo::Undecoded| {
        let is = if of.count == 1 { "is" } else { "are" };
        let photos = counted(of.count, "photo");
        format!("{photos} {is} {}, which is not decoded here; {}", of.format, of.conversion)
    };
    undecoded(extraction).into_iter().map(line).collect()
}

/// Warns of formats that are not decoded.
///
/// # Errors
/// Kind `Dataset` where all photos have such formats: nothing is left then, and the reason is known.
pub(crate) fn check_formats(extraction: &Extraction, terminal: Terminal) -> Result<(), Failure> {
    let (found, photos) = (undecoded(extraction), extraction.photos.len());
    if photos < 2 || found.iter().map(|of| of.count).sum::<usize>() < photos {
        formats(extraction).iter().for_each(|line| terminal.warn(line));
        return Ok(());
    }
    let all = format!("all {}", counted(photos, "photo"));
    let (message, hint) = match found.as_slice() {
        [only] => (format!("{all} are {}, which is not decoded here", only.format), only.conversion.clone()),
        several => {
            let counts: Vec<_> = several.iter().map(|of| format!("{} {}", of.count, of.format)).collect();
            let hints: Vec<_> =
                several.iter().map(|of| format!("{}: {}", of.format, of.conversion)).collect();
            let message = format!("{all} have formats that are not decoded here: {}", counts.join(", "));
            (message, hints.join("; "))
        }
    };
    Err(Error::new(ErrorKind::Dataset, message).with_hint(hint).into())
}

/// Files that were not used.
pub(crate) struct Skips {
    files: Vec<Skipped>,
    listed: usize,
    /// Files that could not be used, without duplicates, which cost nothing.
    unusable: usize,
}

impl Skips {
    pub(crate) fn new(dataset: &Dataset, extraction: &Extraction, split: &Split) -> Skips {
        let mut files = dataset.skipped.clone();
        for (sample, photo) in dataset.samples.iter().zip(&extraction.photos) {
            if let Err(unreadable) = &photo.row {
                files.push(Skipped {
                    name: sample.name.clone(),
                    path: sample.path.clone(),
                    reason: unreadable.reason.as_str().to_owned(),
                    detail: unreadable.detail.clone(),
                    label: Some(sample.label),
                    set: sample.set,
                });
            }
        }
        files.extend(split.skipped.iter().cloned());
        files.sort_by(|a, b| (a.name.as_bytes(), &a.reason).cmp(&(b.name.as_bytes(), &b.reason)));
        let unusable = files.iter().filter(|file| file.reason != "duplicate").count();
        Skips { files, listed: dataset.samples.len() + dataset.skipped.len(), unusable }
    }

    pub(crate) fn files(&self) -> &[Skipped] {
        &self.files
    }

    /// How many there are of each reason, the most frequent first.
    pub(crate) fn by_reason(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for file in &self.files {
            match counts.iter_mut().find(|(reason, _)| *reason == file.reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((&file.reason, 1)),
            }
        }
        counts.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        counts
    }

    pub(crate) fn line(&self) -> String {
        let reasons: Vec<String> =
            self.by_reason().iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        match reasons.is_empty() {
            true => "no file skipped".to_owned(),
            false => format!("{} skipped ({})", counted(self.files.len(), "file"), reasons.join(", ")),
        }
    }

    /// Whether more was skipped than allowed, said so.
    pub(crate) fn outcome(&self, allowed: f64, terminal: Terminal) -> Outcome {
        let share = self.unusable as f64 / self.listed.max(1) as f64;
        if share <= allowed {
            return Outcome::Done;
        }
        terminal.warn(format!(
            "{} of {} files could not be used, more than --max-skipped {}% allows",
            self.unusable,
            self.listed,
            100.0 * allowed
        ));
        Outcome::TooManySkipped
    }
}

/// Predictions of every set, and the figures drawn from them.
pub(crate) struct Results {
    classes: Vec<String>,
    seed: u64,
    predictions: Vec<Prediction>,
    paths: Vec<PathBuf>,
    sets: Vec<(Set, Evaluation)>,
}

impl Results {
    pub(crate) fn new(classes: &[String], seed: u64) -> Results {
        Results {
            classes: classes.to_vec(),
            seed,
            predictions: Vec::new(),
            paths: Vec::new(),
            sets: Vec::new(),
        }
    }

    /// One photo of a set with the probability of each class.
    pub(crate) fn add(&mut self, sample: &Sample, set: Set, probabilities: Vec<f64>) {
        self.paths.push(sample.path.clone());
        self.predictions.push(Prediction {
            name: sample.name.clone(),
            set,
            label: Some(sample.label),
            predicted: metrics::most_probable(&probabilities),
            probabilities,
        });
    }

    /// Draws the figures of every set that has predictions.
    pub(crate) fn evaluate(&mut self) {
        for set in [Set::CrossValidation, Set::Validation, Set::Test, Set::Evaluation] {
            let of_set = |prediction: &&Prediction| prediction.set == set;
            if self.predictions.iter().any(|prediction| of_set(&prediction)) {
                let rows =
                    self.predictions.iter().filter(of_set).filter_map(|prediction| {
                        Some((prediction.label?, prediction.probabilities.as_slice()))
                    });
                self.sets.push((set, metrics::evaluate(&self.classes, rows)));
            }
        }
    }

    pub(crate) fn evaluation(&self, set: Set) -> Option<&Evaluation> {
        self.sets.iter().find(|(found, _)| *found == set).map(|(_, evaluation)| evaluation)
    }

    /// The set that says most about new photos.
    fn leading(&self) -> Option<&(Set, Evaluation)> {
        let order = [Set::Test, Set::Evaluation, Set::CrossValidation, Set::Validation];
        order.iter().find_map(|set| self.sets.iter().find(|(found, _)| found == set))
    }

    /// The report, but for what only the caller knows.
    pub(crate) fn page(&self, data: &Path, notes: Vec<String>, isa: Isa) -> Report {
        let leading = self.leading().map(|(set, _)| *set);
        let chosen: Vec<usize> = (0..self.predictions.len())
            .filter(|&index| Some(self.predictions[index].set) == leading)
            .collect();
        let predictions: Vec<Prediction> =
            chosen.iter().map(|&index| self.predictions[index].clone()).collect();
        let mistakes = report::worst_mistakes(&predictions, MISTAKES);
        let grid = report::random_photos(&predictions, GRID, self.seed);
        let shown: Vec<usize> = mistakes.iter().chain(&grid).map(|&position| chosen[position]).collect();
        let mut pictures = self.pictures(&shown, isa);
        let grid = pictures.split_off(mistakes.len());
        let title = data.canonicalize().ok().and_then(|data| data.file_name().map(name::escape_part));
        Report {
            title: title.unwrap_or_else(|| "photos".to_owned()),
            command: command_line(),
            notes,
            sets: self
                .sets
                .iter()
                .map(|(set, evaluation)| SetReport { set: *set, evaluation: evaluation.clone() })
                .collect(),
            mistakes: pictures,
            grid,
            ..Report::default()
        }
    }

    /// Small copies of photos, made on all cores: decoding them again is most of a warm run's report.
    fn pictures(&self, shown: &[usize], isa: Isa) -> Vec<Picture> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = shown.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = shown
                .chunks(share)
                .map(|part| {
                    scope
                        .spawn(move || part.iter().map(|&index| self.picture(index, isa)).collect::<Vec<_>>())
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        })
    }

    fn picture(&self, index: usize, isa: Isa) -> Picture {
        let prediction = &self.predictions[index];
        let limits = Limits::default();
        let thumbnail = photo::read(&self.paths[index], &limits)
            .and_then(|bytes| photo::decode(&bytes, &limits))
            .ok()
            .and_then(|photo| report::thumbnail(&photo, THUMBNAIL_SIDE, isa).ok());
        Picture {
            thumbnail,
            name: prediction.name.clone(),
            actual: prediction.label.map(|label| self.classes[label].clone()),
            predicted: self.classes[prediction.predicted].clone(),
            probability: prediction.confidence(),
        }
    }

    /// Writes the files that training and evaluation have in common.
    #[allow(clippy::too_many_arguments, reason = "one call writes what a run is made of")]
    pub(crate) fn finish(
        &self,
        folder: &RunFolder,
        mut page: Report,
        classifier: &Classifier,
        settings: &serde_json::Value,
        skips: &Skips,
        extraction: &Extraction,
        work: &Work,
        stopwatch: &mut Stopwatch,
    ) -> Result<(), Failure> {
        let sets = self.sets.iter().map(|(set, evaluation)| (*set, evaluation));
        folder.write("metrics.json", &report::metrics_json(sets))?;
        folder.write("predictions.csv", &report::predictions_csv(&self.classes, &self.predictions))?;
        let rows =
            skips.files.iter().map(|file| (file.name.as_str(), file.reason.as_str(), file.detail.as_str()));
        folder.write("skipped.csv", &report::skipped_csv(rows))?;

        let extractor = classifier.extractor();
        page.skipped = skips.files.clone();
        page.settings = flat(settings);
        page.settings.push(("precision".to_owned(), classifier.record().precision.as_str().to_owned()));
        page.settings.push(("instruction set".to_owned(), extractor.isa().name().to_owned()));
        page.versions = vec![("topwork".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        page.digests = vec![
            (
                format!("weights of {}", extractor.backbone().name),
                classifier.record().backbone.digest.clone(),
            ),
            ("extractor".to_owned(), hexadecimal(extractor.identity())),
        ];
        if let Some(ranges) = &classifier.record().ranges {
            page.digests.push(("ranges".to_owned(), ranges.clone()));
        }
        stopwatch.stage("report");
        page.seconds = stopwatch.stages().to_vec();
        folder.write("report.html", report::html(&page).as_bytes())?;

        let pairs = |pairs: &[(String, String)]| -> serde_json::Map<String, serde_json::Value> {
            pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
        };
        let progress = &extraction.progress;
        let seconds: serde_json::Map<String, serde_json::Value> =
            stopwatch.stages().iter().map(|(name, seconds)| (name.clone(), json!(seconds))).collect();
        let run = json!({
            "command": page.command,
            "settings": settings,
            "seed": self.seed,
            "versions": pairs(&page.versions),
            "digests": pairs(&page.digests),
            "threads": work.threads,
            "precision": extractor.precision().as_str(),
            "instruction_set": extractor.isa().name(),
            "features": {
                "extracted": progress.computed,
                "from_store": progress.known,
                "refused": progress.refused,
                "seconds_of_all_threads": {
                    "read": progress.seconds.read,
                    "hash": progress.seconds.hash,
                    "store": progress.seconds.store,
                    "decode": progress.seconds.decode,
                    "resize": progress.seconds.resize,
                    "network": progress.seconds.network,
                },
            },
            "seconds": seconds,
        });
        let mut text = serde_json::to_vec_pretty(&run).map_err(|error| {
            Failure::from(Error::new(ErrorKind::Bug, "run.json cannot be written").with_source(error))
        })?;
        text.push(b'\n');
        folder.write("run.json", &text)
    }

    /// The last lines on the terminal: accuracy, worst confusion, skipped files, the report.
    pub(crate) fn print(
        &self,
        out: &mut impl Write,
        skips: &Skips,
        stages: &[(String, f64)],
        path: &Path,
    ) -> Result<(), Failure> {
        for (set, evaluation) in self.sets.iter().rev() {
            let set = set.as_str().replace('_', "-");
            writeln!(out, "{set} accuracy {}", report::accuracy_text(evaluation))?;
            if let Some(baseline) = &evaluation.baseline {
                let class = name::visible(&baseline.class);
                writeln!(out, "  always answering “{class}”: {} %", report::percent(baseline.accuracy))?;
            }
            if let Some(worst) = &evaluation.worst_confusion {
                let (actual, predicted) = (name::visible(&worst.actual), name::visible(&worst.predicted));
                let photos = counted(usize::try_from(worst.count).unwrap_or(usize::MAX), "photo");
                writeln!(out, "  worst confusion: {photos} of “{actual}” taken for “{predicted}”")?;
            }
        }
        writeln!(out, "{}", skips.line())?;
        let total: f64 = stages.iter().map(|(_, seconds)| seconds).sum();
        let parts: Vec<String> =
            stages.iter().map(|(stage, seconds)| format!("{stage} {seconds:.1}")).collect();
        writeln!(out, "{total:.1} s: {}", parts.join(", "))?;
        writeln!(out, "report: {}", name::visible(&path.join("report.html").display().to_string()))?;
        Ok(())
    }

    /// The leading set's classification report and confusion matrix, laid out as scikit-learn and NumPy print them.
    pub(crate) fn print_tables(&self, out: &mut impl Write) -> Result<(), Failure> {
        let Some((_, evaluation)) = self.leading() else { return Ok(()) };
        writeln!(out, "{}", report::classification_text(&evaluation.classification_report))?;
        writeln!(out, "{}", report::confusion_array_text(&evaluation.confusion_matrix))?;
        Ok(())
    }

    /// A photo to try the classifier on, as an argument for a shell.
    pub(crate) fn example(&self) -> Option<&Path> {
        let (set, _) = self.leading()?;
        let position = self.predictions.iter().position(|prediction| prediction.set == *set)?;
        Some(&self.paths[position])
    }
}

/// What was typed, as far as it can be shown.
fn command_line() -> String {
    std::env::args_os()
        .enumerate()
        .map(|(position, argument)| match position {
            0 => "topwork".to_owned(),
            _ => crate::work::shell_quoted(Path::new(&argument)),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Settings as lines of name and value.
fn flat(settings: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    settings
        .as_object()
        .map(|object| object.iter().map(|(name, value)| (name.replace('_', " "), text(value))).collect())
        .unwrap_or_default()
}
