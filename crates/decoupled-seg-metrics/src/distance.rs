//! The number types of distance planes.

/// A distance along a column, in pixels. Planes use the smallest type that holds the largest radius: a plane of bytes
/// is filled four times as fast as a plane of words.
pub(crate) trait Distance: Copy + Ord + Send + Sync + 'static {
    /// The distance of a pixel from itself.
    const ZERO: Self;
    /// One pixel away.
    const ONE: Self;
    /// A distance larger than any radius.
    const FAR: Self;

    /// The distance plus one pixel; [`FAR`](Self::FAR) stays as it is.
    fn farther(self) -> Self;

    /// `pixels`, at most [`FAR`](Self::FAR).
    fn clamped(pixels: u32) -> Self;

    /// The distance as an index.
    fn index(self) -> usize;
}

macro_rules! distance {
    ($($type:ty),*) => {$(
        impl Distance for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const FAR: Self = Self::MAX;

            #[inline]
            fn farther(self) -> Self {
                self.saturating_add(1)
            }

            #[inline]
            fn clamped(pixels: u32) -> Self {
                Self::try_from(pixels).unwrap_or(Self::FAR)
            }

            #[inline]
            fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}

distance!(u8, u16, u32);

/// Half-widths of the rows of a disk: entry `dy` is `floor(sqrt(radius^2 - dy^2))`, for `dy` in `0..=radius`.
///
/// The disk `dx^2 + dy^2 <= radius^2` is symmetric in `dx` and `dy`, so the table also holds the half-heights of the
/// columns.
pub(crate) fn disk_half_widths(radius: u32) -> Vec<u32> {
    let squared = u64::from(radius) * u64::from(radius);
    (0..=u64::from(radius))
        .map(|dy| (squared - dy * dy).isqrt() as u32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_rows_are_exact() {
        assert_eq!(disk_half_widths(0), [0]);
        assert_eq!(disk_half_widths(5), [5, 4, 4, 4, 3, 0]);
    }
}
