//! Which photos there are, what they show and what each is for: folders and tables in, a plain list out.
//!
//! This is where the line starts and where it is split. Nothing here decodes a photo or writes a file; photos
//! are only read, and only their listing, never their content, is read here.

mod classes;
mod skip;
pub mod folder;
pub mod manifest;
pub mod name;
pub mod split;
pub mod table;
mod walk;

pub(crate) use self::classes::spelled;
pub use self::skip::{IgnoreReason, SkipReason};
use crate::error::{Error, ErrorKind, Result};
use crate::notice::Notice;
use crate::photo::PhotoSource;
use crate::remedy::Remedy;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a photo is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subset {
    /// The head learns from it.
    Training,
    /// Chooses the epoch and the like; never learned from.
    Validation,
    /// Looked at once, when everything is chosen.
    Test,
    /// Photos that a saved classifier is evaluated on.
    Evaluation,
    /// Training photos, each predicted by a head that has not seen it.
    CrossValidation,
}

impl Subset {
    /// The name in files: `training`, `validation`, `test`, `evaluation`, `cross_validation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Subset::Training => "training",
            Subset::Validation => "validation",
            Subset::Test => "test",
            Subset::Evaluation => "evaluation",
            Subset::CrossValidation => "cross_validation",
        }
    }

    /// The set that people mean by that name of a folder or that value in a table: `train`, `Training_Set`,
    /// `val`, `valid`, `validation-set`, `testing`, `train_images`, … in any case; `None` for any other word.
    pub fn named(text: &str) -> Option<Subset> {
        let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let known = words().filter(|word| !FILLERS.contains(&word.to_lowercase().as_str()));
        let mut word: String = known.flat_map(str::chars).flat_map(char::to_lowercase).collect();
        for ending in FILLERS {
            if let Some(stem) = word.strip_suffix(ending).filter(|stem| !stem.is_empty()) {
                word = stem.to_string();
            }
        }
        Subset::of_word(&word)
    }

    /// The set in a name of several words or with numbers, and what else it says: `test1`, `01_train`, `pets_train`. Names of
    /// classes may look like that, too (`train station`), so the place must show that they are sets.
    fn named_among_others(text: &str) -> Option<(Subset, String)> {
        let mut found = None;
        let mut others = Vec::new();
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
            match Subset::named(word) {
                Some(set) if found.is_none() => found = Some(set),
                Some(_) => return None,
                None if FILLERS.contains(&word.to_lowercase().as_str()) => {}
                None => others.push(word.to_lowercase()),
            }
        }
        Some((found?, others.join(" ")))
    }

    fn of_word(word: &str) -> Option<Subset> {
        match word {
            "train" | "training" => Some(Subset::Training),
            "val" | "valid" | "validation" | "validate" => Some(Subset::Validation),
            "test" | "testing" => Some(Subset::Test),
            _ => None,
        }
    }
}

/// Words beside the name of a set that say nothing.
const FILLERS: [&str; 8] = ["dataset", "set", "data", "images", "imgs", "photos", "pictures", "split"];

/// One photo and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The path below [`Dataset::root`] with `/` between its parts, escaped as [`name`] says.
    pub name: String,
    /// Where to read it.
    pub photo: PhotoSource,
    /// The index of its class in [`Dataset::classes`].
    pub label: usize,
    /// What the folder or the table says it is for; `None` if they leave that open.
    pub set: Option<Subset>,
    /// Photos with the same group here (of one animal, place or moment) never part: not between training and validation, nor between
    /// folds. `None` for a photo on its own.
    pub group: Option<String>,
}

impl Sample {
    /// A photo that is for anything, and on its own.
    pub fn new(name: impl Into<String>, photo: PhotoSource, label: usize) -> Sample {
        Sample { name: name.into(), photo, label, set: None, group: None }
    }
}

/// A file that could have been a photo but is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// As [`Sample::name`].
    pub name: String,
    /// Where it is, unless it came from memory.
    pub path: Option<PathBuf>,
    /// Why.
    pub reason: SkipReason,
    /// The class that it would have had, where it is known.
    pub label: Option<usize>,
    /// The set that it would have been in, where the folder or the table says so.
    pub set: Option<Subset>,
}

