//! Memory that several threads write.

use std::mem::MaybeUninit;
use std::ops::Range;

/// Numbers, for threads that write different parts of them. Who writes through it vouches that no other thread touches
/// that place meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Target(pub(super) *mut f32);

// SAFETY: the pointer is used in unsafe code only, and there each user vouches as above.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// All of `memory`, which is made of numbers.
    pub(super) fn of<T>(memory: &mut [MaybeUninit<T>]) -> Self {
        Self(memory.as_mut_ptr().cast())
    }

    /// # Safety
    ///
    /// There is a number at `place`.
    pub(super) unsafe fn at(self, place: usize) -> *mut f32 {
        // SAFETY: as the caller vouches.
        unsafe { self.0.add(place) }
    }

    /// # Safety
    ///
    /// There are numbers at `range`, nobody else touches them meanwhile, and what is read was written before.
    // Threads share the pointer, and each takes another range of it.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn part(&self, range: Range<usize>) -> &mut [MaybeUninit<f32>] {
        // SAFETY: as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(range.start).cast(), range.len()) }
    }
}
