/// Compiles a function three times, for any processor, for processors with AVX2 and for those with AVX-512, and chooses one
/// at each call. The results are the same: nothing here lets the compiler reorder sums or fuse products.
///
/// Generic parameters stand in square brackets; the function returns nothing.
///
/// ```
/// decoupled_seg_types::multiversion! {
///     fn add[T: Copy + std::ops::AddAssign](target: &mut [T], other: &[T]) {
///         target.iter_mut().zip(other).for_each(|(target, &other)| *target += other);
///     }
/// }
///
/// let mut sum = [1, 2];
/// add(&mut sum, &[10, 20]);
/// assert_eq!(sum, [11, 22]);
/// ```
#[macro_export]
macro_rules! multiversion {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident[$($generics:tt)*]($($arg:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name<$($generics)*>($($arg: $type),*) {
            #[inline(always)]
            fn portable<$($generics)*>($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide<$($generics)*>($($arg: $type),*) {
                    portable($($arg),*);
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn widest<$($generics)*>($($arg: $type),*) {
                    portable($($arg),*);
                }
                if std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: `widest` requires four sets of instructions, and this processor has them.
                    unsafe { widest($($arg),*) };
                    return;
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: `wide` requires AVX2 and nothing else, and this processor has AVX2.
                    unsafe { wide($($arg),*) };
                    return;
                }
            }
            portable($($arg),*);
        }
    };
}
