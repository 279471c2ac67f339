//! A folder of photos becomes an image classifier you can trust.
//!
//! Everything is one pipeline, and the modules follow its order:
//!
//! ```text
//! photo → pixels → network → features → split → head → evaluation → report
//! ```
//!
//! [`run`] is all of it, for every front end. From a folder with one folder of photos for each class to a run folder with the
//! classifier, its figures and a report, and on to an answer:
//!
//! ```
//! use topwork::run::{Job, RunFolder, RunInfo, Session, SessionOptions, StoreOptions, TrainingOptions};
//! use topwork::{Classifier, PhotoSource, dataset};
//!
//! # fn main() -> topwork::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let photos = &folder.path().join("photos");
//! # for (class, light) in [("day", 160_u8), ("night", 20)] {
//! #     std::fs::create_dir_all(photos.join(class)).unwrap();
//! #     for number in 0..8 {
//! #         let pixels = (0..8 * 8 * 3).map(|at| light + (at * (number + 3) % 50) as u8);
//! #         let file = b"P6 8 8 255\n".iter().copied().chain(pixels).collect::<Vec<u8>>();
//! #         std::fs::write(photos.join(class).join(format!("{number}.ppm")), file).unwrap();
//! #     }
//! # }
//! # let (out, new) = (&folder.path().join("run"), photos.join("night/3.ppm"));
//! let session = Session::open(SessionOptions { store: StoreOptions::None, ..Default::default() })?;
//! let data = dataset::open(photos, &Default::default())?;
//! let training = TrainingOptions::default().plan(data)?;
//! let folder = RunFolder::reserve(out)?;
//! let run = training.run(&session, &Job::default())?;
//! for (set, evaluation) in run.results.evaluations() {
//!     println!("{}: accuracy {:?} of {} photos", set.as_str(), evaluation.accuracy, evaluation.n);
//! }
//! let path = folder.commit(&run.files(&RunInfo::default())?)?;
//!
//! let classifier = Classifier::open(&path, session.isa())?;
//! let answer = classifier.answer("new", &PhotoSource::File(new));
//! println!("{:?} with probability {:?}", answer.label, answer.probability);
//! # assert_eq!(answer.label.as_deref(), Some("night"));
//! # Ok(())
//! # }
//! ```

mod error;
mod execution;
mod fence;
mod folders;
mod notice;
mod random;
mod remedy;

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
pub mod run;
pub mod classifier;

pub use backbone::DEFAULT_BACKBONE;
pub use classifier::Classifier;
pub use dataset::{Dataset, Subset};
pub use error::{Error, ErrorKind, Result};
pub use execution::{CancelToken, Execution};
pub use features::Extractor;
pub use fence::panics_are_caught;
pub use network::Precision;
pub use notice::Notice;
pub use photo::{Photo, PhotoSource};
pub use remedy::Remedy;
pub use run::Answer;
pub use topwork_kernels::Isa;
