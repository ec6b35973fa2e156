//! Memory that a thread uses again and again.

use std::cell::RefCell;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([f32; 16]);

impl Line {
    /// The numbers of `lines`.
    pub(super) fn numbers(lines: &[Self]) -> &[f32] {
        // SAFETY: a line is sixteen numbers without padding, and the slice covers the lines that are there.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast::<f32>(), lines.len() * 16) }
    }
}

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` `len` numbers, whatever is in them, at the start of a cache line. `work` must not come back here.
pub(super) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    LINES.with_borrow_mut(|lines| {
        let needed = len.div_ceil(16);
        if lines.len() < needed {
            // The old numbers are of no use, so they are not copied.
            lines.clear();
            lines.resize(needed, Line([0.0; 16]));
        }
        // SAFETY: a line is sixteen numbers without padding, and the slice covers the lines that are there.
        let numbers = unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<f32>(), needed * 16)
        };
        work(&mut numbers[..len])
    })
}
