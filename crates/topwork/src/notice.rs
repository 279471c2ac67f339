//! What a person should know about their data or a run, as data. `Display` says it without the terms of any front end; one
//! that offers a remedy under a name of its own words it by itself.

use std::fmt;

use serde::Serialize;

use crate::dataset::name::visible;
use crate::dataset::{Subset, quoted, spelled};
use crate::features::{Look, StoreNotice};
use crate::photo::SampleRange;
use crate::report::{counted, grouped};

/// Something that is good to know, or may be wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// All class folders, or all sets, are in one folder of the folder that was named.
    SingleFolder(String),
    /// Of a folder with several sets, this one is evaluated.
    FolderOfSet(String),
    /// Of a table with several sets, the rows of the test set are evaluated.
    RowsOfTestSet {
        /// Rows of the test set.
        rows: usize,
        /// Rows of the table.
        of: usize,
    },
    /// Classes that were merged because they differ only in upper and lower case: photos, class, and the class that it became.
    MergedByCase(Vec<(usize, String, String)>),
    /// Spellings that look the same and are one class.
    SeveralSpellings(Vec<(String, Vec<String>)>),
    /// Rows without a label are left out.
    UnlabelledRows {
        /// How many.
        rows: usize,
        /// The line of the first one.
        first_line: u64,
    },
    /// Labels that are not UTF-8 were read as Windows-1252, and became these.
    ReadAsWindows1252(Vec<String>),
    /// Rows that repeat an earlier row.
    RepeatedRows(usize),
    /// Classes whose names could mean "no label".
    ClassesOfNothing(Vec<String>),
    /// A table without a header, and what its columns were taken for, counted from 1.
    NoHeader {
        /// The column of file names.
        filename: usize,
        /// The column of labels.
        label: usize,
        /// The column of sets.
        set: Option<usize>,
    },
    /// Columns that look as if they could say something about sets.
    UnusedColumns(Vec<String>),
    /// File names of a table that were found in folders below it, by the name alone.
    FoundBelow(usize),
    /// File names of a table that were found in a folder beside or above it.
    FoundBeside {
        /// How many.
        names: usize,
        /// The folder.
        folder: String,
    },
    /// Files that are not photos by their names.
    OtherFiles {
        /// How many.
        files: usize,
        /// One of them.
        example: String,
    },
    /// The data have a validation set of their own, so none is split off.
    OwnValidation,
    /// Photos with names that Keras does not look at; they are trained on.
    UnseenByKeras(usize),
    /// How photos of 16 bits are read.
    Samples {
        /// How many there are.
        photos: usize,
        /// How they are read.
        range: SampleRange,
    },

    /// Folders beside the sets are not used.
    FoldersBesideSets(Vec<String>),
    /// Photos beside the class folders are not used.
    PhotosBesideClasses {
        /// How many.
        photos: usize,
        /// One of them.
        example: String,
    },
    /// Class folders without photos are left out.
    EmptyClasses(Vec<String>),
    /// A set without class folders is not used.
    UnlabelledSet(String),
    /// Classes without a photo in this set.
    MissingClasses {
        /// The set.
        set: Subset,
        /// The classes.
        classes: Vec<String>,
    },
    /// Classes that differ only in upper and lower case, with their photos.
    CaseTwins(Vec<[(String, usize); 2]>),
    /// Classes whose names look alike.
    LookAlikes(Vec<[String; 2]>),
    /// Classes whose names are the same number.
    SameNumbers(Vec<[String; 2]>),
    /// Labels that look like lists of several labels.
    LabelLists(Vec<String>),
    /// Classes with a single photo to train on.
    SinglePhotos(Vec<String>),
    /// Photos that show nothing.
    Blank {
        /// What they look like.
        look: Look,
        /// How many.
        photos: usize,
        /// Of how many.
        of: usize,
        /// Of which class; none for all photos.
        class: Option<String>,
        /// Some of their names.
        examples: Vec<String>,
    },
    /// Photos of a format that is not decoded.
    Undecoded {
        /// How many.
        photos: usize,
        /// The format.
        format: String,
        /// How they can be converted.
        conversion: String,
    },
    /// The ranges of int8 that were found could not be kept.
    RangesNotKept(String),
    /// The feature store.
    #[serde(serialize_with = "as_text")]
    Store(StoreNotice),
    /// No class has two photos, so that C is what it is by default.
    UnchosenC(f64),
    /// The best C is at the end of those that were tried.
    CAtTheEnd(f64),
    /// No photo was held out; so many folds would be possible.
    NothingHeldOut {
        /// Folds that the classes are large enough for.
        folds: Option<usize>,
    },
    /// The validation set is so small that its accuracy says little.
    FewValidationPhotos {
        /// Its photos.
        photos: usize,
        /// Folds that the classes are large enough for.
        folds: Option<usize>,
    },
    /// More files could not be used than the options allow.
    TooManySkipped {
        /// Files that could not be used.
        unusable: usize,
        /// All files.
        of: usize,
        /// The share that is allowed, 0 to 1.
        allowed: f64,
    },
}

