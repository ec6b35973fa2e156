//! How much memory a piece of code takes, for tests of what files may cost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what each thread allocates and the most there was; other tests run at the same
/// time. A test installs it with `#[global_allocator]`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counting;

fn count(layout: Layout) {
    let in_use = IN_USE.get().wrapping_add(layout.size());
    IN_USE.set(in_use);
    MOST.set(MOST.get().max(in_use));
}

// SAFETY: everything is handed to the system's allocator; the counters change no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // What another thread allocated is no part of any measurement.
        IN_USE.set(IN_USE.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What `run` returns, and the most bytes that this thread held at a time while it ran. 0 unless [`Counting`] is installed.
pub fn most_held<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.get();
    MOST.set(before);
    let result = run();
    (result, MOST.get().saturating_sub(before))
}
