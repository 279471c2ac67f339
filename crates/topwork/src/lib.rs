//! A folder of photos becomes an image classifier that one can trust.
//!
//! Everything lies on one line, and the modules follow its order:
//!
//! ```text
//! photo → pixels → network → features → split → head → evaluation → report
//! ```

mod error;
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

pub use backbone::{BACKBONES, DEFAULT_BACKBONE};
pub use classifier::Classifier;
pub use error::{Error, ErrorKind, Result};
pub use features::Extractor;
pub use topwork_kernels::Isa;
