//! A folder of photos becomes an image classifier that one can trust.
//!
//! Everything lies on one line, and the modules follow its order:
//!
//! ```text
//! photo → pixels → network → features → split → head → evaluation → report
//! ```
//!
//! The whole of it, from a folder with one folder of photos a class to a saved classifier:
//!
//! ```
//! use topwork::dataset::{self, split::{Conflicts, Rule, split}};
//! use topwork::features::{extract::Run, store::Store};
//! use topwork::{Classifier, Examples, Extractor, Head, Isa, Precision, Set, backbone, metrics, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let photos = &folder.path().join("photos");
//! # for (class, light) in [("day", 160_u8), ("night", 20)] {
//! #     std::fs::create_dir_all(photos.join(class))?;
//! #     for number in 0..8 {
//! #         let pixels = (0..8 * 8 * 3).map(|at| light + (at * (number + 3) % 50) as u8);
//! #         let file = b"P6 8 8 255\n".iter().copied().chain(pixels).collect::<Vec<u8>>();
//! #         std::fs::write(photos.join(class).join(format!("{number}.ppm")), file)?;
//! #     }
//! # }
//! # let model = &folder.path().join("model.safetensors");
//! let data = dataset::open(photos, &Default::default())?;
//! let backbone = backbone::backbone(topwork::DEFAULT_BACKBONE, Precision::Int8, Isa::best())?;
//! let extractor = Extractor::with_tap(backbone);
//! let paths: Vec<_> = data.samples.iter().map(|sample| &sample.path).collect();
//! let extraction = extractor.extract(&paths, &Store::none(), &Run::default())?;
//!
//! let rule = Rule::Stratified { share: 0.25, seed: 42 };
//! let split = split(&data, &extraction.usable_digests(), rule, Conflicts::Error)?;
//! let examples = |set| {
//!     let photos = split.of_set(set).into_iter();
//!     let known = photos.filter_map(|at| Some((extraction.photos[at].row.clone().ok()?, data.samples[at].label)));
//!     let (rows, labels): (Vec<_>, Vec<_>) = known.unzip();
//!     Examples::from_features(&extraction.features, &rows, labels, data.classes.len())
//! };
//! let (training, validation) = (examples(Set::Training)?, examples(Set::Validation)?);
//! let monitor = train::Monitor::default();
//! let (fit, _) = train::train_linear(&training, None, train::ClassWeight::Equal, 42, 1, &monitor)?;
//!
//! let head = Head::Linear(fit.head);
//! let answers: Vec<_> = (0..validation.len())
//!     .map(|at| head.probabilities(&validation.inputs(at, fit.tap.as_ref())))
//!     .collect();
//! let rows = validation.labels().iter().copied().zip(answers.iter().map(Vec::as_slice));
//! let evaluation = metrics::evaluate(&data.classes, rows);
//! println!("{} photos, accuracy {:?}", evaluation.n, evaluation.accuracy);
//!
//! Classifier::new(extractor, head, fit.tap, data.classes, "settings for the record".into())?.save(model)?;
//! # assert_eq!((evaluation.n, evaluation.accuracy), (4, Some(1.0)));
//! # let photo = std::fs::read(photos.join("night/3.ppm"))?;
//! # let classifier = Classifier::open(model, Isa::best())?;
//! # assert!(classifier.classify(&photo)?[1] > 0.5);
//! # Ok(())
//! # }
//! ```

mod error;
mod folders;
mod random;

pub mod photo;
pub mod preprocess;
pub mod weights;
pub mod network;
pub mod backbone;
pub mod features;
pub mod dataset;
pub mod head;
pub mod train;
pub mod metrics;
pub mod report;
pub mod classifier;

pub use backbone::{BACKBONES, Backbone, DEFAULT_BACKBONE};
pub use classifier::Classifier;
pub use dataset::split::Split;
pub use dataset::{Dataset, Set};
pub use error::{Error, ErrorKind, Result};
pub use features::{Extractor, Features};
pub use head::Head;
pub use metrics::Evaluation;
pub use network::Precision;
pub use photo::Photo;
pub use preprocess::Preprocess;
pub use report::Report;
pub use topwork_kernels::Isa;
pub use train::{Examples, History};
pub use weights::{LoadReport, Weights};
