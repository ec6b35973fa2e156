//! How much memory a file may take.

/// The memory that a file may take, in multiples of its size.
pub(crate) const MEMORY_FACTOR: u64 = 4;
/// The memory that any file may take, in bytes. In small files the tables of tensors are larger than the tensors.
pub(crate) const MEMORY_FLOOR: u64 = 4 << 20;

/// The memory that a file of `length` bytes may take.
pub(crate) fn budget(length: u64) -> u64 {
    length.saturating_mul(MEMORY_FACTOR).max(MEMORY_FLOOR)
}