impl Skipped {
    /// A photo of the data that is not used after all; the set is the one that it would have been in.
    pub(crate) fn new(sample: &Sample, reason: SkipReason, set: Option<Subset>) -> Skipped {
        let Sample { name, photo, label, .. } = sample;
        let path = photo.path().map(Path::to_path_buf);
        Skipped { name: name.clone(), path, reason, label: Some(*label), set }
    }
}

/// A file or folder that is no photo by its name or its place, so nobody misses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// As [`Sample::name`].
    pub name: String,
    /// Why.
    pub reason: IgnoreReason,
}

/// A folder or a table of photos, as it was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// The folder that the names are relative to.
    pub root: PathBuf,
    /// The names of the classes, sorted by bytes; a label is an index into them.
    pub classes: Vec<String>,
    /// The photos, sorted by set, class and name: the order of the directory on disk does not show.
    pub samples: Vec<Sample>,
    /// Files that are not used, sorted by name.
    pub skipped: Vec<Skipped>,
    /// What is no photo by its name or place, sorted by name.
    pub ignored: Vec<Ignored>,
    /// How the data were understood, where that was a choice.
    pub notes: Vec<Notice>,
    /// What a person should look at.
    pub warnings: Vec<Notice>,
}

impl Dataset {
    /// Photos in memory or elsewhere, with the names of their classes, sorted and each once.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if classes are not sorted by bytes or repeat, or a label is none of them.
    pub fn from_samples(classes: Vec<String>, samples: Vec<Sample>) -> Result<Dataset> {
        if !classes.is_sorted_by(|one, other| one < other) {
            let message = format!("classes must be sorted and differ: {}", quoted(&classes));
            return Err(Error::new(ErrorKind::Dataset, message));
        }
        if let Some(sample) = samples.iter().find(|sample| sample.label >= classes.len()) {
            let (name, label, count) = (name::visible(&sample.name), sample.label, classes.len());
            let message = format!("\"{name}\" has the label {label}, but there are {count} classes");
            return Err(Error::new(ErrorKind::Dataset, message));
        }
        let mut dataset = Dataset { classes, samples, ..Dataset::default() };
        dataset.sort();
        Ok(dataset)
    }

    /// The places of the photos that may choose something before there is a split: those of no test set.
    pub(crate) fn training_places(&self) -> Vec<usize> {
        (0..self.samples.len()).filter(|index| self.samples[*index].set != Some(Subset::Test)).collect()
    }

    /// The photos, in the order of the samples.
    pub(crate) fn photos(&self) -> Vec<PhotoSource> {
        self.samples.iter().map(|sample| sample.photo.clone()).collect()
    }

    /// For each photo the number of its group, from 0 in the order of the first photos.
    pub(crate) fn groups(&self) -> Vec<usize> {
        let mut numbers: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        let mut next = 0;
        let mut number = || {
            next += 1;
            next - 1
        };
        let groups = self.samples.iter().map(|sample| match &sample.group {
            Some(group) => *numbers.entry(group).or_insert_with(&mut number),
            None => number(),
        });
        groups.collect()
    }

    /// The number of photos of each class that `wanted` holds for.
    pub fn counts(&self, wanted: impl Fn(&Sample) -> bool) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in self.samples.iter().filter(|sample| wanted(sample)) {
            counts[sample.label] += 1;
        }
        counts
    }

    /// The indices of the photos of that set.
    pub fn of_set(&self, set: Option<Subset>) -> Vec<usize> {
        (0..self.samples.len()).filter(|&index| self.samples[index].set == set).collect()
    }

    /// Adds a test set that lies elsewhere, as [`open_as`] read it for the same classes.
    pub fn add(&mut self, other: Dataset) {
        debug_assert_eq!(self.classes, other.classes);
        self.samples.extend(other.samples);
        self.skipped.extend(other.skipped);
        self.ignored.extend(other.ignored);
        self.notes.extend(other.notes);
        self.warnings.extend(other.warnings);
        self.sort();
    }

    fn sort(&mut self) {
        self.samples.sort_by(|a, b| {
            let key = |sample: &'_ Sample| (sample.set, sample.label);
            let place = |sample: &Sample| sample.photo.path().map(Path::to_path_buf);
            let names = || a.name.as_bytes().cmp(b.name.as_bytes());
            key(a).cmp(&key(b)).then_with(names).then_with(|| place(a).cmp(&place(b)))
        });
        self.skipped.sort_by(|a, b| (a.name.as_bytes(), &a.path).cmp(&(b.name.as_bytes(), &b.path)));
        self.ignored.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    }
}

