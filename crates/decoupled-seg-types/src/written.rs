use std::mem::MaybeUninit;

/// A vector of `len` elements that `write` writes: the memory is not cleared before, and on Linux large results ask for huge
/// pages.
///
/// # Safety
///
/// `write` must initialise every element of the slice that it is given.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::written;
///
/// // SAFETY: the loop writes every element.
/// let squares = unsafe {
///     written(4, |squares| {
///         for (n, square) in squares.iter_mut().enumerate() {
///             square.write(n * n);
///         }
///     })
/// };
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
pub unsafe fn written<S: Copy>(len: usize, write: impl FnOnce(&mut [MaybeUninit<S>])) -> Vec<S> {
    let mut elements = Vec::with_capacity(len);
    let spare = &mut elements.spare_capacity_mut()[..len];
    prefer_huge_pages(spare);
    write(spare);
    // SAFETY: the capacity is there, and the caller promises that `write` has initialised each element.
    unsafe { elements.set_len(len) };
    elements
}

/// Asks the kernel for huge pages behind a large allocation, as NumPy does. Fresh memory costs a fault a page, and at
/// 4 KiB a page those take longer than the warp itself.
#[cfg(target_os = "linux")]
fn prefer_huge_pages<T>(memory: &mut [MaybeUninit<T>]) {
    /// Below this the last, partly used huge page weighs too much.
    const LEAST: usize = 1 << 22;
    /// The advice must start at a page; this is the largest usual one, and a divisor of every huge page.
    const PAGE: usize = 1 << 16;
    let bytes = size_of_val(memory);
    if bytes < LEAST {
        return;
    }
    let start = memory.as_mut_ptr().addr();
    let skipped = start.next_multiple_of(PAGE) - start;
    let length = (bytes - skipped) / PAGE * PAGE;
    let first = memory.as_mut_ptr().wrapping_byte_add(skipped);
    // SAFETY: the range is inside the slice, and the advice changes neither contents nor validity of memory. Whether it
    // is followed does not matter, so neither does the result.
    unsafe { libc::madvise(first.cast(), length, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn prefer_huge_pages<T>(_memory: &mut [MaybeUninit<T>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_results_are_what_was_written() {
        for len in [0, 1, 1000, (1 << 21) + 3] {
            // SAFETY: the loop writes every element.
            let numbers = unsafe {
                written(len, |numbers| {
                    for (index, number) in numbers.iter_mut().enumerate() {
                        number.write(index as u32);
                    }
                })
            };
            assert_eq!(numbers.len(), len);
            assert!(numbers.iter().enumerate().all(|(i, &n)| i as u32 == n));
        }
    }
}
