//! Compiles a kernel for the instruction sets worth it and picks one at run time.

/// A piece of work whose inner loops profit from wide vectors.
///
/// `run` must be `#[inline(always)]`, and so must be what it calls: only inlined code is compiled for the wider set.
pub(super) trait Kernel {
    fn run(self);
}

/// Runs a kernel with the widest vectors that the processor has.
pub(super) fn dispatch(kernel: impl Kernel) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, asked on the line above.
        unsafe { with_avx2(kernel) };
        return;
    }
    kernel.run();
}

/// No FMA: results are the same, bit by bit, with and without AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(kernel: impl Kernel) {
    kernel.run();
}
