//! A folder of photos becomes an image classifier that one can trust.
//!
//! Everything lies on one line, and the modules follow its order:
//!
//! ```text
//! photo → pixels → network → features → split → head → evaluation → report
//! ```

pub mod backbone;
mod error;
pub mod metrics;
pub mod network;
pub mod weights;

pub mod features;

pub mod dataset;
pub mod photo;
pub mod preprocess;
pub mod head;
mod random;
pub mod train;

pub use error::{Error, ErrorKind, Result};
pub use topwork_kernels::Isa;
