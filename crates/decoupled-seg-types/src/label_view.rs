use crate::Size;

/// A borrowed label map: one class index a pixel, [`IGNORE_LABEL`](crate::IGNORE_LABEL) for pixels without a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelView<'a> {
    /// Height and width.
    pub size: Size,
    /// Class indices, `[height, width]` in row-major order.
    pub data: &'a [u8],
}

impl<'a> LabelView<'a> {
    /// Views `data` as a map of `size`.
    ///
    /// # Panics
    ///
    /// Panics if `data` does not hold a label for each pixel.
    pub fn new(size: Size, data: &'a [u8]) -> Self {
        assert_eq!(
            data.len(),
            size.pixels(),
            "a label map of {size} (height x width) holds {} labels",
            size.pixels()
        );
        Self { size, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a label map of 2x3 (height x width) holds 6 labels")]
    fn every_pixel_has_a_label() {
        LabelView::new(Size::new(2, 3), &[0; 5]);
    }
}
