//! AVX-512 with VNNI: 512-bit vectors, 32 registers, sums of four products of bytes in one instruction.
//!
//! Every function here takes an [`Isa`](crate::Isa), which is the proof that the processor has these instructions.

pub(crate) mod convolution;
pub(crate) mod depthwise;
pub(crate) mod gemm;
pub(crate) mod int8_depthwise;
pub(crate) mod int8_matrix;
pub(crate) mod peak;
