use image::RgbImage;

use super::resize::{ResizeFilter, nearest_indices, resize_window};
use crate::{IGNORE, LabelMap, Sample};

/// Where the pixels of an augmented sample come from: scaled, padded, cropped, mirrored, in that order.
///
/// Image and labels are moved by the same `Geometry`, so they cannot drift apart; only what the crop shows is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Width and height after scaling.
    pub scaled: [usize; 2],
    /// Pixels added to the left and right, and to the top and bottom.
    pub padding: [usize; 2],
    /// Left and top of the crop, in the padded image.
    pub origin: [usize; 2],
    /// Width and height of the crop.
    pub size: [usize; 2],
    /// Whether the crop is mirrored left to right.
    pub flip: bool,
    /// How the image is scaled; labels take the nearest.
    pub filter: ResizeFilter,
}

impl Geometry {
    /// What leaves an image of this width and height as it is.
    pub fn identity(size: [usize; 2]) -> Self {
        Self {
            scaled: size,
            padding: [0; 2],
            origin: [0; 2],
            size,
            flip: false,
            filter: ResizeFilter::default(),
        }
    }

    /// Moves the sample; what the padding shows is `fill` in the image and [`IGNORE`] in the labels.
    ///
    /// # Panics
    ///
    /// Panics if the crop does not lie in the padded image.
    pub fn apply(&self, sample: &Sample, fill: [u8; 3]) -> Sample {
        let inside =
            (0..2).all(|i| self.origin[i] + self.size[i] <= self.scaled[i] + 2 * self.padding[i]);
        assert!(inside, "the crop lies in the padded image: {self:?}");
        Sample::new(
            sample.name.clone(),
            self.image(&sample.image, fill),
            self.labels(&sample.labels),
        )
    }

    /// The part of axis `i` of the crop that shows the image: its start in the crop, its start in the scaled image,
    /// and its length.
    fn visible(&self, i: usize) -> (usize, usize, usize) {
        let [start, end] = [self.origin[i], self.origin[i] + self.size[i]];
        let first = start.max(self.padding[i]);
        let last = end.min(self.padding[i] + self.scaled[i]);
        if first >= last {
            return (0, 0, 0); // Nothing but padding.
        }
        (first - start, first - self.padding[i], last - first)
    }

    fn image(&self, image: &RgbImage, fill: [u8; 3]) -> RgbImage {
        let [width, height] = self.size;
        let ((x, left, columns), (y, top, rows)) = (self.visible(0), self.visible(1));
        let mut out = vec![0; 3 * width * height];
        if [columns, rows] == self.size {
            resize_window(
                image,
                self.scaled,
                [left, top],
                [columns, rows],
                self.filter,
                &mut out,
            );
        } else {
            out.chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(&fill));
            let mut part = vec![0; 3 * columns * rows];
            resize_window(
                image,
                self.scaled,
                [left, top],
                [columns, rows],
                self.filter,
                &mut part,
            );
            for (row, part) in part.chunks_exact(3 * columns.max(1)).enumerate() {
                let at = 3 * ((y + row) * width + x);
                out[at..at + part.len()].copy_from_slice(part);
            }
        }
        if self.flip {
            for row in out.chunks_exact_mut(3 * width.max(1)) {
                row.reverse(); // Reverses the channels too,
                row.chunks_exact_mut(3).for_each(<[u8]>::reverse); // which this puts right.
            }
        }
        RgbImage::from_raw(width as u32, height as u32, out).expect("three bytes a pixel")
    }

    fn labels(&self, labels: &LabelMap) -> LabelMap {
        let [width, height] = self.size;
        let ((x, left, columns), (y, top, rows)) = (self.visible(0), self.visible(1));
        let mut out = LabelMap::filled(width, height, IGNORE);
        let source_columns = &nearest_indices(labels.width, self.scaled[0])[left..left + columns];
        let source_rows = &nearest_indices(labels.height, self.scaled[1])[top..top + rows];
        for (row, &source) in source_rows.iter().enumerate() {
            let source = labels.row(source);
            let at = (y + row) * width + x;
            let target = &mut out.data[at..at + columns];
            target
                .iter_mut()
                .zip(source_columns)
                .for_each(|(label, &column)| *label = source[column]);
        }
        if self.flip { out.flipped() } else { out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red codes the column's half, green the row's, and so do the labels: the edges of both must stay together.
    fn quadrants(width: usize, height: usize) -> Sample {
        let side = |x: usize, y: usize| (x >= width / 2, y >= height / 2);
        let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let (right, low) = side(x as usize, y as usize);
            image::Rgb([if right { 200 } else { 50 }, if low { 200 } else { 50 }, 50])
        });
        let data = (0..width * height).map(|i| {
            let (right, low) = side(i % width, i / width);
            u8::from(right) + 2 * u8::from(low)
        });
        Sample::new(
            "quadrants",
            image,
            LabelMap::new(width, height, data.collect()),
        )
    }

    fn assert_together(sample: &Sample) {
        for (pixel, &label) in sample.image.pixels().zip(&sample.labels.data) {
            if label == IGNORE {
                assert_eq!(pixel.0, [1, 2, 3], "padding in one is padding in the other");
                continue;
            }
            let nearest = u8::from(pixel.0[0] > 125) + 2 * u8::from(pixel.0[1] > 125);
            assert_eq!(nearest, label, "{pixel:?}");
        }
    }

    #[test]
    fn edges_stay_together_to_the_pixel() {
        let sample = quadrants(48, 32);
        for scaled in [[96, 64], [24, 16], [72, 48], [48, 32], [12, 8]] {
            for filter in [ResizeFilter::Bicubic, ResizeFilter::Bilinear] {
                for flip in [false, true] {
                    let padding = [2, 5];
                    let size = [scaled[0] - 3, scaled[1] + 4];
                    let geometry = Geometry {
                        scaled,
                        padding,
                        origin: [1, 2],
                        size,
                        flip,
                        filter,
                    };
                    let moved = geometry.apply(&sample, [1, 2, 3]);
                    assert_eq!([moved.width(), moved.height()], size);
                    assert_together(&moved);
                }
            }
        }
    }

    #[test]
    fn crops_and_flips_are_exact() {
        let sample = quadrants(20, 10);
        let identity = Geometry::identity([20, 10]);
        assert_eq!(identity.apply(&sample, [0; 3]), sample);
        let flip = Geometry {
            flip: true,
            ..identity
        };
        let flipped = flip.apply(&sample, [0; 3]);
        assert_ne!(flipped, sample);
        assert_eq!(flip.apply(&flipped, [0; 3]), sample);
        let crop = Geometry {
            origin: [3, 2],
            size: [11, 7],
            ..identity
        }
        .apply(&sample, [0; 3]);
        for y in 0..7 {
            for x in 0..11 {
                assert_eq!(crop.labels.get(x, y), sample.labels.get(x + 3, y + 2));
                assert_eq!(
                    crop.image.get_pixel(x as u32, y as u32),
                    sample.image.get_pixel(x as u32 + 3, y as u32 + 2)
                );
            }
        }
    }

    #[test]
    fn a_crop_of_padding_alone() {
        let sample = quadrants(4, 4);
        let padding = [10, 0];
        let geometry = Geometry {
            padding,
            size: [5, 4],
            ..Geometry::identity([4, 4])
        };
        let moved = geometry.apply(&sample, [1, 2, 3]);
        assert!(moved.labels.data.iter().all(|&label| label == IGNORE));
        assert_together(&moved);
    }
}
