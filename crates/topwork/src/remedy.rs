//! What to try where something failed. Data, so that each front end can say it in its own terms: the option of a program, the
//! argument of a function, a button.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// What to try. `Display` says it without the terms of any front end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Something that is the same in every front end.
    Say(Cow<'static, str>),
    /// Use 32-bit floating point in place of int8.
    UseF32,
    /// Find the ranges of int8 for these weights: training does, or a calibration of its own; or use f32.
    Calibrate,
    /// Name another folder for the results.
    NameOutput,
    /// Name the file's backbone: one of these, if any fits.
    NameBackbone(Vec<&'static str>),
    /// Get weights that are not here.
    GetWeights {
        /// The backbone.
        backbone: String,
        /// Name, size in bytes and licence of a file that can be fetched.
        download: Option<(&'static str, Option<u64>, &'static str)>,
        /// Names of files that may be put into the folder by hand.
        files: Vec<&'static str>,
        /// That folder.
        folder: PathBuf,
    },
    /// Look at which weights files are still what they were.
    VerifyWeights,
    /// Use a model that training wrote.
    NameModel,
    /// Set `TOPWORK_CACHE`, or use no store.
    NameStoreFolder,
    /// Correct the labels of photos that are in two classes, or skip these photos.
    SkipConflicts,
    /// The same for rows of a table.
    SkipConflictingRows,
    /// List what is skipped, and why.
    Inspect,
    /// Take fewer folds.
    FewerFolds,
    /// Do not name a test set: the data have one.
    LeaveOutTest,
    /// Name the folder that a table's file names are relative to.
    NamePhotosFolder,
    /// Name a table's columns; with the title of one that could be meant.
    NameColumns(Vec<(Column, Option<String>)>),
}

/// A column of a table of photos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Column {
    /// Of file names.
    Filename,
    /// Of labels.
    Label,
    /// Of sets.
    Subset,
}

impl Column {
    /// What it holds: `file name`, `label`, `set`.
    pub fn as_str(self) -> &'static str {
        match self {
            Column::Filename => "file name",
            Column::Label => "label",
            Column::Subset => "set",
        }
    }
}

impl From<&'static str> for Remedy {
    fn from(text: &'static str) -> Remedy {
        Remedy::Say(Cow::Borrowed(text))
    }
}

impl From<String> for Remedy {
    fn from(text: String) -> Remedy {
        Remedy::Say(Cow::Owned(text))
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Cow<str> = match self {
            Remedy::Say(text) => text.as_ref().into(),
            Remedy::UseF32 => "use 32-bit floating point (f32)".into(),
            Remedy::Calibrate => {
                "calibrate these weights on some photos, or use 32-bit floating point (f32)".into()
            }
            Remedy::NameOutput => "name another folder for the results".into(),
            Remedy::NameBackbone(fitting) if fitting.is_empty() => {
                "name the backbone: the file fits none, and then the error says why".into()
            }
            Remedy::NameBackbone(fitting) => format!("name the backbone: {}", fitting.join(", ")).into(),
            Remedy::GetWeights { files, folder, .. } if !files.is_empty() => {
                format!("put {} into {}", files.join(" or "), folder.display()).into()
            }
            Remedy::GetWeights { backbone, .. } => format!("add a file of weights for {backbone}").into(),
            Remedy::VerifyWeights => "verify the weights files".into(),
            Remedy::NameModel => "name a run folder, or the model.safetensors in it".into(),
            Remedy::NameStoreFolder => "set TOPWORK_CACHE to a folder, or use no feature store".into(),
            Remedy::SkipConflicts => "remove the wrong photos, or skip photos in two classes".into(),
            Remedy::SkipConflictingRows => "remove the wrong rows, or skip photos with two labels".into(),
            Remedy::Inspect => {
                "inspect the data to see which files are skipped, and why; add photos, or remove that class"
                    .into()
            }
            Remedy::FewerFolds => "use fewer folds, or add photos of that class".into(),
            Remedy::LeaveOutTest => "leave out the other test set, or name the training folder alone".into(),
            Remedy::NamePhotosFolder => "name the folder that the table's file names are relative to".into(),
            Remedy::NameColumns(columns) => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|(column, example)| match example {
                        Some(title) => format!("{} (such as {title})", column.as_str()),
                        None => column.as_str().to_owned(),
                    })
                    .collect();
                format!("name the column of the {}", columns.join(" and of the ")).into()
            }
        };
        formatter.write_str(&text)
    }
}
