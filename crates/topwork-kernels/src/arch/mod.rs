//! The fast paths: one folder an instruction set, and the only `unsafe` code of the workspace.
//! The kernels of each instruction set, one folder a set.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
