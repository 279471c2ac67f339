//! Why a file is not used.

use super::{Subset, name, quoted};
use crate::photo::{Reason, Unreadable};

/// Why a file that could have been a photo is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// It cannot be read, or its photo cannot be decoded.
    Unreadable(Unreadable),
    /// A folder that was read already, by another path.
    Loop,
    /// A folder that is nested too deeply.
    TooDeep,
    /// The same bytes as another file of its class, which is used.
    Duplicate {
        /// The name of the other file.
        of: String,
        /// The set of the other file.
        set: Subset,
    },
    /// The same bytes as a file of another class.
    Conflict {
        /// The name of the other file.
        with: String,
        /// Its class.
        class: String,
    },
    /// A table gives it two labels: each with its line.
    TwoLabels([(String, u64); 2]),
}

impl SkipReason {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> SkipReason {
        SkipReason::Unreadable(Unreadable::new(reason, detail))
    }

    /// A short code in lower case with hyphens, such as `missing`, `not-a-file`, `duplicate`: the column `reason` of
    /// `skipped.csv`.
    pub fn code(&self) -> &'static str {
        match self {
            SkipReason::Unreadable(unreadable) => unreadable.reason.as_str(),
            SkipReason::Loop => "loop",
            SkipReason::TooDeep => "too-deep",
            SkipReason::Duplicate { .. } => "duplicate",
            SkipReason::Conflict { .. } | SkipReason::TwoLabels(_) => "conflict",
        }
    }

    /// The same for a person, with the other file or the system's message: the column `detail` of `skipped.csv`.
    pub fn detail(&self) -> String {
        match self {
            SkipReason::Unreadable(unreadable) => unreadable.detail.clone(),
            SkipReason::Loop => "a folder that is read already".to_owned(),
            SkipReason::TooDeep => format!("more than {} folders deep", super::folder::MAXIMUM_DEPTH),
            SkipReason::Duplicate { of, set } => format!("the same bytes as {of} ({})", set.as_str()),
            SkipReason::Conflict { with, class } => format!("the same bytes as {with} ({class})"),
            SkipReason::TwoLabels(labels) => {
                let [one, other] = labels
                    .each_ref()
                    .map(|(class, line)| format!("{} in line {line}", quoted(std::slice::from_ref(class))));
                format!("{one} and {other}")
            }
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code(), name::visible(&self.detail()))
    }
}

/// Why a file or folder is no photo that anyone would miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IgnoreReason {
    /// Its name begins with a dot.
    Hidden,
    /// A file or folder of the system.
    System,
    /// It is beside the class folders.
    BesideClasses,
    /// It is beside the sets.
    BesideSets,
    /// A set without class folders.
    NoClasses,
    /// Its name ends as no photo's does.
    NoPhoto,
    /// Results of topwork.
    Results,
    /// A set that is not asked for.
    OtherSet,
}

impl IgnoreReason {
    /// A short code in lower case with hyphens.
    pub fn code(self) -> &'static str {
        match self {
            IgnoreReason::Hidden => "hidden",
            IgnoreReason::System => "system",
            IgnoreReason::BesideClasses => "beside-classes",
            IgnoreReason::BesideSets => "beside-sets",
            IgnoreReason::NoClasses => "no-classes",
            IgnoreReason::NoPhoto => "no-photo",
            IgnoreReason::Results => "results",
            IgnoreReason::OtherSet => "other-set",
        }
    }
}
