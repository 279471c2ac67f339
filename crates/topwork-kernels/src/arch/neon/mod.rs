//! NEON: 128-bit vectors, which every 64-bit Arm processor has.
//!
//! Every function here takes an [`Isa`](crate::Isa), which is the proof that the processor has these instructions.

pub(crate) mod int8_depthwise;