fn as_text<S: serde::Serializer>(notice: &StoreNotice, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(notice)
}

impl Notice {
    /// Whether something may be wrong, and not just good to know.
    pub fn is_warning(&self) -> bool {
        !matches!(
            self,
            Notice::SingleFolder(_)
                | Notice::FolderOfSet(_)
                | Notice::RowsOfTestSet { .. }
                | Notice::MergedByCase(_)
                | Notice::SeveralSpellings(_)
                | Notice::UnlabelledRows { .. }
                | Notice::ReadAsWindows1252(_)
                | Notice::RepeatedRows(_)
                | Notice::ClassesOfNothing(_)
                | Notice::NoHeader { .. }
                | Notice::UnusedColumns(_)
                | Notice::FoundBelow(_)
                | Notice::FoundBeside { .. }
                | Notice::OtherFiles { .. }
                | Notice::OwnValidation
                | Notice::UnseenByKeras(_)
                | Notice::Samples { .. }
        )
    }
}

/// Pairs of things, each pair separated from the next.
fn pairs<T>(pairs: &[[T; 2]], shown: impl Fn(&T) -> String) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|[one, other]| format!("{}, {}", shown(one), shown(other))).collect();
    pairs.join("; ")
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |name: &String| quoted(std::slice::from_ref(name));
        let with_folds = |few: String, folds: Option<usize>| match folds {
            Some(folds) => {
                format!("{few}; cross-validation with {folds} folds predicts every training photo")
            }
            None => few,
        };
        let text = match self {
            Notice::SingleFolder(folder) => format!("everything is in the single folder {}", one(folder)),
            Notice::FolderOfSet(folder) => format!("using {} of several sets", one(folder)),
            Notice::RowsOfTestSet { rows, of } => {
                format!("using the {} of the test set, of {of}", counted(*rows, "row"))
            }
            Notice::MergedByCase(merged) => {
                let merged: Vec<String> = merged
                    .iter()
                    .map(|(photos, class, into)| format!("{photos} of {} into {}", one(class), one(into)))
                    .collect();
                format!("merged classes that differ only in case: {}", merged.join("; "))
            }
            Notice::SeveralSpellings(classes) => {
                let classes: Vec<String> = classes
                    .iter()
                    .map(|(class, written)| {
                        let written: Vec<String> = written.iter().map(|name| spelled(name)).collect();
                        format!("{} ({})", one(class), written.join(", "))
                    })
                    .collect();
                format!("one class each, though spelled in several ways: {}", classes.join("; "))
            }
            Notice::UnlabelledRows { rows, first_line } => {
                format!("skipping {} without a label, first in line {first_line}", counted(*rows, "row"))
            }
            Notice::ReadAsWindows1252(labels) => {
                format!("the table is not UTF-8; reading it as Windows-1252: {}", quoted(labels))
            }
            Notice::RepeatedRows(1) => "1 row repeats an earlier row".to_owned(),
            Notice::RepeatedRows(rows) => format!("{} repeat an earlier row", counted(*rows, "row")),
            Notice::ClassesOfNothing(classes) => format!(
                "used as {}: {}; leave a label empty if it is not known",
                if classes.len() == 1 { "a class" } else { "classes" },
                quoted(classes)
            ),
            Notice::NoHeader { filename, label, set } => {
                let set = set.map(|set| format!(", column {set} as the set")).unwrap_or_default();
                format!(
                    "the table has no header: using column {filename} as the file name, column {label} as the \
                     label{set}"
                )
            }
            Notice::UnusedColumns(columns) => format!("not used: the column {}", quoted(columns)),
            Notice::FoundBelow(names) => {
                format!("{} of the table found in folders below it, by name alone", counted(*names, "file"))
            }
            Notice::FoundBeside { names, folder } => {
                format!("{} of the table found in {}", counted(*names, "file"), one(folder))
            }
            Notice::OtherFiles { files, example } => {
                format!(
                    "not used: {} not named like photos, such as {}",
                    counted(*files, "file"),
                    one(example)
                )
            }
            Notice::OwnValidation => "the data have their own validation set".to_owned(),
            Notice::UnseenByKeras(photos) => {
                format!("{} with names that Keras ignores are used for training", counted(*photos, "photo"))
            }
            Notice::Samples { photos, range } => {
                let photos = counted(*photos, "photo");
                match range {
                    SampleRange::Bits(bits) => {
                        let white = (1u32 << bits) - 1;
                        format!("{photos} of 16 bits use {bits} of them: 0 is black, {white} white")
                    }
                    SampleRange::Between(black, white) => {
                        format!("{photos} of 16 bits are read from {black} (black) to {white} (white)")
                    }
                    SampleRange::Declared => format!("{photos} of 16 bits are read as each file declares"),
                }
            }
            Notice::FoldersBesideSets(folders) => format!("not used: {} beside the sets", quoted(folders)),
            Notice::PhotosBesideClasses { photos, example } => format!(
                "not used: {} beside the class folders, such as {}",
                counted(*photos, "photo"),
                one(example)
            ),
            Notice::EmptyClasses(classes) => format!("skipping empty class folders: {}", quoted(classes)),
            Notice::UnlabelledSet(folder) => {
                format!("not used: {} has no class folders, so its photos have no labels", one(folder))
            }
            Notice::MissingClasses { set, classes } => {
                format!("the {} set has no photo of {}", set.as_str(), quoted(classes))
            }
            Notice::CaseTwins(twins) => {
                let shown = |(class, photos): &(String, usize)| format!("{} ({photos})", one(class));
                format!("classes that differ only in case: {}", pairs(twins, shown))
            }
            Notice::LookAlikes(twins) => {
                format!("classes that look alike: {}", pairs(twins, |class| spelled(class)))
            }
            Notice::SameNumbers(twins) => {
                format!("classes that are the same number: {}", pairs(twins, one))
            }
            Notice::LabelLists(labels) => format!(
                "labels that look like several: {}; a photo has one class, so each is a class of its own",
                quoted(labels)
            ),
            Notice::SinglePhotos(classes) => format!("only one photo to train on of {}", quoted(classes)),
            Notice::Blank { look, photos, of, class, examples } => {
                let class = class.as_ref().map(|class| format!(" of {}", one(class))).unwrap_or_default();
                let phrase = match look {
                    Look::NearlyBlack => "nearly black",
                    Look::OneColour | Look::Ordinary => "of one colour",
                };
                format!("{photos} of {of} photos{class} are {phrase}, such as {}", quoted(examples))
            }
            Notice::Undecoded { photos, format, conversion } => {
                let is = if *photos == 1 { "is" } else { "are" };
                format!(
                    "{} {is} {format}, a format that topwork does not decode; {conversion}",
                    counted(*photos, "photo")
                )
            }
            Notice::RangesNotKept(cause) => {
                format!("cannot keep the ranges of int8; they will be computed again: {cause}")
            }
            Notice::Store(notice) => notice.to_string(),
            Notice::UnchosenC(c) => format!("no class has two photos, so C was not chosen: using {c}"),
            Notice::CAtTheEnd(c) => {
                format!("the best C is {c}, the last that was tried; a better one may be beyond it")
            }
            Notice::NothingHeldOut { folds } => {
                with_folds("no photo was held out, so the accuracy is unknown".to_owned(), *folds)
            }
            Notice::FewValidationPhotos { photos, folds } => {
                with_folds(format!("the validation set has only {}", counted(*photos, "photo")), *folds)
            }
            Notice::TooManySkipped { unusable, of, allowed } => format!(
                "{} of {} files could not be used, more than the allowed {}%",
                grouped(*unusable as u64),
                grouped(*of as u64),
                100.0 * allowed
            ),
        };
        formatter.write_str(&visible(&text))
    }
}