/// How photos are understood where their folder or table leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The title of a table's column of file names; else it is told by the titles that tools give.
    pub filename_column: Option<String>,
    /// The title of a table's column of labels; else as above.
    pub label_column: Option<String>,
    /// The title of a table's column of sets; else as above, and there need be none.
    pub set_column: Option<String>,
    /// The folder that the file names of a table are relative to; else the table's own, or one beside or above it.
    pub photos: Option<PathBuf>,
    /// Classes that differ only in upper and lower case are one.
    pub merge_case: bool,
    /// Rows of a table that give one file several labels are skipped; else they are an error.
    pub skip_conflicts: bool,
}

impl Options {
    fn are_for_tables(&self) -> bool {
        self.filename_column.is_some()
            || self.label_column.is_some()
            || self.set_column.is_some()
            || self.photos.is_some()
    }
}

/// Reads the photos to train on: a folder (see [`folder::read`]) or a table (see [`table::read`]).
///
/// # Errors
/// Kind `Dataset` where it cannot be understood, with a hint; `Configuration` for options of tables with a folder; `Io`
/// where it cannot be read.
pub fn open(data: &Path, options: &Options) -> Result<Dataset> {
    if is_folder(data, options)? { folder::read(data, options) } else { table::read(data, options) }
}

/// The same with a test set from elsewhere, if one is named. Columns and folders of the options are for `data`; the test photos are
/// understood by themselves.
///
/// # Errors
/// As [`open`] and [`open_as`]; kind `Configuration` if `data` have a test set of their own.
pub fn open_with_test(data: &Path, test: Option<&Path>, options: &Options) -> Result<Dataset> {
    let mut dataset = open(data, options)?;
    let Some(test) = test else { return Ok(dataset) };
    if dataset.samples.iter().any(|sample| sample.set == Some(Subset::Test)) {
        let message = "the photos have their own test set, and another one is named";
        return Err(Error::new(ErrorKind::Configuration, message)
            .with_path(data)
            .with_hint(Remedy::LeaveOutTest));
    }
    let Options { merge_case, skip_conflicts, .. } = *options;
    let options = Options { merge_case, skip_conflicts, ..Options::default() };
    dataset.add(open_as(test, &dataset.classes, Subset::Test, &options)?);
    Ok(dataset)
}

/// Reads photos of classes that are already fixed, for that set: a class without photos is fine, a class that
/// is not among `classes` is an error.
///
/// Of a folder that holds several sets, the test set is taken.
///
/// # Errors
/// As [`open`], and kind `Dataset` for an unknown class, listing both sides.
pub fn open_as(data: &Path, classes: &[String], set: Subset, options: &Options) -> Result<Dataset> {
    if is_folder(data, options)? {
        folder::read_as(data, classes, set, options)
    } else {
        table::read_as(data, classes, set, options)
    }
}

fn is_folder(data: &Path, options: &Options) -> Result<bool> {
    let metadata = std::fs::metadata(data).map_err(|source| {
        Error::io("cannot open the photos", data, source)
            .with_hint("DATA is a folder of class folders, or a CSV file with the columns filename and label")
    })?;
    if metadata.is_dir() {
        if options.are_for_tables() {
            let message = "columns, and a folder for their file names, are for tables; this is a folder";
            return Err(Error::new(ErrorKind::Configuration, message).with_path(data));
        }
        Ok(true)
    } else if metadata.is_file() {
        Ok(false)
    } else {
        Err(Error::new(ErrorKind::Dataset, "the photos are neither a folder nor a file").with_path(data))
    }
}

/// The error for classes that the classifier does not know.
fn unknown_classes(unknown: &[String], classes: &[String], set: Subset) -> Error {
    Error::new(
        ErrorKind::Dataset,
        format!(
            "the {} set has {} that training does not know: {}; known are: {}",
            set.as_str(),
            if unknown.len() == 1 { "a class" } else { "classes" },
            quoted(unknown),
            quoted(classes)
        ),
    )
    .with_hint("rename or remove that folder (or those rows): classes are matched by name, never by position")
}

/// Names for a message, quoted and safe for a terminal.
pub(crate) fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{}\"", name::visible(name))).collect();
    names.join(", ")
}
