//! Remedies and notices of the library in the terms of this program: its options and commands.

use topwork::features::StoreNotice;
use topwork::report::counted;
use topwork::run::Stage;
use topwork::train;
use topwork::{Column, Notice, Remedy};

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
