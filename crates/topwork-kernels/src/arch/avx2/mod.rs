//! x86-64 with AVX2 and FMA.

pub(crate) mod resample;
