//! SSE2, which every x86-64 processor has: what the code for processors of which nothing is known needs there. Left to itself the
//! compiler finds `pmaddwd` only half of the time, and a change elsewhere is enough to lose it.

use std::arch::x86_64::*;

/// Four pairs of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs(__m128i);

/// Four sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums(__m128i);

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs::new([[0; 2]; 4])
    }
}

impl Pairs {
    #[inline]
    pub(crate) fn new(pairs: [[i16; 2]; 4]) -> Pairs {
        // SAFETY: of the same size, and all bits are a vector.
        Pairs(unsafe { std::mem::transmute::<[[i16; 2]; 4], __m128i>(pairs) })
    }
}

impl Sums {
    #[inline]
    pub(crate) fn new(values: [i32; 4]) -> Sums {
        // SAFETY: of the same size, and all bits are a vector.
        Sums(unsafe { std::mem::transmute::<[i32; 4], __m128i>(values) })
    }

    /// Adds the two products of each pair.
    #[inline(always)]
    pub(crate) fn add_products(&mut self, left: Pairs, right: Pairs) {
        // SAFETY: every x86-64 processor has SSE2.
        self.0 = unsafe { _mm_add_epi32(self.0, _mm_madd_epi16(left.0, right.0)) };
    }

    #[inline]
    pub(crate) fn values(self) -> [i32; 4] {
        // SAFETY: of the same size, and all bits are numbers.
        unsafe { std::mem::transmute::<__m128i, [i32; 4]>(self.0) }
    }
}
