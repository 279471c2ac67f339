//! Digests of pixels, network input, int8 features and ImageNet probabilities of the photos given, for comparisons between
//! processors: `digests INSTRUCTION-SET PHOTO…`, where the set is one of this processor's, or `best`.
#![allow(clippy::print_stdout, reason = "a program")]

mod stops;

use std::error::Error;
use std::path::PathBuf;

use topwork::{Classifier, DEFAULT_BACKBONE, Isa, Precision, backbone};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let set = arguments.next().unwrap_or_default().to_string_lossy().into_owned();
    let isa = match set.as_str() {
        "best" => Isa::best(),
        name => Isa::named(name).ok_or_else(|| format!("this processor has no {name:?}"))?,
    };
    let classifier = Classifier::imagenet(backbone::backbone(DEFAULT_BACKBONE, Precision::Int8, isa)?)?;
    for path in arguments.map(PathBuf::from) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        print!("{}", stops::lines(&classifier, &name, &std::fs::read(&path)?));
    }
    Ok(())
}
