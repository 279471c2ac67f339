//! Photos named on standard input, a path a line, to features on standard output: f32 little endian, a row a photo.
//!
//!     features_from_photos PRECISION [BACKBONE WEIGHTS]
//!
//! The precision is `int8` or `f32`; the backbone is Lite0 unless one is named with the file of its weights. For comparisons with
//! other libraries: they get the features that training gets, by the same path. Stops at the first photo that cannot be used.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::PathBuf;

use topwork::backbone::{self, DEFAULT_BACKBONE};
use topwork::features::store::Store;
use topwork::weights::Weights;
use topwork::{Execution, Extractor, Isa, PhotoSource, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let lines: Result<Vec<String>, _> = std::io::stdin().lock().lines().collect();
    let paths: Vec<PathBuf> = lines?.into_iter().map(PathBuf::from).collect();
    let named = |name: String| Precision::ALL.into_iter().find(|precision| precision.as_str() == name);
    let mut arguments = std::env::args().skip(1);
    let precision = arguments.next().and_then(named).ok_or("the first argument is int8 or f32")?;
    let backbone = match arguments.next() {
        None => backbone::backbone(DEFAULT_BACKBONE, precision, Isa::best())?,
        Some(name) => {
            let row = backbone::spec(&name)?;
            let file = arguments.next().ok_or("the third argument is the file of its weights")?;
            let weights = Weights::from_bytes(&std::fs::read(file)?)?;
            row.prepare(&weights, row.architecture.input, precision, Isa::best())?
        }
    };
    let extractor = Extractor::with_tap(backbone);
    let photos = PhotoSource::files(&paths);
    let extraction = extractor.extract(&photos, &Store::none(), Execution::default(), &|_| {})?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (path, photo) in paths.iter().zip(&extraction.photos) {
        let row = photo.row.as_ref().map_err(|unreadable| format!("{}: {unreadable}", path.display()))?;
        for value in extraction.features.row(*row) {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}
