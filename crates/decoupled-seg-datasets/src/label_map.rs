use decoupled_seg_types::{LabelView, Size};

/// One class index per pixel, row by row; [`IGNORE_LABEL`](crate::IGNORE_LABEL) for pixels without a class.
///
/// Readers map a data set's value for "void" (11 in CamVid, -1 or 255 in others) to
/// [`IGNORE_LABEL`](crate::IGNORE_LABEL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Class indices, `[height, width]` in row-major order.
    pub data: Vec<u8>,
}

impl<'a> From<&'a LabelMap> for LabelView<'a> {
    fn from(labels: &'a LabelMap) -> Self {
        Self::new(labels.size(), &labels.data)
    }
}

fn check_length(size: Size, data: &[u8]) {
    assert_eq!(
        data.len(),
        size.pixels(),
        "a label map of {size} (height x width) holds {} labels",
        size.pixels()
    );
}

impl LabelMap {
    /// Wraps the rows of `data`.
    ///
    /// # Panics
    ///
    /// Panics if `data` does not hold a label for each pixel of `size`.
    pub fn new(size: Size, data: Vec<u8>) -> Self {
        check_length(size, &data);
        Self {
            width: size.width,
            height: size.height,
            data,
        }
    }

    /// A map of one label.
    pub fn filled(size: Size, label: u8) -> Self {
        Self::new(size, vec![label; size.pixels()])
    }

    /// Height and width.
    pub fn size(&self) -> Size {
        Size::new(self.height, self.width)
    }

    /// The label at column `x` and row `y`.
    ///
    /// # Panics
    ///
    /// Panics outside the map.
    pub fn get(&self, x: usize, y: usize) -> u8 {
        assert!(
            x < self.width && y < self.height,
            "column {x} or row {y} lies outside {} (height x width)",
            self.size()
        );
        self.data[y * self.width + x]
    }

    /// Row `y` as a slice of `width` labels.
    ///
    /// # Panics
    ///
    /// Panics if there is no such row.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// Number of pixels with each of the 256 values.
    pub fn histogram(&self) -> [u64; 256] {
        let mut counts = [0; 256];
        for &label in &self.data {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    /// The map mirrored left to right.
    pub fn flipped(mut self) -> Self {
        for row in self.data.chunks_exact_mut(self.width.max(1)) {
            row.reverse();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_histogram_and_flip() {
        let map = LabelMap::new(Size::new(2, 3), vec![0, 1, 255, 1, 1, 2]);
        assert_eq!(map.get(2, 0), 255);
        assert_eq!(map.row(1), [1, 1, 2]);
        assert_eq!((map.histogram()[1], map.histogram()[255]), (3, 1));
        assert_eq!(map.clone().flipped().data, [255, 1, 0, 2, 1, 1]);
        assert_eq!(map.clone().flipped().flipped(), map);
    }

    #[test]
    #[should_panic(expected = "a label map of 2x3 (height x width) holds 6 labels")]
    fn refuses_data_of_another_length() {
        LabelMap::new(Size::new(2, 3), vec![0; 5]);
    }
}
