//! The same operations on bytes, exact: every instruction set gives the same bits.
//!
//! A tensor of real values is u8 with one scale s and one zero point z: `x = s · (q − z)`. Weights are i8 with one scale w
//! an output channel, and zero is 0. The sum of a layer is an exact i32, `acc = Σ (q − z) · weight`, where padding counts as
//! q = z. What follows is f32, each operation rounded to nearest by itself, never fused, in this order:
//!
//! ```text
//! t = acc · m + b                    m = s_in · w / s_out, b = bias / s_out, one a channel
//! t = t + (q_skip − z_skip) · r      with a skip connection; r = s_skip / s_out
//! q = clamp(round_ties_even(t) + z_out, 0, 255)
//! ```
//!
//! ReLU and ReLU6 need no step of their own: with z_out = 0 (and 6 = 255 · s_out) the clamp is the activation.
//! Rounding may come after a clamp of t to −z_out … 255 − z_out, whose bounds are whole numbers, without changing q.

mod average;
mod convolution;
mod depthwise;
pub(crate) mod depthwise_pairs;
mod depthwise_portable;
pub(crate) mod matrix;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod pairs;
mod portable;
mod requantise;

pub use average::channel_sums;
pub use convolution::{convolution, gathered_len};
pub use depthwise::{PackedDepthwise, depthwise};
pub use matrix::{PackedMatrix, matrix_product};
pub use requantise::{LARGEST, Requantise, Residual};
