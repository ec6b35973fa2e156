/// Lets the process keep the memory of freed tensors for the next ones, instead of giving it back to the system.
///
/// For the `main` of a program that trains or predicts on the CPU under Linux with glibc; anywhere else it does nothing.
/// glibc maps every tensor above 32 MiB anew, and the system clears each page of it at its first use: a plain copy of a
/// large feature map spends six sevenths of its time there. The price is that the process stays as large as it has been
/// at most. It is a setting of the whole process, so the library never makes it by itself.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu", feature = "flex"))]
    {
        /// `mallopt` reads it as the largest unsigned number.
        const NEVER: libc::c_int = -1;
        // SAFETY: both calls only set parameters of the allocator, under its own lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER);
        }
    }
}
