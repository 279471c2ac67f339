//! AVX-512: 512-bit vectors, thirty-two registers, and masks that load and store parts of a vector.
//!
//! Every function here takes an [`Isa`](crate::Isa), which is the proof that the processor has these instructions.

pub(crate) mod convolution;
pub(crate) mod depthwise;
pub(crate) mod gemm;
