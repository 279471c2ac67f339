//! The arithmetic of topwork: slices in, slices out.
//!
//! This crate knows no photos, no models and no files. It is the only crate of the workspace with `unsafe`
//! code. Every operation has a scalar version in plain loops, which is its specification and always
//! compiled, and may have faster versions, one file an instruction set. Which one runs is decided by the
//! [`Isa`] value that the caller passes.

// Where the kernels of x86-64 are not compiled, nothing calls what packs and splits for them.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports, unused_variables))]

mod arch;
pub mod bands;
pub mod buffer;
pub mod convolution;
pub mod depthwise;
pub mod epilogue;
pub mod exponential;
pub mod gemm;
pub mod int8;
pub mod isa;
pub mod linear;
pub mod pooling;
pub mod product;
pub mod machine;
pub mod reference;
pub mod resample;
pub mod rows;
pub mod window;

pub use isa::Isa;
