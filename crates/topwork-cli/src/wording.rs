//! Remedies and notices of the library in the terms of this program: its options and commands.

use topwork::dataset::table::Column;
use topwork::features::StoreNotice;
use topwork::report::counted;
use topwork::run::Stage;
use topwork::train;
use topwork::{Notice, Remedy};

/// What to try, as a command or an option where there is one.
pub(crate) fn hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::UseF32 => "add --precision f32".to_owned(),
        Remedy::Calibrate => {
            "topwork weights add FILE --calibrate PHOTOS; training calibrates by itself, and --precision f32 needs \
             no calibration"
                .to_owned()
        }
        Remedy::NameOutput => "choose another folder: --out RUN".to_owned(),
        Remedy::NameBackbone(fitting) if fitting.is_empty() => {
            "add --backbone NAME; no backbone fits, and the error then says why".to_owned()
        }
        Remedy::NameBackbone(fitting) => match fitting.as_slice() {
            [only] => format!("add --backbone {only}"),
            several => format!("add --backbone NAME, one of: {}", several.join(", ")),
        },
        Remedy::GetWeights { backbone, download, files, folder } => {
            let mut ways = Vec::new();
            if let Some((name, bytes, licence)) = download {
                let size = bytes.map(|bytes| format!("{:.1} MB, ", bytes as f64 / 1e6)).unwrap_or_default();
                ways.push(format!("topwork weights get {name} ({size}{licence})"));
            }
            if !files.is_empty() {
                ways.push(format!("put {} into {}", files.join(" or "), folder.display()));
            }
            ways.push(format!("topwork weights add FILE --backbone {backbone}"));
            ways.join("; or ")
        }
        Remedy::VerifyWeights => "topwork weights verify".to_owned(),
        Remedy::NameModel => "use the folder that `topwork train` wrote: --model RUN".to_owned(),
        Remedy::NameStoreFolder => "set TOPWORK_CACHE to a folder, or add --no-store".to_owned(),
        Remedy::SkipConflicts => "remove the wrong photos, or add --conflicts skip".to_owned(),
        Remedy::SkipConflictingRows => "remove the wrong rows, or add --conflicts skip".to_owned(),
        Remedy::Inspect => {
            "`topwork check DATA` lists the skipped files and why; add photos, or remove that class".to_owned()
        }
        Remedy::FewerFolds => "use a smaller --folds, or add photos of that class".to_owned(),
        Remedy::LeaveOutTest => "leave out --test, or name the training folder alone".to_owned(),
        Remedy::NamePhotosFolder => "name the folder of the photos: --photos FOLDER".to_owned(),
        Remedy::NameColumns(columns) => {
            let option = |(column, example): &(Column, Option<String>)| {
                let title = example.as_deref().unwrap_or("TITLE");
                match column {
                    Column::Filename => format!("--filename-column {title}"),
                    Column::Label => format!("--label-column {title}"),
                    _ => format!("--set-column {title}"),
                }
            };
            format!("add {}", columns.iter().map(option).collect::<Vec<_>>().join(" "))
        }
        // Each is a sentence that names no front end's terms.
        other => other.to_string(),
    }
}

/// Something that a person should know.
pub(crate) fn notice(notice: &Notice) -> String {
    match notice {
        Notice::CaseTwins(_) => format!("{notice}; --merge-case merges them"),
        Notice::Store(StoreNotice::Large(_)) => {
            format!("{notice}; `topwork store clear` deletes it, and features will be recomputed")
        }
        Notice::NothingHeldOut { folds: Some(folds) } => {
            format!(
                "{}; --folds {folds} predicts every training photo",
                Notice::NothingHeldOut { folds: None }
            )
        }
        Notice::FewValidationPhotos { photos, folds: Some(folds) } => {
            let few = Notice::FewValidationPhotos { photos: *photos, folds: None };
            format!("{few}; --folds {folds} predicts every training photo")
        }
        Notice::TooManySkipped { unusable, of, allowed } => format!(
            "{unusable} of {of} files could not be used, more than --max-skipped {}% allows",
            100.0 * allowed
        ),
        other => other.to_string(),
    }
}

/// What is said when a stage begins; most speak for themselves.
pub(crate) fn stage(stage: Stage) -> Option<String> {
    match stage {
        Stage::Calibration { backbone, photos } => {
            Some(format!("calibrating {backbone} for int8 on {}", counted(photos, "photo")))
        }
        Stage::Folds { folds } => Some(format!("training {folds} heads, each without one fold")),
        Stage::Fold { fold, folds } => Some(format!("fold {fold} of {folds}")),
        Stage::Head { photos, classes } => {
            let (photos, classes) = (counted(photos, "photo"), counted(classes, "class"));
            Some(format!("training the head on {photos} of {classes}"))
        }
        _ => None,
    }
}

