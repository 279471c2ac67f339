//! `topwork demo`: the whole line on pictures that are drawn on the spot.

use std::io::Write;
use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use topwork::{Error, ErrorKind, report};

use crate::arguments::{Demo, Train, Understanding, Work};
use crate::commands::train::train;
use crate::failure::{Failure, Outcome};
use crate::pictures::{Kind, SIDE, draw};
use crate::run_folder::RunFolder;
use crate::terminal::Terminal;

/// Pictures of each kind to learn from and to test on.
const TRAINING: u64 = 60;
const TEST: u64 = 20;

const QUALITY: u8 = 90;

pub(crate) fn run(arguments: &Demo) -> Result<Outcome, Failure> {
    let terminal = Terminal::new(arguments.work.quiet);
    let folder = RunFolder::reserve(&arguments.out)?;
    let photos = folder.path().join("photos");
    for (set, count, first_seed) in [("training_set", TRAINING, 0), ("test_set", TEST, 1_000_000)] {
        for kind in Kind::ALL {
            let class = photos.join(set).join(kind.name());
            std::fs::create_dir_all(&class)
                .map_err(|error| Error::io("cannot create the folder", &class, error))?;
            for number in 0..count {
                let seed = first_seed + 1_000 * kind as u64 + number;
                write(&class.join(format!("{number:03}.jpg")), &draw(kind, seed))?;
            }
        }
    }
    let shown = photos.display();
    terminal.say(format!("drew {} pictures of {} kinds in {shown}", (TRAINING + TEST) * 4, Kind::ALL.len()));

    let (outcome, _) = train(&Train {
        data: photos,
        test: None,
        out: folder.path().join("run"),
        recipe: None,
        head: None,
        val: 0.15,
        folds: None,
        split: None,
        seed: 42,
        class_weight: None,
        precision: None,
        backbone: None,
        features: None,
        level: None,
        epochs: None,
        batch_size: None,
        learning_rate: 0.001,
        max_skipped: 0.0,
        understanding: Understanding::default(),
        work: Work {
            threads: arguments.work.threads,
            store: arguments.work.store.clone(),
            no_store: arguments.work.no_store,
            quiet: arguments.work.quiet,
        },
    })?;
    folder.finish();
    let mut out = std::io::stdout().lock();
    writeln!(out)?;
    writeln!(out, "These pictures are drawn: their accuracy proves only that everything runs.")?;
    writeln!(out, "With photos of yours in a folder for each class:  topwork train PHOTOS")?;
    Ok(outcome)
}

fn write(path: &Path, pixels: &[u8]) -> Result<(), Failure> {
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(pixels, SIDE, SIDE, ColorType::Rgb)
        .map_err(|error| Error::new(ErrorKind::Bug, "a picture cannot be encoded").with_source(error))?;
    Ok(report::write_whole(path, &jpeg)?)
}
