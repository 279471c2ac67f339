//! 64-bit Arm with NEON: 128-bit vectors, 32 registers.

pub(crate) mod pairs;
