//! `topwork demo`: the full pipeline on generated images.

use std::io::Write;
use std::path::Path;

use jpeg_encoder::{ColorType, Encoder};
use topwork::dataset::Options;
use topwork::run::{RunFolder, TrainingOptions};
use topwork::{Error, ErrorKind, report};

use crate::arguments::Demo;
use crate::commands::train::{Photos, print, train};
use crate::failure::{Failure, Outcome};
use crate::pictures::{Kind, SIDE, draw};
use crate::screen::Screen;
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
    terminal.say(format!(
        "generated {} images of {} kinds in {shown}",
        (TRAINING + TEST) * 4,
        Kind::ALL.len()
    ));

    let screen = Screen::new(terminal);
    let (data, reading) = (photos.as_path(), Options::default());
    let photos = Photos { data, test: None, reading };
    let out = folder.path().join("run");
    let (run, files) = train(&photos, TrainingOptions::default(), &out, &arguments.work, &screen)?;
    folder.keep();
    let mut out = std::io::stdout().lock();
    print(&mut out, &run, &files)?;
    writeln!(out)?;
    writeln!(out, "The images are generated: their accuracy only shows that everything works.")?;
    writeln!(out, "With your own photos, a folder for each class:  topwork train PHOTOS")?;
    Ok(Outcome::Done)
}

fn write(path: &Path, pixels: &[u8]) -> Result<(), Failure> {
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(pixels, SIDE, SIDE, ColorType::Rgb)
        .map_err(|error| Error::new(ErrorKind::Bug, "a picture cannot be encoded").with_source(error))?;
    Ok(report::write_whole(path, &jpeg)?)
}
