//! x86-64 with AVX-512 F, BW, DQ, VL and VNNI: 512-bit vectors, 32 registers, sums of four products of bytes.

pub(crate) mod int8_matrix;
