/// Compiles a function's loops twice: for any processor, and for those with AVX2, which one is asked for when it is
/// called. The results are the same: nothing here lets the compiler reorder sums or fuse products.
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
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the one thing that `wide` asks for is AVX2, and this processor has it.
                    unsafe { wide($($arg),*) };
                    return;
                }
            }
            portable($($arg),*);
        }
    };
}
pub(crate) use multiversion;