/// What training a head does, and how far it is if that is known.
pub(crate) fn training(stage: train::Stage) -> (String, Option<f64>) {
    match stage {
        train::Stage::Choosing { fold, folds, share } => {
            (format!("choosing C, fold {fold} of at most {folds}"), Some(share))
        }
        train::Stage::Fitting { step } => (format!("fitting, step {step}"), None),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use topwork::dataset::Subset;
    use topwork::features::Look;
    use topwork::photo::SampleRange;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn notices() -> Vec<Notice> {
        let (path, cause) = (PathBuf::from("store"), "no space".to_owned());
        let pair = || [["cat".to_owned(), "Cat".to_owned()]];
        vec![
            Notice::SingleFolder("photos".to_owned()),
            Notice::FolderOfSet("test".to_owned()),
            Notice::RowsOfTestSet { rows: 1, of: 30 },
            Notice::MergedByCase(vec![(3, "Cat".to_owned(), "cat".to_owned())]),
            Notice::SeveralSpellings(vec![("\u{e9}".to_owned(), names(&["\u{e9}", "e\u{301}"]))]),
            Notice::UnlabelledRows { rows: 2, first_line: 7 },
            Notice::ReadAsWindows1252(names(&["\u{e9}"])),
            Notice::RepeatedRows(1),
            Notice::RepeatedRows(2),
            Notice::ClassesOfNothing(names(&["none"])),
            Notice::NoHeader { filename: 1, label: 2, set: Some(3) },
            Notice::UnusedColumns(names(&["fold"])),
            Notice::FoundBelow(3),
            Notice::FoundBeside { names: 1, folder: "../images".to_owned() },
            Notice::OtherFiles { files: 2, example: "cat/notes.txt".to_owned() },
            Notice::OwnValidation,
            Notice::UnseenByKeras(2),
            Notice::Samples { photos: 4, range: SampleRange::Bits(12) },
            Notice::Samples { photos: 4, range: SampleRange::Between(500, 4000) },
            Notice::FoldersBesideSets(names(&["dev"])),
            Notice::PhotosBesideClasses { photos: 2, example: "a.jpg".to_owned() },
            Notice::EmptyClasses(names(&["fox"])),
            Notice::UnlabelledSet("test".to_owned()),
            Notice::MissingClasses { set: Subset::Validation, classes: names(&["cat"]) },
            Notice::CaseTwins(vec![[("cat".to_owned(), 5), ("Cat".to_owned(), 1)]]),
            Notice::LookAlikes(pair().to_vec()),
            Notice::SameNumbers(vec![["0".to_owned(), "0.0".to_owned()]]),
            Notice::LabelLists(names(&["cat;dog"])),
            Notice::SinglePhotos(names(&["cat"])),
            Notice::Blank {
                look: Look::NearlyBlack,
                photos: 9,
                of: 40,
                class: Some("fox".to_owned()),
                examples: names(&["fox/1.jpg"]),
            },
            Notice::Undecoded {
                photos: 1,
                format: "JPEG XL".to_owned(),
                conversion: "convert it".to_owned(),
            },
            Notice::RangesNotKept(cause.clone()),
            Notice::UnchosenC(1.0),
            Notice::CAtTheEnd(100.0),
            Notice::NothingHeldOut { folds: None },
            Notice::NothingHeldOut { folds: Some(5) },
            Notice::FewValidationPhotos { photos: 12, folds: None },
            Notice::FewValidationPhotos { photos: 12, folds: Some(5) },
            Notice::TooManySkipped { unusable: 30, of: 100, allowed: 0.1 },
            Notice::Store(StoreNotice::NoFolder(cause.clone())),
            Notice::Store(StoreNotice::CannotCreate { folder: path.clone(), cause: cause.clone() }),
            Notice::Store(StoreNotice::CannotWrite(cause.clone())),
            Notice::Store(StoreNotice::CannotOpen(cause.clone())),
            Notice::Store(StoreNotice::CannotRead(cause.clone())),
            Notice::Store(StoreNotice::KeepsNothingMore(cause.clone())),
            Notice::Store(StoreNotice::Busy(64)),
            Notice::Store(StoreNotice::SetAside { cause: cause.clone(), aside: path.clone() }),
            Notice::Store(StoreNotice::Damaged { path, cause }),
            Notice::Store(StoreNotice::Large(2_500_000_000)),
        ]
    }

    fn remedies() -> Vec<Remedy> {
        let columns = vec![(Column::Filename, None), (Column::Label, Some("species".to_owned()))];
        vec![
            Remedy::UseF32,
            Remedy::Calibrate,
            Remedy::NameOutput,
            Remedy::NameBackbone(Vec::new()),
            Remedy::NameBackbone(vec!["resnet50"]),
            Remedy::NameBackbone(vec!["resnet50_torchvision", "resnet50_timm_a1"]),
            Remedy::GetWeights {
                backbone: "resnet50".to_owned(),
                download: Some(("resnet50", Some(94_765_736), "MIT")),
                files: vec!["resnet50.h5"],
                folder: PathBuf::from("weights"),
            },
            Remedy::VerifyWeights,
            Remedy::NameModel,
            Remedy::NameStoreFolder,
            Remedy::SkipConflicts,
            Remedy::SkipConflictingRows,
            Remedy::Inspect,
            Remedy::FewerFolds,
            Remedy::LeaveOutTest,
            Remedy::NamePhotosFolder,
            Remedy::NameColumns(columns),
        ]
    }

    /// `tests/wording.txt` is written anew with `TOPWORK_RECORD_WORDS=1`.
    #[test]
    fn notices_and_remedies_are_worded_as_written_down() {
        let mut text = String::from("As this program words them, and as the library does.\n\n");
        for found in notices() {
            let kind = if found.is_warning() { "warning" } else { "note" };
            text += &format!("{kind}: {}\n{kind}: {found}\n\n", notice(&found));
        }
        for remedy in remedies() {
            text += &format!("hint: {}\nhint: {remedy}\n\n", hint(&remedy));
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wording.txt");
        if std::env::var_os("TOPWORK_RECORD_WORDS").is_some() {
            std::fs::write(&file, &text).expect("a file that can be written");
        }
        assert_eq!(text, std::fs::read_to_string(&file).unwrap_or_default());
        // No text of the library names an option of the program.
        assert!(remedies().iter().all(|remedy| !remedy.to_string().contains("--")));
        assert!(notices().iter().all(|notice| !notice.to_string().contains("--")));
    }
}
