//! NEON: 128-bit vectors, 32 registers, which every 64-bit Arm processor has.

pub(crate) mod int8_depthwise;
pub(crate) mod pairs;
