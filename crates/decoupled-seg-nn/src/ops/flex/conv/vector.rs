//! Vectors of `f32`: what the inner loops are written in.

/// A few numbers that one instruction works on.
///
/// The methods are compiled into their callers, which must be compiled for the instruction set of the vector.
pub(super) trait Vector: Copy {
    /// How many numbers.
    const LANES: usize;
    /// Pairs of sums that the registers hold beside what is multiplied.
    const PAIRS: usize;
    /// The same number in every lane.
    fn splat(number: f32) -> Self;
    /// # Safety
    ///
    /// `LANES` numbers can be read at `from`, which need not be aligned.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    ///
    /// `LANES` numbers can be written at `to`, which need not be aligned.
    unsafe fn store(self, to: *mut f32);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self + a * b`.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// The larger of both, or `self` where `other` is not a number.
    fn at_least(self, other: Self) -> Self;
    /// The sum of the lanes.
    fn sum(self) -> f32;
}

/// What every processor can do. The compiler makes vectors of the loops.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn map(self, other: Self, function: impl Fn(f32, f32) -> f32) -> Self {
        let mut result = self;
        for (result, other) in result.0.iter_mut().zip(other.0) {
            *result = function(*result, other);
        }
        result
    }
}

impl Vector for Portable {
    const LANES: usize = 8;
    const PAIRS: usize = 4;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Self([number; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for eight numbers.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for room for eight numbers.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.map(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.map(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.map(other, |a, b| a * b)
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        let mut sums = self;
        for ((sum, a), b) in sums.0.iter_mut().zip(a.0).zip(b.0) {
            // A fused product is a call into the C library where the processor may lack it.
            *sum = if cfg!(target_arch = "aarch64") {
                a.mul_add(b, *sum)
            } else {
                *sum + a * b
            };
        }
        sums
    }

    #[inline(always)]
    fn at_least(self, other: Self) -> Self {
        self.map(other, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    /// Eight lanes; needs AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256);

    // SAFETY of all blocks: a value of this type only exists in functions compiled for AVX2 and FMA, which
    // run where both were detected (see `Isa`); pointers are as the trait demands.
    impl Vector for Avx2 {
        const LANES: usize = 8;
        const PAIRS: usize = 6;

        #[inline(always)]
        fn splat(number: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(number) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm256_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn at_least(self, other: Self) -> Self {
            // The instruction gives its second operand where one is not a number.
            Self(unsafe { _mm256_max_ps(other.0, self.0) })
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe {
                let four = _mm_add_ps(
                    _mm256_castps256_ps128(self.0),
                    _mm256_extractf128_ps::<1>(self.0),
                );
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
    }

    /// Sixteen lanes; needs AVX-512F.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    // SAFETY of all blocks: as for `Avx2`, with AVX-512F.
    impl Vector for Avx512 {
        const LANES: usize = 16;
        const PAIRS: usize = 12;

        #[inline(always)]
        fn splat(number: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(number) })
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm512_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(unsafe { _mm512_sub_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn at_least(self, other: Self) -> Self {
            Self(unsafe { _mm512_max_ps(other.0, self.0) })
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
    }
}
