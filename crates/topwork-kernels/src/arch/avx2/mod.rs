//! AVX2 with FMA: 256-bit vectors, sixteen registers, products added without rounding in between.
//!
//! Every function here takes an [`Isa`](crate::Isa), which is the proof that the processor has these instructions.

pub(crate) mod depthwise;
pub(crate) mod gemm;
pub(crate) mod int8_depthwise;
pub(crate) mod int8_matrix;
pub(crate) mod peak;
pub(crate) mod resample;
