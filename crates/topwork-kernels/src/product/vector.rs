//! A few f32 values that are computed with at once; what is the same for every length is written once upon these.
//!
//! The operations are those of IEEE 754 in each lane, correctly rounded, so all lengths give the same bits.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// `LANES` values.
///
/// The functions are inlined into one that enables the instructions; they may be called nowhere else.
///
/// # Safety
/// Each function needs the instructions of its type; `load` and `store` need a place of `LANES` values.
pub(super) trait Vector: Copy {
    const LANES: usize;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn all(value: f32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
}

/// One value: the columns that are left over.
impl Vector for f32 {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> f32 {
        // SAFETY: the trait's: a place of one value.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's: a place of one value.
        unsafe { *to = self }
    }
    #[inline(always)]
    unsafe fn all(value: f32) -> f32 {
        value
    }
    #[inline(always)]
    unsafe fn add(self, other: f32) -> f32 {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: f32) -> f32 {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: f32) -> f32 {
        self * other
    }
    #[inline(always)]
    unsafe fn div(self, other: f32) -> f32 {
        self / other
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
}

/// Plain loops over four values, which compilers turn into whatever 128-bit vectors there are.
pub(super) type Plain = [f32; 4];

impl Vector for Plain {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Plain {
        // SAFETY: the trait's: a place of four values.
        unsafe { from.cast::<Plain>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's: a place of four values.
        unsafe { to.cast::<Plain>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn all(value: f32) -> Plain {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn add(self, other: Plain) -> Plain {
        std::array::from_fn(|lane| self[lane] + other[lane])
    }
    #[inline(always)]
    unsafe fn sub(self, other: Plain) -> Plain {
        std::array::from_fn(|lane| self[lane] - other[lane])
    }
    #[inline(always)]
    unsafe fn mul(self, other: Plain) -> Plain {
        std::array::from_fn(|lane| self[lane] * other[lane])
    }
    #[inline(always)]
    unsafe fn div(self, other: Plain) -> Plain {
        std::array::from_fn(|lane| self[lane] / other[lane])
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Plain {
        self.map(f32::sqrt)
    }
}

macro_rules! intrinsics {
    ($name:ident, $register:ty, $lanes:literal, $load:ident, $store:ident, $all:ident, $add:ident, $sub:ident, $mul:ident,
     $div:ident, $sqrt:ident) => {
        #[cfg(target_arch = "x86_64")]
        #[derive(Clone, Copy)]
        pub(super) struct $name($register);

        #[cfg(target_arch = "x86_64")]
        impl Vector for $name {
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn load(from: *const f32) -> $name {
                // SAFETY: the trait's: the instructions, and a place of that many values.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the trait's: the instructions, and a place of that many values.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn all(value: f32) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $all(value) })
            }
            #[inline(always)]
            unsafe fn add(self, other: $name) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: $name) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn mul(self, other: $name) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn div(self, other: $name) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $div(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> $name {
                // SAFETY: the trait's: the instructions.
                $name(unsafe { $sqrt(self.0) })
            }
        }
    };
}

intrinsics!(
    Avx2,
    __m256,
    8,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_sqrt_ps
);
intrinsics!(
    Avx512,
    __m512,
    16,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_sqrt_ps
);
