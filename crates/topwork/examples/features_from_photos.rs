//! Photos named on standard input, a path a line, to features on standard output: f32 little endian, a row a photo.
//!
//! The argument is the precision, `int8` or `f32`. For comparisons with other libraries: they get the features that training gets, by the same path. Stops at the first
//! photo that cannot be used.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use topwork::backbone::{self, DEFAULT_BACKBONE};
use topwork::features::extract::Run;
use topwork::features::store::Store;
use topwork::{Extractor, Isa, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let lines: Result<Vec<String>, _> = std::io::stdin().lock().lines().collect();
    let paths: Vec<PathBuf> = lines?.into_iter().map(PathBuf::from).collect();
    let named = |name: String| Precision::ALL.into_iter().find(|precision| precision.as_str() == name);
    let precision = std::env::args().nth(1).and_then(named).ok_or("the first argument is int8 or f32")?;
    let extractor = Extractor::new(backbone::backbone(DEFAULT_BACKBONE, precision, Isa::best())?);
    let run = Run { threads: 0, progress: &|_| (), stop: &AtomicBool::new(false) };
    let extraction = extractor.extract(&paths, &Store::none(), &run)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (path, photo) in paths.iter().zip(&extraction.photos) {
        let row = photo.row.as_ref().map_err(|unreadable| format!("{}: {unreadable}", path.display()))?;
        for value in extraction.features.row(*row) {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}
