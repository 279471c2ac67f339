//! NEON, which every 64-bit Arm processor has: vectors of four sums of two products each.

use std::arch::aarch64::*;

/// Four pairs of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs(int16x8_t);

/// Four sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums(int32x4_t);

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs::new([[0; 2]; 4])
    }
}

impl Pairs {
    #[inline]
    pub(crate) fn new(pairs: [[i16; 2]; 4]) -> Pairs {
        // SAFETY: of the same size, and all bits are a vector.
        Pairs(unsafe { std::mem::transmute::<[[i16; 2]; 4], int16x8_t>(pairs) })
    }
}

impl Sums {
    #[inline]
    pub(crate) fn new(values: [i32; 4]) -> Sums {
        // SAFETY: of the same size, and all bits are a vector.
        Sums(unsafe { std::mem::transmute::<[i32; 4], int32x4_t>(values) })
    }

    /// Adds the two products of each pair.
    #[inline(always)]
    pub(crate) fn add_products(&mut self, left: Pairs, right: Pairs) {
        // SAFETY: every 64-bit Arm processor for which Rust has a standard library has NEON.
        self.0 = unsafe {
            let low = vmull_s16(vget_low_s16(left.0), vget_low_s16(right.0));
            let high = vmull_high_s16(left.0, right.0);
            vaddq_s32(self.0, vpaddq_s32(low, high))
        };
    }

    #[inline]
    pub(crate) fn values(self) -> [i32; 4] {
        // SAFETY: of the same size, and all bits are numbers.
        unsafe { std::mem::transmute::<int32x4_t, [i32; 4]>(self.0) }
    }
}
